from __future__ import annotations

from pathlib import Path

import numpy as np

from likeness.faces.attention import mesh_points
from likeness.faces.blaze import NEAR_SIDE, far_boxes, near_boxes
from likeness.imaging.image import Image


def test_the_mesh_is_that_of_mediapipe(astronaut: Image) -> None:
    """To a twentieth of a pixel of the 192 that the network sees. MediaPipe's own is kept (`tools/face_models.py`)."""
    expected = np.load(Path(__file__).parents[1] / "data" / "mediapipe.npz")["mesh"]
    crop = astronaut.to_uint8()[0:180, 30:210]
    points = mesh_points(crop)
    assert points is not None
    width = np.ptp(expected[:, 0])
    assert np.abs(points - expected).max() < 0.001 * width


def test_nothing_has_no_mesh() -> None:
    assert mesh_points(np.full((200, 200, 3), 128, np.uint8)) is None


def test_the_far_detector_sees_the_same_face_in_any_window(astronaut: Image) -> None:
    """Fully convolutional: where in a large picture the face lies makes no difference but for the borders of the windows."""
    small = astronaut.to_uint8()[::2, ::2]
    boxes = []
    for left, top in ((40, 60), (300, 260), (412, 100)):
        canvas = np.full((500, 700, 3), 90, np.uint8)
        canvas[top : top + 128, left : left + 128] = small
        found = far_boxes(canvas, 0.5)
        assert len(found) == 1
        assert found.scores[0] > 0.8
        boxes.append(found.corners[0] - np.array([left, top, left, top]))
    assert np.ptp(np.stack(boxes), axis=0).max() < 3


def test_the_near_detector_names_the_points(astronaut: Image) -> None:
    found = near_boxes(np.ascontiguousarray(astronaut.to_uint8()[10:138, 60:188]), 0.5)
    assert len(found) == 1
    eye, other, nose, mouth, *_ = found.points[0]
    assert eye[0] < nose[0] < other[0]
    assert max(eye[1], other[1]) < nose[1] < mouth[1] < NEAR_SIDE
