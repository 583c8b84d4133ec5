"""What each place of an aligned crop shows: background, skin, hair, beard, spectacles, hat, cloth, or something in front of
the face.

Two small networks of our own (``models/README.md``) on top of MediaPipe's selfie segmentation, whose inner maps they
read: one for spectacles, one for all else. They see the picture, where the mesh says that the face is, and where a person
is. Their answer is laid on the edges of the picture by a guided filter (He, Sun and Tang, "Guided Image Filtering", 2010),
so that hair ends in strands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.networks import face_network
from likeness.faces.outlines import BROW_OUTLINES, EYE_OUTLINES, LIP_OUTLINE, OVAL_OUTLINE, filled
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size

__all__ = ["PARTS", "PARTS_SIDE", "PERSON_MAPS", "FaceParts", "evidence_of_place", "face_parts"]

PARTS = ("background", "skin", "hair", "beard", "glasses", "hat", "cloth", "occluder")
"""``glasses``: frames, and lenses that cannot be seen through. ``occluder``: what lies in front of the face, as a hand or a
microphone."""

PARTS_SIDE = 256
"""Side at which parts are told, px."""

PERSON_MAPS = ("coarse", "middle", "fine")
"""Inner maps of the person network that the parts are told from: 160 x 16 x 16, 120 x 32 x 32 and 88 x 64 x 64."""

_HAIR, _GLASSES, _HAT = PARTS.index("hair"), PARTS.index("glasses"), PARTS.index("hat")

_GRID = 64
_CHIN, _TOP = 152, 10
_SIDES = (234, 454)

_REACH, _SMOOTH = 2, 4e-4
"""Radius (px) and regularisation of the guided filter."""

_TRACE = 0.5
"""A part whose share is nowhere more than this is not seen in the picture: something else is likelier everywhere."""

_SURE, _LEAST, _OWN_COLOUR = 0.6, 0.01, 16.0
"""From which share on a place shows hair or a hat; which share of the crop that is at least for its colour to be known; and
how near the colours (medians, in CIELAB) are where a hat is none but hair: of fringes 1 and 8, of hats 43 and 52."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceParts:
    """Soft masks of the parts, 8 x 256 x 256 in [0, 1] in the order of `PARTS`, that add up to 1 at every pixel."""

    masks: _Map

    def __getitem__(self, part: str) -> _Map:
        """The mask of one part, 256 x 256."""
        return self.masks[PARTS.index(part)]


def face_parts(pixels: Pixels, points: NDArray[np.floating[Any]]) -> FaceParts:
    """The parts of an aligned crop.

    Args:
        pixels: S x S x 3 in [0, 1].
        points: 478 x 2, the mesh in crop pixels.
    """
    side = pixels.shape[0]
    size = Size(PARTS_SIDE, PARTS_SIDE)
    small = pixels if side == PARTS_SIDE else resize(pixels, size, "area" if side > PARTS_SIDE else "linear")
    person = face_network("person").run({"samples": small[None]}, ["mask", *PERSON_MAPS])
    place = evidence_of_place(small, (points + 0.5) * (PARTS_SIDE / side) - 0.5, person[0][0, 0])
    inputs = dict(zip(PERSON_MAPS, person[1:], strict=True)) | {"place": place[None]}
    shares, learnt_on = (face_network(name).run(inputs, ["shares"])[0][0] for name in ("parts", "spectacles"))
    # One part after another: over channels that lie side by side numpy takes ten times as long.
    fine = np.stack(cv2.split(resize(_with_spectacles(shares, learnt_on[_GLASSES]).transpose(1, 2, 0), size, "linear")))
    # Most faces have half of the parts; where one is not to be seen, its edges do not matter.
    seen = np.flatnonzero(fine.reshape(len(PARTS), -1).max(axis=1) > _TRACE)
    coarse = cv2.merge([fine[part] for part in seen])
    fine[seen] = cv2.split(cv2.ximgproc.guidedFilter(small, coarse, _REACH, _SMOOTH))
    fine = np.maximum(fine, 0)
    return FaceParts(masks=_without_hats_of_hair(fine / np.maximum(fine.sum(axis=0), np.float32(1e-6)), small))


def _without_hats_of_hair(masks: _Map, small: Pixels) -> _Map:
    """The masks, in which a hat that has the very colour of the hair is hair."""
    hat, hair = (masks[part] > _SURE for part in (_HAT, _HAIR))
    if min(float(hat.mean()), float(hair.mean())) < _LEAST:
        return masks
    colours = np.asarray(cv2.cvtColor(np.clip(small, 0, 1), cv2.COLOR_RGB2Lab), np.float32)
    apart = np.median(colours[hat], axis=0) - np.median(colours[hair], axis=0)
    if float(np.hypot.reduce(apart)) > _OWN_COLOUR:
        return masks
    found = masks.copy()
    found[_HAIR] += found[_HAT]
    found[_HAT] = 0
    return found


def _with_spectacles(shares: _Map, glasses: _Map) -> _Map:
    """The shares of all parts, in which spectacles have another: what it leaves is divided as it was."""
    others = np.maximum(1 - shares[_GLASSES], np.float32(1e-6))
    found = shares * ((1 - glasses) / others)
    found[_GLASSES] = glasses
    return found


def evidence_of_place(small: Pixels, points: NDArray[np.floating[Any]], mask: _Map) -> _Map:
    """What the network is given beside the person network's maps, 23 x 64 x 64.

    Colours at 128 px, four pixels side by side as twelve channels; face, eyes, brows and lips as the mesh draws them; the
    person mask at 128 px as four channels; and the place along the face (0 at the chin, 1 at the top of the mesh), beside
    its axis, and that squared, in heights of the face.

    Args:
        small: 256 x 256 x 3 in [0, 1].
        points: 478 x 2, the mesh in pixels of ``small``.
        mask: 256 x 256 in [0, 1], the person network's.
    """
    half = Size(2 * _GRID, 2 * _GRID)
    colours = (
        resize(small, half, "area").reshape(_GRID, 2, _GRID, 2, 3).transpose(1, 3, 4, 0, 2).reshape(12, _GRID, _GRID)
    )
    person = resize(mask, half, "area").reshape(_GRID, 2, _GRID, 2).transpose(1, 3, 0, 2).reshape(4, _GRID, _GRID)
    p = np.asarray(points, dtype=np.float64)
    drawn_at = (p + 0.5) * (half.width / PARTS_SIDE) - 0.5
    drawn = [
        resize(filled([drawn_at[list(outline)] for outline in outlines], half.width), Size(_GRID, _GRID), "area")
        for outlines in ((OVAL_OUTLINE,), EYE_OUTLINES, BROW_OUTLINES, (LIP_OUTLINE,))
    ]
    up = p[_TOP] - p[_CHIN]
    height = max(float(np.hypot(*up)), 1e-3)
    up = up / height
    middle = (p[_SIDES[0]] + p[_SIDES[1]]) / 2
    down, across = np.mgrid[0:_GRID, 0:_GRID].astype(np.float32) * (PARTS_SIDE / _GRID) + 1.5
    along = ((across - p[_CHIN][0]) * up[0] + (down - p[_CHIN][1]) * up[1]) / height
    aside = (-(across - middle[0]) * up[1] + (down - middle[1]) * up[0]) / height
    return np.concatenate(
        [colours - 0.5, np.stack(drawn), person, np.stack([along, np.abs(aside), aside * aside])]
    ).astype(np.float32)
