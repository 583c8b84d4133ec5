"""sRGB and linear light, and luma. What concerns files' colour profiles is in `icc.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LUMA", "TO_XYZ", "is_colourless", "lab_root", "linear_to_srgb", "luma", "srgb_to_linear"]

LUMA = np.array([0.2126, 0.7152, 0.0722])
"""Weights of red, green and blue (ITU-R BT.709-6): of encoded values they make luma, of linear light luminance."""

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""IEC 61966-2-1:1999, linear sRGB to CIE XYZ for D65; its rows add up to the white point."""

_LUMA = LUMA[None].astype(np.float32)


def srgb_to_linear(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB-encoded values to linear light, both in [0, 1], any shape (IEC 61966-2-1:1999, 5.2)."""
    encoded = np.asarray(encoded, dtype=np.float32)
    low = encoded * np.float32(1 / 12.92)
    high = np.power((np.maximum(encoded, 0) + np.float32(0.055)) * np.float32(1 / 1.055), np.float32(2.4))
    return np.where(encoded <= np.float32(0.04045), low, high)


def linear_to_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light to sRGB-encoded values, both in [0, 1], any shape (IEC 61966-2-1:1999, 5.2)."""
    linear = np.asarray(linear, dtype=np.float32)
    low = linear * np.float32(12.92)
    high = np.float32(1.055) * np.power(np.maximum(linear, 0), np.float32(1 / 2.4)) - np.float32(0.055)
    return np.where(linear <= np.float32(0.0031308), low, high)


def lab_root(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """f of CIELAB (CIE 15:2004, 8.2.1): the cube root of X, Y or Z as shares of white, and a line near black; any shape."""
    line = shares * np.float32(24389 / 27 / 116) + np.float32(16 / 116)
    return np.where(shares > np.float32(216 / 24389), np.cbrt(shares), line)


def is_colourless(pixels: NDArray[np.float32]) -> bool:
    """Whether H x W x 3 of a colour file are black and white, give or take what JPEG adds. A toned print is not."""
    # A few rows tell it of most colour pictures.
    return all(_chroma(part) < 2.5 / 255 for part in (pixels[:: max(1, pixels.shape[0] // 16)], pixels))


def _chroma(pixels: NDArray[np.float32]) -> float:
    """The largest difference between a pixel's channels."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return float(chroma.max())


def luma(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma Y' of sRGB-encoded pixels: ... x 3 in [0, 1] to ... in [0, 1].

    The weights are ITU-R BT.709-6 (0.2126, 0.7152, 0.0722), applied to the encoded values as they are: this is the
    brightness people see, not the linear luminance.
    """
    if pixels.ndim == 3:
        import cv2  # here alone, as what decodes files does without it

        return np.asarray(cv2.transform(pixels, _LUMA), dtype=np.float32)
    red, green, blue = _LUMA[0]
    return pixels[..., 0] * red + pixels[..., 1] * green + pixels[..., 2] * blue
