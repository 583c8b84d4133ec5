"""What is repaired in an open picture before its faces are restored: what sliders ask for and what the brush painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from likeness.imaging.image import Size
from likeness.repair.repair import MaskEdits
from likeness.repair.repairs import Repairs

__all__ = ["Mending", "Stroke", "painted"]


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A line through points (x, y) of the picture, ``radius`` px to either side; with ``rub`` it stays as it is."""

    rub: bool
    radius: float
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Mending:
    """Repairs of a look."""

    repairs: Repairs = field(default_factory=Repairs)
    strokes: tuple[Stroke, ...] = ()

    @property
    def any(self) -> bool:
        return self.repairs.any or any(not stroke.rub for stroke in self.strokes)


def painted(strokes: Sequence[Stroke], size: Size) -> MaskEdits | None:
    """What strokes, each over those before it, add to the marks of a picture and take away; None for no stroke."""
    if not strokes:
        return None
    sums = np.zeros((size.height, size.width), np.int8)
    for stroke in strokes:
        value = -1 if stroke.rub else 1
        points = np.round(np.array(stroke.points, np.float64) * 16).astype(np.int32)
        drawn = np.zeros(sums.shape, np.uint8)
        if len(points) == 1:
            cv2.circle(drawn, points[0].tolist(), max(1, round(stroke.radius * 16)), (1,), -1, cv2.LINE_8, 4)
        else:
            cv2.polylines(drawn, [points], False, (1,), max(1, round(2 * stroke.radius)), cv2.LINE_8, 4)
        sums[drawn > 0] = value
    return MaskEdits(add=sums > 0, rub=sums < 0)
