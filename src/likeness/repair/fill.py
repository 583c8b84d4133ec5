"""Filling what is missing from its surroundings: nothing is invented but grain.

Thin damage is filled by fast marching (Telea, "An image inpainting technique based on the fast marching method", 2004),
which carries edges on across it. Holes are filled that way on a small copy of the picture, where they are thin, too; the
seam to the full picture is taken out by a membrane, the smooth field that agrees with the picture along the rim (Pérez et
al., "Poisson image editing", 2003), computed as a pull-push pyramid (Gortler et al., "The lumigraph", 1996).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.grain.measure import Grain, measure_grain
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["fill_holes", "fill_thin", "grain_field", "membrane", "picture_grain"]

_TILE = 512
"""Side of the field of grain that is repeated over the picture."""

_SMALL_SIDE = 384
"""Side of the copy on which holes are filled; one a third of the picture wide is 128 px there, a second's work."""

_SURROUNDINGS = 8.0
"""How far around a block its surroundings are shown, in radii: what is thin and lies along its edge is filled from both
sides."""

_GRAIN_SAMPLE = 1024
"""Side of the part of the picture on which grain is measured."""


_Window = tuple[slice, slice]


def fill_thin(pixels: Pixels, missing: NDArray[np.bool_], radius: float) -> Pixels:
    """The picture with thin missing places (up to about 20 px wide) filled; without grain.

    Args:
        pixels: H x W x 3, [0, 1].
        missing: H x W.
        radius: how far around a pixel its surroundings are looked at, px.

    Returns:
        H x W x 3 in [0, 1]; equal to ``pixels`` where nothing is missing.
    """
    result = pixels.copy()
    samples = missing.astype(np.uint8)
    for own, window in _windows(samples, int(np.ceil(_SURROUNDINGS * radius)) + 2):
        checkpoint()
        shown = np.round(np.clip(pixels[window], 0, 1) * 255).astype(np.uint8)
        # In 8 bits: OpenCV's float version extrapolates gradients without bound. Only what is missing is taken from it.
        filled = np.asarray(cv2.inpaint(shown, np.ascontiguousarray(samples[window]), radius, cv2.INPAINT_TELEA))
        filled = filled[tuple(slice(o.start - w.start, o.stop - w.start) for o, w in zip(own, window, strict=True))]
        area = missing[own]
        result[own][area] = filled[area].astype(np.float32) / np.float32(255)
    return result


def fill_holes(pixels: Pixels, missing: NDArray[np.bool_]) -> Pixels:
    """The picture with missing regions of any width filled; without grain.

    Args:
        pixels: H x W x 3, [0, 1].
        missing: H x W; not all of it.

    Returns:
        H x W x 3 in [0, 1]; equal to ``pixels`` where nothing is missing.

    Raises:
        ValueError: if everything is missing.
    """
    if missing.all():
        raise ValueError("the damage mask covers the whole picture: there is nothing to fill it from")
    if not missing.any():
        return pixels.copy()
    height, width = missing.shape
    scale = min(1.0, _SMALL_SIDE / max(height, width))
    small = Size(max(8, round(width * scale)), max(8, round(height * scale)))
    known = (~missing).astype(np.float32)
    share = resize(known, small, "area")
    # Missing pixels must not bleed into the copy.
    copy = resize(pixels * known[:, :, None], small, "area") / np.maximum(share, 1e-3)[:, :, None]
    coarse = resize(fill_thin(np.clip(copy, 0, 1), share < 0.5, 4.0), Size(width, height), "linear")
    result = coarse + membrane(pixels - coarse, missing)
    return np.where(missing[:, :, None], np.clip(result, 0, 1), pixels)


def membrane(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The smooth field that continues values (H x W x C) into the missing places (H x W); 0 if all are missing."""
    weight = (~missing).astype(np.float32)
    return _pull_push(values * weight[:, :, None], weight)


def _pull_push(sums: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted sums over weights where there is weight, and the next coarser level's field where there is none."""
    height, width = weight.shape
    here = sums / np.maximum(weight, 1e-6)[:, :, None]
    if min(height, width) <= 2 or bool((weight >= 1).all()):
        total = max(float(weight.sum()), 1e-6)
        rest = (sums.sum(axis=(0, 1)) / total)[None, None]
        return np.asarray(here * np.minimum(weight, 1)[:, :, None] + rest * (1 - np.minimum(weight, 1))[:, :, None])
    half = Size((width + 1) // 2, (height + 1) // 2)
    # Four children each: a coarse pixel is known as soon as one of them is.
    coarse_weight = resize(gaussian_blur(weight, 0.7), half, "area") * np.float32(4)
    coarse_sums = resize(gaussian_blur(sums, 0.7), half, "area") * np.float32(4)
    cap = np.minimum(1.0 / np.maximum(coarse_weight, 1e-6), 1.0).astype(np.float32)
    below = _pull_push(coarse_sums * cap[:, :, None], coarse_weight * cap)
    wide = resize(below, Size(width, height), "linear")
    own = np.minimum(weight, 1)[:, :, None]
    return np.asarray(here * own + wide * (1 - own), dtype=np.float32)


def picture_grain(pixels: Pixels) -> Grain | None:
    """The grain of the picture's middle; None for a picture too small to say (under 64 px)."""
    height, width = pixels.shape[:2]
    if min(height, width) < 64:
        return None
    top, left = max(0, (height - _GRAIN_SAMPLE) // 2), max(0, (width - _GRAIN_SAMPLE) // 2)
    return measure_grain(np.ascontiguousarray(pixels[top : top + _GRAIN_SAMPLE, left : left + _GRAIN_SAMPLE]))


def grain_field(grain: Grain, pixels: Pixels, *, seed: int, grey: bool) -> Pixels:
    """New grain of that kind for a smooth picture of any size: H x W x 3, to be added.

    Args:
        grain: what it is like.
        pixels: H x W x 3, the smooth picture; its brightness decides the grain's strength.
        seed: decides the field.
        grey: the same grain in all channels.
    """
    tile = grain.field(_TILE, _TILE, seed=seed)
    height, width = pixels.shape[:2]
    rows, columns = np.arange(height) % _TILE, np.arange(width) % _TILE
    light = luma(pixels)
    field = [tile[:, :, 0 if grey else c][np.ix_(rows, columns)] * grain.at(light, c) for c in range(3)]
    return np.stack(field, axis=-1)


def _windows(samples: NDArray[np.uint8], margin: int) -> list[tuple[_Window, _Window]]:
    """Blocks of 512 px with something missing in them, and each with a margin; OpenCV's work grows with the area."""
    height, width = samples.shape
    found: list[tuple[_Window, _Window]] = []
    for top in range(0, height, 512):
        for left in range(0, width, 512):
            own = slice(top, min(height, top + 512)), slice(left, min(width, left + 512))
            if samples[own].any():
                rows = slice(max(0, top - margin), min(height, top + 512 + margin))
                columns = slice(max(0, left - margin), min(width, left + 512 + margin))
                found.append((own, (rows, columns)))
    return found
