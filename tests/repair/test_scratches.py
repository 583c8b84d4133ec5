from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.repair.scratches import find_marks


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A plain ground with soft forms, an edge, and a little grain: 320 x 400."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:400, :320].astype(np.float32)
    grey = 0.45 + 0.1 * np.sin(x / 40) + 0.1 * np.cos(y / 55)
    grey[:, 200:] -= 0.2
    grey = gaussian_blur(grey, 1.0) + rng.normal(0, 0.01, grey.shape).astype(np.float32)
    return np.repeat(np.clip(grey, 0, 1)[:, :, None], 3, axis=2).astype(np.float32)


def scratched(scene: np.ndarray, value: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    layer = np.zeros(scene.shape[:2], np.float32)
    cv2.line(layer, (90, 30), (110, 330), (1.0,), 1, cv2.LINE_AA)
    x = scene * (1 - layer[:, :, None]) + layer[:, :, None] * value
    return x.astype(np.float32), layer > 0.3


@pytest.mark.parametrize("value", [0.95, 0.05])
def test_a_scratch_is_found_where_it_is_and_nowhere_else(scene: np.ndarray, value: float) -> None:
    damaged, truth = scratched(scene, value)
    marks = find_marks(damaged)
    near = cv2.dilate(truth.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert marks.scratches >= 1
    assert marks.mask[truth].mean() > 0.85
    assert not marks.mask[~near].any()


def test_dust_is_found_and_a_clean_picture_is_left_alone(scene: np.ndarray) -> None:
    assert find_marks(scene).area == 0
    dusty = scene.copy()
    for x, y, value in ((60, 60, 0.95), (250, 100, 0.95), (150, 300, 0.02)):
        cv2.circle(dusty, (x, y), 1, (value,) * 3, -1, cv2.LINE_AA)
    marks = find_marks(dusty)
    assert marks.specks == 3
    assert marks.mask[[60, 100, 300], [60, 250, 150]].all()
    assert marks.area < 0.002


def test_edges_and_engravings_are_no_scratches(scene: np.ndarray) -> None:
    # An edge has another value on either side; hatching is many lines.
    engraved = scene.copy()
    for x in range(30, 160, 7):
        cv2.line(engraved, (x, 40), (x + 20, 340), (0.05,) * 3, 1, cv2.LINE_AA)
    assert find_marks(engraved).mask[:, 25:185].mean() < 0.002


def test_kept_places_keep_their_specks_and_short_lines_but_not_a_long_scratch(scene: np.ndarray) -> None:
    damaged, truth = scratched(scene)
    cv2.circle(damaged, (250, 100), 1, (0.95,) * 3, -1, cv2.LINE_AA)
    keep = np.zeros(scene.shape[:2], np.float32)
    keep[80:160] = 1
    marks = find_marks(damaged, keep)
    assert marks.specks == 0
    assert marks.mask[truth].mean() > 0.8, "a scratch that comes from far outside crosses the eye as well"
    keep[:] = 1
    assert find_marks(damaged, keep).area == 0


def test_dark_marks_on_skin_stay(scene: np.ndarray) -> None:
    mole = scene.copy()
    cv2.circle(mole, (150, 300), 1, (0.02,) * 3, -1, cv2.LINE_AA)
    skin = np.ones(scene.shape[:2], np.float32)
    assert find_marks(mole).specks == 1
    assert find_marks(mole, None, skin).specks == 0


def test_the_portrait_has_no_marks_to_speak_of(astronaut: Image) -> None:
    assert find_marks(astronaut.pixels).area < 0.003
