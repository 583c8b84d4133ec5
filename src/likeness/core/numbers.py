"""Numbers as people give them: whole ones may be larger than any float, which most of Python's own functions do not take."""

from __future__ import annotations

import math

__all__ = ["in_figures", "is_finite"]

_DIGITS_PER_BIT = math.log10(2)


def is_finite(value: float) -> bool:
    """Whether a float can hold the value: it is neither infinite, nor NaN, nor a whole number beyond all floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def in_figures(value: float) -> str:
    """The value in a few figures; of a whole number beyond all floats its size.

    >>> in_figures(1.50), in_figures(-(10**400))
    ('1.5', '-1e+400')
    """
    try:
        return f"{value:g}"
    except OverflowError:
        return f"{'-' if value < 0 else ''}1e+{int(int(value).bit_length() * _DIGITS_PER_BIT)}"
