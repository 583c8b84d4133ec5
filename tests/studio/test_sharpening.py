from __future__ import annotations

import numpy as np
import pytest

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Size
from likeness.imaging.resample import resample
from likeness.metrics import overshoot
from likeness.studio.sharpening import OVERSHOOT_LIMIT, sharpen


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.05])
def test_what_was_not_enlarged_is_left_alone(astronaut: Image, factor: float) -> None:
    pixels, done = sharpen(astronaut.pixels, factor)
    assert pixels is astronaut.pixels
    assert done.amount == 0
    assert done.overshoot is None


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
def test_edges_get_steeper_without_lines_beside_them(astronaut: Image, factor: float) -> None:
    size = Size(round(astronaut.size.width * factor), round(astronaut.size.height * factor))
    large = resample(astronaut.pixels, size)
    sharp, done = sharpen(large, factor)
    assert done.overshoot is not None
    assert done.overshoot < OVERSHOOT_LIMIT
    assert overshoot(sharp, large) < OVERSHOOT_LIMIT
    steep = [np.quantile(np.abs(np.diff(luma(x), axis=1)), 0.99) for x in (large, sharp)]
    assert steep[1] > 1.02 * steep[0]


def test_grain_is_not_raised() -> None:
    rng = np.random.default_rng(0)
    grain = np.clip(0.5 + 0.04 * rng.standard_normal((200, 200, 3)), 0, 1).astype(np.float32)
    grain[:, 100:] -= 0.3
    large = resample(np.clip(grain, 0, 1), Size(400, 400))
    sharp, done = sharpen(large, 2.0)
    fine = [(luma(x) - gaussian_blur(luma(x), 2.0))[:, :150].std() for x in (large, sharp)]
    assert fine[1] < 1.03 * fine[0]
    assert 0 < done.area < 0.2  # the edge is sharpened all the same


def test_hue_does_not_shift_and_flat_stays_flat() -> None:
    flat = np.full((80, 80, 3), (0.7, 0.5, 0.4), np.float32)
    sharp, done = sharpen(flat, 2.0)
    assert np.array_equal(sharp, flat)
    assert done.overshoot is None
