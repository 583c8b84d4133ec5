"""Where the lenses of spectacles lie about the eyes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.faces.outlines import EYE_OUTLINES

__all__ = ["eye_middles", "eye_widths", "mean_lenses"]

_Places = NDArray[np.floating[Any]]

_CORNERS = ((133, 33), (362, 263))
"""Inner and outer corner of either eye in the mesh."""

_MIDDLE, _HALF = (0.04, 0.09), (0.40, 0.275)
"""The middle of a lens (outward, down) from that of the eye, and half its width and height; over the distance of the eyes.
Means of 42 traced lenses."""


def eye_middles(points: NDArray[np.float32]) -> _Places:
    """2 x 2, x and y of either eye's middle, from a mesh of 478 points."""
    return np.stack([points[list(outline), :2].mean(axis=0) for outline in EYE_OUTLINES]).astype(np.float64)


def eye_widths(points: NDArray[np.float32]) -> _Places:
    """How wide either eye is."""
    return np.array([np.hypot(*(points[inner, :2] - points[outer, :2])) for inner, outer in _CORNERS])


def mean_lenses(eyes: _Places, widths: _Places | None = None) -> tuple[_Places, _Places]:
    """Where lenses of spectacles are as a rule: middles, 2 x 2, and axes, 2 x 2 x 2 (outward and down, half a lens long).

    Args:
        eyes: 2 x 2, the eyes' middles; they are not in one place.
        widths: how wide either eye is; None if that is not known.
    """
    across = eyes[1] - eyes[0]
    apart = float(np.hypot(*across))
    narrow = np.ones(2)
    if widths is not None:
        # The far eye of a turned head is narrower, and so is its lens.
        narrow = np.clip(widths / max(float(widths.mean()), 1e-3), 0.8, 1.2)
    outward, down = np.array([[-1.0], [1.0]]) * across / apart, np.array([-across[1], across[0]]) / apart
    middles = eyes + apart * (_MIDDLE[0] * outward + _MIDDLE[1] * down)
    return middles, apart * np.stack([_HALF[0] * narrow[:, None] * outward, np.stack([_HALF[1] * down] * 2)], axis=1)
