from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.imaging.image import Image
from likeness.repair.fringes import fade_fringes, find_fringes


@pytest.fixture
def bars() -> np.ndarray:
    """White on black, 200 x 200."""
    x = np.full((200, 200, 3), 0.05, np.float32)
    x[:, 100:] = 0.95
    return x


def chroma(x: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(x, cv2.COLOR_RGB2Lab)
    return np.hypot(lab[:, :, 1], lab[:, :, 2])


def test_a_purple_rim_fades_to_greyish_purple_and_keeps_its_lightness(bars: np.ndarray) -> None:
    bars[:, 97:100] = [0.45, 0.2, 0.6]
    fringes = find_fringes(bars)
    assert fringes[20:180, 98].min() > 0.8
    result = fade_fringes(bars, fringes, 1.0)
    before, after = chroma(bars)[100, 98], chroma(result)[100, 98]
    assert 0.1 * before < after < 0.45 * before
    lightness = [cv2.cvtColor(x, cv2.COLOR_RGB2Lab)[100, 98, 0] for x in (bars, result)]
    assert lightness[0] == pytest.approx(lightness[1], abs=0.5)
    assert (result[:, :80] == bars[:, :80]).all()
    assert (result[:, 120:] == bars[:, 120:]).all()
    half = chroma(fade_fringes(bars, fringes, 0.5))[100, 98]
    assert after < half < before


def test_purple_things_and_lips_stay(bars: np.ndarray) -> None:
    cloth = bars.copy()
    cloth[:, 60:100] = [0.45, 0.2, 0.6]
    assert find_fringes(cloth)[:, 62:95].max() < 0.05, "wide"
    plain = np.full_like(bars, 0.4)
    plain[:, 97:100] = [0.45, 0.3, 0.55]
    assert find_fringes(plain).max() < 0.3, "no strong edge beside it"
    lips = bars.copy()
    lips[:, 97:100] = [0.7, 0.25, 0.3]
    assert find_fringes(lips).max() < 0.05, "red"


def test_a_clean_portrait_is_left_alone(astronaut: Image) -> None:
    pixels = astronaut.pixels
    assert np.abs(fade_fringes(pixels, find_fringes(pixels), 1.0) - pixels).mean() < 0.001
