"""Pictures at another size: Lanczos in linear light, with a low-pass when reducing and without rings when enlarging."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.imaging.colour import linear_to_srgb, srgb_to_linear
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size

__all__ = ["resample"]

_Plane = NDArray[np.float32]


def resample(pixels: Pixels, size: Size) -> Pixels:
    """sRGB pixels, H x W x 3 (or an H x W plane that is linear already), at another size.

    Lanczos with three lobes (Duchon, "Lanczos filtering in one and two dimensions", 1979), separable, its support widened
    when reducing, which is the low-pass. Light adds up in linear values, so that is where it is done: fine bright detail
    keeps its brightness. Linear light also makes the filter's rings on the dark side of an edge stand out; when enlarging,
    each value is therefore kept within the range of the 3 x 3 source pixels around it.

    Returns:
        float32 in [0, 1]; ``pixels`` itself if it has that size.
    """
    height, width = pixels.shape[:2]
    if (width, height) == (size.width, size.height):
        return pixels
    enlarging = size.width > width or size.height > height
    if pixels.ndim == 2:
        return _plane(pixels, size, enlarging)
    linear = srgb_to_linear(pixels)
    moved = np.stack([_plane(linear[..., channel], size, enlarging) for channel in range(3)], axis=-1)
    return np.clip(linear_to_srgb(moved), 0.0, 1.0)


def _plane(plane: _Plane, size: Size, enlarging: bool) -> _Plane:
    moved = np.asarray(
        PillowImage.fromarray(np.ascontiguousarray(plane)).resize(
            (size.width, size.height), PillowImage.Resampling.LANCZOS
        ),
        np.float32,
    )
    if not enlarging:
        return np.clip(moved, 0.0, 1.0)
    around = np.ones((3, 3), np.uint8)
    low = resize(np.asarray(cv2.erode(plane, around), np.float32), size, "linear")
    high = resize(np.asarray(cv2.dilate(plane, around), np.float32), size, "linear")
    return np.clip(moved, low, high)
