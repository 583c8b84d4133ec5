"""The networks as ONNX files, run by ONNX Runtime and held to OpenVINO's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.cli import main
from likeness.compute.library import load_openvino, shared_core
from likeness.compute.onnx_graph import OPSET, to_onnx
from likeness.errors import ConfigError
from likeness.models.architecture import Config
from likeness.models.esrgan.config import EsrganConfig
from likeness.models.formats import Checkpoint, ModelInfo, read_checkpoint
from likeness.models.gfpgan.config import GfpganConfig
from likeness.models.gpen.config import GpenConfig
from likeness.models.onnx_export import checkpoint_to_onnx
from likeness.models.registry import architecture_of
from likeness.models.srvgg.config import SrvggConfig
from likeness.runtimes.enlarging import EnlargerRuntime
from likeness.runtimes.openvino_ import OpenVinoRuntime

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CONFIGS: tuple[Config, ...] = (
    GpenConfig(size=64, channel_multiplier=1, narrow=0.0625),
    GpenConfig(size=64, channel_multiplier=1, narrow=0.0625, texture=True),
    EsrganConfig(features=8, blocks=1, growth=4, scale=4),
    EsrganConfig(features=8, blocks=1, growth=4, scale=2),
    EsrganConfig(features=8, blocks=1, growth=4, scale=1),
    SrvggConfig(features=8, convolutions=2, scale=3),
    GfpganConfig(size=64, narrow=0.0625),
)


def weights(config: Config) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    shapes_of = architecture_of(config.spec).shapes
    assert shapes_of is not None
    shapes = shapes_of(config)
    return {name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def session(model: bytes | Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model if isinstance(model, bytes) else model.read_bytes()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def near(answer: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    assert answer.shape == expected.shape
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    return bool(np.abs(answer - expected).max() < 1e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.spec.title.replace(" ", "-"))
def test_onnx_runtime_answers_as_openvino_does_for_any_number_of_images(config: Config, tmp_path: Path) -> None:
    state, spec = weights(config), config.spec
    checkpoint = Checkpoint(state=state, spec=spec, info=None, path=tmp_path, kind="safetensors")
    model = checkpoint_to_onnx(checkpoint, name="a")
    onnx.checker.check_model(model, full_check=True)
    running = session(model.SerializeToString())
    reference = OpenVinoRuntime(state, spec, precision="f32", threads=1)
    rng = np.random.default_rng(1)
    for count in (2, 3):
        for height, width in [(64, 64)] if spec.size is not None else [(8, 12), (7, 5)]:
            images = rng.uniform(*spec.value_range, (count, 3, height, width)).astype(np.float32)
            assert near(running.run(["output"], {"input": images})[0], reference.run(images))


def test_the_published_structure_is_written_alike(golden: tuple[Checkpoint, Any, Any]) -> None:
    checkpoint, faces, expected = golden
    running = session(checkpoint_to_onnx(checkpoint, name="golden").SerializeToString())
    assert np.abs(running.run(None, {"input": faces})[0] - expected).max() < 1e-4


def test_the_same_network_gives_the_same_bytes(tiny_model: Path) -> None:
    checkpoint = read_checkpoint(tiny_model)
    once, again = (checkpoint_to_onnx(checkpoint, name="a").SerializeToString(deterministic=True) for _ in range(2))
    assert once == again


def test_the_command_writes_a_file_that_says_what_it_is(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "tiny.onnx"
    assert main(["models", "export", str(tiny_model), "-o", str(target)]) == 0
    assert f"is written as ONNX: {target}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]

    model = onnx.load(target)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said.pop("config"))["size"] == 128
    assert said == {
        "name": "tiny", "licence": "MIT", "format": "likeness-gpen", "purpose": "restore", "size": "128", "scale": "1",
        "template": "ffhq", "colour": "RGB", "range": "-1 to 1",
    }  # fmt: skip
    (given,), (answered,) = model.graph.input, model.graph.output
    sides = [[one.dim_param or one.dim_value for one in port.type.tensor_type.shape.dim] for port in (given, answered)]
    assert (given.name, answered.name) == ("input", "output")
    assert sides == [["N", 3, 128, 128]] * 2

    faces = np.random.default_rng(0).uniform(-1, 1, (2, 3, 128, 128)).astype(np.float32)
    checkpoint = read_checkpoint(tiny_model)
    expected = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="f32", threads=1).run(faces)
    assert near(session(target).run(None, {"input": faces})[0], expected)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_packages_enlarger_takes_whole_pictures(scale: int, tmp_path: Path) -> None:
    from likeness.models.enlarger.weights import packaged_weights

    target = tmp_path / "enlarge.onnx"
    assert main(["models", "export", "likeness-enlarge", "-o", str(target), "--scale", str(scale)]) == 0
    running = session(target)
    assert [port.name for port in running.get_inputs()] == ["input"]  # clean need not be given
    pictures = np.random.default_rng(0).uniform(0, 1, (2, 3, 20, 30)).astype(np.float32)
    reference = EnlargerRuntime(packaged_weights(), precision="f32", threads=1)
    for clean, given in ((0.0, {}), (0.6, {"clean": np.array([0.6], np.float32)})):
        expected = np.stack(
            [reference.enlarge(one.transpose(1, 2, 0), scale, clean=clean).transpose(2, 0, 1) for one in pictures]
        )
        (answer,) = running.run(None, {"input": pictures, **given})
        assert near(np.clip(answer, 0, 1), expected)
    (licence,) = (one.value for one in onnx.load(target).metadata_props if one.key == "licence")
    assert licence == "MIT"


def test_the_packages_networks_that_draw_nothing(tmp_path: Path) -> None:
    from likeness.models.embedding import graph as embedding
    from likeness.models.embedding.weights import packaged_weights as embedding_weights
    from likeness.models.lending import graph as lending
    from likeness.models.lending.architecture import BANDS, PLANES, SIDE
    from likeness.models.lending.weights import packaged_weights as lending_weights
    from likeness.models.marks import graph as marks
    from likeness.models.marks.weights import packaged_weights as marks_weights

    rng = np.random.default_rng(4)
    one, other, judge = embedding_weights(), marks_weights(), lending_weights()
    side = one.config.side
    for name, graph, shape, purpose in (
        ("likeness-embed", embedding.build(one.state, one.config), (3, 1, side, side), "embed"),
        ("likeness-marks", marks.build(other.state, other.config, any_batch=True), (2, 3, 48, 80), "find damage"),
        (
            "likeness-lend",
            lending.build(judge.state, judge.config, any_batch=True),
            (2, len(PLANES), SIDE, SIDE),
            "judge lent detail",
        ),
    ):
        target = tmp_path / f"{name}.onnx"
        assert main(["models", "export", name, "-o", str(target)]) == 0
        model = onnx.load(target)
        onnx.checker.check_model(model, full_check=True)
        said = {entry.key: entry.value for entry in model.metadata_props}
        assert (said["name"], said["licence"], said["purpose"]) == (name, "MIT", purpose)
        sides = [
            [one.dim_param or one.dim_value for one in port.type.tensor_type.shape.dim] for port in model.graph.output
        ]
        assert name != "likeness-lend" or sides == [["N", len(BANDS), SIDE // 2, SIDE // 2]]
        given = rng.uniform(0, 1, shape).astype(np.float32)
        run = shared_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        assert near(session(target).run(["output"], {"input": given})[0], run([given])[0])


@pytest.mark.parametrize("part", ["eyes", "mouth"])
def test_the_packages_networks_that_draw_features(part: str, tmp_path: Path) -> None:
    from likeness.models.features import graph
    from likeness.models.features.architecture import WINDOWS, clock
    from likeness.models.features.weights import packaged_weights

    target = tmp_path / "features.onnx"
    assert main(["models", "export", f"likeness-features-{part}", "-o", str(target)]) == 0
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert (said["name"], said["licence"], said["purpose"]) == (f"likeness-features-{part}", "MIT", f"draw {part}")
    height, width = WINDOWS[part].height // 2, WINDOWS[part].width // 2
    ports = [*model.graph.input, *model.graph.output]
    sides = {port.name: [one.dim_param or one.dim_value for one in port.type.tensor_type.shape.dim] for port in ports}
    assert sides == {"input": ["N", 9, height, width], "clock": ["N", 16], "output": ["N", 3, height, width]}
    given = np.random.default_rng(2).uniform(-1, 1, (2, 9, height, width)).astype(np.float32)
    told = clock(np.array([0.1, 0.8], np.float32))
    weights = packaged_weights()
    own = graph.build(weights.state, weights.config, part)
    run = shared_core().compile_model(own, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = np.concatenate([run([one[None], two[None]])[0] for one, two in zip(given, told, strict=True)])
    assert near(session(target).run(["output"], {"input": given, "clock": told})[0], expected)


def test_what_cannot_be_written_is_one_sentence_and_no_file(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, status, sentence in (
        ([str(tiny_model), "--scale", "2"], 2, "has one scale; --scale is for likeness-enlarge"),
        (["likeness-enlarge", "--scale", "3"], 2, "enlarges 2 or 4 times, not 3"),
        (["nobody"], 1, "There is no model or file nobody"),
        (["likenes-512"], 1, 'no model or file likenes-512 (did you mean "likeness-512"?); known models are'),
    ):
        assert main(["models", "export", *arguments, "-o", str(tmp_path / "a.onnx")]) == status
        assert sentence in capsys.readouterr().err
    assert main(["models", "export", str(tiny_model), "-o", str(tmp_path / "no" / "a.onnx")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_neither_the_network_nor_a_file_of_somebody(tiny_model: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.safetensors"
    held.write_bytes(tiny_model.read_bytes())
    assert main(["models", "export", str(held), "-o", str(held), "--overwrite"]) == 2
    assert main(["models", "export", str(tiny_model), "-o", str(held)]) == 2
    assert held.read_bytes() == tiny_model.read_bytes()


def test_a_network_without_a_graph_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from likeness.models import registry
    from likeness.models.srvgg.architecture import SRVGG

    monkeypatch.setattr(registry, "ARCHITECTURES", (replace(SRVGG, graph=None),))
    spec = SrvggConfig(features=8, convolutions=1, scale=2).spec
    with pytest.raises(ConfigError, match="exists in PyTorch only"):
        checkpoint_to_onnx(
            Checkpoint(state={}, spec=spec, info=ModelInfo(name="a"), path=tmp_path, kind="torch"), name="a"
        )


def test_an_unknown_operation_is_refused_rather_than_left_out() -> None:
    openvino: Any = load_openvino()
    op = openvino.opset13
    image = op.parameter([1, 3, 4, 4], np.float32, name="image")
    model = openvino.Model([op.result(op.tanh(image))], [image], "a")
    assert "CPU" in shared_core().available_devices
    with pytest.raises(ValueError, match="the operation Tanh"):
        to_onnx(model)
    steep = op.swish(image, op.constant(np.array(2, np.float32)))
    with pytest.raises(ValueError, match="a slope of its own"):
        to_onnx(openvino.Model([op.result(steep)], [image], "a"))
