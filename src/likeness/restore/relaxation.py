"""Relaxation of a picture toward the manifold of sharp faces (design, section 2).

    x_{t+1} = x_t + eta m (P(x_t) - x_t),  t = 0 ... T - 1

With the projection P held, this has the closed form  x_T = x + (1 - (1 - eta m)^T) (P - x),  so a change of eta or m costs
no network pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels
from likeness.imaging.pyramid import collapse, gaussian_pyramid, laplacian_pyramid
from likeness.restore.controls import RegionWeights

__all__ = ["ITERATIONS", "blend_bands", "held_detail", "relaxation_gain", "weight_map"]

ITERATIONS = 30
"""T: iterations over which the step is taken."""

_LEVELS = 5
"""Bands of the blend at 512: the coarsest sees 16 px, less than a region's width."""

_ARBITRATED = 2
"""Finest bands in which the picture's own detail wins over the network's."""

_ENERGY_SIGMA = 6.0
"""Neighbourhood in which a band's energy is measured, px at 512."""

_QUIET = 0.05
"""Share of the picture that is taken as flat when its noise is measured."""

_FLOOR = (1.0 / 255.0) ** 2
"""Energy under which a band is empty: one level."""


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


def held_detail(pixels: Pixels) -> tuple[NDArray[np.float32], ...]:
    """How far a picture's fine bands hold detail of its own, above its noise: what it holds is not to be replaced.

    In each of the finest bands b the share is that of a Wiener filter, 1 - 3 N / E, with E the local energy of b and N its
    noise, measured where the band is quietest (Liu et al., "Single-Image Noise Level Estimation for Blind Denoising", 2013).
    A sharp photograph gives about 1 on skin and hair; a blurred, enlarged or noisy one 0, as its fine bands are empty or
    hold noise.

    Args:
        pixels: S x S x 3, [0, 1].

    Returns:
        maps in [0, 1] for the finest bands: S x S, then S/2 x S/2.
    """
    maps: list[NDArray[np.float32]] = []
    for band in laplacian_pyramid(luma(pixels), _ARBITRATED + 1)[:_ARBITRATED]:
        energy = gaussian_blur(np.square(band), _ENERGY_SIGMA * band.shape[0] / 512)
        noise = float(np.quantile(energy, _QUIET))
        maps.append(np.clip(1.0 - (3.0 * noise + _FLOOR) / np.maximum(energy, 1e-12), 0.0, 1.0).astype(np.float32))
    return tuple(maps)


def blend_bands(change: Pixels, gain: NDArray[np.float32], held: tuple[NDArray[np.float32], ...] = ()) -> Pixels:
    """Scale a change per band of its Laplacian pyramid: regions of different gain meet without seams or double edges.

    Args:
        change: S x S x 3, projection minus picture.
        gain: S x S in [0, 1]. Without ``held``, a uniform gain gives exactly ``gain * change``.
        held: maps from `held_detail`; the finest bands change by the share that the picture does not hold.

    Returns:
        S x S x 3, to be added to the picture.
    """
    low, high = float(gain.min()), float(gain.max())
    if not held and high - low < 1e-6:
        return change * np.float32(high)
    bands = laplacian_pyramid(change, _LEVELS)
    gains = list(gaussian_pyramid(gain, _LEVELS))
    for level, share in enumerate(held):
        gains[level] = gains[level] * (np.float32(1) - share)
    return collapse(tuple(band * scale[:, :, None] for band, scale in zip(bands, gains, strict=True)))
