"""What the photograph holds stays, what it lost comes from the network: on pictures of which both are known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.imaging.files import read_image
from likeness.restore.arbitration import arbitrate, held_detail, unexplained

_Map = NDArray[np.float32]


@pytest.fixture(scope="module")
def sharp() -> _Map:
    """A real face, 256 x 256."""
    return np.ascontiguousarray(read_image(Path(__file__).parents[1] / "data" / "astronaut.jpg").pixels)


def _blurred(pixels: _Map, sigma: float) -> _Map:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)


def _target(picture: _Map, projection: _Map) -> _Map:
    return arbitrate(picture, projection, held_detail(picture, projection))


def _error(x: _Map, y: _Map) -> float:
    return float(np.sqrt(np.square(x - y).mean()))


def test_maps_are_shares_of_halving_bands(sharp: _Map) -> None:
    held = held_detail(sharp, _blurred(sharp, 1)).shares
    assert [band.shape[0] for band in held] == [256, 128, 64, 32, 16]
    assert all(band.dtype == np.float32 and band.min() >= 0 and band.max() <= 1 for band in held)
    assert (held[-1] == 1).all()


def _grainy(pixels: _Map, levels: float) -> _Map:
    grain = np.random.default_rng(2).standard_normal(pixels.shape[:2]).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.7)
    return pixels + (grain * (levels / 255 / grain.std()))[:, :, None]


def test_grain_is_told_from_blur_and_from_texture(sharp: _Map) -> None:
    assert held_detail(_grainy(sharp, 12), sharp).grain > 0.9
    assert held_detail(_blurred(sharp, 2.5), sharp).grain < 0.1
    assert held_detail(sharp, sharp).grain == 0


def test_the_share_of_grain_rises_with_it(sharp: _Map) -> None:
    found = [held_detail(_grainy(sharp, levels), sharp).grain for levels in (0.5, 2, 4, 8, 16)]
    assert all(more > less for less, more in pairwise(found))
    assert found[0] < 0.05


def test_what_grain_does_to_coarse_bands_goes_too(sharp: _Map) -> None:
    """There it is under a level, which without grain would be left as it is."""
    faint = _blurred(np.random.default_rng(3).standard_normal(sharp.shape).astype(np.float32), 3)
    faint *= 0.7 / 255 / faint.std()
    coarse = [float(held_detail(x, sharp).shares[3].mean()) for x in (sharp + faint, _grainy(sharp + faint, 12))]
    assert coarse[0] > 0.6
    assert coarse[1] < 0.2


def test_an_answer_that_is_the_picture_changes_nothing(sharp: _Map) -> None:
    assert np.abs(_target(sharp, sharp) - sharp).max() < 1e-6


def test_a_sharp_picture_is_not_smoothed(sharp: _Map) -> None:
    smooth = _blurred(sharp, 1.5)  # a network that takes texture for noise
    assert _error(_target(sharp, smooth), sharp) < 0.3 * _error(smooth, sharp)


def test_what_a_blurred_picture_lost_comes_from_the_network(sharp: _Map) -> None:
    blurred = _blurred(sharp, 2)
    assert _error(_target(blurred, sharp), sharp) < 0.35 * _error(blurred, sharp)


def test_noise_is_not_taken_for_detail(sharp: _Map) -> None:
    noisy = sharp + np.random.default_rng(0).normal(0, 12 / 255, sharp.shape).astype(np.float32)
    assert _error(_target(noisy, sharp), sharp) < 0.4 * _error(noisy, sharp)


def test_detail_that_the_network_lost_survives_the_noise_that_it_took(sharp: _Map) -> None:
    """Both at once: neither the noisy picture nor the too smooth answer is as close as their mixture."""
    noisy = sharp + np.random.default_rng(0).normal(0, 3 / 255, sharp.shape).astype(np.float32)
    smooth = _blurred(sharp, 1.2)
    mixed = _error(_target(noisy, smooth), sharp)
    assert mixed < 0.8 * _error(smooth, sharp)


def test_differences_that_nobody_sees_are_left_out(sharp: _Map) -> None:
    faint = cv2.GaussianBlur(np.random.default_rng(1).standard_normal(sharp.shape).astype(np.float32), (0, 0), 1)
    faint *= 0.4 / 255 / faint.std()
    assert _error(_target(sharp, sharp + faint), sharp) < 0.3 * _error(sharp + faint, sharp)


def test_tone_stays(sharp: _Map) -> None:
    brighter = np.clip(sharp * 0.8 + 0.1, 0, 1) + np.array([0.02, 0.0, -0.02], np.float32)
    target = _target(sharp, brighter)
    assert np.abs(target.mean(axis=(0, 1)) - sharp.mean(axis=(0, 1))).max() < 0.005


def test_grain_is_what_the_answer_does_not_explain(sharp: _Map) -> None:
    """Grain on a blurred face is found; that the face is blurred is no grain."""
    blurred = _blurred(sharp, 2)
    grainy = _grainy(blurred, 12)
    grain = grainy - blurred
    found = unexplained(grainy, sharp, held_detail(grainy, sharp))
    assert float((found * grain).sum() / (grain * grain).sum()) > 0.8
    assert _error(found, grain) < 0.6 * float(np.sqrt(np.square(grain).mean()))
    own = unexplained(blurred, sharp, held_detail(blurred, sharp))
    assert np.abs(own).mean() < 0.4 * np.abs(sharp - blurred).mean()


def test_in_a_picture_that_is_its_own_answer_nothing_is_grain(sharp: _Map) -> None:
    assert np.abs(unexplained(sharp, sharp, held_detail(sharp, sharp))).max() < 1e-6
