"""Which way a picture's edges and lines run, and averages along them.

Directions come from the structure tensor (Bigun and Granlund, "Optimal Orientation Detection of Linear Symmetry", 1987);
averages along them are a line integral convolution (Cabral and Leedom, "Imaging Vector Fields Using Line Integral
Convolution", 1993).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur, sampled

__all__ = ["across_slopes", "averaged_along", "box_for_averages", "coherence", "structure_tensor"]

_Map = NDArray[np.float32]


def structure_tensor(light: _Map, sigma: float, spread: float) -> _Map:
    """3 x H x W (xx, xy, yy): products of the slopes of H x W, blurred by ``sigma`` before and by ``spread`` after (px)."""
    smooth = gaussian_blur(light, sigma)
    x, y = (np.asarray(cv2.Scharr(smooth, cv2.CV_32F, *way), np.float32) for way in ((1, 0), (0, 1)))
    return np.stack([gaussian_blur(part, spread) for part in (x * x, x * y, y * y)])


def coherence(tensor: _Map) -> _Map:
    """H x W in [0, 1]: 1 where all edges nearby run the same way, 0 where they run all ways alike."""
    xx, xy, yy = tensor
    return np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + np.float32(1e-9))


def across_slopes(across: _Map, down: _Map) -> _Map:
    """H x W x 2, unit vectors (right, down) along edges, from the slopes' direction at twice its angle: xx - yy and 2 xy of
    a structure tensor, or means of such. Slopes are steepest across an edge."""
    angle = cv2.phase(across, down) / 2 + np.float32(np.pi / 2)
    return np.asarray(cv2.merge(cv2.polarToCart(np.ones_like(angle), angle)), np.float32)


def averaged_along(x: NDArray[np.float32], along: _Map, lengths: Sequence[float]) -> NDArray[np.float32]:
    """H x W or H x W x C, averaged along directions.

    Args:
        x: what is averaged.
        along: H x W x 2, unit vectors (right, down); the opposite one means the same.
        lengths: how far either way the averages of three places reach, one after another, px: all together have about the
            sigma sqrt(sum of their squares / 2).
    """
    height, width = along.shape[:2]
    here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
    for length in lengths:
        step = along * np.float32(length)
        beside = sampled(x, here + step)
        beside += sampled(x, here - step)
        beside *= np.float32(0.25)
        x = np.asarray(cv2.scaleAdd(x, 0.5, beside), np.float32)
    return x


def box_for_averages(mask: _Map, lengths: Sequence[float]) -> tuple[slice, slice] | None:
    """Rows and columns that `averaged_along` needs for what is wanted where an H x W mask is; None where it is nowhere."""
    rows, columns = (np.flatnonzero(mask.max(axis=axis) > 0.01) for axis in (1, 0))
    if not len(rows):
        return None
    margin = round(2 * sum(lengths))
    down, across = (slice(max(int(at[0]) - margin, 0), int(at[-1]) + margin + 1) for at in (rows, columns))
    return down, across
