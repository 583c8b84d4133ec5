from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.models.spandrel_adapter import CodeFormerConfig
from likeness.models.store import Store
from likeness.runtimes import load
from likeness.runtimes.batching import BatchingRuntime
from likeness.runtimes.load import load_runtime
from likeness.runtimes.torch_ import TorchRuntime


def test_the_processor_needs_no_torch(tiny_model: Path) -> None:
    script = (
        "import sys; from likeness.runtimes.load import load_runtime; from likeness.models.store import Store; "
        f"print(load_runtime(Store(), {str(tiny_model)!r}).description); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    description, torch_loaded = done.stdout.splitlines()
    if "OpenVINO" not in description:
        pytest.skip("a CUDA device is here")
    assert torch_loaded == "False"


def test_a_missing_device_is_one_sentence(tiny_model: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(ConfigError, match="no CUDA device"):
        load_runtime(Store(), tiny_model, device="cuda")
    with pytest.raises(ConfigError, match='not "tpu"'):
        load_runtime(Store(), tiny_model, device="tpu")  # type: ignore[arg-type]


def test_a_pytorch_without_cuda_is_told_from_a_machine_without_a_device(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    if torch.backends.cuda.is_built():
        pytest.skip("this PyTorch was built with CUDA")
    monkeypatch.setattr(load, "_driver", lambda: True)
    with pytest.raises(ConfigError, match="this PyTorch was built without CUDA: install a build with it"):
        load_runtime(Store(), tiny_model, device="cuda")
    assert "OpenVINO" in load_runtime(Store(), tiny_model).description


def test_a_device_that_turns_out_unfit_is_told_and_done_without(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")

    def there(*, required: bool) -> bool:
        return required in (True, False)

    monkeypatch.setattr(load, "_cuda", there)
    assert "OpenVINO" in load_runtime(Store(), tiny_model).description
    assert "no CUDA device was found; the processor is used" in [record.message for record in caplog.records]
    with pytest.raises(ConfigError, match="no CUDA device was found: use --device cpu"):
        load_runtime(Store(), tiny_model, device="cuda")


def test_a_cuda_device_gets_batches(tiny_model: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    runtime = load_runtime(Store(), tiny_model, device="cuda")
    assert isinstance(runtime, BatchingRuntime)
    assert runtime.description.endswith("f16")
    faces = np.random.default_rng(0).uniform(-1, 1, (2, 3, 128, 128)).astype(np.float32)
    expected = load_runtime(Store(), tiny_model, device="cpu", precision="f32").run(faces)
    assert np.abs(runtime.run(faces) - expected).max() < 0.02


def test_both_runtimes_compute_the_same(shared: Path) -> None:
    pytest.importorskip("torch")
    store = Store()
    path = shared / "golden" / "gpen_size64_cm2_narrow0125.pth"
    golden = np.load(shared / "golden" / "gpen_size64_cm2_narrow0125.npz")
    checkpoint = store.load(path, task="restore")
    torch_runtime = TorchRuntime(checkpoint.state, checkpoint.spec)
    openvino_runtime = load_runtime(store, path, device="cpu", precision="f32", task="restore")
    for runtime in (torch_runtime, openvino_runtime):
        assert np.abs(runtime.run(golden["x"]) - golden["y"]).max() < 1e-4


def test_several_faces_at_once(tiny_model: Path) -> None:
    pytest.importorskip("torch")
    checkpoint = Store().load(tiny_model)
    faces = np.random.default_rng(0).uniform(-1, 1, (3, 3, 128, 128)).astype(np.float32)
    runtime = TorchRuntime(checkpoint.state, checkpoint.spec)
    together = runtime.run(faces)
    apart = np.concatenate([runtime.run(face[None]) for face in faces])
    assert np.abs(together - apart).max() < 1e-5


def test_a_network_without_a_weight_of_its_own_refuses_one(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="a GPEN network of size 128 has no fidelity to set; CodeFormer's"):
        load_runtime(Store(), tiny_model, device="cpu", fidelity=0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        CodeFormerConfig(fidelity=1.5)
    assert CodeFormerConfig().spec.with_fidelity(0.2) == CodeFormerConfig(fidelity=0.2).spec
