"""Relaxation of a picture toward the manifold of sharp faces (design, section 2).

    x_{t+1} = x_t + eta m (P(x_t) - x_t),  t = 0 ... T - 1

With the projection P held, this has the closed form  x_T = x + (1 - (1 - eta m)^T) (P - x),  so a change of eta or m costs
no network pass. P is here the target of `likeness.restore.arbitration`: the network's answer with what the photograph itself
holds put back.

Grain is nothing of the person's, and half the way would leave half of it on the face. So of the way to the target the part
that takes grain out is gone with a longer step (`step_in_grain`), and what the network draws with eta itself. That part is
bounded by the way at every sample: both go in one direction, and what holds for eta holds for the sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Pixels
from likeness.restore.controls import RegionWeights

__all__ = ["CONVERGED", "ITERATIONS", "PLAIN_STEP", "advance", "relaxation_gain", "step_in_grain", "weight_map"]

PLAIN_STEP = 0.1
"""eta_0: the largest step, with which the network's answer is all but reached."""

ITERATIONS = 30
"""T: iterations over which the step is taken."""

CONVERGED = 0.45
"""Share of the way under which a restoration has not converged; step 0.02, the least useful one, goes 0.455 at weight 1."""


def step_in_grain(step: float, grain: float) -> float:
    """eta in a picture with the share g of grain (`likeness.restore.arbitration`), both in [0, 1].

    With the plain step eta_0, 0.1,  eta_g = eta_0 (1 - (1 - eta / eta_0)^(1 + 2 g)):  rises with eta, is eta itself without
    grain, and leaves the plain step as it is. 0.04, with which 71% of the way are gone, becomes 0.078 and 91% in grain.

    The exponent was chosen on nine grainy portraits, on which the preset ``natural`` was then as close to the person as a
    plain blend of equal sharpness; others checked it (docs/controls.md).
    """
    return PLAIN_STEP * (1.0 - (1.0 - step / PLAIN_STEP) ** (1.0 + 2.0 * grain))


def relaxation_gain(step: float, weight: NDArray[np.float32], *, iterations: int = ITERATIONS) -> NDArray[np.float32]:
    """1 - (1 - eta m)^T for step eta and weights m (any shape): the share of the way to the projection, in [0, 1].

    Raises:
        ValueError: if eta m leaves [0, 1], where the closed form does not hold.
    """
    product = step * weight.astype(np.float64)
    if product.size and (product.min() < 0 or product.max() > 1):
        raise ValueError(f"step times weight must stay between 0 and 1, not {product.min():g} to {product.max():g}")
    left = np.ones_like(product)
    factor, exponent = 1.0 - product, iterations
    while exponent:  # by squares: six times as fast as ** of arrays
        if exponent & 1:
            left *= factor
        factor *= factor
        exponent >>= 1
    return (1.0 - left).astype(np.float32)


def weight_map(masks: RegionMasks, weights: RegionWeights) -> NDArray[np.float32]:
    """m(p): S x S, the region weights blended by the soft masks (a partition of unity)."""
    return masks.blend(weights.to_dict())


def advance(
    start: Pixels,
    target: Pixels,
    gain: NDArray[np.float32],
    *,
    grain: Pixels | None = None,
    grain_gain: NDArray[np.float32] | None = None,
) -> Pixels:
    """gain (target - start): how the picture changes on its way to the target; its grain, if that is told apart, by its own.

    Per pixel, on purpose. The change of a pixel rises with its own gain and depends on no other pixel's. So a smaller step
    or weight never takes the result further from the input, and a region's weight acts nowhere outside its soft mask. A
    blend per pyramid band has neither property: coarse bands reach past the mask, and bands of opposite sign cancel. Seams
    do not show all the same, as the masks are soft and the target keeps the photograph's tone (`arbitrate`).

    Args:
        start, target: S x S x 3.
        gain: S x S in [0, 1] (`relaxation_gain`).
        grain: S x S x 3, about 0: what is grain in ``start`` (`likeness.restore.arbitration.unexplained`).
        grain_gain: S x S in [0, 1], at least ``gain``: how much of it is taken out, as far as that lies on the way.

    Returns:
        S x S x 3, to be added to ``start``.
    """
    change = target - start
    if grain is None or grain_gain is None:
        change *= to_channels(gain)
        return change
    nothing = np.float32(0)
    taken = np.clip(-grain, np.minimum(change, nothing), np.maximum(change, nothing))
    change -= taken
    # Two terms that each rise with its gain, so that rounding keeps the order as well.
    change *= to_channels(gain)
    taken *= to_channels(grain_gain)
    change += taken
    return change
