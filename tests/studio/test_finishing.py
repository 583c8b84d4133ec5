from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ControlError
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.faces.outlines import EYE_OUTLINES
from likeness.imaging.colour import luma, srgb_to_linear
from likeness.imaging.image import Box, Image
from likeness.imaging.portraits import Portraits
from likeness.studio.finishing import WARMTH, Finishing, FinishingArea, find_areas, finish

ALL = Finishing(warmth=0.15, exposure=0.3, clarity=0.5)

# Oklab as its author publishes it (Ottosson, 2020), both matrices; the code under test has only the first.
M1 = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
M2 = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def oklch(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Lightness, chroma, hue in degrees."""
    lab = np.asarray(np.cbrt(srgb_to_linear(pixels).astype(np.float64) @ M1.T) @ M2.T, np.float64)
    lightness: NDArray[np.float64] = lab[..., 0]
    return lightness, np.hypot(lab[..., 1], lab[..., 2]), np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))


def turned(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs((after - before + 180) % 360 - 180)


@pytest.fixture(scope="module")
def faces(astronaut: Image) -> tuple[Face, ...]:
    return MediaPipeDetector().detect(astronaut)


@pytest.fixture(scope="module")
def areas(astronaut: Image, faces: tuple[Face, ...]) -> tuple[FinishingArea, ...]:
    return find_areas(astronaut, faces)


def everywhere(image: Image) -> FinishingArea:
    """An area that covers a whole picture."""
    ones = np.ones((image.size.height, image.size.width), np.float32)
    return FinishingArea(box=Box(0, 0, image.size.width, image.size.height), colour=ones, tone=ones, side=256.0)


def reach(image: Image, areas: tuple[FinishingArea, ...]) -> NDArray[np.bool_]:
    found = np.zeros((image.size.height, image.size.width), bool)
    for area in areas:
        found[area.box.to_slices()] |= (area.colour > 0) | (area.tone > 0)
    return found


@pytest.mark.parametrize(
    "finishing", [ALL, Finishing(warmth=-0.5), Finishing(exposure=-1), Finishing(clarity=1)], ids=str
)
def test_outside_the_mask_nothing_changes(
    astronaut: Image, areas: tuple[FinishingArea, ...], finishing: Finishing
) -> None:
    after = finish(astronaut, areas, finishing)
    outside = ~reach(astronaut, areas)
    assert 0.5 < outside.mean() < 0.95
    assert np.array_equal(after.pixels[outside], astronaut.pixels[outside])
    assert np.abs(after.pixels - astronaut.pixels)[~outside].mean() > 1 / 255


def test_nothing_is_nothing(astronaut: Image, areas: tuple[FinishingArea, ...]) -> None:
    assert finish(astronaut, areas, Finishing()) is astronaut
    assert finish(astronaut, (), ALL) is astronaut
    # Next to nothing is next to nothing: no step at 0.
    after = finish(astronaut, areas, Finishing(warmth=1e-4, exposure=1e-4, clarity=1e-4))
    assert np.abs(after.pixels - astronaut.pixels).max() < 2e-4


@pytest.mark.parametrize("warmth", [-0.3, WARMTH, 0.5])
def test_hue_and_lightness_stay_and_chroma_is_scaled(warmth: float) -> None:
    # Every colour of a cube; those at its surface cannot be raised in full.
    levels = np.linspace(0, 1, 24, dtype=np.float32)
    pixels = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(24 * 24, 24, 3)
    image = Image(pixels=np.ascontiguousarray(pixels))
    after = finish(image, [everywhere(image)], Finishing(warmth=warmth))
    light, chroma, hue = oklch(pixels)
    light_after, chroma_after, hue_after = oklch(after.pixels)
    coloured = (chroma > 0.02) & (chroma_after > 0.02)
    assert coloured.mean() > 0.9
    assert turned(hue, hue_after)[coloured].max() < 0.1
    assert np.abs(light - light_after)[coloured].max() < 2e-3
    ratio = (chroma_after / np.maximum(chroma, 1e-9))[coloured]
    if warmth < 0:
        assert np.allclose(ratio, 1 + warmth, atol=2e-3)
    else:
        assert ratio.min() > 1 - 2e-3
        assert ratio.max() < 1 + warmth + 2e-3
        # Far from the surface, where skin is, the whole amount fits.
        inner = (chroma[coloured] < 0.06) & (np.abs(light[coloured] - 0.6) < 0.2)
        assert inner.sum() > 100
        assert (np.abs(ratio[inner] - (1 + warmth)) < 2e-3).mean() > 0.95


def test_skin_keeps_its_hue_in_eight_bits(shared: Path) -> None:
    portraits = Portraits.read(shared / "portraits", 512, split="val")
    detector, checked = MediaPipeDetector(), 0
    for index in (3, 60, 120):
        image = Image(pixels=portraits.pixels(index))
        areas = find_areas(image, detector.detect(image))
        after = Image.from_uint8(finish(image, areas, Finishing(warmth=WARMTH)).to_uint8())
        for area in areas:
            where = area.colour > 0.99
            before_part, after_part = (picture.pixels[area.box.to_slices()][where] for picture in (image, after))
            _, chroma, hue = oklch(before_part)
            _, chroma_after, hue_after = oklch(after_part)
            skin = (chroma > 0.03) & (before_part.max(axis=1) < 0.98)
            assert skin.sum() > 5000
            # Rounding to 8 bits alone turns single pixels by some degrees; their mean does not move.
            assert abs(float(np.mean((hue_after - hue + 180)[skin] % 360 - 180))) < 0.2
            assert np.median(chroma_after[skin] / chroma[skin]) == pytest.approx(1.15, abs=0.01)
            checked += 1
    assert checked >= 3


def test_exposure_and_clarity_keep_hue(astronaut: Image, areas: tuple[FinishingArea, ...]) -> None:
    where = reach(astronaut, areas)
    _, chroma, hue = oklch(astronaut.pixels[where])
    for finishing in (Finishing(exposure=0.5), Finishing(exposure=-0.5), Finishing(clarity=1.0)):
        _, chroma_after, hue_after = oklch(finish(astronaut, areas, finishing).pixels[where])
        coloured = (chroma > 0.02) & (chroma_after > 0.02)
        assert turned(hue, hue_after)[coloured].max() < 0.2


@pytest.mark.parametrize("name", ["warmth", "exposure", "clarity"])
def test_more_is_more(astronaut: Image, areas: tuple[FinishingArea, ...], name: str) -> None:
    where = reach(astronaut, areas)

    def figure(amount: float) -> float:
        pixels = finish(astronaut, areas, replace(Finishing(), **{name: amount})).pixels
        if name == "warmth":
            return float(oklch(pixels[where])[1].mean())
        light = luma(pixels)
        if name == "exposure":
            return float(light[where].mean())
        middle = cv2.GaussianBlur(light, (0, 0), 2) - cv2.GaussianBlur(light, (0, 0), 8)
        return float(middle[where].std())

    low, _, high = ({"warmth": -0.5, "exposure": -1.0, "clarity": 0.0}[name], 0.0, {"warmth": 0.5}.get(name, 1.0))
    values = [figure(float(amount)) for amount in np.linspace(low, high, 6)]
    assert all(b > a for a, b in pairwise(values))


def test_exposure_never_burns_out() -> None:
    ramp = np.linspace(0, 1, 512, dtype=np.float32)[None, :, None].repeat(3, axis=2).repeat(4, axis=0)
    image = Image(pixels=ramp * np.array([1, 0.8, 0.7], np.float32))
    after = finish(image, [everywhere(image)], Finishing(exposure=1.0)).pixels[0, :, 0]
    assert after[0] == 0
    assert after[-1] == pytest.approx(1, abs=1e-3)
    assert (np.diff(after) > 0).all()


def test_clarity_leaves_the_finest_texture_and_strong_edges() -> None:
    rng = np.random.default_rng(0)
    grain = Image(pixels=np.clip(0.5 + 0.03 * rng.standard_normal((256, 256, 1)), 0, 1).astype(np.float32).repeat(3, 2))
    after = finish(grain, [everywhere(grain)], Finishing(clarity=1.0))
    fine = [luma(x) - cv2.GaussianBlur(luma(x), (0, 0), 1) for x in (grain.pixels, after.pixels)]
    assert fine[1].std() == pytest.approx(fine[0].std(), rel=0.05)
    step = np.full((256, 256, 3), 0.2, np.float32)
    step[:, 128:] = 0.8
    edge = finish(Image(pixels=step), [everywhere(Image(pixels=step))], Finishing(clarity=1.0)).pixels
    assert np.abs(edge - step)[:, [100, 118, 138, 156]].max() < 0.03


def test_eyes_and_teeth_keep_their_colour_and_lips_get_half(astronaut: Image, faces: tuple[Face, ...]) -> None:
    (area,) = find_areas(astronaut, faces)
    points = faces[0].landmarks.points - (area.box.left, area.box.top)

    def at(indices: tuple[int, ...]) -> float:
        x, y = points[list(indices)].mean(axis=0).round().astype(int)
        return float(area.colour[y, x])

    assert at(EYE_OUTLINES[0]) < 0.05
    assert at(EYE_OUTLINES[1]) < 0.05
    assert at((13, 14)) < 0.25  # between the lips
    assert at((205, 205)) > 0.95  # a cheek
    lower_lip = at((17, 14))
    assert 0.3 < lower_lip < 0.8


def test_black_and_white_stays_black_and_white(areas: tuple[FinishingArea, ...], astronaut: Image) -> None:
    grey = luma(astronaut.pixels)[..., None].repeat(3, axis=2)
    after = finish(Image(pixels=grey, grey=True), areas, ALL).pixels
    assert np.array_equal(after[..., 0], after[..., 1])
    assert np.array_equal(after[..., 0], after[..., 2])
    assert np.array_equal(finish(Image(pixels=grey), areas, Finishing(warmth=0.5)).pixels, grey)


def test_faces_that_overlap_are_finished_once(astronaut: Image, faces: tuple[Face, ...]) -> None:
    once = find_areas(astronaut, faces)
    twice = find_areas(astronaut, [*faces, *faces])
    assert len(twice) == 2
    assert twice[1].colour.max() == 0
    a, b = (finish(astronaut, areas, ALL).pixels for areas in (once, twice))
    assert np.array_equal(a, b)


def test_bad_amounts_are_refused() -> None:
    with pytest.raises(ControlError, match=r"warmth must be between -0\.5 and 0\.5, not 0\.7"):
        Finishing(warmth=0.7)
    with pytest.raises(ControlError, match="exposure"):
        Finishing(exposure=float("nan"))
    with pytest.raises(ControlError, match="clarity"):
        Finishing(clarity=-0.1)


def test_areas_of_another_picture_are_refused(astronaut: Image, areas: tuple[FinishingArea, ...]) -> None:
    small = Image(pixels=astronaut.pixels[:100, :100])
    with pytest.raises(ValueError, match="not of this picture"):
        finish(small, areas, ALL)
