"""MediaPipe's face mesh with attention: 478 points of the face in a crop.

Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time" (2020): a first network finds 468
points, a second one looks again at a crop of the first one's feature map about each eye and the lips. MediaPipe's steps
around them are followed: the near detector finds the face, the crop is turned upright, and the points that were looked at
twice replace the first ones.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.blaze import NEAR_SIDE, near_boxes, near_view
from likeness.faces.networks import face_network

__all__ = ["mesh_points"]

_SIDE = 192
_MIN_SCORE = 0.2
"""Of the near detector: what it is asked about was found already."""
_MIN_FLAG = 0.5
_CENTRAL = 0.2
"""How far from the crop's middle the face may be that is meant, as a share of its side."""
_ROOM = 1.5
"""Side of the crop in widths of the near detector's box, and of a feature crop in those of the points that it is for."""
_MAP, _CROP = 48, 16
"""Sides of the feature map and of its crops."""

# The points that a second look replaces, in the order of the network's outputs.
_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, 78, 95, 88, 178, 87, 14, 317,
    402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415, 76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74,
    73, 72, 11, 302, 303, 304, 408, 62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272,
    407,
)  # fmt: skip
_LEFT_EYE = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24, 23, 22, 26, 112, 243, 247,
    30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53,
    52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)  # fmt: skip
_RIGHT_EYE = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255, 339, 254, 253, 252, 256, 341,
    463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413,
    265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
)  # fmt: skip
_LOOKS = (("lips", _LIPS, 61, 291), ("left_eye", _LEFT_EYE, 33, 133), ("right_eye", _RIGHT_EYE, 362, 263))
"""Name, points, and the two of them whose line is level in the crop; "left" is as seen in the picture."""
_IRISES = 468
"""The first point that is of an iris."""
_OUTER_CORNERS = (33, 263)
_CONTOUR = 16
"""The first points of an eye are its contour; an iris lies at their mean depth."""

_Points = NDArray[np.float64]
_Matrix = NDArray[np.float64]


