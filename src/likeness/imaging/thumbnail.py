"""Small JPEGs for pages and mails."""

from __future__ import annotations

import base64

import numpy as np

from likeness.imaging.encode import encode_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image

__all__ = ["data_uri", "thumbnail"]

_QUALITY = 78


def thumbnail(image: Image, *, side: int = 256) -> bytes:
    """A JPEG in sRGB without metadata; a picture that is smaller keeps its size.

    Args:
        image: the picture.
        side: its longer side at most, px.
    """
    small = image.size.within(side)
    pixels = image.pixels if small == image.size else resize(image.pixels, small, "area")
    return encode_image(Image(pixels=np.clip(pixels, 0.0, 1.0)), "JPEG", quality=_QUALITY)


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that holds it, for pages that need no other file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
