from __future__ import annotations

import numpy as np
import pytest

from likeness.imaging.colour import linear_to_srgb, luma, srgb_to_linear


@pytest.mark.parametrize(
    ("encoded", "linear"),
    # Independent values: IEC 61966-2-1 worked by hand at both sides of the knee, and the well-known middle grey.
    [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.214041), (118 / 255, 0.181164), (1.0, 1.0)],
)
def test_known_values(encoded: float, linear: float) -> None:
    assert srgb_to_linear(np.array([encoded], np.float32))[0] == pytest.approx(linear, abs=2e-6)
    assert linear_to_srgb(np.array([linear], np.float32))[0] == pytest.approx(encoded, abs=2e-5)


def test_there_and_back_keeps_16_bits() -> None:
    codes = np.arange(65536)
    values = (codes / 65535).astype(np.float32)
    back = linear_to_srgb(srgb_to_linear(values))
    assert back.dtype == np.float32
    assert np.array_equal(np.rint(back * 65535).astype(int), codes)


def test_white_stays_within_the_range() -> None:
    assert srgb_to_linear(np.ones(1, np.float32))[0] <= 1.0
    assert linear_to_srgb(np.ones(1, np.float32))[0] <= 1.0


def test_luma_is_rec_709_on_encoded_values() -> None:
    pixels = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]]], np.float32)
    assert luma(pixels) == pytest.approx(np.array([[0.2126, 0.7152, 0.0722, 0.5]]), abs=1e-6)
    assert luma(pixels).shape == (1, 4)
