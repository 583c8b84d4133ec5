from __future__ import annotations

import numpy as np
import pytest

from likeness.evidence.colour import colour_difference, colour_shift, to_lab

# Sharma, Wu and Dalal (2005), table 1: pairs that catch the usual mistakes, with their difference.
TABLE = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("a", "b", "expected"), TABLE)
def test_colour_difference_is_that_of_the_paper(
    a: tuple[float, float, float], b: tuple[float, float, float], expected: float
) -> None:
    first, second = np.array(a), np.array(b)
    assert float(colour_difference(first, second)) == pytest.approx(expected, abs=1e-4)
    assert float(colour_difference(second, first)) == pytest.approx(expected, abs=1e-4)


def test_lab_of_white_black_and_red() -> None:
    lab = to_lab(np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0]], np.float32))
    assert lab[0] == pytest.approx([100, 0, 0], abs=1e-3)
    assert lab[1] == pytest.approx([0, 0, 0], abs=1e-3)
    assert lab[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


def test_noise_is_no_shift_of_colour() -> None:
    grey = np.full((64, 64, 3), 0.5, np.float32)
    noisy = grey + np.random.default_rng(0).normal(0, 0.05, grey.shape).astype(np.float32)
    where = np.ones((64, 64), np.bool_)
    shift = colour_shift(grey, noisy, where)
    assert shift is not None
    assert shift[0] < 0.5
    darker = colour_shift(grey, grey * np.float32(0.9), where)
    assert darker is not None
    assert darker[0] > 4
    assert colour_shift(grey, noisy, where & (np.arange(64) < 0)) is None
