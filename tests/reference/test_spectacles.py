"""Thick spectacles that only the reference wears are not laid on the face."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sittings import Sitting

from likeness.faces.outlines import EYE_OUTLINES
from likeness.imaging.colour import luma
from likeness.imaging.image import Pixels
from likeness.reference import fusion
from likeness.reference.fusion import fuse, warp_reference
from likeness.reference.photographs import Reference
from likeness.reference.spectacles import thick_spectacles

_Map = NDArray[np.float32]


def _wearing(pixels: Pixels, sitting: Sitting) -> tuple[Pixels, _Map]:
    """The crop with thick black rims drawn around both eyes and a bridge between, and where they are."""
    rims = np.zeros(pixels.shape[:2], np.float32)
    points = sitting.landmarks.points
    centres = [points[list(eye)].mean(axis=0) for eye in EYE_OUTLINES]
    apart = float(np.hypot(*(centres[1] - centres[0])))
    width = max(2, round(apart * 0.09))
    for x, y in centres:
        axes = (round(0.4 * apart), round(0.3 * apart))
        cv2.ellipse(
            rims, (round(float(x)), round(float(y + 0.05 * apart))), axes, 0, 0, 360, (1.0,), width, cv2.LINE_AA
        )
    left, right = sorted(centres, key=lambda centre: float(centre[0]))
    inner = [
        (round(float(left[0] + 0.4 * apart)), round(float(left[1]))),
        (round(float(right[0] - 0.4 * apart)), round(float(right[1]))),
    ]
    cv2.line(rims, inner[0], inner[1], (1.0,), width, cv2.LINE_AA)
    return (pixels * (1 - 0.9 * rims[:, :, None])).astype(np.float32), rims


@pytest.fixture
def wearing(sitting: Sitting) -> tuple[Reference, _Map]:
    pixels, rims = _wearing(sitting.crop, sitting)
    mask = thick_spectacles(pixels, sitting.landmarks.points)
    assert mask is not None
    return replace(sitting.reference, light=luma(pixels), spectacles=mask), rims


def test_a_face_without_spectacles_has_none(sitting: Sitting) -> None:
    assert thick_spectacles(sitting.crop, sitting.landmarks.points) is None
    assert sitting.reference.spectacles is None


def test_spectacles_that_only_the_reference_wears_stay_away(
    sitting: Sitting, wearing: tuple[Reference, _Map], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, rims = wearing
    # The judge of lent detail would see as well that they are none of the face's.
    everything = np.ones(rims.shape, np.float32)
    monkeypatch.setattr(fusion, "judge_lending", lambda *_: (everything, everything))
    darkest: dict[bool, float] = {}
    for told in (False, True):
        lent = reference if told else replace(reference, spectacles=None)
        warped = warp_reference(lent, crop=sitting.blurred, target=sitting.guessed, landmarks=sitting.landmarks)
        change = luma(fuse(sitting.guessed, warped)) - luma(sitting.guessed)
        darkest[told] = float(-(np.minimum(change, 0) * rims).sum() / rims.sum())
    assert darkest[True] < 0.3 * darkest[False]


def test_who_wears_the_same_keeps_them(sitting: Sitting, wearing: tuple[Reference, _Map]) -> None:
    reference, rims = wearing
    worn, _ = _wearing(sitting.crop, sitting)
    wearer = replace(sitting, crop=worn)
    warped = warp_reference(reference, crop=wearer.blurred, target=wearer.guessed, landmarks=sitting.landmarks)
    assert (warped.shares * rims).sum() / rims.sum() > 0.5
