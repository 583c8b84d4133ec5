"""ONNX files of others, run as they are: real files with random weights, of our writer and of PyTorch's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.cli import main
from likeness.errors import CheckpointFormatError, ConfigError
from likeness.models import catalog
from likeness.models.catalog import CATALOG
from likeness.models.find import find_weights
from likeness.models.formats import Checkpoint, read_checkpoint, read_spec, spec_for_task
from likeness.models.gpen.config import GpenConfig
from likeness.models.onnx_export import export_onnx
from likeness.models.onnx_file import OnnxConfig
from likeness.models.spec import Authors
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime
from likeness.runtimes.openvino_ import OpenVinoRuntime

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

State = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, state: State, config: GpenConfig) -> Path:
    """A file of ours, for any number of faces, which says what it is."""
    path = tmp_path_factory.mktemp("ours") / "small.onnx"
    small = {name: 0.3 * array for name, array in state.items()}
    checkpoint = Checkpoint(state=small, spec=config.spec, info=None, path=path, kind="safetensors")
    export_onnx(checkpoint, path, name="small")
    return path


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, state: State, config: GpenConfig) -> tuple[Path, Any]:
    """As GPEN's files are passed on: what PyTorch's exporter writes of the network, for one face, and the network."""
    from likeness.models.gpen.network import Gpen

    network = Gpen(config)
    network.load_state_dict({name: torch.from_numpy(0.3 * array) for name, array in state.items()})
    network.eval()
    path = tmp_path_factory.mktemp("theirs") / "GPEN-BFR-64.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        face = torch.zeros(1, 3, config.size, config.size)
        torch.onnx.export(network, (face,), str(path), dynamo=False, input_names=["input"], output_names=["output"])
    return path, network


@pytest.fixture
def faces(config: GpenConfig) -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-1, 1, (2, 3, config.size, config.size)).astype(np.float32)


def test_pytorchs_file_gives_the_networks_own_answer(
    theirs: tuple[Path, Any], faces: NDArray[np.float32], tmp_path: Path
) -> None:
    path, network = theirs
    with torch.no_grad():
        expected = network(torch.from_numpy(faces)).numpy()
    limit = 1e-4 * max(1.0, float(np.abs(expected).max()))
    assert np.ptp(expected[0] - expected[1]) > 100 * limit
    for library in ("auto", "onnx"):
        runtime = load_runtime(Store(tmp_path), path, device="cpu", precision="f32", library=library)
        assert np.abs(runtime.run(faces) - expected).max() < limit
        assert runtime.spec.config == OnnxConfig(size=64, gpen=True)
        assert (runtime.spec.purpose, runtime.spec.authors) == ("restore", Authors(template="gpen"))


def test_our_own_file_says_what_it_is(
    ours: Path, state: State, config: GpenConfig, faces: NDArray[np.float32], tmp_path: Path
) -> None:
    spec = read_spec(ours)
    assert (spec.architecture, spec.config, spec.purpose) == ("onnx", OnnxConfig(size=64, gpen=True), "restore")
    reference = OpenVinoRuntime({name: 0.3 * array for name, array in state.items()}, config.spec, precision="f32")
    runtime = load_runtime(Store(tmp_path), ours, device="cpu", precision="f32")
    assert isinstance(runtime, OpenVinoRuntime)
    expected = reference.run(faces)
    assert np.abs(runtime.run(faces) - expected).max() < 1e-4 * max(1.0, float(np.abs(expected).max()))


def test_what_a_file_is_for_is_told_by_its_name_or_its_bytes_or_asked(
    theirs: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(theirs[0].read_bytes())
    with pytest.raises(CheckpointFormatError, match="say --task, one of restore, colourise, inpaint"):
        spec_for_task(path, None)
    spec = spec_for_task(path, "colourise")
    assert (spec.purpose, spec.precision, spec.authors) == ("colourise", "f32", Authors())
    (tmp_path / "gfpgan_1.4.onnx").write_bytes(path.read_bytes())
    assert spec_for_task(tmp_path / "gfpgan_1.4.onnx", None).config == OnnxConfig(size=64)
    (tmp_path / "gpen-seg2face.onnx").write_bytes(path.read_bytes())
    with pytest.raises(CheckpointFormatError, match="maps of labels"):
        spec_for_task(tmp_path / "gpen-seg2face.onnx", None)
    known = CATALOG["GPEN-BFR-512-onnx"]
    own = replace(known, config=OnnxConfig(size=64, gpen=True), sha256=_digest(path), size=path.stat().st_size)
    monkeypatch.setattr(catalog.entry_of_bytes, "__defaults__", ({own.name: own},))
    assert spec_for_task(path, None) == own.spec


def _digest(path: Path) -> str:
    from likeness.core.hashing import sha256_of

    return sha256_of(path)


def test_the_rows_of_the_catalog_are_run_as_gpens_authors_do() -> None:
    for size in (256, 512, 1024, 2048):
        entry = CATALOG[f"GPEN-BFR-{size}-onnx"]
        assert entry.file_name == f"GPEN-BFR-{size}-onnx.onnx"
        assert entry.licence.must_accept
        assert entry.spec is not None
        strength = 0.8 if size == 2048 else 1.0
        assert (entry.spec.size, entry.spec.authors) == (size, Authors(template="gpen", strength=strength))


def test_a_stored_file_runs_by_its_name(theirs: tuple[Path, Any], tmp_path: Path) -> None:
    store = Store(tmp_path, accepted=["GPEN-BFR-512-onnx"])
    stored = tmp_path / "models" / "GPEN-BFR-512-onnx.onnx"
    stored.parent.mkdir()
    stored.write_bytes(theirs[0].read_bytes())
    assert store.path("gpen-bfr-512-ONNX") == stored
    assert load_runtime(store, "GPEN-BFR-512-onnx", device="cpu").spec.size == 64
    assert {model.name: model.state for model in store.list()}["GPEN-BFR-512-onnx"] == "fetched"


def test_it_is_found_and_described(theirs: tuple[Path, Any]) -> None:
    found = [file for file in find_weights([theirs[0].parent]) if file.path == theirs[0]]
    assert found[0].spec is not None
    assert found[0].spec.title == "an ONNX network of size 64"


def _wrong(change: Callable[[Any], None], source: Path, target: Path) -> Path:
    model = onnx.load(source)
    change(model)
    target.write_bytes(model.SerializeToString())
    return target


def _as(shape: list[int | str], kind: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        """A graph that hands its input on."""
        port = onnx.helper.make_tensor_value_info
        del model.graph.node[:], model.graph.initializer[:], model.graph.input[:], model.graph.output[:]
        model.graph.input.append(port("input", kind, shape))
        model.graph.output.append(port("output", kind, shape))
        model.graph.node.append(onnx.helper.make_node("Identity", ["input"], ["output"]))

    return change


def _another_input(model: Any) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("weight", onnx.TensorProto.DOUBLE, [1]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["weight"], ["weight_again"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("weight_again", onnx.TensorProto.DOUBLE, [1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_as([1, 3, 64, 32], 1), r"takes \[1,3,64,32\] f32 and gives \[1,3,64,32\] f32; a network for faces"),
        (_as([1, 64, 64, 3], 1), "a network for faces takes and gives one picture"),
        (_as(["N", 3, "H", "W"], 1), "a network for faces takes and gives one picture"),
        (_as([2, 3, 64, 64], 1), "a network for faces takes and gives one picture"),
        (_as([1, 3, 64, 64], 10), r"takes \[1,3,64,64\] f16"),
        (_as([1, 3, 32, 32], 1), "S from 64 to 4096"),
        (_another_input, r"takes \[1,3,64,64\] f32, \[1\] f64"),
    ],
)
def test_other_ports_are_a_sentence(
    theirs: tuple[Path, Any], tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    path = _wrong(change, theirs[0], tmp_path / "gpen-bfr-wrong.onnx")
    with pytest.raises(CheckpointFormatError, match=words):
        load_runtime(Store(tmp_path), path, device="cpu")


def test_another_range_is_a_sentence(ours: Path, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        onnx.helper.set_model_props(model, {"format": "likeness-gpen", "purpose": "restore", "range": "0 to 1"})

    path = _wrong(change, ours, tmp_path / "wrong.onnx")
    with pytest.raises(CheckpointFormatError, match="takes samples of 0 to 1"):
        read_spec(path)


@pytest.mark.parametrize("content", [b"\x08\x07", b"no model at all", b"\x08\x07" + bytes(5000)])
def test_what_is_no_onnx_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointFormatError, match=r"half\.onnx (is no whole ONNX file|takes)"):
        read_spec(path)


def test_a_file_cut_short_is_a_sentence(ours: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(ours.read_bytes()[:-1000])
    with pytest.raises(CheckpointFormatError, match=r"half\.onnx is no whole ONNX file"):
        read_spec(path)


def test_a_damaged_file_is_read_or_refused_in_a_sentence(ours: Path, tmp_path: Path) -> None:
    whole, rng = ours.read_bytes(), np.random.default_rng(0)
    path, refused = tmp_path / "gpen-bfr.onnx", 0
    for _ in range(40):
        damaged = bytearray(whole)
        for at in rng.integers(0, 40_000, rng.integers(1, 6)):  # the description; behind it are weights
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_spec(path)
        except CheckpointFormatError:
            refused += 1
    assert 10 < refused < 40


def test_it_is_neither_imported_nor_exported_nor_run_in_pytorch(ours: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointFormatError, match="runs as it is"):
        read_checkpoint(ours)
    with pytest.raises(CheckpointFormatError, match="runs as it is"):
        Store(tmp_path).import_(ours, "mine")
    with pytest.raises(ConfigError, match="does not run in PyTorch"):
        load_runtime(Store(tmp_path), ours, device="cpu", library="pytorch")


def test_a_photograph_is_restored_with_it(theirs: tuple[Path, Any], tmp_path: Path) -> None:
    picture = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"
    assert main(["restore", str(picture), "-o", str(tmp_path / "out.png"), "--model", str(theirs[0]), "--quiet"]) == 0
    assert (tmp_path / "out.png").stat().st_size > 1000
