"""The 478-point face mesh (MediaPipe's, with iris), measured on an upright crop around a detection.

Where the mesh model finds nothing, the average face is laid on the detector's key points, and says so.
"""

from __future__ import annotations

from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import similarity
from likeness.faces.attention import mesh_points
from likeness.faces.detection import Detection
from likeness.faces.face import Landmarks
from likeness.imaging.image import Pixels

__all__ = ["average_face", "five_points", "measure_mesh", "upright"]

_ROI_SIDE = 384
_ROI_WIDTHS = (2.0, 2.4, 1.7)
"""Side of the crop in widths of the detector's box, one after the other until a mesh is found: the model wants some room
around the face."""


def average_face() -> NDArray[np.float32]:
    """478 x 3: the mean mesh (x, y, depth) of FFHQ-aligned portraits, in pixels of a 512 crop."""
    file = resources.files("likeness.faces").joinpath("average_face.npy")
    with file.open("rb") as stream:
        return np.asarray(np.load(stream), dtype=np.float32)


def five_points(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Eyes, nose tip and mouth corners (5 x 2) from a mesh (478 x 2).

    Chosen so that portraits that are aligned already come out on the template: an eye is the mean of its iris and its two
    corners' middle; the mouth corners are the inner ones, drawn a twentieth of the mouth's width together.
    """
    p = points.astype(np.float64)
    left_eye = (p[468] + (p[33] + p[133]) / 2) / 2
    right_eye = (p[473] + (p[263] + p[362]) / 2) / 2
    inward = (p[308] - p[78]) * 0.025
    return np.stack([left_eye, right_eye, p[4], p[78] + inward, p[308] - inward])


def measure_mesh(pixels: Pixels, detection: Detection, *, patient: bool = True) -> Landmarks:
    """The mesh of one detected face, in the picture's pixels; ``patient`` looks at it with more and less around it, too."""
    for room in _ROI_WIDTHS if patient else _ROI_WIDTHS[:1]:
        crop, matrix = upright(pixels, detection, room)
        found = mesh_points(crop)
        if found is not None:
            linear = np.linalg.inv(matrix[:, :2])
            points = (found[:, :2] - matrix[:, 2]) @ linear.T
            if _agrees(points, detection):
                scale = float(np.sqrt(abs(np.linalg.det(linear))))
                return Landmarks(
                    points=points.astype(np.float32), depth=(found[:, 2] * scale).astype(np.float32), source="mesh"
                )
    return _from_key_points(detection)


def upright(
    pixels: Pixels, detection: Detection, room: float = _ROI_WIDTHS[0]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A square crop around the face, turned so that the eyes are level, and the matrix from picture to crop.

    ``room`` is its side in widths of the detector's box.
    """
    right_eye, left_eye = detection.key_points[0], detection.key_points[1]
    across = left_eye - right_eye
    angle = np.arctan2(across[1], across[0])
    centre = detection.box.centre
    scale = _ROI_SIDE / (room * max(detection.box.width, detection.box.height))
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cosine, sine], [-sine, cosine]])
    middle = np.array([centre.x, centre.y])
    matrix = np.hstack([linear, (_ROI_SIDE / 2 - linear @ middle)[:, None]])
    # Reduce the neighbourhood first: warping a large face straight down would alias and touch the whole picture.
    reach = 0.75 * _ROI_SIDE / scale + 2
    height, width = pixels.shape[:2]
    left, top = max(int(centre.x - reach), 0), max(int(centre.y - reach), 0)
    right, bottom = min(int(centre.x + reach) + 1, width), min(int(centre.y + reach) + 1, height)
    area = pixels[top:bottom, left:right]
    step = max(1, int(0.75 / scale))
    if step > 1:
        size = (max(1, area.shape[1] // step), max(1, area.shape[0] // step))
        factor = np.array([area.shape[1] / size[0], area.shape[0] / size[1]])
        area = cv2.resize(area, size, interpolation=cv2.INTER_AREA)
    else:
        factor = np.ones(2)
    local = np.empty((2, 3))
    local[:, :2] = linear * factor
    local[:, 2] = matrix[:, 2] + linear @ (np.array([left, top]) + (factor - 1) / 2)
    crop = cv2.warpAffine(
        area,
        local,
        (_ROI_SIDE, _ROI_SIDE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0.5,) * 3,
    )
    return (np.clip(crop, 0, 1) * 255 + 0.5).astype(np.uint8), matrix


def _agrees(points: NDArray[np.float64], detection: Detection) -> bool:
    """Whether the mesh sits on the face that was detected: eyes and nose near the key points, and of like size."""
    mesh = np.stack([points[468], points[473], points[4]])
    keys = detection.key_points[:3].astype(np.float64)
    span = max(float(np.hypot(*(keys[1] - keys[0]))), 0.2 * detection.box.width)
    distance = np.hypot(*(mesh - keys).T)
    ratio = float(np.hypot(*(mesh[1] - mesh[0]))) / span
    return bool(distance.mean() < 0.45 * span and 0.5 < ratio < 1.8)


def _from_key_points(detection: Detection) -> Landmarks:
    """The average face laid on the detector's eyes, nose and mouth."""
    mean = average_face()
    target = detection.key_points[:4].astype(np.float64)
    points = mean[:, :2].astype(np.float64)
    source = np.stack([points[468], points[473], points[4], (points[13] + points[14]) / 2])
    matrix = similarity(source, target)
    laid = points @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return Landmarks(points=laid.astype(np.float32), depth=mean[:, 2] * np.float32(scale), source="template")
