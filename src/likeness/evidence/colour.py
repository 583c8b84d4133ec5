"""Colour shift between two pictures: CIELAB and the colour difference CIEDE2000."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import TO_XYZ, lab_root, srgb_to_linear
from likeness.imaging.image import Pixels

__all__ = ["colour_difference", "colour_shift", "to_lab"]

_Values = NDArray[np.float64]

_TO_WHITE = (TO_XYZ / TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
"""Linear sRGB to XYZ as shares of white."""

_FROM_F = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
"""CIE 15:2004, from the roots to L* + 16, a* and b*."""


def to_lab(pixels: NDArray[np.float32]) -> _Values:
    """sRGB-encoded pixels, ... x 3 in [0, 1], to L*, a*, b* (CIE 15:2004, D65): L* in [0, 100]."""
    return _from_roots(_roots(pixels).astype(np.float64)).reshape(pixels.shape)


def _roots(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The roots of shares of white that L*, a* and b* are made of, N x 3; of single precision, which is right to 0.0001."""
    return lab_root(srgb_to_linear(pixels).reshape(-1, 3) @ _TO_WHITE.T)


def _from_roots(roots: _Values) -> _Values:
    lab = roots @ _FROM_F.T
    lab[..., 0] -= 16
    return lab


def colour_difference(a: _Values, b: _Values) -> _Values:
    """CIEDE2000 between colours in L*, a*, b*, ... x 3: about 1 is what people can just tell apart side by side.

    Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data, and
    Mathematical Observations" (2005), with all weights 1.
    """
    l1, a1, b1 = (a[..., i] for i in range(3))
    l2, a2, b2 = (b[..., i] for i in range(3))
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = (h2 - h1 + 180) % 360 - 180
    turn = np.where(grey, 0.0, turn)
    d_l, d_c = l2 - l1, c2 - c1
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = np.where(np.abs(h1 - h2) > 180, (h1 + h2 + 360) / 2 % 360, (h1 + h2) / 2)
    mean_h = np.where(grey, h1 + h2, mean_h)
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    turned = 30 * np.exp(-(((mean_h - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(2 * turned))
    l_term, c_term, h_term = d_l / s_l, d_c / s_c, d_h / s_h
    return np.sqrt(np.maximum(l_term**2 + c_term**2 + h_term**2 + r_t * c_term * h_term, 0))


def colour_shift(before: Pixels, after: Pixels, where: NDArray[np.bool_]) -> tuple[float, _Values, _Values] | None:
    """CIEDE2000 between the mean colours of an area, and these colours in L*, a*, b*; None for under 30 pixels.

    Means, as texture and noise that come or go are no shift of colour.
    """
    if int(where.sum()) < 30:
        return None
    # What follows the roots is linear.
    first, second = (_from_roots(_roots(x[where]).mean(axis=0, dtype=np.float64)) for x in (before, after))
    return float(colour_difference(first, second)), first, second
