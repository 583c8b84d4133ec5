"""How blurred a photograph of a face is, by its spectrum and that of its noise.

The effective resolution (`likeness.faces.effective_resolution`) takes a face's noise off by where it is quietest. Where JPEG
and enlarging have made blotches of it some of it passes for detail, and a photograph that is lost counts as a poor one. Here
a line in logarithms, fitted by ridge regression to portraits of known blur (`tools/fit_blur.py`), reads the same powers:

    log b = c + sum over scales s of w(s) . (m, q, n, d, r, r v, n v) + w . (v, v^2)

m is the power of the gradient on the features, q the same where the crop is quietest, n what is left of m without q, d how
much the directions differ, r the share of noise, v the side of what counts as one pixel by the effective resolution, all but
r as logarithms. b is the blur by which the sharp portrait comes closest to the degraded one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATE_SIZE
from likeness.faces.effective_resolution import gradient_powers, pixels_held
from likeness.imaging.filters import resize
from likeness.imaging.image import Size

__all__ = ["blur_features", "face_blur"]

_Map = NDArray[np.float32]
_Values = NDArray[np.float64]

_CONSTANT = 0.540
_OF_SCALES = np.array(
    [
        (-0.039, -0.117, -0.015, 0.217, 0.230, -0.044, -0.199, 0.006, -0.185, 0.134),
        (-0.120, 0.025, 0.083, 0.007, -0.094, -0.011, 0.066, 0.026, -0.045, 0.060),
        (-0.005, 0.010, 0.019, -0.021, -0.056, -0.031, -0.092, 0.074, -0.125, 0.033),
        (-0.087, -0.213, -0.385, 0.066, 0.496, 0.146, -0.256, 0.338, -0.024, -0.176),
        (-0.713, 0.342, 0.185, 2.501, 4.236, 0.845, -1.288, -0.502, -0.094, -0.934),
        (0.365, -0.165, -0.475, -0.655, -0.494, -0.773, -0.332, 0.448, 0.137, 0.182),
        (-0.068, 0.033, -0.023, -0.008, 0.032, 0.089, 0.060, 0.008, -0.020, -0.036),
    ]
)
"""What each number counts, by what it is and its scale: m, q, n, d, r, r v and n v."""
_OF_PIXEL = np.array([0.173, 0.071])
"""What v and its square count."""
_WEIGHTS = np.concatenate([_OF_SCALES.ravel(), _OF_PIXEL])
_LEAST_POWER = 1e-3
_NOISE, _LEFT = 1.3, 0.15
"""How much of the quietest power is taken off, and the share of it that is left at least: as in the effective resolution."""
_GRID = 0.45
"""Sigma of the blur of a grid of pixels, in such pixels."""


def face_blur(light: _Map) -> float:
    """Sigma of the Gaussian blur that makes a sharp face so blurred, px at 512, without what a smaller grid adds.

    Args:
        light: S x S, luma of the aligned crop in [0, 1], of any S.
    """
    side = light.shape[0]
    if side != TEMPLATE_SIZE:
        whole = Size(TEMPLATE_SIZE, TEMPLATE_SIZE)
        light = resize(light, whole, "area" if side > TEMPLATE_SIZE else "cubic")
    blur = float(np.exp(_CONSTANT + blur_features(*gradient_powers(light)) @ _WEIGHTS))
    grid = max(TEMPLATE_SIZE / side, 1.0)
    return max(blur**2 - _GRID**2 * (grid**2 - 1), 0.0) ** 0.5


def blur_features(powers: _Values, quiet: _Values) -> _Values:
    """The 72 numbers that the blur is a line of, from `gradient_powers`."""
    both = [np.log(x + _LEAST_POWER) for x in (powers, quiet)]
    mean, apart, noise = both[0].mean(axis=0), both[0].std(axis=0), both[1]
    left = np.log(np.maximum(np.exp(mean) - _NOISE * np.exp(noise), _LEFT * np.exp(noise)))
    share = 1 / (1 + np.exp(mean - noise))
    pixel = np.log(max(TEMPLATE_SIZE / pixels_held(powers, quiet)[0], 1.0))
    return np.concatenate([mean, noise, left, apart, share, share * pixel, left * pixel, [pixel, pixel**2]])
