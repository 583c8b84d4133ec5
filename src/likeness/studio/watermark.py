"""A line of text tiled over a picture: part of its pixels, readable on light and dark, and softer over faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box, Pixels
from likeness.studio.fonts import Typeface

__all__ = ["watermarked"]

_OPACITY = 0.34
_ON_FACES = 0.5
"""Share of the opacity over faces: they are what the client has to judge."""

_ANGLE = 30.0


def watermarked(
    pixels: Pixels, text: str, typeface: Typeface, faces: Sequence[Box] = (), *, close: bool = False
) -> Pixels:
    """A picture with a text tiled over it.

    White letters with a dark rim show on every ground. Rows are set off against each other, so that no straight band of the
    picture stays free.

    Args:
        pixels: H x W x 3 in [0, 1].
        text: one line.
        typeface: a font that has its characters.
        faces: where the text is softer.
        close: whether the picture is a small, enlarged part: the text is larger in it then, and softer everywhere.
    """
    height, width = pixels.shape[:2]
    letters, rims = _tiled(text, typeface, width, height, 0.07 if close else 0.034)
    opacity = np.full((height, width), _OPACITY * (_ON_FACES if close else 1.0), np.float32)
    for face in faces:
        opacity = np.minimum(opacity, _OPACITY * (1 - (1 - _ON_FACES) * _oval(face, width, height)))
    shade = pixels * (1 - opacity * rims * np.float32(0.7))[..., None]
    cover = (opacity * letters)[..., None]
    return np.clip(shade * (1 - cover) + cover, 0.0, 1.0)


def _tiled(
    text: str, typeface: Typeface, width: int, height: int, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Letters, ``share`` of the long side high, and what surrounds them, H x W in [0, 1]."""
    size = max(11.0, share * max(width, height))
    font = typeface.at(size, bold=True, text=text)
    # Turned afterwards, so the canvas has to hold the picture's diagonal.
    side = int(np.hypot(width, height)) + 2
    canvas = PillowImage.new("L", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    step = font.getlength(text) + 3.0 * size
    for row, y in enumerate(np.arange(0.0, side, 4.2 * size)):
        for x in np.arange(-step / 2 * (row % 2), side, step):
            draw.text((float(x), float(y)), text, fill=255, font=font)
    turned = canvas.rotate(_ANGLE, PillowImage.Resampling.BICUBIC)
    left, top = (side - width) // 2, (side - height) // 2
    letters = np.asarray(turned.crop((left, top, left + width, top + height)), np.float32) / np.float32(255)
    rims = np.clip(3 * gaussian_blur(letters, 0.06 * size), 0.0, 1.0) * (1 - letters)
    return letters, rims


def _oval(face: Box, width: int, height: int) -> NDArray[np.float32]:
    """1 on a face, falling to 0 around it."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = ((across - face.centre.x) / (0.5 * face.width), (down - face.centre.y) / (0.6 * face.height))
    return np.clip((1.3 - np.sqrt(u * u + v * v)) / 0.4, 0.0, 1.0)
