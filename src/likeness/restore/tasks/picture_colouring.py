"""Colouring a whole photograph: the network sees it small and in black and white, and only its colours are taken.

The photograph keeps its lightness (L* of CIELAB) pixel by pixel, at its own size and depth; a* and b* are the network's,
interpolated to that size, as DDColor's authors do it (Kang et al., 2023). Colours that sRGB cannot show at that lightness
are made paler until it can, which their program does not do: it cuts them, and the lightness with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.imaging.colour import LUMA, TO_XYZ, is_colourless, lab_root, linear_to_srgb, srgb_to_linear
from likeness.imaging.filters import resize, to_channels
from likeness.imaging.image import Pixels, Size
from likeness.imaging.samples import row_strips
from likeness.messages.notice import Notice
from likeness.repair.balance import measure_balance
from likeness.restore.tasks.picture import PictureChange, SeenPicture, answer_of
from likeness.runtimes.base import Runtime

__all__ = ["PictureColouring", "with_chroma"]

_WHITE = TO_XYZ.sum(axis=1)
_FROM_XYZ = np.linalg.inv(TO_XYZ).astype(np.float32)
_DELTA = 6 / 29
"""Where the cube root of CIELAB passes into a line (CIE 15:2004, 8.2.1)."""

_Map = NDArray[np.float32]


class PictureColouring:
    """See `likeness.restore.tasks.picture.PictureTask`."""

    def apply(self, seen: SeenPicture, runtime: Runtime) -> PictureChange:
        """The photograph with the network's colours. One that has colours already loses them, which is told."""
        image = seen.image
        has_colours = not (image.grey or is_colourless(image.pixels) or measure_balance(image.pixels).tint)
        side = runtime.spec.authors.side
        grey = _grey(image.pixels)
        small = grey if side is None else _brought_to(grey, Size(side, side))
        chroma = answer_of(runtime, to_channels(small))
        checkpoint()
        pixels = with_chroma(image.pixels, resize(chroma, image.size, "linear"))
        warnings = (Notice("picture.had-colours"),) if has_colours else ()
        return PictureChange(
            purpose="colourise",
            image=image.in_colour().with_pixels(pixels).edited_by_network(),
            area=1.0,
            warnings=warnings,
        )


def with_chroma(pixels: Pixels, chroma: NDArray[np.float32]) -> Pixels:
    """A photograph with other colours, its luminance as it is.

    Args:
        pixels: H x W x 3, [0, 1].
        chroma: H x W x 2, a* and b* of CIELAB.

    Returns:
        H x W x 3, [0, 1].
    """
    coloured = np.empty_like(pixels)
    for rows in row_strips(pixels):
        checkpoint()
        light = _luminance(pixels[rows])
        root = lab_root(light)
        x = _unrooted(root + chroma[rows][..., 0] / np.float32(500)) * np.float32(_WHITE[0])
        z = _unrooted(root - chroma[rows][..., 1] / np.float32(200)) * np.float32(_WHITE[2])
        wanted = np.stack([x, light, z], axis=-1) @ _FROM_XYZ.T
        colour = wanted - light[..., None]
        # The largest share of it with which no channel leaves [0, 1].
        room = np.where(colour > 0, 1 - light[..., None], light[..., None])
        share = np.min(room / np.maximum(np.abs(colour), np.float32(1e-9)), axis=-1, keepdims=True)
        fitting = light[..., None] + colour * np.minimum(share, np.float32(1))
        coloured[rows] = np.clip(linear_to_srgb(np.clip(fitting, 0, 1)), 0, 1)
    return coloured


def _grey(pixels: Pixels) -> _Map:
    """H x W: the sRGB-encoded grey of the same luminance."""
    grey = np.empty(pixels.shape[:2], np.float32)
    for rows in row_strips(pixels):
        grey[rows] = linear_to_srgb(_luminance(pixels[rows]))
    return np.clip(grey, 0, 1)


def _brought_to(grey: _Map, size: Size) -> _Map:
    height, width = grey.shape
    return resize(grey, size, "area" if height >= size.height and width >= size.width else "linear")


def _luminance(pixels: Pixels) -> _Map:
    return srgb_to_linear(pixels) @ LUMA.astype(np.float32)


def _unrooted(root: _Map) -> _Map:
    """The inverse of `lab_root`, and nothing below 0."""
    line = (root - np.float32(4 / 29)) * np.float32(3 * _DELTA**2)
    return np.maximum(np.where(root > np.float32(_DELTA), root * root * root, line), 0)
