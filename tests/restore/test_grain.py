from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.restore.grain import lay_grain, measure_grain


def _ramp() -> np.ndarray:
    ramp = np.linspace(0.2, 0.8, 256, dtype=np.float32)[None, :, None]
    return np.repeat(np.repeat(ramp, 256, axis=0), 3, axis=2)


def _grain(sigma: float, blur: float, seed: int, channels: int = 1) -> np.ndarray:
    field = np.random.default_rng(seed).standard_normal((256, 256, channels)).astype(np.float32)
    if blur:
        field = cv2.GaussianBlur(field, (0, 0), blur).reshape(256, 256, channels)
    return np.repeat(field / field.std() * sigma / 255, 3 // channels, axis=2)


@pytest.mark.parametrize("sigma", [3.0, 8.0, 16.0])
@pytest.mark.parametrize("blur", [0.0, 0.7])
def test_measures_the_deviation(sigma: float, blur: float) -> None:
    grain = measure_grain(_ramp() + _grain(sigma, blur, 0))
    # The high-pass takes a little of the grain with the face.
    assert grain.level == pytest.approx(sigma, rel=0.12)


def test_a_clean_picture_has_no_grain() -> None:
    assert measure_grain(_ramp()).level < 0.2


def test_grain_laid_back_looks_like_the_grain_taken_away() -> None:
    clean = _ramp()
    grainy = clean + _grain(8.0, 0.8, 3)
    grain = measure_grain(grainy)
    laid = clean + lay_grain(grain, clean, np.ones((256, 256), np.float32), seed=4)
    again = measure_grain(laid)
    assert again.level == pytest.approx(grain.level, rel=0.1)
    weight = grain.spectrum**2
    assert np.abs(again.spectrum**2 - weight).sum() / weight.sum() < 0.35  # 32 x 32 bins of few blocks each are noisy
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    for low, high in ((0.05, 0.15), (0.15, 0.3), (0.3, 0.5)):
        ring = (radius >= low) & (radius < high)
        assert (again.spectrum[ring] ** 2).mean() == pytest.approx(weight[ring].mean(), rel=0.2, abs=0.02)


def test_grey_grain_stays_grey_and_colour_noise_coloured() -> None:
    for channels, same in ((1, True), (3, False)):
        grainy = _ramp() + _grain(8.0, 0.0, 5, channels)
        laid = lay_grain(measure_grain(grainy), _ramp(), np.ones((256, 256), np.float32), seed=6)
        correlation = np.corrcoef(laid[:, :, 0].ravel(), laid[:, :, 2].ravel())[0, 1]
        assert (correlation > 0.98) if same else (abs(correlation) < 0.1)


def test_where_nothing_was_restored_nothing_is_laid() -> None:
    grainy = _ramp() + _grain(8.0, 0.0, 7)
    gain = np.zeros((256, 256), np.float32)
    gain[:, 128:] = 1
    laid = lay_grain(measure_grain(grainy), _ramp(), gain, seed=8)
    assert np.abs(laid[:, :128]).max() == 0
    assert laid[:, 128:].std() > 0.02


def test_grain_that_was_left_is_not_laid_twice() -> None:
    grainy = _ramp() + _grain(8.0, 0.0, 9)
    half_restored = _ramp() + _grain(5.0, 0.0, 9)
    share = np.ones((256, 256), np.float32)
    laid = half_restored + lay_grain(measure_grain(grainy), half_restored, share, seed=10)
    assert measure_grain(laid).level == pytest.approx(measure_grain(grainy).level, rel=0.1)
    untouched = lay_grain(measure_grain(grainy), grainy, share, seed=11)
    assert untouched.std() < 0.3 * 8 / 255


def test_tiny_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        measure_grain(np.zeros((40, 80, 3), np.float32))
