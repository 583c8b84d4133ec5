from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ConfigError
from likeness.models.formats import Checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.runtimes.base import Batch, Runtime

torch = pytest.importorskip("torch")

from likeness.models.gpen.network import Gpen  # noqa: E402
from likeness.runtimes.programs import float32_arithmetic, next_batch  # noqa: E402
from likeness.runtimes.torch_ import BATCH_SIZES, TorchRuntime  # noqa: E402

State = dict[str, NDArray[np.float32]]
SMALL = GpenConfig(size=64, channel_multiplier=2, narrow=0.0625)


@pytest.fixture(scope="module")
def state(random_state: Callable[..., State]) -> State:
    return random_state(SMALL, 1)


@pytest.fixture(scope="module")
def runtime(state: State) -> TorchRuntime:
    return TorchRuntime(state, SMALL.spec)


def pictures(count: int) -> Batch:
    return np.random.default_rng(2).uniform(-1, 1, (count, 3, 64, 64)).astype(np.float32)


def reference(state: State, faces: Batch) -> Batch:
    network = Gpen(SMALL).eval()
    network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    with torch.no_grad():
        return network(torch.from_numpy(faces)).numpy()


def decibel(y: Batch, expected: Batch) -> float:
    return float(10 * np.log10(np.ptp(expected) ** 2 / max(float(np.mean(np.square(y - expected))), 1e-20)))


def test_golden(golden: tuple[Checkpoint, Batch, Batch]) -> None:
    checkpoint, x, y = golden
    runtime: Runtime = TorchRuntime(checkpoint.state, checkpoint.spec)
    assert np.abs(runtime.run(x) - y).max() < 1e-4
    assert runtime.spec.config == GpenConfig(size=64, channel_multiplier=2, narrow=0.125)


@pytest.mark.parametrize(("precision", "least"), [("f32", 100), ("bf16", 50), ("f16", 68)])
def test_precisions_are_as_close_as_is_said(state: State, precision: str, least: float) -> None:
    runtime = TorchRuntime(state, SMALL.spec, precision=precision)  # type: ignore[arg-type]
    faces = pictures(3)
    expected = reference(state, faces)
    y = runtime.run(faces)
    assert decibel(y, expected) > least
    assert precision == "f32" or decibel(y, expected) < 100
    assert runtime.precision == precision
    assert runtime.description == f"PyTorch {torch.__version__}, cpu, {precision}"
    assert TorchRuntime(state, SMALL.spec).precision == "f32"


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 2, 4), BATCH_SIZES], ids=str)
def test_padded_and_split_batches_are_the_same_faces(
    state: State, runtime: TorchRuntime, sizes: tuple[int, ...]
) -> None:
    fixed = TorchRuntime(state, SMALL.spec, batch_sizes=sizes)
    assert fixed.batch_sizes == sizes
    fixed.prepare()
    faces = pictures(13)
    expected = runtime.run(faces)
    assert np.abs(expected[0] - expected[1]).max() > 0.1
    for count in (13, 1, 2, 3, 5, 7):  # a smaller batch after a larger one finds old faces in the buffers
        y = fixed.run(faces[:count])
        assert y.shape == (count, 3, 64, 64)
        assert decibel(y, expected[:count]) > 100


def test_batches_fill_the_sizes() -> None:
    def plan(count: int, sizes: tuple[int, ...] = BATCH_SIZES) -> list[int]:
        sizes_run: list[int] = []
        while count > 0:
            sizes_run.append(next_batch(count, sizes))
            count -= sizes_run[-1]
        return sizes_run

    assert [plan(count) for count in (1, 2, 3, 4, 5, 6, 7)] == [[1], [2], [4], [4], [4, 1], [8], [8]]
    assert plan(11) == [8, 4]
    assert plan(12) == [16]
    assert plan(60) == [16, 16, 16, 16]
    assert plan(3, (4,)) == [4]
    assert plan(9, (4,)) == [4, 4, 4]
    for count in range(1, 70):
        ran = plan(count)
        assert count <= sum(ran) <= 4 * count / 3


def test_no_faces_give_no_faces(runtime: TorchRuntime) -> None:
    none = pictures(0)
    assert runtime.run(none).shape == (0, 3, 64, 64)


def test_strided_and_locked_arrays_are_read_right(runtime: TorchRuntime) -> None:
    faces = pictures(2)
    turned = np.ascontiguousarray(faces.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    turned.flags.writeable = False
    assert np.array_equal(runtime.run(turned), runtime.run(faces))


def test_threads_do_not_disturb_each_other(state: State) -> None:
    runtime = TorchRuntime(state, SMALL.spec, batch_sizes=(1, 2, 4))
    faces = pictures(12)
    spans = [(0, 1), (1, 4), (4, 6), (6, 11), (11, 12)] * 4
    expected = reference(state, faces)
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda span: runtime.run(faces[span[0] : span[1]]), spans))
    for (begin, end), result in zip(spans, results, strict=True):
        assert decibel(result, expected[begin:end]) > 100  # nor does a later run write into an earlier result


