"""Small JPEGs for pages and mails."""

from __future__ import annotations

import base64

import numpy as np

from likeness.imaging.encode import encode_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size

__all__ = ["data_uri", "thumbnail"]

_QUALITY = 78

_ROOM = 3
"""How many times as wide and high as the thumbnail a picture still is, at least, after its first reduction."""


def thumbnail(image: Image, *, side: int = 256) -> bytes:
    """A JPEG in sRGB without metadata, what is transparent over white; a picture that is smaller keeps its size.

    Args:
        image: the picture.
        side: its longer side at most, px.
    """
    small = image.size.within(side)
    pixels = image.over_white()
    pixels = pixels if small == image.size else _reduced(pixels, small)
    return encode_image(Image(pixels=np.clip(pixels, 0.0, 1.0)), "JPEG", quality=_QUALITY)


def _reduced(pixels: Pixels, small: Size) -> Pixels:
    """A large picture by a whole factor first, which takes a third of the time; a few pixels at its end are left out."""
    height, width = pixels.shape[:2]
    step = min(width // small.width, height // small.height) // _ROOM
    if step > 1:
        whole = Size(width // step, height // step)
        pixels = resize(pixels[: whole.height * step, : whole.width * step], whole, "area")
    return resize(pixels, small, "area")


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that holds it, for pages that need no other file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
