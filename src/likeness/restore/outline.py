"""Where the paste-back mask reaches past the head: plain background, which stays as the photograph has it.

The mask is drawn from the mesh, which ends at the face's oval; hair and ears are guessed as parts of an ellipse about it,
and beside jaw and neck that ellipse holds wall and sky. All that a restoration does there is to wipe off the photograph's
grain: a smooth halo about the head. Hair has structure in the network's answer, plain background has none. So the mask's rim
is moved inward from all sides over what has no structure, and stops at the head's outline.

Plain hair inside the head stays in the mask, as no plain way leads to it; hair that is as plain as the background all the
way to the rim is no more restored than the hair beyond.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import OVAL_OUTLINE, filled
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size

__all__ = ["without_background"]

_SIDE = 256
"""Side at which the outline is drawn, whatever the crop's."""

_FINE, _WINDOW = 2.0, 1.0
"""Sigma of what counts as structure, and of the neighbourhood in which it is measured."""

_PLAIN = 2.0 / 255.0
"""Structure up to which a place of middle brightness or more is plain; grain leaves under one level in the answer. In the
dark, where strands of hair differ by less, down to a quarter of this."""

_PASSAGE = 9
"""Width of the narrowest plain passage that is followed: thinner ones lead between strands of hair."""

_FEATHER = 2.0

_RIM = 0.02
"""Mask under which a place lies outside."""

_Mask = NDArray[np.float32]


def without_background(mask: _Mask, projection: Pixels, points: NDArray[np.float32]) -> _Mask:
    """The mask without the plain background that its rim reaches into; the same inside the face's oval, and nowhere more.

    Args:
        mask: S x S in [0, 1], the paste-back mask.
        projection: S x S x 3, [0, 1], what the network made of the crop.
        points: 478 x 2, the mesh in crop pixels.
    """
    side = Image(pixels=projection).size.width
    drawn = Size(_SIDE, _SIDE)
    small = resize(projection, drawn, "area" if side > _SIDE else "linear")
    outside = resize(mask, drawn, "area" if side > _SIDE else "linear") < _RIM
    outline = (points[list(OVAL_OUTLINE)].astype(np.float64) + 0.5) * (_SIDE / side) - 0.5
    oval = filled([outline], _SIDE)
    detail = np.square(small - gaussian_blur(small, _FINE)).max(axis=2)
    structure = np.sqrt(gaussian_blur(detail, _WINDOW))
    light = gaussian_blur(luma(small), _FINE)
    plain = (structure < _PLAIN * np.clip(2.0 * light, 0.25, 1.0)) & (oval == 0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_PASSAGE, _PASSAGE))
    passable = cv2.morphologyEx(
        (plain | outside).astype(np.uint8), cv2.MORPH_OPEN, disc, borderType=cv2.BORDER_REPLICATE
    )
    _, parts = cv2.connectedComponents(passable, connectivity=4)
    reached = np.isin(parts, np.unique(parts[outside & (passable > 0)])) & (passable > 0)
    reached &= ~outside  # there the mask fades by itself, and stays as it is where hair reaches to the rim
    # Measured in a neighbourhood, structure seems wider than it is by about a pixel.
    grown = (cv2.dilate(reached.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & (oval == 0)
    kept = np.float32(1) - gaussian_blur(grown.astype(np.float32), _FEATHER)
    # The feather must not reach into the face.
    kept = np.maximum(kept, oval.astype(np.float32))
    return mask * np.clip(resize(kept, Size(side, side), "linear"), 0.0, 1.0)
