"""What every architecture has to hold to; a new one needs a row in NUMBERS here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from likeness.compute.compiled import CompiledCache
from likeness.errors import CheckpointFormatError, ConfigError
from likeness.messages.notice import Notice
from likeness.models import registry
from likeness.models.architecture import Config, Shapes
from likeness.models.esrgan.config import EsrganConfig
from likeness.models.formats import ModelInfo, read_checkpoint, read_spec, write_checkpoint
from likeness.models.gpen.architecture import GPEN
from likeness.models.gpen.config import GpenConfig
from likeness.models.registry import ARCHITECTURES, architecture_of, as_published, check_purpose, named, recognise
from likeness.models.spec import PURPOSES
from likeness.models.srvgg.architecture import SRVGG
from likeness.models.srvgg.config import SrvggConfig
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime
from likeness.runtimes.openvino_ import OpenVinoRuntime

State = dict[str, NDArray[np.float32]]

NUMBERS: tuple[Config, ...] = (
    GpenConfig(size=64, channel_multiplier=1, narrow=0.125),
    EsrganConfig(features=8, blocks=2, growth=4, scale=4),
    EsrganConfig(features=8, blocks=1, growth=4, scale=2),
    EsrganConfig(features=8, blocks=1, growth=4, scale=1),
    SrvggConfig(features=8, convolutions=3, scale=4),
    SrvggConfig(features=8, convolutions=0, scale=1),
)
EACH = pytest.mark.parametrize("config", NUMBERS, ids=str)


def shapes_of(config: Config) -> Shapes:
    shapes = architecture_of(config.spec).shapes
    assert shapes is not None
    return shapes(config.spec.config)


def weights(config: Config, seed: int = 0) -> State:
    """Random, all of them in float16 exactly. GPEN scales its weights at run time; others must bring theirs scaled."""
    rng = np.random.default_rng(seed)
    state: State = {}
    for name, shape in shapes_of(config).items():
        scaled = np.sqrt(2 / np.prod(shape[1:])) if len(shape) == 4 else 0.1  # He et al., 2015
        gain = 1.0 if config.spec.architecture == "gpen" else scaled
        state[name] = (gain * rng.standard_normal(shape)).astype(np.float16).astype(np.float32)
    return state


def test_every_row_is_named_once_and_held_to_everything_here() -> None:
    names = [architecture.name for architecture in ARCHITECTURES]
    assert len(set(names)) == len(names)
    # Those whose tensors only spandrel knows are held to it in tests/restorers; GFPGAN, whose smallest file has 25 MB and
    # whose module needs spandrel, in test_gfpgan.py.
    here = {config.spec.architecture for config in NUMBERS}
    assert here == {one.name for one in ARCHITECTURES if one.shapes} - {"gfpgan"}
    assert all(named(name) is architecture for name, architecture in zip(names, ARCHITECTURES, strict=True))
    assert named("resnet") is None


@EACH
def test_each_detects_its_own_and_none_of_the_others(config: Config) -> None:
    names = shapes_of(config).keys()
    assert [one.name for one in ARCHITECTURES if one.detect(names)] == [config.spec.architecture]
    assert not any(one.detect([]) for one in ARCHITECTURES)


@EACH
def test_the_shapes_give_back_the_spec(config: Config) -> None:
    spec = config.spec
    assert spec.config == config
    assert type(config) is architecture_of(spec).config
    assert recognise(shapes_of(config), "a file") == as_published(config)
    assert spec.purpose in PURPOSES
    assert f" {architecture_of(spec).title} " in spec.title


@EACH
@pytest.mark.parametrize("wrapping", ["bare", "params_ema", "params", "g_ema", "data-parallel", "safetensors", "own"])
def test_every_kind_of_file_gives_back_spec_and_weights(config: Config, wrapping: str, tmp_path: Path) -> None:
    state, path = weights(config), tmp_path / "a.pth"
    if wrapping == "own":
        write_checkpoint(path, state, config.spec, ModelInfo(name="a", licence="MIT"))
    elif wrapping == "safetensors":
        save_file(state, path)
    else:
        torch = pytest.importorskip("torch")
        tensors = {name: torch.from_numpy(array) for name, array in state.items()}
        data_parallel = {f"module.{name}": tensor for name, tensor in tensors.items()}
        torch.save({"bare": tensors, "data-parallel": data_parallel}.get(wrapping, {wrapping: tensors}), path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec.config == config
    assert checkpoint.spec.licence == ("MIT" if wrapping == "own" else "")
    assert read_spec(path) == checkpoint.spec
    assert checkpoint.state.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(checkpoint.state[name], array)


@EACH
def test_what_lacks_has_too_much_or_is_shaped_otherwise_is_refused(config: Config, tmp_path: Path) -> None:
    state, path = weights(config), tmp_path / "a.safetensors"
    for name in state:
        save_file({key: array for key, array in state.items() if key != name}, path)
        with pytest.raises(CheckpointFormatError, match=r"a\.safetensors is not "):
            read_spec(path)
    save_file({**state, "another.weight": np.ones(2, np.float32)}, path)
    with pytest.raises(CheckpointFormatError, match=r"another\.weight is unexpected"):
        read_spec(path)
    for name, array in state.items():
        save_file({**state, name: np.ones((*array.shape, 2), np.float32)}, path)
        with pytest.raises(CheckpointFormatError, match=r"a\.safetensors is not "):
            read_spec(path)


@EACH
@pytest.mark.parametrize("number", ["0", "-1", "1e400", "NaN", str(1 << 70), '"many"', "[]", "null"])
def test_numbers_that_make_no_network_are_refused(config: Config, number: str, tmp_path: Path) -> None:
    for name in config.spec.numbers:
        numbers = {key: json.dumps(value) for key, value in config.spec.numbers.items()} | {name: number}
        said = "{" + ", ".join(f'"{key}": {value}' for key, value in numbers.items()) + "}"
        form = f"likeness-{config.spec.architecture}"
        metadata = {"format": form, "format_version": "1", "config": said, "model": '{"name": "a"}'}
        save_file({"a": np.ones(1, np.float32)}, tmp_path / "a.safetensors", metadata=metadata)
        with pytest.raises(CheckpointFormatError, match=r"damaged metadata|is not a"):
            read_spec(tmp_path / "a.safetensors")


def test_a_file_of_a_later_version_is_said_to_be_one(tmp_path: Path) -> None:
    metadata = {"format": "likeness-hypernet", "format_version": "1", "config": "{}", "model": "{}"}
    save_file({"a": np.ones(1, np.float32)}, tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(CheckpointFormatError, match=r"does not know; upgrade with `pip install -U likeness`"):
        read_checkpoint(tmp_path / "a.safetensors")


@EACH
def test_graph_and_module_compute_the_same(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from likeness.runtimes.torch_ import TorchRuntime

    spec, state = config.spec, weights(config)
    sides = [(spec.size, spec.size)] if spec.size is not None else [(16, 24), (13, 7), (1, 2)]
    module = TorchRuntime(state, spec, precision="f32")
    cache = CompiledCache(folder=tmp_path)
    runtimes: list[Any] = [OpenVinoRuntime(state, spec, precision="f32", cache=cache) for _ in range(2)]
    for height, width in sides:
        images = np.random.default_rng(1).uniform(*spec.value_range, (2, 3, height, width)).astype(np.float32)
        expected = module.run(images)
        assert expected.shape == (2, 3, spec.scale * height, spec.scale * width)
        assert np.abs(expected[0] - expected[1]).max() > 0.01
        for runtime in runtimes:  # the second one comes from the cache
            assert runtime.spec == spec
            assert np.abs(runtime.run(images) - expected).max() < 1e-4 * max(1.0, float(np.abs(expected).max()))
        with pytest.raises(ValueError, match="must be N x 3 x"):
            module.run(images[:, :2])
        with pytest.raises(ValueError, match="must be N x 3 x"):
            runtimes[0].run(images[:, :, :0])


@EACH
def test_one_of_another_purpose_is_refused_in_a_sentence(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, weights(config), config.spec, ModelInfo(name="a"))
    check_purpose(config.spec, (config.spec.purpose,), "a")
    assert load_runtime(Store(), path, purposes=(config.spec.purpose,), device="cpu").spec.config == config
    wanted = "restore" if config.spec.purpose != "restore" else "enlarge"
    found, other = Notice(f"purpose.{config.spec.purpose}"), Notice(f"purpose.{wanted}")
    sentence = f"holds {architecture_of(config.spec).title}, {found}, not {other}; "
    with pytest.raises(CheckpointFormatError, match=sentence):
        load_runtime(Store(), path, purposes=(wanted,), device="cpu")


def test_an_architecture_without_a_graph_runs_in_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    config = SrvggConfig(features=8, convolutions=1, scale=2)
    path, state = tmp_path / "a.safetensors", weights(config)
    write_checkpoint(path, state, config.spec, ModelInfo(name="a"), dtype="float32")
    images = np.random.default_rng(0).uniform(0, 1, (2, 3, 9, 12)).astype(np.float32)
    expected = OpenVinoRuntime(state, config.spec, precision="f32").run(images)
    monkeypatch.setattr(registry, "ARCHITECTURES", (GPEN, replace(SRVGG, graph=None)))
    runtime = load_runtime(Store(), path, purposes=("enlarge",), device="cpu")
    assert runtime.description.startswith("PyTorch ")
    assert np.abs(runtime.run(images) - expected).max() < 1e-4
    with pytest.raises(ConfigError, match="cannot run on OpenVINO; it needs PyTorch"):
        OpenVinoRuntime(state, config.spec).run(images)


def test_half_precision_keeps_the_answers_of_enlargers() -> None:
    """`Spec.precision` says bfloat16: 40 dB of the range, as for every runtime."""
    pytest.importorskip("torch")
    from likeness.runtimes.torch_ import TorchRuntime

    for config in NUMBERS:
        if config.spec.purpose == "enlarge":
            state = weights(config)
            images = np.random.default_rng(0).uniform(0, 1, (1, 3, 24, 24)).astype(np.float32)
            exact = TorchRuntime(state, config.spec, precision="f32").run(images)
            half = TorchRuntime(state, config.spec, precision="bf16").run(images)
            assert half.dtype == np.float32
            assert 10 * np.log10(np.ptp(exact) ** 2 / np.mean(np.square(half - exact))) > 40


@EACH
@pytest.mark.parametrize("kind", ["float16.pth", "bfloat16.pth", "bfloat16.safetensors"])
def test_files_in_half_precision_are_read_and_keep_the_answers(config: Config, kind: str, tmp_path: Path) -> None:
    """Weights rounded to half precision answer as the whole ones do, within 40 dB of the answer's range."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_tensors

    state = weights(config)
    name, _, suffix = kind.partition(".")
    halved = {key: torch.from_numpy(array).to(getattr(torch, name)) for key, array in state.items()}
    path = tmp_path / kind
    if suffix == "pth":
        torch.save({"params_ema": halved}, path)
    else:
        save_tensors(halved, path)
    read = read_checkpoint(path)
    for key, tensor in halved.items():
        np.testing.assert_array_equal(read.state[key], tensor.float().numpy())
        assert read.state[key].dtype == np.float32
    assert read.spec.config == config
    side = config.spec.size or 24
    images = np.random.default_rng(0).uniform(*config.spec.value_range, (1, 3, side, side)).astype(np.float32)
    exact, answer = (
        OpenVinoRuntime(each, config.spec, precision="f32").run(images) for each in (state, dict(read.state))
    )
    if name == "float16":
        assert np.array_equal(answer, exact)  # these weights are so already
    else:
        assert 10 * np.log10(np.ptp(exact) ** 2 / np.mean(np.square(answer - exact))) > 40
