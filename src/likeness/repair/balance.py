"""Yellowing and fading of aged prints, balanced over the whole picture.

Ageing multiplies light: paper and dyes take more from one channel than from another, and a fading dye or a veil of stray
light lifts the blacks. So both are undone in linear light, by one gain and one offset per channel (the diagonal model of
von Kries, 1902; Finlayson et al., "Spectral sharpening", 1994).

What the cast is, is read from what should be neutral. In a photograph that is fine something is grey, or bluish and
reddish things together enclose grey: the set of its chromaticities holds the neutral one (Forsyth, "A novel algorithm
for color constancy", 1990). A channel that is weak even where it is strongest has a cast, and is raised just so far that
the neutral point lies on the rim of the set. A picture of one single tint (a sepia, green or yellowed black-and-white
print) becomes neutral grey: whether its tint was meant cannot be told from the picture, and an amount below 1 keeps a
part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import LUMA, linear_to_srgb, srgb_to_linear
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["Balance", "apply_balance", "measure_balance"]

_SAMPLE_SIDE = 512

_CAST = (0.80, 0.95)
"""Where a channel's strongest chromaticity is under the second it is weak, under the first surely. Of 75 clean portraits
(close crops, mostly skin) two per cent are under 0.99 and the lowest is at 0.85; yellowed, half of them are under 0.75."""

_VEIL = (0.008, 0.03)
"""Linear light of the darkest parts: up to the first they are black, from the second on they are surely lifted."""

_AGED_VEIL = (0.003, 0.008)
"""The same for a picture that shows its age in a cast."""

_WHITE = 0.8
"""Linear light that the lightest parts of a faded picture are brought to: paper white, short of clipping."""

_TINT_SPREAD = 0.035
"""How far a black-and-white print's chromaticities scatter about its tint, at most."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What is to be corrected.

    Attributes:
        black: linear light per channel that is taken off.
        gain: factor per channel after that.
        tint: whether the picture is a print of one single tint, which is made grey.
    """

    black: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tint: bool = False

    @property
    def needed(self) -> bool:
        return self != Balance()


def measure_balance(pixels: Pixels) -> Balance:
    """What ageing a picture shows (H x W x 3, [0, 1]); nothing for one that is fine."""
    size = Size(pixels.shape[1], pixels.shape[0])
    small = size.within(_SAMPLE_SIDE)
    # Small and blurred: single specks and noise decide nothing.
    linear = gaussian_blur(srgb_to_linear(pixels if small == size else resize(pixels, small, "area")), 1.0)
    flat = linear.reshape(-1, 3).astype(np.float64)
    light = flat @ LUMA
    darkest, lightest = np.quantile(light, (0.005, 0.995))
    if lightest - darkest < 0.02:
        return Balance()
    _, sure, tint = _cast(flat)
    aged = tint or float(sure.max()) > 0.5
    low, high = _AGED_VEIL if aged else _VEIL
    veil = float(np.clip((darkest - low) / (high - low), 0, 1))
    black = veil * np.maximum(np.median(flat[light <= darkest], axis=0) - 0.5 * low, 0)
    rest = np.maximum(flat - black, 1e-5)
    gain, sure, tint = _cast(rest)
    if not tint and veil == 0 and not sure.any():
        return Balance()
    rest_light = rest @ LUMA
    lightest_parts = rest[rest_light >= np.quantile(rest_light, 0.95)]
    # The lightest parts keep their light, all but what a veil has taken from them.
    gain = gain * float(np.median(lightest_parts @ LUMA) / np.median((lightest_parts * gain) @ LUMA))
    white = float(np.quantile((rest * gain) @ LUMA, 0.995))
    gain = gain * (1 + veil * (max(_WHITE / white, 1.0) - 1))
    blacks, gains = black.tolist(), np.minimum(gain, 4.0).tolist()
    return Balance(black=(blacks[0], blacks[1], blacks[2]), gain=(gains[0], gains[1], gains[2]), tint=tint)


def _cast(linear: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Of N x 3 in linear light: gains that take the cast back, how sure each of them is, and whether all is one tint."""
    light = linear @ LUMA
    seen = (light > np.quantile(light, 0.3)) & (light > 0.02) & (linear.max(axis=1) < 0.99)
    if seen.sum() < 100:
        return np.ones(3), np.zeros(3), False
    chroma = linear[seen] / light[seen][:, None]
    centre = np.median(chroma, axis=0)
    off = float(np.abs(centre - 1).max())
    spread = float(np.quantile(np.abs(chroma / centre - 1).max(axis=1), 0.9))
    if off > 0.02 and spread < _TINT_SPREAD + 0.5 * off:
        return 1 / centre, np.zeros(3), True
    strongest = np.quantile(chroma, 0.95, axis=0)
    # Only a weak channel is raised; the full way only where it is surely weak.
    sure = np.clip((_CAST[1] - strongest) / (_CAST[1] - _CAST[0]), 0, 1)
    return 1 + (1 / np.maximum(strongest, 0.25) - 1) * sure, sure, False


def apply_balance(pixels: Pixels, balance: Balance, amount: float) -> Pixels:
    """The balanced picture.

    Values that would leave [0, 1] bend into a shoulder and a toe instead of being cut, so that no detail clips.

    Args:
        pixels: H x W x 3, [0, 1].
        balance: what to correct.
        amount: 0 to 1, how much of it.
    """
    if not balance.needed or amount == 0:
        return pixels
    black, gain = np.array(balance.black, np.float32), np.array(balance.gain, np.float32)
    # The whole correction is a curve per channel: computed once per level of a fine table instead of per pixel.
    levels = np.linspace(0, 1, 4097, dtype=np.float32)
    curves = np.stack([_curve(srgb_to_linear(levels), black[c], gain[c]) for c in range(3)], axis=1)
    curves = linear_to_srgb(curves)
    result = np.empty_like(pixels)
    for channel in range(3):
        result[:, :, channel] = np.interp(pixels[:, :, channel], levels, curves[:, channel])
    if balance.tint:
        # What the curves leave of the tint (it often differs between shadows and highlights).
        result[:] = (result @ LUMA.astype(np.float32))[:, :, None]
    return result if amount == 1 else pixels + np.float32(amount) * (result - pixels)


def _curve(linear: NDArray[np.float32], black: np.float32, gain: np.float32) -> NDArray[np.float32]:
    lifted = linear - black
    toe = max(float(black), 1e-4)
    # A soft maximum with 0: detail under the black point is pressed together, not cut.
    lifted = (lifted + np.sqrt(lifted**2 + toe**2 * 0.25)) / 2
    lifted = lifted - lifted[0]
    y = lifted * gain
    top = float(y[-1])
    if top <= 1:
        return np.clip(y, 0, 1).astype(np.float32)
    # Extended Reinhard curve (Reinhard et al., "Photographic tone reproduction", 2002) above the knee; ``top`` goes to 1.
    knee = 0.7
    over = np.maximum(y - knee, 0) / (1 - knee)
    most = (top - knee) / (1 - knee)
    bent = over * (1 + over / most**2) / (1 + over)
    return np.clip(np.where(y > knee, knee + (1 - knee) * bent, y), 0, 1).astype(np.float32)
