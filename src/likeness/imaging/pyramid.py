"""Gaussian and Laplacian pyramids (Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983)."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["collapse", "gaussian_pyramid", "laplacian_pyramid"]

_Array = NDArray[np.float32]


def gaussian_pyramid(x: _Array, levels: int) -> tuple[_Array, ...]:
    """``levels`` pictures, each half the size (rounded up) of the one before; the first is ``x`` (H x W or H x W x C)."""
    pyramid = [x]
    for _ in range(levels - 1):
        pyramid.append(np.asarray(cv2.pyrDown(pyramid[-1]), dtype=np.float32))
    return tuple(pyramid)


def laplacian_pyramid(x: _Array, levels: int) -> tuple[_Array, ...]:
    """``levels`` bands, finest first; the last holds what is left below them. `collapse` gives ``x`` back."""
    gaussians = gaussian_pyramid(x, levels)
    bands = [fine - _enlarge(coarse, fine) for fine, coarse in pairwise(gaussians)]
    return (*bands, gaussians[-1])


def collapse(bands: tuple[_Array, ...]) -> _Array:
    """The picture whose Laplacian pyramid ``bands`` is."""
    x = bands[-1]
    for band in bands[-2::-1]:
        x = _enlarge(x, band)
        x += band
    return x


def _enlarge(x: _Array, like: _Array) -> _Array:
    height, width = like.shape[:2]
    return np.asarray(cv2.pyrUp(x, dstsize=(width, height)), dtype=np.float32)
