from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.restore.relaxation import ITERATIONS, blend_bands, held_detail, relaxation_gain


@pytest.mark.parametrize(("step", "gain"), [(0.1, 0.958), (0.05, 0.785), (0.04, 0.706), (0.03, 0.599), (0.02, 0.455)])
def test_anchor_values(step: float, gain: float) -> None:
    assert relaxation_gain(step, np.ones((1, 1), np.float32))[0, 0] == pytest.approx(gain, abs=5e-4)


def test_closed_form_is_the_loop() -> None:
    rng = np.random.default_rng(0)
    x, projection = rng.random((2, 32, 32, 3)).astype(np.float32)
    weights = (2 * rng.random((32, 32))).astype(np.float32)
    loop = x.astype(np.float64)
    for _ in range(ITERATIONS):
        loop = loop + 0.1 * weights[:, :, None] * (projection - loop)
    closed = x + relaxation_gain(0.1, weights)[:, :, None] * (projection - x)
    assert np.abs(closed - loop).max() < 1e-6


def test_gain_rises_with_step_and_weight() -> None:
    weights = np.linspace(0, 2, 21, dtype=np.float32)
    gains = np.stack([relaxation_gain(step, weights) for step in (0.02, 0.04, 0.07, 0.1)])
    assert (np.diff(gains, axis=1) > 0).all()
    assert (np.diff(gains, axis=0)[:, 1:] > 0).all()
    assert (gains[:, 0] == 0).all()


def test_steps_beyond_the_closed_form_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        relaxation_gain(0.6, np.full((2, 2), 2, np.float32))


def test_a_uniform_gain_scales_the_change() -> None:
    change = np.random.default_rng(1).normal(size=(64, 64, 3)).astype(np.float32)
    assert np.array_equal(blend_bands(change, np.full((64, 64), 0.7, np.float32)), change * np.float32(0.7))
    # and it joins up with gains that are almost uniform: no jump along a slider
    almost = np.full((64, 64), 0.7, np.float32)
    almost[:8] = 0.7001
    assert np.abs(blend_bands(change, almost) - change * np.float32(0.7)).max() < 1e-3


def test_regions_of_different_gain_meet_without_a_seam() -> None:
    change = np.ones((128, 128, 3), np.float32)
    gain = np.zeros((128, 128), np.float32)
    gain[:, 64:] = 1
    line = blend_bands(change, gain)[64, :, 0]
    assert line[0] == pytest.approx(0, abs=0.02)
    assert line[-1] == pytest.approx(1, abs=0.02)
    # A constant lives in the coarsest band, so the step is spread over many pixels.
    assert np.abs(np.diff(line)).max() < 0.1


def _texture(sigma: float) -> np.ndarray:
    """Skin-like texture in the middle of an even background."""
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.standard_normal((256, 256)).astype(np.float32), (0, 0), 0.8)
    window = np.zeros((256, 256), np.float32)
    window[64:192, 64:192] = 1
    grey = 0.5 + cv2.GaussianBlur(window, (0, 0), 4) * texture / texture.std() * sigma
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.float32)


def test_a_sharp_picture_holds_its_own_detail() -> None:
    fine, coarser = held_detail(_texture(0.05))
    assert fine[96:160, 96:160].min() > 0.8
    assert fine[:32, :32].max() < 0.1  # nothing to hold in the background
    assert coarser.shape == (128, 128)


def test_blurred_and_noisy_pictures_hold_none() -> None:
    blurred = cv2.GaussianBlur(_texture(0.05), (0, 0), 4)
    assert held_detail(blurred)[0].max() < 0.1
    noisy = _texture(0.0) + np.random.default_rng(3).normal(0, 0.06, (256, 256, 3)).astype(np.float32)
    assert held_detail(noisy)[0].mean() < 0.05


def test_what_the_picture_holds_is_not_replaced() -> None:
    sharp = _texture(0.05)
    smooth = cv2.GaussianBlur(sharp, (0, 0), 2)  # what a network makes of skin
    gain = np.ones((256, 256), np.float32)
    middle = (slice(96, 160), slice(96, 160))
    plain = sharp + blend_bands(smooth - sharp, gain)
    kept = sharp + blend_bands(smooth - sharp, gain, held_detail(sharp))
    assert plain[middle].std() < 0.5 * sharp[middle].std()
    assert kept[middle].std() > 0.85 * sharp[middle].std()
