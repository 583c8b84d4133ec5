"""Sharpening after enlargement: only as much as the enlargement took, only where there are edges, and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels
from likeness.metrics import overshoots

__all__ = ["OVERSHOOT_LIMIT", "Sharpening", "sharpen"]

OVERSHOOT_LIMIT = 0.01
"""Bright and dark lines along edges that sharpening may leave, as a share of the edge: what cannot be seen."""

_AMOUNT = 0.8
"""Amount per unit of enlargement beyond 1; from 2 times on it no longer grows."""

_TILE = 512
"""Side of the places on which edges are measured, px; so large that `overshoots` looks at single pixels."""

_TILES = 3

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sharpening:
    """What sharpening did.

    Attributes:
        amount: share of the fine band that was added where there are edges; 0 if the picture was not enlarged.
        overshoot: the mean overshoot that it added at the picture's strongest edges, as a share of their step; None where
            nothing was done, or there are too few clear edges to measure.
        area: share of the picture that was sharpened, in [0, 1]; the rest holds no more than noise or grain.
    """

    amount: float
    overshoot: float | None = None
    area: float = 0.0


def sharpen(pixels: Pixels, factor: float) -> tuple[Pixels, Sharpening]:
    """Sharpen a picture that was enlarged ``factor`` times.

    Unsharp masking of the luma with the sigma of half an original pixel, its amount in proportion to the enlargement. Three
    things keep it gentle. It works only where the fine band is stronger than the picture's noise, which is measured where
    the picture is quietest, so that grain is not raised. No pixel leaves the range of luma around it, so that edges get
    steeper without a line beside them. And the result is measured: the amount is lowered until edges overshoot by less
    than `OVERSHOOT_LIMIT`.

    Args:
        pixels: H x W x 3 in [0, 1], sRGB-encoded.
        factor: by which width and height grew; up to 1 nothing is done, there is nothing to make up for.

    Returns:
        the sharpened pixels, and what was done.
    """
    amount = _AMOUNT * min(factor - 1, 1.0)
    if amount < 0.05:
        return pixels, Sharpening(amount=0.0)
    light = luma(pixels)
    sigma = 0.5 * factor
    band = light - gaussian_blur(light, sigma)
    gate = _above_noise(band, 3 * sigma)
    side = 2 * math.ceil(1.5 * sigma) + 1
    around = np.ones((side, side), np.uint8)
    lowest, highest = (np.asarray(of(light, around), np.float32) for of in (cv2.erode, cv2.dilate))
    tiles = _tiles(band * gate)
    while True:
        change = np.clip(light + np.float32(amount) * gate * band, lowest, highest) - light
        sharpened = np.clip(pixels + change[..., None], 0.0, 1.0)
        values = np.concatenate([overshoots(sharpened[tile], pixels[tile])[1] for tile in tiles])
        found = max(0.0, float(values.mean())) if len(values) >= 50 else None
        if found is None or found < OVERSHOOT_LIMIT or amount < 0.05:
            break
        amount *= 0.7
    return sharpened, Sharpening(amount=amount, overshoot=found, area=float(gate.mean()))


def _above_noise(band: _Map, window: float) -> _Map:
    """H x W in [0, 1]: 0 where a band holds no more power than noise does, 1 from nine times its power on.

    Noise is the power where it is quietest, the lowest tenth, as in `evidence.scene`; at least a third of an 8-bit level.
    """
    power = gaussian_blur(band * band, window)
    noise = max(float(np.quantile(power[::4, ::4], 0.1)), (1 / 3 / 255) ** 2)
    t = np.clip((power / np.float32(noise) - 3) / 6, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _tiles(band: _Map) -> list[tuple[slice, slice]]:
    """The places, up to three and apart from each other, with the strongest edges."""
    height, width = band.shape
    side = min(_TILE, height, width)
    energy = np.asarray(cv2.boxFilter(band * band, -1, (side, side), borderType=cv2.BORDER_REFLECT_101), np.float32)
    half = side // 2
    inner = energy[half : height - half + 1, half : width - half + 1].copy()
    found: list[tuple[slice, slice]] = []
    while len(found) < _TILES and inner.max() > 0:
        top, left = (int(i) for i in np.unravel_index(int(np.argmax(inner)), inner.shape))
        top, left = min(top, height - side), min(left, width - side)
        found.append((slice(top, top + side), slice(left, left + side)))
        inner[max(0, top - side) : top + side, max(0, left - side) : left + side] = 0
    return found or [(slice(0, side), slice(0, side))]
