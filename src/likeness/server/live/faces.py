"""Faces of an open picture: what of it they take in, and where to look closely."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from likeness.faces.align import align
from likeness.faces.face import Face
from likeness.imaging.image import Box, Image, Point

__all__ = ["SeenFace", "see_face"]

_log = logging.getLogger(__name__)

_TOP, _CHIN = 10, 152
"""Points of the face mesh."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenFace:
    """A face as the page needs it.

    Attributes:
        index: its number, reading order, from 0.
        face: where it is.
        area: what a restoration can change, picture pixels; None where the face cannot be aligned.
        native_side: side of its aligned crop in the picture's pixels; 0 where it cannot be aligned.
        spots: where to look closely: "eye", "hair", "skin".
    """

    index: int
    face: Face
    area: Box | None
    native_side: float
    spots: dict[str, Point]


def see_face(index: int, face: Face, image: Image, side: int) -> SeenFace:
    """What the page needs of a face; ``side`` is that of the network's crops."""
    points = face.landmarks.points
    top, chin = points[_TOP].astype(float), points[_CHIN].astype(float)
    # The cheek that is turned to the camera shows more skin: between eye, nose and corner of the mouth, a little outward.
    nose = face.five_points[2]
    sides = [(face.five_points[eye] + face.five_points[mouth]) / 2 for eye, mouth in ((0, 3), (1, 4))]
    cheek = max(sides, key=lambda p: float(np.hypot(*(p - nose))))
    places = {"eye": face.five_points[0], "hair": top + 0.22 * (top - chin), "skin": nose + 1.45 * (cheek - nose)}
    size = image.size
    spots = {
        name: Point(min(max(float(x), 0.0), size.width - 1.0), min(max(float(y), 0.0), size.height - 1.0))
        for name, (x, y) in places.items()
    }
    try:
        alignment = align(face.five_points, size, side)
    except (ValueError, np.linalg.LinAlgError) as error:
        _log.info("face %d cannot be aligned: %s", index + 1, error)
        return SeenFace(index=index, face=face, area=None, native_side=0.0, spots=spots)
    area = alignment.box if alignment.box.area > 0 else None
    return SeenFace(index=index, face=face, area=area, native_side=alignment.native_side, spots=spots)
