"""Sharpness on both sides of a face's mask, measured and matched.

A restored face in a soft picture looks pasted where a sharp contour and sharp hair end along the mask. Blur is measured on
edges, inside and outside: an edge blurred by sigma loses gradient when it is blurred again by sigma_0, the more the sharper
it was (Zhuo and Sim, "Defocus map estimation from a single image", 2011),

    R = |grad I| / |grad (G_0 * I)| = sqrt(sigma^2 + sigma_0^2) / sigma,    so    sigma = sigma_0 / sqrt(R^2 - 1).

Where the inside is sharper, the change is softened toward the mask's rim until both are alike there; the features of the
face, and what lies deeper inside, keep all of it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Pixels, Size

__all__ = ["edge_blur", "rim_blurs", "soften_rim"]

_AGAIN = 1.5
"""sigma_0, px of the crop."""

_EDGES = 0.9
"""Quantile of the gradient from which on a place is an edge."""

_FEWEST = 200
"""Edge pixels without which nothing is measured."""

_SHARPER = 1.15
"""How many times sharper the inside has to be."""

_MOST = 8.0
"""The largest sigma that is measured and made up for, in px of a crop of 512."""

_DEPTH = 0.10
"""How far inward from the rim the change is softened, as a share of the crop."""

_RIM = 0.5
"""The mask's value at its rim."""

_Map = NDArray[np.float32]


def soften_rim(crop: Pixels, change: Pixels, mask: _Map, masks: RegionMasks, *, share: _Map | None = None) -> Pixels:
    """A face's change, as sharp toward the mask's rim as what lies outside.

    Args:
        crop: S x S x 3, what the change is added to.
        change: S x S x 3, before the mask.
        mask: S x S in [0, 1].
        masks: the face's regions, of any side.
        share: S x S, how much of ``change`` will be laid on, which decides how sharp the inside gets; None for all of it.

    Returns:
        S x S x 3; ``change`` itself where the inside is no sharper.
    """
    depth = _inward(mask)
    laid = mask if share is None else mask * share
    blurs = rim_blurs(crop + change * to_channels(laid), mask, depth)
    if blurs is None:
        return change
    inside, outside = blurs
    if outside <= _SHARPER * inside:
        return change
    sigma = float(np.sqrt(outside**2 - inside**2))
    side = mask.shape[0]
    features = masks.blend({"eye": 1.0, "brow": 1.0, "nose": 1.0, "lip": 1.0})
    features = features if features.shape[0] == side else resize(features, Size(side, side), "linear")
    t = np.clip(1.0 - depth, 0.0, 1.0)
    weight = (t * t * (3.0 - 2.0 * t) * np.clip(1.0 - 2.0 * features, 0.0, 1.0)).astype(np.float32)
    return change + to_channels(weight) * (gaussian_blur(change, sigma) - change)


def rim_blurs(pixels: Pixels, mask: _Map, depth: _Map | None = None) -> tuple[float, float] | None:
    """Sigma of the blur inside and outside a mask's rim, in px; None where one side has too few edges to tell."""
    depth = _inward(mask) if depth is None else depth
    light = luma(pixels)
    inside = edge_blur(light, (depth > 0) & (depth < 1) & (mask > 0.9))
    outside = edge_blur(light, mask < 0.02)
    return None if inside is None or outside is None else (inside, outside)


def edge_blur(light: _Map, where: NDArray[np.bool_]) -> float | None:
    """Median sigma of the edges of a luma, H x W, within a region, in px; None if there are too few."""
    unit = light.shape[0] / 512
    again = _AGAIN * max(unit, 1.0)
    least = 0.5 * max(unit, 1.0)
    # Noise has gradients, too; a little blur on both sides of the ratio keeps it out.
    first = _gradient(gaussian_blur(light, least))
    second = _gradient(gaussian_blur(light, float(np.hypot(least, again))))
    inner = np.zeros(light.shape, bool)
    inner[2:-2, 2:-2] = True
    strength = second[where & inner]
    if strength.size < _FEWEST:
        return None
    edges = where & inner & (second > max(float(np.quantile(strength, _EDGES)), 0.004))
    if int(edges.sum()) < _FEWEST:
        return None
    ratio = first[edges] / np.maximum(second[edges], 1e-6)
    # sqrt(sigma^2 + least^2 + again^2) / sqrt(sigma^2 + least^2)
    square = again**2 / np.maximum(np.square(ratio) - 1.0, 1e-3) - least**2
    return float(np.clip(np.sqrt(max(float(np.median(square)), 0.0)), 0.25, _MOST * max(unit, 1.0)))


def _gradient(light: _Map) -> _Map:
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(across, down), np.float32)


def _inward(mask: _Map) -> _Map:
    """Distance from the mask's rim inward, in units of the softened zone; 0 outside."""
    inner = (mask > _RIM).astype(np.uint8)
    # What the picture's border cuts off is no rim.
    framed = np.pad(inner, 1, mode="edge")
    distance = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5), np.float32)[1:-1, 1:-1]
    return distance / np.float32(_DEPTH * mask.shape[0])
