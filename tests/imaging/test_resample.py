from __future__ import annotations

import numpy as np
import pytest

from likeness.imaging.colour import srgb_to_linear
from likeness.imaging.image import Image, Size
from likeness.imaging.resample import resample
from likeness.metrics import psnr


def test_the_same_size_is_the_same_picture(astronaut: Image) -> None:
    assert resample(astronaut.pixels, astronaut.size) is astronaut.pixels


def test_fine_detail_keeps_its_light() -> None:
    # Black and white pixels, half of each: their light is 0.5 linear, 188 of 255 encoded, and not 128.
    board = np.indices((64, 64)).sum(axis=0) % 2
    pixels = board.astype(np.float32)[..., None].repeat(3, axis=2)
    small = resample(pixels, Size(16, 16))
    assert srgb_to_linear(small[4:-4, 4:-4]).mean() == pytest.approx(0.5, abs=0.01)
    assert np.ptp(small[4:-4, 4:-4]) < 0.02


def test_enlarging_makes_no_lines_along_edges() -> None:
    pixels = np.full((60, 60, 3), 0.2, np.float32)
    pixels[:, 30:] = 0.8
    large = resample(pixels, Size(90, 90))
    assert large.min() >= 0.2 - 1e-5
    assert large.max() <= 0.8 + 1e-5


def test_there_and_back(astronaut: Image) -> None:
    large = resample(astronaut.pixels, Size(astronaut.size.width * 2, astronaut.size.height * 2))
    assert psnr(resample(large, astronaut.size), astronaut.pixels) > 36


def test_a_plane_and_an_uneven_size() -> None:
    plane = np.linspace(0, 1, 40, dtype=np.float32)[None].repeat(30, axis=0)
    moved = resample(plane, Size(13, 77))
    assert moved.shape == (77, 13)
    assert 0 <= moved.min() < moved.max() <= 1
