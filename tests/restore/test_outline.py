from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness import Controls, Restorer
from likeness.faces.mesh import average_face
from likeness.faces.regions import face_mask, region_masks
from likeness.imaging.files import read_image
from likeness.restore.outline import without_background

SIDE = 512


def noise(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is finer than sigma 1.5."""
    return x - cv2.GaussianBlur(x, (0, 0), 1.5)


@pytest.fixture(scope="module")
def head() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The average face's mesh and paste-back mask."""
    points = average_face()[:, :2].astype(np.float32)
    return points, face_mask(region_masks(points, SIDE))


def scene(
    points: NDArray[np.float32], wall: float = 0.7, *, hair: float = 0.0, skin: float = 0.5
) -> NDArray[np.float32]:
    """A plain head of skin before a plain wall; ``hair`` is the contrast of strands about it."""
    oval = cv2.convexHull(points.astype(np.int32))
    pixels = np.full((SIDE, SIDE), wall, np.float32)
    if hair:
        strands = np.random.default_rng(0).normal(0.0, hair, (SIDE, SIDE)).astype(np.float32)
        pixels += cv2.GaussianBlur(strands, (0, 0), 1.5)
    cv2.fillPoly(pixels, [oval], (skin,))
    return np.repeat(np.clip(pixels, 0, 1)[:, :, None], 3, axis=2)


def beside_the_jaw(points: NDArray[np.float32]) -> tuple[slice, slice]:
    right = points[:, 0].max()
    bottom = points[:, 1].max()
    return slice(int(bottom) - 90, int(bottom) - 40), slice(int(right) - 5, int(right) + 30)


def test_plain_background_leaves_the_mask(head: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    points, mask = head
    place = beside_the_jaw(points)
    assert mask[place].mean() > 0.3
    found = without_background(mask, scene(points), points)
    assert found[place].mean() < 0.02
    assert (found <= mask + 1e-6).all()


def test_the_face_itself_stays_whole(head: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    """Even one that cannot be told from the wall behind it."""
    points, mask = head
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(points.astype(np.int32)), (1,))
    inside = cv2.erode(inside, np.ones((9, 9), np.uint8)).astype(bool)
    for skin in (0.5, 0.7):
        found = without_background(mask, scene(points, skin=skin), points)
        np.testing.assert_array_equal(found[inside], mask[inside])


def test_hair_stays_in_the_mask_to_the_last_bit(head: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    points, mask = head
    for wall, contrast in ((0.6, 0.3), (0.12, 0.1)):
        np.testing.assert_array_equal(
            without_background(mask, scene(points, wall, hair=contrast), points), mask, err_msg=f"{wall}"
        )


@pytest.mark.parametrize("side", [64, 128, 256, 1024])
def test_every_size_of_a_crop(side: int) -> None:
    points = (average_face()[:, :2] * side / SIDE).astype(np.float32)
    mask = face_mask(region_masks(points, side))
    large = scene(average_face()[:, :2].astype(np.float32))
    found = without_background(mask, cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA), points)
    assert found.shape == mask.shape
    assert found.dtype == np.float32
    assert 0.4 * mask.sum() < found.sum() < 0.9 * mask.sum()


def test_the_grainy_portrait(shared: Path) -> None:
    path = shared / "cases" / "grain-halo.png"
    if not path.is_file():
        pytest.skip("the case is not among the shared pictures")
    before = read_image(path)
    after = Restorer().restore(before, Controls.standard()).image.pixels
    place = (slice(275, 316), slice(305, 341))
    ratio = noise(after)[place].std() / noise(before.pixels)[place].std()
    assert 0.9 < ratio < 1.1
    face = (slice(250, 300), slice(180, 250))
    assert noise(after)[face].std() < 0.8 * noise(before.pixels)[face].std()
