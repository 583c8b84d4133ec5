"""How a face is turned, and how far its eyes are open, from its mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Landmarks
from likeness.faces.mesh import average_face

__all__ = ["Pose", "eye_openings", "head_pose"]

# Points on bone, which a face moves least when it talks or smiles: forehead, temples, cheek bones, the nose with its bridge,
# the corners of the eyes.
_FIRM = (10, 109, 338, 151, 9, 8, 168, 6, 197, 195, 5, 4, 33, 133, 362, 263, 127, 356, 93, 323, 234, 454, 116, 345)

# Corner, two upper, corner, two lower points of each eye, as Soukupova and Cech number p1 to p6.
_EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Turn of a head, degrees; 0 looks straight into the camera.

    Attributes:
        yaw: positive where the nose points to the picture's right.
        pitch: positive where it points up.
        roll: positive where the head leans clockwise.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(landmarks: Landmarks) -> Pose:
    """The rotation that lays the average face over the mesh, least squares over 24 points that move with the skull.

    Rotation: Kabsch, "A solution for the best rotation to relate two sets of vectors" (1976). Read as roll after pitch after
    yaw. The average face itself is level by definition. A laid-on average face (``landmarks.source`` "template") has no
    yaw or pitch of its own, and gives about 0 there.
    """
    mean = average_face()[list(_FIRM)].astype(np.float64)
    points = np.column_stack([landmarks.points, landmarks.depth])[list(_FIRM)].astype(np.float64)
    source, target = mean - mean.mean(axis=0), points - points.mean(axis=0)
    u, _, vt = np.linalg.svd(target.T @ source)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    # Where the axis from the head to the nose points: the camera looks along +depth, so a level face looks along -depth.
    x, y, z = turn @ np.array([0.0, 0.0, -1.0])
    roll = np.arctan2(turn[1, 0], turn[0, 0])
    return Pose(
        yaw=float(np.degrees(np.arctan2(x, -z))),
        pitch=float(np.degrees(np.arcsin(np.clip(-y, -1.0, 1.0)))),
        roll=float(np.degrees(roll)),
    )


def eye_openings(landmarks: Landmarks) -> tuple[float, float]:
    """Eye aspect ratio of the left and the right eye as seen: height over width, about 0.3 open and under 0.1 closed.

    Soukupova and Cech, "Real-Time Eye Blink Detection using Facial Landmarks" (2016), equation 1, measured in three
    dimensions, so that a turned head does not narrow the eye's width.
    """
    points = np.column_stack([landmarks.points, landmarks.depth]).astype(np.float64)
    left, right = (_aspect(points[list(eye)]) for eye in _EYES)
    return left, right


def _aspect(eye: NDArray[np.float64]) -> float:
    height = np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])
    width = np.linalg.norm(eye[0] - eye[3])
    return float(height / (2 * max(float(width), 1e-6)))
