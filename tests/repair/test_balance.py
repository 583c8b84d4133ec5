from __future__ import annotations

import numpy as np
import pytest

from likeness.degradations import Degradation
from likeness.imaging.image import Image
from likeness.metrics import psnr
from likeness.repair.balance import Balance, apply_balance, measure_balance


def balanced(x: np.ndarray, amount: float = 1.0) -> np.ndarray:
    return apply_balance(x, measure_balance(x), amount)


def test_a_photograph_that_is_fine_hardly_changes(astronaut: Image) -> None:
    assert np.abs(balanced(astronaut.pixels) - astronaut.pixels).max() < 0.02


@pytest.mark.parametrize(("fade", "yellow"), [(0.0, 0.6), (0.5, 0.6), (0.6, 0.9)])
def test_an_aged_one_comes_closer_to_what_it_was(astronaut: Image, fade: float, yellow: float) -> None:
    # Without the flag: a picture that holds strong blue shows no lack of it, and is left alone.
    fine = np.ascontiguousarray(astronaut.pixels[:120, 60:190])
    aged = Degradation(fade=fade, yellow=yellow).apply(fine, 0)
    result = balanced(aged)
    assert psnr(result, fine) > psnr(aged, fine) + 3
    half = balanced(aged, 0.5)
    assert psnr(aged, fine) < psnr(half, fine)
    assert np.abs(half - aged).mean() == pytest.approx(0.5 * np.abs(result - aged).mean(), rel=0.1)


def test_a_print_of_one_tint_becomes_grey_and_keeps_its_light(astronaut: Image) -> None:
    grey = astronaut.pixels.mean(axis=2, keepdims=True)
    sepia = np.clip(grey * np.float32([1.0, 0.85, 0.65]) + np.float32([0.05, 0.03, 0.0]), 0, 1).astype(np.float32)
    balance = measure_balance(sepia)
    assert balance.tint
    result = apply_balance(sepia, balance, 1.0)
    assert np.ptp(result, axis=2).max() < 1e-5
    assert np.corrcoef(result[:, :, 0].ravel(), grey.ravel())[0, 1] > 0.99
    # An amount below 1 keeps a part of the tint.
    part = np.ptp(apply_balance(sepia, balance, 0.5), axis=2).mean()
    assert 0.3 < part / np.ptp(sepia, axis=2).mean() < 0.7


def test_nothing_clips(astronaut: Image) -> None:
    aged = Degradation(fade=0.5, yellow=0.6).apply(astronaut.pixels, 0)
    result = apply_balance(aged, Balance(black=(0.02, 0.02, 0.02), gain=(1.5, 1.6, 3.0)), 1.0)
    assert result.min() >= 0
    assert result.max() <= 1
    # Values that differed still do, in their order.
    for channel in range(3):
        levels = np.unique(aged[:, :, channel])
        ramp = np.repeat(levels[None, :, None], 3, axis=2).astype(np.float32)
        curve = apply_balance(ramp, Balance(black=(0.02, 0.02, 0.02), gain=(1.5, 1.6, 3.0)), 1.0)[0, :, channel]
        assert (np.diff(curve) > 0).all()


def test_black_and_white_stays_so_and_flat_pictures_are_left_alone(astronaut: Image) -> None:
    grey = np.repeat(astronaut.pixels.mean(axis=2, keepdims=True), 3, axis=2)
    faded = Degradation(fade=0.6).apply(grey, 0)
    result = balanced(faded)
    assert np.ptp(result, axis=2).max() == 0
    assert np.ptp(result) > np.ptp(faded)
    assert not measure_balance(np.full((50, 50, 3), 0.5, np.float32)).needed
