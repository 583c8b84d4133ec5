from __future__ import annotations

import numpy as np
import pytest

from likeness.faces.align import align
from likeness.faces.face import Alignment
from likeness.imaging.image import Size
from likeness.restore.composite import Patch, overlaps, paste


def _alignment(x: float, y: float, side: float, size: Size, crop: int = 128) -> Alignment:
    """A face whose aligned square has its middle at (x, y)."""
    template = np.array([(193.0, 239.9), (318.9, 240.2), (256.6, 314.0), (201.3, 371.4), (313.1, 371.2)])
    return align((template - 256) * side / 512 + (x, y), size, crop)


def _disc(side: int) -> np.ndarray:
    down, across = np.mgrid[0:side, 0:side]
    radius = np.hypot(across - side / 2, down - side / 2) / side
    return np.clip((0.4 - radius) / 0.1, 0, 1).astype(np.float32)


def _patch(value: float, alignment: Alignment) -> Patch:
    mask = _disc(alignment.crop_size)
    return Patch(change=np.repeat(mask[:, :, None], 3, axis=2) * np.float32(value), mask=mask, alignment=alignment)


@pytest.fixture
def picture() -> np.ndarray:
    return (np.random.default_rng(0).integers(60, 190, (200, 300, 3)) / 255).astype(np.float32)


def test_outside_the_mask_every_bit_is_kept(picture: np.ndarray) -> None:
    result = paste(picture, [_patch(0.2, _alignment(150, 100, 120, Size(300, 200)))])
    down, across = np.mgrid[0:200, 0:300]
    outside = np.hypot(across - 150, down - 100) > 0.42 * 120 + 2
    assert np.array_equal(result[outside], picture[outside])
    assert result[100, 150, 0] == pytest.approx(picture[100, 150, 0] + 0.2, abs=1e-3)


def test_no_change_is_no_change(picture: np.ndarray) -> None:
    assert np.array_equal(paste(picture, [_patch(0.0, _alignment(150, 100, 120, Size(300, 200)))]), picture)
    assert np.array_equal(paste(picture, []), picture)


def test_the_input_is_not_modified(picture: np.ndarray) -> None:
    before = picture.copy()
    paste(picture, [_patch(0.2, _alignment(150, 100, 120, Size(300, 200)))])
    assert np.array_equal(picture, before)


def test_detail_finer_than_the_crop_survives() -> None:
    """A face much larger than the network's crop keeps its own pixels; only the change is enlarged."""
    picture = (0.5 + 0.2 * np.random.default_rng(1).standard_normal((600, 600, 3))).clip(0.2, 0.8).astype(np.float32)
    result = paste(picture, [_patch(0.1, _alignment(300, 300, 600, Size(600, 600), crop=64))])
    middle = (result - picture)[250:350, 250:350]
    assert middle == pytest.approx(0.1, abs=2e-3)


def test_overlapping_faces_are_not_changed_twice(picture: np.ndarray) -> None:
    size = Size(300, 200)
    patches = [_patch(0.2, _alignment(140, 100, 120, size)), _patch(0.2, _alignment(170, 100, 120, size))]
    assert overlaps(patches) == {0: [1], 1: [0]}
    result = paste(picture, patches)
    assert (result - picture).max() <= 0.2 + 1e-3
    assert np.allclose(result, paste(picture, patches[::-1]), atol=1e-6)


def test_a_face_at_the_border(picture: np.ndarray) -> None:
    result = paste(picture, [_patch(0.2, _alignment(10, 190, 120, Size(300, 200)))])
    assert result.shape == picture.shape
    assert result[185, 12, 0] > picture[185, 12, 0] + 0.15
