from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from likeness.degradations import RECIPES
from likeness.errors import NoFaceError
from likeness.evaluation.backlight import light_from_behind
from likeness.evaluation.generated import break_eye, melt_ear, wax
from likeness.evaluation.situations import SITUATIONS, make_case
from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.networks import face_network
from likeness.faces.person import person_mask
from likeness.faces.regions import RegionMasks, region_masks
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.metrics import band_energy
from likeness.restore.controls import PRESETS


@pytest.fixture(scope="module")
def face(astronaut_file: Path) -> tuple[Pixels, Pixels]:
    """An aligned face, and its mesh."""
    image, detector = read_image(astronaut_file), MediaPipeDetector()
    (found,) = detector.detect(image)
    crop = warp(image.pixels, align(found.five_points, image.size, 512))
    (found,) = detector.detect(Image(pixels=crop))
    return crop, found.landmarks.points


@pytest.fixture(scope="module")
def masks(face: tuple[Pixels, Pixels]) -> RegionMasks:
    return region_masks(face[1], face[0].shape[0])


@pytest.mark.parametrize(("fault", "region"), [(break_eye, "eye"), (melt_ear, "ear")])
def test_a_fault_is_seeded_and_stays_where_it_is_meant(
    fault: Callable[[Pixels, Pixels, int], tuple[Pixels, Pixels]],
    region: str,
    face: tuple[Pixels, Pixels],
    masks: RegionMasks,
) -> None:
    pixels, points = face
    before = pixels.copy()
    results = {seed: fault(pixels, points, seed) for seed in range(4)}
    for seed, (broken, where) in results.items():
        again, _ = fault(pixels, points, seed)
        assert np.array_equal(broken, again)
        # Not one bit outside the mask, and a change that is seen inside.
        assert np.array_equal(broken[where == 0], pixels[where == 0])
        assert np.abs(broken - pixels)[where > 0.5].mean() > 4 / 255
        assert 0 < where.mean() < 0.05
        # It lies on its own region. An ear's ellipse reaches from the face's edge into the hair.
        own = masks[region] if region == "eye" else 1 - masks["eye"] - masks["lip"] - masks["nose"] - masks["brow"]
        assert (where * own).sum() / where.sum() > 0.7
    assert not np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(pixels, before)


def test_only_one_eye_is_broken(face: tuple[Pixels, Pixels]) -> None:
    pixels, points = face
    whole = set()
    for seed in range(8):
        _, where = break_eye(pixels, points, seed)
        centres = [points[index].round().astype(int) for index in (468, 473)]
        hit = [where[y, x] > 0.5 for x, y in centres]
        assert sum(hit) == 1
        whole.add(tuple(hit))
    assert len(whole) == 2


def test_wax_takes_the_skin_and_leaves_the_eyes(face: tuple[Pixels, Pixels], masks: RegionMasks) -> None:
    pixels, _ = face
    # The enlarged sample has no pores of its own.
    pores = np.random.default_rng(0).normal(0, 3 / 255, pixels.shape[:2]).astype(np.float32)
    pixels = np.clip(pixels + pores[:, :, None], 0, 1)
    waxed = wax(pixels, masks, 1)
    skin = (masks["cheek"] > 0.9).astype(np.float32)
    assert band_energy(waxed, skin) < 0.7 * band_energy(pixels, skin)
    eyes = masks["eye"] > 0.99
    assert np.abs(waxed - pixels)[eyes].max() < 3 / 255


def test_a_person_s_outline_is_that_of_mediapipe(astronaut: Image) -> None:
    """On the mean; the outline itself is resampled in another way. MediaPipe's own is kept (`tools/face_models.py`)."""
    expected = np.load(Path(__file__).parents[1] / "data" / "mediapipe.npz")["mask"].astype(np.float32) / 255
    shown = resize(astronaut.pixels, Size(256, 256), "linear")[None]
    (found,) = face_network("person").run({"samples": shown}, ["mask"])
    assert np.abs(resize(found[0, 0], astronaut.size, "linear") - expected).mean() < 0.005


def test_against_the_light_the_face_is_dark_and_the_background_burnt(
    face: tuple[Pixels, Pixels], masks: RegionMasks
) -> None:
    pixels, _ = face
    person = person_mask(pixels)
    inner = masks["cheek"] > 0.5
    assert person[inner].mean() > 0.95
    lit = light_from_behind(pixels, person, 3)
    assert lit[inner].mean() < 0.75 * pixels[inner].mean()
    assert lit[person < 0.02].mean() > 0.8
    assert np.array_equal(lit, light_from_behind(pixels, person, 3))


def test_the_table_of_situations_is_sound() -> None:
    assert [item.name for item in SITUATIONS] == [
        "early digital", "generated face", "film scan", "low light", "backlit", "messenger",
    ]  # fmt: skip
    for item in SITUATIONS:
        assert item.recipe in RECIPES
        assert item.preset in PRESETS


def test_cases(shared: Path) -> None:
    from likeness.imaging.portraits import Portraits

    portraits = Portraits.read(shared / "portraits", 512, split="val")
    detector = MediaPipeDetector()
    pixels = portraits.pixels(70)
    for item in SITUATIONS:
        case, again = (make_case("a", pixels, item, 5, detector=detector) for _ in range(2))
        assert np.array_equal(case.degraded, again.degraded)
        assert np.allclose(case.degraded * 255, np.round(case.degraded * 255), atol=1e-4)
        assert not np.array_equal(case.degraded, case.original)
        assert set(case.damage) == ({"eye", "ear"} if item.scene == "generated" else set())
        # What arrives has the original's light and colour: what is left to undo is detail.
        assert np.abs(case.degraded.mean(axis=(0, 1)) - case.original.mean(axis=(0, 1))).max() < 0.04, item.name


def test_a_scene_needs_a_face() -> None:
    blank = np.full((512, 512, 3), 0.5, np.float32)
    with pytest.raises(NoFaceError, match="no face was found"):
        make_case("blank", blank, SITUATIONS[1], 0, detector=MediaPipeDetector())
