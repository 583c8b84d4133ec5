"""Purple fringes at high-contrast edges, faded to a greyish purple.

A lens that does not focus violet light where it focuses the rest leaves a purple rim on the dark side of bright edges.
As in Chung et al., "Detecting and eliminating chromatic aberration in digital images" (2009), and Kang, "Automatic removal
of chromatic aberration from a single image" (2007), a fringe is told from purple things by where it lies and how wide it
is: beside a strong edge of the green channel, which is in focus, and thin. Purple cloth and flowers are wider, and lips
have another hue.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import disc, gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["fade_fringes", "find_fringes"]

_HUES = (np.radians(285.0), np.radians(335.0))
"""Hue angles in CIELAB between which a fringe lies, from blue-violet to magenta; it fades out 20 degrees beyond."""

_CHROMA = (8.0, 20.0)
"""CIELAB chroma from which on purple is seen, and from which on it is surely no noise."""

_EDGE = (0.12, 0.25)
"""Range of the green channel's values nearby that makes an edge strong."""

_LEFT = 0.2
"""Share of its chroma that a fringe keeps: a greyish purple instead of a grey line, which would be seen as well."""


def find_fringes(pixels: Pixels) -> NDArray[np.float32]:
    """How surely each place belongs to a purple fringe: H x W in [0, 1] for a picture H x W x 3 in [0, 1]."""
    unit = max(1.0, max(pixels.shape[:2]) / 1024)
    lab = np.asarray(cv2.cvtColor(gaussian_blur(pixels, 0.6), cv2.COLOR_RGB2Lab), dtype=np.float32)
    a, b = lab[:, :, 1], lab[:, :, 2]
    hue = np.mod(np.asarray(cv2.phase(a, b), dtype=np.float32), 2 * np.pi)
    middle, half = (_HUES[0] + _HUES[1]) / 2, (_HUES[1] - _HUES[0]) / 2
    off = np.abs(hue - middle) - half
    purple = np.hypot(a, b) * np.clip(1 - off / np.radians(20), 0, 1)
    # What is wider than a fringe survives an opening and is no fringe.
    thin = purple - np.asarray(cv2.morphologyEx(purple, cv2.MORPH_OPEN, disc(4 * unit)), dtype=np.float32)
    green = np.ascontiguousarray(pixels[:, :, 1])
    near = disc(3 * unit)
    span = np.asarray(cv2.dilate(green, near)) - np.asarray(cv2.erode(green, near))
    surely = _ramp(thin, _CHROMA) * _ramp(np.asarray(span, dtype=np.float32), _EDGE)
    # Soft edges, but no reach beyond the purple itself.
    return np.minimum(gaussian_blur(surely, 0.8 * unit), _ramp(purple, (0.5 * _CHROMA[0], _CHROMA[0])))


def fade_fringes(pixels: Pixels, fringes: NDArray[np.float32], amount: float) -> Pixels:
    """The picture (H x W x 3) with the colour of its fringes (H x W in [0, 1]) faded by ``amount`` (0 to 1).

    Lightness stays; what lies outside the fringes keeps its samples.
    """
    where = fringes > 0
    if amount == 0 or not where.any():
        return pixels
    picked = np.ascontiguousarray(pixels[where][None])
    lab = np.asarray(cv2.cvtColor(picked, cv2.COLOR_RGB2Lab), dtype=np.float32)
    lab[:, :, 1:] *= 1 - np.float32(amount * (1 - _LEFT)) * fringes[where][None, :, None]
    result = pixels.copy()
    result[where] = np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))[0], 0, 1)
    return result


def _ramp(x: NDArray[np.float32], between: tuple[float, float]) -> NDArray[np.float32]:
    return np.clip((x - np.float32(between[0])) / np.float32(between[1] - between[0]), 0, 1)
