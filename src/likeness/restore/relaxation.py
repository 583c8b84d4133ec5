"""Relaxation of a picture toward the manifold of sharp faces (design, section 2).

    x_{t+1} = x_t + eta m (P(x_t) - x_t),  t = 0 ... T - 1

With the projection P held, this has the closed form  x_T = x + (1 - (1 - eta m)^T) (P - x),  so a change of eta or m costs
no network pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.image import Pixels
from likeness.imaging.pyramid import collapse, gaussian_pyramid, laplacian_pyramid
from likeness.restore.controls import RegionWeights

__all__ = ["ITERATIONS", "blend_bands", "relaxation_gain", "weight_map"]

ITERATIONS = 30
"""T: iterations over which the step is taken."""

_LEVELS = 5
"""Bands of the blend at 512: the coarsest sees 16 px, less than a region's width."""


def relaxation_gain(step: float, weight: NDArray[np.float32], *, iterations: int = ITERATIONS) -> NDArray[np.float32]:
    """1 - (1 - eta m)^T for step eta and weights m (any shape): the share of the way to the projection, in [0, 1].

    Raises:
        ValueError: if eta m leaves [0, 1], where the closed form does not hold.
    """
    product = step * weight.astype(np.float64)
    if product.size and (product.min() < 0 or product.max() > 1):
        raise ValueError(f"step times weight must stay between 0 and 1, not {product.min():g} to {product.max():g}")
    return (1.0 - (1.0 - product) ** iterations).astype(np.float32)


def weight_map(masks: RegionMasks, weights: RegionWeights) -> NDArray[np.float32]:
    """m(p): S x S, the region weights blended by the soft masks (a partition of unity)."""
    values = weights.to_dict()
    first, *rest = values
    total = masks[first] * np.float32(values[first])
    for region in rest:
        total = total + masks[region] * np.float32(values[region])
    return total


def blend_bands(change: Pixels, gain: NDArray[np.float32]) -> Pixels:
    """Scale a change per band of its Laplacian pyramid: regions of different gain meet without seams or double edges.

    Args:
        change: S x S x 3, projection minus picture.
        gain: S x S in [0, 1]. A uniform gain gives exactly ``gain * change``.

    Returns:
        S x S x 3, to be added to the picture.
    """
    low, high = float(gain.min()), float(gain.max())
    if high - low < 1e-6:
        return change * np.float32(high)
    bands = laplacian_pyramid(change, _LEVELS)
    gains = gaussian_pyramid(gain, _LEVELS)
    return collapse(tuple(band * scale[:, :, None] for band, scale in zip(bands, gains, strict=True)))
