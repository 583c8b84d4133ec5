from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.compiled import CompiledCache
from likeness.compute.library import load_openvino
from likeness.errors import ConfigError
from likeness.models.formats import Checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.runtimes.base import Runtime
from likeness.runtimes.openvino_ import OpenVinoRuntime

State = dict[str, NDArray[np.float32]]
Golden = tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]]
SMALL = GpenConfig(size=64, channel_multiplier=2, narrow=0.0625)
HAS_BF16 = "BF16" in load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(scope="module")
def small(random_state: Callable[..., State]) -> OpenVinoRuntime:
    return OpenVinoRuntime(random_state(SMALL, 1), SMALL.spec, precision="f32")


def pictures(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(-1, 1, (count, 3, 64, 64)).astype(np.float32)


def test_golden_in_float32(golden: Golden) -> None:
    checkpoint, x, y = golden
    runtime: Runtime = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="f32")
    assert np.abs(runtime.run(x) - y).max() < 1e-4
    assert runtime.spec.config == GpenConfig(size=64, channel_multiplier=2, narrow=0.125)


@pytest.mark.skipif(not HAS_BF16, reason="this processor has no bf16 arithmetic")
def test_golden_in_bf16_is_close_and_not_the_same(golden: Golden) -> None:
    checkpoint, x, y = golden
    runtime = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="bf16")
    error = runtime.run(x) - y
    assert error.any()
    assert 10 * np.log10(np.ptp(y) ** 2 / np.mean(error**2)) > 45  # dB; 55.9 where it was written


def test_a_network_of_real_size_is_held_to_the_reference(random_state: Callable[..., State]) -> None:
    """At 512 every form of a modulated convolution is in use: style on the maps and in the weights, odd and even sizes."""
    torch = pytest.importorskip("torch")
    from likeness.models.gpen.network import Gpen

    config = GpenConfig(size=512, channel_multiplier=1, narrow=0.5)
    state = random_state(config, 8)
    network = Gpen(config).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    x = np.random.default_rng(9).uniform(-1, 1, (1, 3, 512, 512)).astype(np.float32)
    with torch.inference_mode():
        y = network(torch.from_numpy(x)).numpy()

    def decibel(precision: Literal["f32", "bf16"]) -> float:
        error = OpenVinoRuntime(state, config.spec, precision=precision).run(x) - y
        return float(10 * np.log10(np.ptp(y) ** 2 / np.mean(error**2)))

    assert decibel("f32") > 60  # 125 where it was written
    if HAS_BF16:
        assert decibel("bf16") > 45  # 49 where it was written


def test_a_processor_without_bf16_runs_the_same_graph_in_float32(shared: Path) -> None:
    """OpenVINO and the library under it are told to use no more than AVX2."""
    program = """
        import sys
        from pathlib import Path
        import numpy as np
        from likeness.models.formats import read_checkpoint
        from likeness.errors import ConfigError
        from likeness.models.gpen.graph import Graph
        from likeness.runtimes.openvino_ import OpenVinoRuntime
        folder = Path(sys.argv[1])
        checkpoint = read_checkpoint(folder / "gpen_size64_cm2_narrow0125.pth")
        arrays = np.load(folder / "gpen_size64_cm2_narrow0125.npz")
        for size in (128, 8):
            Graph.style_in_weights_from = Graph.upsampling_style_in_weights_from = size
            runtime = OpenVinoRuntime(checkpoint.state, checkpoint.spec)
            assert runtime.precision == "f32", runtime.description
            assert np.abs(runtime.run(arrays["x"]) - arrays["y"]).max() < 1e-4
        try:
            OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision="bf16")
        except ConfigError as error:
            print(error)
    """
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "OV_CPU_MAX_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(shared / "golden")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "CPU has no bf16 arithmetic; choose the precision f32 or auto" in done.stdout


def test_auto_takes_bf16_where_the_processor_has_it(random_state: Callable[..., State]) -> None:
    runtime = OpenVinoRuntime(random_state(SMALL, 1), SMALL.spec)
    assert runtime.precision == ("bf16" if HAS_BF16 else "f32")
    assert runtime.description.startswith("OpenVINO 20")
    assert runtime.description.endswith(runtime.precision)


def test_each_face_of_a_batch_is_its_own(small: OpenVinoRuntime) -> None:
    faces = pictures(3)
    together = small.run(faces)
    assert together.shape == faces.shape
    assert together.dtype == np.float32
    for index in range(3):
        np.testing.assert_array_equal(together[index : index + 1], small.run(faces[index : index + 1]))
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_no_faces_give_no_faces(small: OpenVinoRuntime) -> None:
    none = pictures(0)
    assert small.run(none).shape == (0, 3, 64, 64)


