"""Whatever a caller has a picture in, taken in at one place."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.errors import ArgumentError
from likeness.imaging.arguments import picture
from likeness.imaging.files import PictureSource, read_image
from likeness.imaging.image import Image

__all__ = ["ImageInput", "any_picture"]

ImageInput: TypeAlias = "Image | PillowImage.Image | NDArray[Any] | PictureSource"
"""A picture as callers have it: `Image`, a path, the bytes of a file or a stream of them, one of Pillow's, or an array as
`Image.from_array` takes it."""


def any_picture(name: str, value: object) -> Image:
    """The value as a picture whose samples are in [0, 1]; files are read by `likeness.read_image`.

    Raises:
        ArgumentError: if it is none, or an array of another type, shape or range.
        ImageReadError, ImageTooLargeError: if its file cannot be read.
    """
    if isinstance(value, (Image, PillowImage.Image, np.ndarray)):
        return picture(name, value)
    if isinstance(value, (bytearray, memoryview)):
        return read_image(bytes(value))
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, (str, bytes)) or hasattr(value, "read"):
        return read_image(value)  # pyright: ignore[reportArgumentType] - a stream, as far as can be known
    raise ArgumentError(
        f"{name} must be a path, the bytes of a file, a PIL image, a NumPy array or an Image, not {type(value).__name__}"
    )