def test_what_float16_cannot_hold_is_computed_in_float32(state: State, caplog: pytest.LogCaptureFixture) -> None:
    """Maps of the encoder beyond 65504, as no known weights make them."""
    huge = dict(state)
    huge["ecd0.0.0.weight"] = state["ecd0.0.0.weight"] * np.float32(2e4)
    huge["final_linear.0.weight"] = state["final_linear.0.weight"] * np.float32(1e-4)
    faces = pictures(3)
    faces[1] *= np.float32(1e-4)  # this one fits
    expected = reference(huge, faces)
    assert np.isfinite(expected).all()
    half = TorchRuntime(huge, SMALL.spec, precision="f16")
    y = half.run(faces)
    for index in (0, 2):
        assert decibel(y[index], expected[index]) > 100
    assert np.isfinite(y[1]).all()
    assert decibel(y[1], expected[1]) < 100  # was not computed again
    assert [record.message for record in caplog.records if "float16 cannot hold" in record.message]


def test_no_setting_of_pytorch_is_left_changed(state: State) -> None:
    backends = torch.backends

    def settings() -> tuple[object, ...]:
        return (
            backends.cudnn.conv.fp32_precision,
            backends.cudnn.rnn.fp32_precision,
            backends.cuda.matmul.fp32_precision,
            backends.cudnn.benchmark,
            backends.cudnn.deterministic,
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
        )

    before = settings()
    runtime = TorchRuntime(state, SMALL.spec, precision="f32")
    runtime.run(pictures(1))
    assert settings() == before
    found = backends.cuda.matmul.fp32_precision
    backends.cuda.matmul.fp32_precision = "tf32"
    try:
        for convolutions in (False, True):
            with float32_arithmetic(convolutions=convolutions):
                assert backends.cuda.matmul.fp32_precision == "ieee"
                assert (backends.cudnn.conv.fp32_precision == "ieee") == convolutions
            assert backends.cuda.matmul.fp32_precision == "tf32"
            assert backends.cudnn.conv.fp32_precision == before[0]
        with pytest.raises(ZeroDivisionError), float32_arithmetic(convolutions=True):
            _ = 1 / 0
        assert backends.cudnn.conv.fp32_precision == before[0]
    finally:
        backends.cuda.matmul.fp32_precision = found
    assert settings() == before
    assert isinstance(backends.cudnn.allow_tf32, bool)  # the older switch can still be read


@pytest.mark.parametrize(
    "faces",
    [np.zeros((1, 3, 32, 32), np.float32), np.zeros((3, 64, 64), np.float32), np.zeros((1, 3, 64, 64), np.float64)],
    ids=["size", "one-face", "float64"],
)
def test_wrong_faces_are_refused(runtime: TorchRuntime, faces: Batch) -> None:
    with pytest.raises(ValueError, match="faces must be N x 3 x 64 x 64 float32, not"):
        runtime.run(faces)


def test_bad_options_are_one_sentence_each(state: State) -> None:
    with pytest.raises(ConfigError, match="precision must be auto, f32, bf16 or f16, not fp8"):
        TorchRuntime(state, SMALL.spec, precision="fp8")  # type: ignore[arg-type]
    for sizes in ((), (0, 1)):
        with pytest.raises(ConfigError, match="batch sizes must be at least 1"):
            TorchRuntime(state, SMALL.spec, batch_sizes=sizes)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA device was found: use --device cpu"):
            TorchRuntime(state, SMALL.spec, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
class TestOnCuda:
    @pytest.mark.parametrize(("precision", "least"), [("f32", 90), ("bf16", 50), ("f16", 68)])
    def test_graphs_compute_the_reference(self, state: State, precision: str, least: float) -> None:
        runtime = TorchRuntime(state, SMALL.spec, device="cuda", precision=precision)  # type: ignore[arg-type]
        runtime.prepare((1, 4))
        faces = pictures(21)
        expected = reference(state, faces)
        for count in (1, 3, 4, 5, 21):
            assert decibel(runtime.run(faces[:count]), expected[:count]) > least

    def test_threads_share_a_device(self, state: State) -> None:
        runtime = TorchRuntime(state, SMALL.spec, device="cuda")
        faces = pictures(12)
        expected = reference(state, faces)
        spans = [(0, 1), (1, 4), (4, 6), (6, 11), (11, 12)] * 8
        with ThreadPoolExecutor(5) as pool:
            results = list(pool.map(lambda span: runtime.run(faces[span[0] : span[1]]), spans))
        for (begin, end), result in zip(spans, results, strict=True):
            assert decibel(result, expected[begin:end]) > 68