def test_a_strided_batch_is_read_right(small: OpenVinoRuntime) -> None:
    """What an adapter makes of height x width x 3 pictures is seldom contiguous."""
    faces = pictures(2)
    turned = np.ascontiguousarray(faces.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not turned.flags.c_contiguous
    np.testing.assert_array_equal(small.run(turned), small.run(faces))


def test_threads_do_not_disturb_each_other(random_state: Callable[..., State]) -> None:
    runtime = OpenVinoRuntime(random_state(SMALL, 1), SMALL.spec, precision="f32", threads=1)
    faces = pictures(12)
    with ThreadPoolExecutor(4) as pool:  # the first calls also race to compile
        results = list(pool.map(lambda index: runtime.run(faces[index : index + 1]), range(12)))
        kept = [result.copy() for result in results]
        list(pool.map(lambda index: runtime.run(faces[index : index + 1]), range(12)))
    for index, (result, copy) in enumerate(zip(results, kept, strict=True)):
        np.testing.assert_array_equal(result, copy)  # a later run writes into no earlier result
        np.testing.assert_allclose(result, runtime.run(faces[index : index + 1]), atol=1e-5)


@pytest.mark.parametrize(
    "faces",
    [
        np.zeros((1, 3, 32, 32), np.float32),
        np.zeros((3, 64, 64), np.float32),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((1, 3, 64, 64), np.float64),
    ],
    ids=["size", "one-face", "channels-last", "float64"],
)
def test_wrong_faces_are_refused(small: OpenVinoRuntime, faces: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="faces must be N x 3 x 64 x 64 float32, not"):
        small.run(faces)


def test_compiled_networks_are_kept_and_told_apart(tmp_path: Path, random_state: Callable[..., State]) -> None:
    state = random_state(SMALL, 1)
    folder = tmp_path / "new" / "compiled"
    face = pictures(1)
    first = OpenVinoRuntime(state, SMALL.spec, precision="f32", cache=CompiledCache(folder=folder)).run(face)
    kept = {file.name for file in folder.iterdir()}
    assert len(kept) == 1
    np.testing.assert_allclose(
        OpenVinoRuntime(state, SMALL.spec, precision="f32", cache=CompiledCache(folder=folder)).run(face),
        first,
        atol=1e-5,
    )
    assert {file.name for file in folder.iterdir()} == kept
    # One weight changed: the other network must not be taken from the cache.
    state["generator.to_rgbs.3.bias"] = state["generator.to_rgbs.3.bias"] + 1
    changed = OpenVinoRuntime(state, SMALL.spec, precision="f32", cache=CompiledCache(folder=folder)).run(face)
    np.testing.assert_allclose(changed, first + 1, atol=1e-4)
    assert len(list(folder.iterdir())) == 2


def test_bad_options_are_one_sentence_each(random_state: Callable[..., State]) -> None:
    state = random_state(SMALL, 1)
    with pytest.raises(ConfigError, match=r"no device NPU on this machine; choose one of .*CPU"):
        OpenVinoRuntime(state, SMALL.spec, device="NPU")
    with pytest.raises(ConfigError, match="threads must be at least 1, not 0"):
        OpenVinoRuntime(state, SMALL.spec, threads=0)
    with pytest.raises(ConfigError, match="precision must be auto, f32 or bf16, not fp8"):
        OpenVinoRuntime(state, SMALL.spec, precision="fp8")  # type: ignore[arg-type]


def test_nothing_is_sent_and_nothing_left_in_the_home(tmp_path: Path) -> None:
    """openvino-telemetry comes with openvino; importing openvino would start it."""
    program = """
        import sys
        events = []
        sys.addaudithook(lambda name, args: events.append(name) if name in NETWORK else None)
        NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.posix_spawn"}
        import numpy as np
        from likeness.models.gpen.layout import expected_shapes
        from likeness.models.gpen.config import GpenConfig
        from likeness.runtimes.openvino_ import OpenVinoRuntime
        config = GpenConfig(size=64, narrow=0.0625)
        state = {name: np.ones(shape, np.float32) for name, shape in expected_shapes(config).items()}
        runtime = OpenVinoRuntime(state, config.spec)
        runtime.run(np.zeros((1, 3, 64, 64), np.float32))
        import openvino
        assert not [name for name in sys.modules if name.startswith("openvino.tools")], "what converts was imported"
        assert callable(openvino.convert_model)
        assert not events, events
        import socket
        try:
            socket.create_connection(("127.0.0.1", 1), timeout=1)
        except OSError:
            pass
        assert "socket.connect" in events  # the watch itself works
    """
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):  # where telemetry is off by itself
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
