"""What is handed to the library, checked where it comes in: one sentence that names it, instead of an error from inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.core.numbers import in_figures, is_finite
from likeness.errors import ArgumentError
from likeness.imaging.image import Image

__all__ = ["all_of_type", "finite_number", "of_type", "one_of", "picture"]

_Kind = TypeVar("_Kind")

_LOOKED_AT = "samples in range"
"""Name of what a picture carries whose samples were looked at."""

_ROUNDING = 1e-3
"""How far samples may leave [0, 1] by arithmetic."""


def of_type(name: str, value: object, kind: type[_Kind], *, hint: str = "") -> _Kind:
    """The value, if it is of a type.

    Raises:
        ArgumentError: if it is not.
    """
    if not isinstance(value, kind):
        raise ArgumentError(
            f"{name} must be of the type {kind.__name__}, not {type(value).__name__}{f'; {hint}' if hint else ''}"
        )
    return value


def all_of_type(name: str, values: object, kind: type[_Kind]) -> tuple[_Kind, ...]:
    """The values of a sequence, if each is of a type.

    Raises:
        ArgumentError: if one is not, or it is no sequence.
    """
    if isinstance(values, (str, bytes, kind)) or not isinstance(values, Iterable):
        raise ArgumentError(f"{name} must be a list of the type {kind.__name__}, not {type(values).__name__}")
    return tuple(of_type(f"each of {name}", value, kind) for value in cast("Iterable[object]", values))


def finite_number(name: str, value: object) -> float:
    """The value as a number: no truth value, text or infinity.

    Raises:
        ArgumentError: if it is none.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentError(f"{name} must be a number, not {type(value).__name__}")
    number = cast("float", value)
    if not is_finite(number):
        raise ArgumentError(f"{name} must be a finite number, not {in_figures(number)}")
    return float(number)


def one_of(name: str, value: object, values: tuple[Any, ...]) -> None:
    """Whether the value is one of a few.

    Raises:
        ArgumentError: if it is not; the message lists them.
    """
    if not any(type(value) is type(known) and value == known for known in values):
        listed = ", ".join(str(known) for known in values)
        raise ArgumentError(f"{name} must be one of {listed}, not {str(value)[:40]!r}")


def picture(name: str, value: object) -> Image:
    """The value as a picture whose samples are in [0, 1]; one of Pillow's and an array are taken as well.

    Files are taken by `likeness.imaging.accepting.any_picture`.

    Raises:
        ArgumentError: if it is something else: a path, samples of another range or undefined ones.
    """
    if isinstance(value, PillowImage.Image):
        return Image.from_pil(value)
    if isinstance(value, np.ndarray):
        return Image.from_array(cast("NDArray[Any]", value))
    image = of_type(name, value, Image, hint="PIL images and NumPy arrays are taken as well, files by read_image")
    if _LOOKED_AT in vars(image):
        return image
    low, high = float(image.pixels.min()), float(image.pixels.max())
    # The negation refuses undefined samples as well.
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise ArgumentError(
            f"{name} has samples from {low:g} to {high:g}; they must be in 0 to 1 (Image.from_array takes 0 to 255)"
        )
    # Once is enough: a picture is handed on from step to step, and its samples are read-only.
    vars(image)[_LOOKED_AT] = True
    return image
