from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.cli import main
from likeness.compute.cancellation import WorkCancelled, cancellable
from likeness.errors import ConfigError
from likeness.models.formats import read_checkpoint
from likeness.models.store import Store
from likeness.runtimes import onnx_
from likeness.runtimes.load import load_runtime
from likeness.runtimes.onnx_ import OnnxRuntime
from likeness.runtimes.openvino_ import OpenVinoRuntime

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def faces() -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (3, 3, 128, 128)).astype(np.float32)


def test_it_answers_as_openvino_does(tiny_model: Path, faces: Any) -> None:
    runtime = load_runtime(Store(), tiny_model, library="onnx", device="cpu", threads=1)
    assert isinstance(runtime, OnnxRuntime)
    assert runtime.description == f"ONNX Runtime {onnxruntime.__version__}, cpu, f32"
    checkpoint = read_checkpoint(tiny_model)
    assert runtime.spec == checkpoint.spec
    expected = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="f32", threads=1).run(faces)
    assert np.abs(runtime.run(faces) - expected).max() < 1e-4
    with pytest.raises(ValueError, match="faces must be N x 3 x 128 x 128"):
        runtime.run(faces[:, :2])


def test_every_device_that_is_here_answers_alike(tiny_model: Path, faces: Any) -> None:
    """On the usual machine that is the processor alone; with another build of the library it is more."""
    checkpoint = read_checkpoint(tiny_model)
    expected = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="f32", threads=1).run(faces)
    runtime = OnnxRuntime(checkpoint.state, checkpoint.spec, threads=1)
    assert runtime.device != "auto"
    assert np.abs(runtime.run(faces) - expected).max() < 1e-3


def test_a_device_that_is_not_here_is_one_sentence(tiny_model: Path) -> None:
    if "DmlExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("DirectML is here")
    with pytest.raises(ConfigError, match=r"no device directml: it has .*cpu"):
        load_runtime(Store(), tiny_model, device="directml")


def test_a_device_that_does_not_start_is_told_and_never_replaced_in_silence(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the library was built for CUDA and CUDA's own libraries are missing: it only writes a line and goes on."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is here")

    class BuiltForCuda:
        def __getattr__(self, name: str) -> Any:
            return getattr(onnxruntime, name)

        def get_available_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnx_, "load_onnxruntime", BuiltForCuda)
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(ConfigError, match="on the device cuda"),
    ):
        load_runtime(Store(), tiny_model, library="onnx", device="cuda")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        runtime = load_runtime(Store(), tiny_model, library="onnx")
    assert isinstance(runtime, OnnxRuntime)
    assert runtime.device == "cpu"
    assert "the next device is tried" in caplog.text


@pytest.mark.parametrize(("library", "device"), [("openvino", "cuda"), ("openvino", "directml"), ("pytorch", "coreml")])
def test_a_library_that_does_not_drive_the_device_is_told(tiny_model: Path, library: Any, device: Any) -> None:
    with pytest.raises(ConfigError, match=f"the runtime {library} does not drive the device {device}"):
        load_runtime(Store(), tiny_model, library=library, device=device)


def test_choices_that_make_no_sense_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="ONNX Runtime computes in float32"):
        load_runtime(Store(), tiny_model, library="onnx", precision="bf16")
    with pytest.raises(ConfigError, match='library must be auto, openvino, pytorch or onnx, not "tvm"'):
        load_runtime(Store(), tiny_model, library="tvm")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threads must be at least 1"):
        load_runtime(Store(), tiny_model, library="onnx", threads=0)


def test_pytorch_can_be_asked_for_on_the_processor(tiny_model: Path) -> None:
    pytest.importorskip("torch")
    assert load_runtime(Store(), tiny_model, library="pytorch", device="cpu").description.startswith("PyTorch")


def test_work_that_is_called_off_stops_between_faces(tiny_model: Path, faces: Any) -> None:
    runtime = load_runtime(Store(), tiny_model, library="onnx", device="cpu", threads=1)
    cancelled = threading.Event()
    cancelled.set()
    with cancellable(cancelled), pytest.raises(WorkCancelled):
        runtime.run(faces)


def test_without_the_library_one_sentence_says_what_to_install(
    tiny_model: Path,
    astronaut_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    arguments = ["restore", str(astronaut_file), "--model", str(tiny_model), "-o", str(tmp_path / "a.png")]
    assert main([*arguments, "--runtime", "onnx"]) == 2
    assert 'pip install "likeness[onnx]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_restore_runs_on_it(
    tiny_model: Path, astronaut_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["restore", str(astronaut_file), "--model", str(tiny_model), "-o", str(tmp_path / "a.png")]
    assert main([*arguments, "--runtime", "onnx", "-v"]) == 0
    assert "ONNX Runtime" in capsys.readouterr().err
