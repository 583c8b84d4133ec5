from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from likeness.faces.align import FFHQ_TEMPLATE, align, unwarp, unwarp_by_rows, valid_mask, warp
from likeness.imaging.image import Size


def _placed(x: float, y: float, side: float, degrees: float = 0.0) -> np.ndarray:
    """The template as a square of ``side`` px, turned, with its middle at (x, y)."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (FFHQ_TEMPLATE - 256) * side / 512 @ turn.T + (x, y)


def _smooth(width: int, height: int, sigma: float = 4.0) -> np.ndarray:
    noise = np.random.default_rng(0).random((height, width, 3)).astype(np.float32)
    x = cv2.GaussianBlur(noise, (0, 0), sigma)
    return ((x - x.min()) / (x.max() - x.min())).astype(np.float32)


@pytest.mark.parametrize(("side", "degrees"), [(512, 0), (200, 30), (1500, -75), (60, 180)])
def test_points_land_on_the_template(side: float, degrees: float) -> None:
    points = _placed(900, 800, side, degrees)
    alignment = align(points, Size(1800, 1600), 512)
    mapped = points @ alignment.matrix[:, :2].T + alignment.matrix[:, 2]
    assert np.abs(mapped - FFHQ_TEMPLATE).max() < 0.01
    assert alignment.scale == pytest.approx(512 / side, rel=1e-6)
    assert alignment.native_side == pytest.approx(side, rel=1e-6)
    back = mapped @ alignment.inverse[:, :2].T + alignment.inverse[:, 2]
    assert np.abs(back - points).max() < 1e-6


def test_the_fit_is_a_similarity_without_reflection() -> None:
    points = _placed(300, 300, 200)
    points[:, 0] = 600 - points[:, 0]  # mirrored: no similarity fits, and a reflection must not be used
    linear = align(points, Size(600, 600), 256).matrix[:, :2]
    assert np.linalg.det(linear) > 0
    assert linear[0, 0] == pytest.approx(linear[1, 1])
    assert linear[0, 1] == pytest.approx(-linear[1, 0])


def test_an_aligned_picture_is_its_own_crop() -> None:
    picture = _smooth(512, 512)
    assert np.abs(warp(picture, align(FFHQ_TEMPLATE, Size(512, 512), 512)) - picture).max() < 1e-5


@pytest.mark.parametrize(("side", "degrees"), [(250, 0), (250, 20), (512, -10), (700, 5)])
def test_there_and_back(side: float, degrees: float) -> None:
    picture = _smooth(900, 800, 6.0)
    alignment = align(_placed(450, 400, side, degrees), Size(900, 800), 512)
    laid, box = unwarp(warp(picture, alignment), alignment)
    inside, _ = unwarp(np.ones((512, 512), np.float32), alignment)
    rows, columns = box.to_slices()
    error = (laid - picture[rows, columns])[inside > 0.999]
    assert -10 * np.log10(np.square(error).mean()) > 40


def test_reducing_does_not_alias() -> None:
    """One-pixel stripes in a face six times the crop's size must turn grey, not into a moire."""
    picture = np.zeros((1600, 1600, 3), np.float32)
    picture[:, ::2] = 1
    crop = warp(picture, align(_placed(800, 800, 1536, 3), Size(1600, 1600), 256))
    assert crop.std() < 0.02


@pytest.mark.parametrize("side", [900, 1300, 1700])
def test_a_large_face_is_averaged_as_it_is_low_passed(side: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a whole fraction first: within half a level of the Gaussian alone, noise and all, and in the same place."""
    picture = _smooth(2400, 2300, 16.0)
    noise = np.random.default_rng(1).normal(0, 5 / 255, picture.shape)
    picture = np.clip(picture + noise, 0, 1).astype(np.float32)
    alignment = align(_placed(1200, 1150, side, 12), Size(2400, 2300), 256)
    crop = warp(picture, alignment)
    monkeypatch.setattr("likeness.faces.align._FINER", np.inf)
    off = np.square(crop - warp(picture, alignment))
    assert np.sqrt(off.mean()) < 0.5 / 255
    assert off.max() < 0.03


def test_beyond_the_picture_the_crop_is_mirrored_and_said_to_be_empty() -> None:
    alignment = align(_placed(10, 100, 150), Size(300, 200), 128)
    crop = warp(_smooth(300, 200), alignment)
    mask = valid_mask(alignment)
    assert crop.min() > 0
    assert mask[64, 2] == 0
    assert mask[64, 120] == 1
    assert alignment.box.left == 0
    assert unwarp(crop, alignment)[0].shape[1] == alignment.box.width


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.outer(np.arange(5), [1, 2]), np.full((5, 2), np.nan)])
def test_degenerate_points_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"line|finite"):
        align(points, Size(100, 100), 512)


@pytest.mark.parametrize("zoom", [0.3, 1.0, 4.7])
def test_strips_are_the_whole_to_the_last_bit(zoom: float) -> None:
    random = np.random.default_rng(7)
    points = FFHQ_TEMPLATE * zoom * 0.9 + (40.3, -25.8) + random.normal(0, 3, (5, 2))
    alignment = align(points, Size(round(600 * zoom), round(500 * zoom)), 512)
    crop = random.random((512, 512, 3), np.float32)
    whole, box = unwarp(crop, alignment)
    strips, boxes = zip(*unwarp_by_rows(crop, alignment), strict=True)
    assert np.array_equal(np.concatenate(strips), whole)
    assert (boxes[0].top, boxes[-1].bottom) == (box.top, box.bottom)
    assert all(one.bottom == other.top for one, other in pairwise(boxes))
