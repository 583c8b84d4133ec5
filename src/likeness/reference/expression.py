"""How a face looks in a photograph, as far as it decides what one photograph may give another: turn, eyes, mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Landmarks
from likeness.faces.pose import eye_openings, head_pose

__all__ = ["Expression", "rising"]

_LIPS, _ENDS, _CORNERS = (13, 14), (61, 291), (33, 263)
"""Middle of the inner lips, upper and lower; corners of the mouth; outer corners of the eyes."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Turn of the head and openings.

    Attributes:
        yaw, pitch: of the head, degrees (`head_pose`).
        eyes: aspect ratio of the left and the right eye as seen, about 0.3 open, under 0.12 closed (`eye_openings`).
        mouth: gap between the inner lips over the distance of the eyes' outer corners; 0 closed, about 0.1 where teeth show.
        smile: width of the mouth over that distance, about 0.55 at rest and 0.7 laughing.
    """

    yaw: float
    pitch: float
    eyes: tuple[float, float]
    mouth: float
    smile: float

    @staticmethod
    def of(landmarks: Landmarks) -> Expression:
        """Measured on a mesh."""
        pose = head_pose(landmarks)
        points = np.column_stack([landmarks.points, landmarks.depth]).astype(np.float64)
        gap, width, span = (float(np.linalg.norm(points[a] - points[b])) for a, b in (_LIPS, _ENDS, _CORNERS))
        return Expression(
            yaw=pose.yaw,
            pitch=pose.pitch,
            eyes=eye_openings(landmarks),
            mouth=gap / max(span, 1e-6),
            smile=width / max(span, 1e-6),
        )

    def turn(self, other: Expression) -> float:
        """How much of a face both show, in [0, 1]: 1 up to 15 degrees between them, 0 from 32 on."""
        apart = float(np.hypot(self.yaw - other.yaw, self.pitch - other.pitch))
        return 1 - float(rising(apart, 15, 32))

    def eye(self, other: Expression, which: int) -> float:
        """How far one eye may stand for the other's, in [0, 1]: not if either is closed, or one is much wider."""
        smaller, larger = sorted((self.eyes[which], other.eyes[which]))
        return float(rising(smaller, 0.09, 0.15) * rising(smaller / max(larger, 1e-6), 0.35, 0.6))

    def lips(self, other: Expression) -> float:
        """How far one mouth may stand for the other, in [0, 1]: an open one serves no closed one."""
        return (1 - float(rising(abs(self.mouth - other.mouth), 0.02, 0.05))) * self.folds(other)

    def folds(self, other: Expression) -> float:
        """How far the skin around one mouth may stand for the other's, in [0, 1]: a laugh has folds of its own."""
        return 1 - float(rising(abs(self.smile - other.smile), 0.05, 0.12))


def rising(x: NDArray[np.float32] | float, low: float, high: float) -> NDArray[np.float32]:
    """0 up to ``low``, 1 from ``high`` on, 3 t^2 - 2 t^3 between."""
    t = np.clip((np.asarray(x, dtype=np.float32) - low) / (high - low), 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)
