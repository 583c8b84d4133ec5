"""What the network is shown instead of the picture."""

from __future__ import annotations

import cv2
import numpy as np

from likeness.degradations.operations import REFERENCE_SIDE, code, gaussian
from likeness.imaging.image import Pixels

__all__ = ["pre_degrade"]


def pre_degrade(pixels: Pixels, scale: float) -> Pixels:
    """D_s: what the network is shown instead of the picture (design, section 2).

    A Gaussian blur of sigma 0.6 ``scale`` px at 512, then JPEG of quality 100 - 8 ``scale``. Fine texture is hidden from the
    network, which must then draw it itself: the larger ``scale``, the more. A quality between two whole ones is the mixture
    of both, so that nothing jumps along the slider.

    Args:
        pixels: H x W x 3, [0, 1].
        scale: 0 (off) or more; 1 is the network's plain behaviour.

    Returns:
        H x W x 3 in [0, 1].
    """
    if scale <= 0:
        return pixels
    sigma = 0.6 * scale * max(pixels.shape[:2]) / REFERENCE_SIDE
    blurred = gaussian(pixels, sigma, sigma, 0.0)
    quality = 100 - 8 * scale
    lower = int(np.floor(quality))
    share = np.float32(quality - lower)
    coded = code(blurred, ".jpg", cv2.IMWRITE_JPEG_QUALITY, lower)
    # Whole numbers within what floating point leaves of 100 - 8 s need one picture only.
    if share < 1e-6:
        return coded
    return coded + share * (code(blurred, ".jpg", cv2.IMWRITE_JPEG_QUALITY, lower + 1) - coded)
