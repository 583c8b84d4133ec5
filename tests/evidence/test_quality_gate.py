from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.degradations.recipes import RECIPES
from likeness.errors import ConfigError
from likeness.evidence.quality_gate import FaceMeasures, Guard, GuardLimits
from likeness.evidence.scene import Scene, make_scene
from likeness.faces.align import align, unwarp
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Size
from likeness.restore.outcome import Restoration
from likeness.restore.pipeline import Restorer

Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def portrait() -> Image:
    return read_image(Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg")


@pytest.fixture(scope="module")
def restoration(portrait: Image) -> Restoration:
    return Restorer().restore(portrait, keep_scenes=True)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard()


def checks(guard: Guard, before: Image, after: Image, restoration: Restoration) -> set[str]:
    faces = [(outcome.index, outcome.face) for outcome in restoration.restored]
    verdict = guard.judge(before, after, faces)
    assert all(doubt.sentence in verdict.reason for doubt in verdict.doubts)
    return {doubt.check for doubt in verdict.doubts}


def test_a_real_restoration_passes(guard: Guard, portrait: Image, restoration: Restoration) -> None:
    assert checks(guard, portrait, restoration.image, restoration) == set()


def _broken(change: Callable[[Pixels, Scene], NDArray[Any]], before: Image, restoration: Restoration) -> Image:
    face = restoration.restored[0].face
    scene = make_scene(before, restoration.image, face)
    difference = (change(scene.after, scene) - scene.after) * scene.pasted[:, :, None]
    patch, box = unwarp(np.ascontiguousarray(difference, np.float32), align(face.five_points, before.size, 512))
    pixels = restoration.image.pixels.copy()
    pixels[box.to_slices()] += patch
    return restoration.image.with_pixels(np.clip(pixels, 0, 1))


def _blotch(x: Pixels, _: Scene) -> NDArray[Any]:
    down, across = np.mgrid[:512, :512]
    spot = np.exp(-((across - 200) ** 2 + (down - 330) ** 2) / (2 * 16**2))
    return x - spot[:, :, None] * np.array([0.0, 0.15, 0.15])


def _faint(x: Pixels, _: Scene) -> NDArray[Any]:
    """Half as strong, and of no colour."""
    down, across = np.mgrid[:512, :512]
    return x - 0.07 * np.exp(-((across - 200) ** 2 + (down - 330) ** 2) / (2 * 16**2))[:, :, None]


def _moved(x: Pixels, _: Scene) -> Pixels:
    return np.asarray(cv2.warpAffine(x, np.array([[1.0, 0, 8], [0, 1, 5]]), (512, 512)), np.float32)


def _wider(x: Pixels, _: Scene) -> Pixels:
    return np.asarray(cv2.warpAffine(x, np.array([[1.05, 0, -12.8], [0, 1, 0]]), (512, 512)), np.float32)


def _stepped(x: Pixels, scene: Scene) -> Pixels:
    """A step of 12 levels in the middle of the soft mask that the change is multiplied by."""
    inside = scene.pasted > 0.5
    return x + np.where(inside, 12 / 255 / np.maximum(scene.pasted, 0.5), 0)[:, :, None]


_BROKEN: list[tuple[str, Callable[[Pixels, Scene], NDArray[Any]]]] = [
    ("blank", lambda x, s: np.broadcast_to(x[s.pasted > 0.5].mean(axis=0), x.shape)),
    ("blank", lambda x, _: np.zeros_like(x)),
    ("saturated", lambda x, _: np.clip((x - 0.4) * 2.5 + 0.5, 0, 1)),
    ("smear", lambda x, _: np.asarray(cv2.GaussianBlur(x, (0, 0), 8))),
    ("blotch", _blotch),
    ("spot", _faint),
    ("colour", lambda x, _: x * (1.1, 1.0, 0.9)),
    ("geometry", _moved),
    ("geometry", _wider),
    ("identity", lambda x, _: np.asarray(cv2.flip(cv2.GaussianBlur(x, (0, 0), 6), 0))),
    ("seam", _stepped),
]


@pytest.mark.parametrize(("check", "change"), _BROKEN)
def test_what_is_broken_is_caught(
    check: str,
    change: Callable[[Pixels, Scene], NDArray[Any]],
    guard: Guard,
    portrait: Image,
    restoration: Restoration,
) -> None:
    if check == "identity" and guard.identity_note:
        pytest.skip(guard.identity_note)
    assert check in checks(guard, portrait, _broken(change, portrait, restoration), restoration)


def test_an_outline_that_became_sharp_is_no_seam(portrait: Image) -> None:
    blurred = portrait.with_pixels(RECIPES["moderate"].degrade(portrait.pixels, seed=3))
    restored = Restorer().restore(blurred, keep_scenes=True)
    scene = restored.restored[0].scene
    assert scene is not None
    guard, limit = Guard(GuardLimits(structure=100)), GuardLimits().seam

    def height(after: Pixels) -> float:
        found = guard.measure(replace(scene, after=after)).seam
        assert found is not None
        return found

    assert height(scene.after) < limit
    assert height(_stepped(scene.after, scene).astype(np.float32)) > limit


def test_what_restoring_has_cut_out_is_not_cut_out_again(
    portrait: Image, restoration: Restoration, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome,) = restoration.restored
    assert outcome.scene is not None
    guard, faces = Guard(), [(0, outcome.face)]
    anew = guard.judge(portrait, restoration.image, faces)
    monkeypatch.setattr("likeness.evidence.quality_gate.make_scene", None)
    assert guard.judge(portrait, restoration.image, faces, scenes={0: outcome.scene}) == anew


def test_a_change_away_from_faces_is_caught(portrait: Image, restoration: Restoration) -> None:
    height, width = portrait.pixels.shape[:2]
    canvas = np.zeros((height + 150, width + 150, 3), np.float32)
    canvas[:height, :width] = portrait.pixels
    before = Image(pixels=canvas)
    after = canvas.copy()
    after[-10, -10] = 1
    guard = Guard(max_faces=0)
    assert checks(guard, before, Image(pixels=after), restoration) == {"outside"}
    assert checks(guard, before, before, restoration) == set()


def test_an_enlarged_result_is_judged_as_well(portrait: Image, restoration: Restoration) -> None:
    size = Size(2 * portrait.size.width, 2 * portrait.size.height)
    after = Image(pixels=resize(restoration.image.pixels, size, "cubic").clip(0, 1))
    guard = Guard(max_faces=0)
    assert checks(guard, portrait, after, restoration) == set()
    spoilt = after.pixels.copy()
    spoilt[:40, :40] = (1.0, 0.0, 1.0)
    assert checks(guard, portrait, Image(pixels=spoilt), restoration) == {"outside"}
    with pytest.raises(ValueError, match="neither the same size"):
        Guard().judge(portrait, Image(pixels=after.pixels[:100]), [])


def test_what_was_not_measured_is_said(portrait: Image, restoration: Restoration) -> None:
    face = restoration.restored[0].face
    points = np.zeros_like(face.five_points)
    verdict = Guard().judge(portrait, restoration.image, [(0, face), (1, replace(face, five_points=points))])
    assert [measures.face for measures in verdict.faces] == [0]
    assert any("face 2 could not be measured" in note for note in verdict.notes)
    few = Guard(max_faces=1).judge(portrait, restoration.image, [(0, face), (1, face)])
    assert "only the 1 largest of 2 restored faces were measured" in few.notes


def test_identity_is_measured_where_a_face_changed(portrait: Image, restoration: Restoration) -> None:
    always = Guard(GuardLimits(structure=0))
    if always.identity_note:
        pytest.skip(always.identity_note)
    face = restoration.restored[0].face

    def identity(guard: Guard) -> float | None:
        measured: FaceMeasures = guard.measure(make_scene(portrait, restoration.image, face))
        return measured.identity

    assert identity(Guard(GuardLimits(structure=100))) is None
    found = identity(always)
    assert found is not None
    assert found < 0.3


def test_identity_that_cannot_be_loaded_costs_the_picture_nothing(
    monkeypatch: pytest.MonkeyPatch, portrait: Image, restoration: Restoration
) -> None:
    guard = Guard(GuardLimits(structure=0))
    if guard.identity_note:
        pytest.skip(guard.identity_note)
    monkeypatch.setitem(sys.modules, "dlib", None)  # there, as it was found, and cannot be imported
    face = restoration.restored[0].face
    verdict = guard.judge(portrait, restoration.image, [(0, face)])
    assert verdict.faces[0].identity is None
    assert "dlib" in verdict.notes[0]
    assert guard.identity_note == verdict.notes[0]


def test_limits_that_cannot_be(portrait: Image) -> None:
    with pytest.raises(ConfigError, match="blotch"):
        GuardLimits(blotch=-1)
    with pytest.raises(ValueError, match="neither the same size"):
        Guard().judge(portrait, Image(pixels=np.zeros((9, 9, 3), np.float32)), [])
    with pytest.raises(ValueError, match="not the same picture"):
        Guard().judge(portrait, Image(pixels=resize(portrait.pixels, Size(290, 363), "area")), [])


def test_an_enlarged_cut_out_is_looked_at_as_it_is_seen(
    guard: Guard, portrait: Image, restoration: Restoration
) -> None:
    """What lies under transparency does not grow with the picture: black in one, and the colours beside it in the other."""
    face = restoration.restored[0].face
    y, x = np.mgrid[: portrait.size.height, : portrait.size.width]
    middle, box = face.box.centre, face.box
    shape = np.hypot((x - middle.x) / box.width, (y - middle.y) / box.height) < 0.8
    alpha = shape.astype(np.float32)
    before = Image(pixels=portrait.pixels * alpha[..., None], alpha=alpha)
    twice = portrait.size.times(2)
    after = Image(pixels=np.clip(resize(portrait.pixels, twice, "cubic"), 0, 1), alpha=resize(alpha, twice, "linear"))
    assert guard.judge(before, after, [(0, face)]).doubts == ()