def mesh_points(crop: NDArray[np.uint8], *, known: NDArray[np.floating[Any]] | None = None) -> _Points | None:
    """The mesh of the face in a square crop, S x S x 3, in which it is about upright.

    Args:
        crop: the crop, RGB.
        known: 478 x 2, the mesh of the same face in another picture of it, in pixels of the crop: it is looked for there
            and nowhere else, as MediaPipe follows one from frame to frame, and the near detector does not run.

    Returns:
        478 x 3: x and y in the crop's pixels, and the depth in the same unit, smaller is nearer; None without a face.
    """
    matrix = _found(crop) if known is None else _followed(known)
    if matrix is None:
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    samples = cv2.warpAffine(crop, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    batch = samples[None].astype(np.float32) / np.float32(255)
    mesh, flag, features = face_network("mesh").run({"samples": batch}, ["mesh", "flag", "features"])
    if 1 / (1 + np.exp(-float(flag.item()))) < _MIN_FLAG:
        return None
    points = _refined(mesh.reshape(468, 3).astype(np.float64), features[0])
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    # MediaPipe counts from the corner of the top left pixel.
    laid = points[:, :2] @ matrix[:, :2].T + matrix[:, 2] - 0.5
    return np.hstack([laid, points[:, 2:] * scale])


def _found(crop: NDArray[np.uint8]) -> _Matrix | None:
    """2 x 3: from the mesh network's samples to the crop, for the face that the near detector finds; None without one."""
    seen = near_boxes(near_view(crop), _MIN_SCORE)
    if not len(seen):
        return None
    away = np.abs((seen.corners[:, :2] + seen.corners[:, 2:]) / 2 - NEAR_SIDE / 2).max(axis=1)
    # The most certain of those in the middle, not a neighbour's face.
    chosen = int(np.argmax(away < _CENTRAL * NEAR_SIDE))
    unit = crop.shape[0] / NEAR_SIDE
    return _upright(seen.corners[chosen] * unit, seen.points[chosen] * unit)


def _followed(known: NDArray[np.floating[Any]]) -> _Matrix:
    """The same for a face whose mesh is known."""
    points = known.astype(np.float64)
    first = points[:_IRISES]
    return _upright(np.concatenate([first.min(axis=0), first.max(axis=0)]), points[list(_OUTER_CORNERS)])


def _upright(corners: NDArray[np.float64], points: _Points) -> _Matrix:
    """2 x 3: from the mesh network's samples to the crop, for a face whose eyes are points 0 and 1."""
    across = points[1] - points[0]
    angle = np.arctan2(across[1], across[0])
    scale = _ROOM * float((corners[2:] - corners[:2]).max()) / _SIDE
    linear = scale * _rotation(angle)
    middle = (corners[:2] + corners[2:]) / 2
    return np.hstack([linear, (middle - linear @ (_SIDE / 2, _SIDE / 2))[:, None]])


def _rotation(angle: float) -> _Matrix:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _refined(first: _Points, features: NDArray[np.float32]) -> _Points:
    """The 468 points (px of the network's samples) with the second look at eyes and lips, and the irises: 478 x 3."""
    places = {name: _crop_matrix(first, which, left, right) for name, which, left, right in _LOOKS}
    crops = {name: _sampled(features, place)[None] for name, place in places.items()}
    outputs = ["lip_points", "left_eye_points", "right_eye_points", "left_iris_points", "right_iris_points"]
    found = [x.reshape(-1, 2).astype(np.float64) for x in face_network("attention").run(crops, outputs)]
    lips, left_eye, right_eye, left_iris, right_iris = found
    result = np.vstack([first, np.empty((10, 3))])
    for (name, which, _, _), points in zip(_LOOKS, (lips, left_eye, right_eye), strict=True):
        result[list(which), :2] = _laid(points, places[name])
    for start, name, which, iris in (
        (468, "left_eye", _LEFT_EYE, left_iris),
        (473, "right_eye", _RIGHT_EYE, right_iris),
    ):
        result[start : start + 5, :2] = _laid(iris, places[name])
        result[start : start + 5, 2] = first[list(which[:_CONTOUR]), 2].mean()
    return result


def _crop_matrix(first: _Points, which: tuple[int, ...], left: int, right: int) -> _Matrix:
    """2 x 3: from a feature crop to the feature map, covering the points with some room, their line level."""
    points = first[:, :2] * (_MAP / _SIDE)
    across = points[right] - points[left]
    turn = _rotation(float(np.arctan2(across[1], across[0])))
    turned = points[list(which)] @ turn  # by the transpose: level
    low, high = turned.min(axis=0), turned.max(axis=0)
    linear = turn * (_ROOM * (high - low) / _CROP)
    middle = turn @ ((low + high) / 2)
    return np.hstack([linear, (middle - linear @ (_CROP / 2, _CROP / 2))[:, None]])


def _sampled(features: NDArray[np.float32], matrix: _Matrix) -> NDArray[np.float32]:
    """C x 16 x 16 from the map, C x 48 x 48, bilinear; 0 outside it."""
    down, across = np.mgrid[0:_CROP, 0:_CROP] + 0.5
    x, y = np.tensordot(matrix[:, :2], np.stack([across, down]), axes=1) + matrix[:, 2, None, None] - 0.5
    maps = np.ascontiguousarray(features.transpose(1, 2, 0))
    sampled = cv2.remap(
        maps, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.ascontiguousarray(sampled.transpose(2, 0, 1), dtype=np.float32)


def _laid(points: _Points, matrix: _Matrix) -> _Points:
    """Points of a second look, in quarters of a crop's samples, in px of the network's samples."""
    unit = _SIDE / _MAP
    return points @ matrix[:, :2].T + matrix[:, 2] * unit
