"""What a box detector says of a face, before the mesh is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.image import Box

__all__ = ["Detection"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Detection:
    """What the box detector says of a face, in the picture's pixels.

    Attributes:
        box: brow to chin, ear to ear.
        score: confidence in [0, 1].
        key_points: 6 x 2: the eye to the left in an upright picture, the eye to the right, nose tip, mouth centre, ears.
        others: what was made of the same face at other sizes of the picture, the most certain first.
    """

    box: Box
    score: float
    key_points: NDArray[np.float64]
    others: tuple[Detection, ...] = ()
