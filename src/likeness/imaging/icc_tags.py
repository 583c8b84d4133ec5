"""What stands in an ICC profile: its tags, primaries and tone curves.

Source of the layout: ICC.1:2022, sections 7 to 10.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

__all__ = ["CURVE_POINTS", "RISE", "read_curve", "read_tags", "read_xyz"]

CURVE_POINTS = 65536
"""Of a tone curve that was read: one for each 16-bit code."""

_FALL, RISE = 0.05, 0.05
"""By how much a tone curve may fall anywhere, as measured ones do by a trifle, and how much it must rise from end to end."""


def read_tags(profile: bytes) -> dict[str, memoryview]:
    """The data of each tag by its signature.

    Raises:
        ValueError, struct.error: if the table is cut short.
    """
    # Views, not copies: a thousand tags may all be the whole profile.
    whole = memoryview(profile)
    (count,) = struct.unpack_from(">I", profile, 128)
    tags: dict[str, memoryview] = {}
    for index in range(min(count, 1000)):
        start = 132 + 12 * index
        if start + 12 > len(profile):
            raise ValueError("the ICC profile is cut short")
        signature, offset, size = struct.unpack_from(">4sII", profile, start)
        tags[signature.decode("latin-1")] = whole[offset : offset + size]
    return tags


def read_xyz(tag: memoryview) -> NDArray[np.float64]:
    """An XYZType's first value.

    Raises:
        ValueError, struct.error: if it is none.
    """
    if bytes(tag[:4]) != b"XYZ ":
        raise ValueError("the ICC profile is damaged (a primary is no XYZ value)")
    return np.array(struct.unpack_from(">3i", tag, 8), dtype=np.float64) / 65536.0


def read_curve(tag: memoryview) -> NDArray[np.float64]:
    """A tone curve at `CURVE_POINTS` points in [0, 1], made never falling so that it can be read backwards.

    Raises:
        ValueError, struct.error: if it is none, or does not rise.
    """
    x = np.linspace(0.0, 1.0, CURVE_POINTS)
    kind = bytes(tag[:4])
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            y = x
        elif count == 1:
            y = x ** (struct.unpack_from(">H", tag, 12)[0] / 256.0)
        else:
            if len(tag) < 12 + 2 * count:
                raise ValueError("the ICC profile is damaged (a tone curve is cut short)")
            table = np.frombuffer(tag, ">u2", count, 12) / 65535.0
            y = np.interp(x, np.linspace(0.0, 1.0, count), table)
    elif kind == b"para":
        with np.errstate(all="ignore"):  # what a damaged one makes of its numbers is judged below
            y = _parametric(x, tag)
    else:
        raise ValueError(f"the ICC profile holds a tone curve of unknown kind {kind!r}")
    if np.isnan(y).any():
        raise ValueError("the ICC profile is damaged (a tone curve is no curve)")
    y = np.clip(y, 0.0, 1.0)
    rising = np.maximum.accumulate(y)
    if (rising - y).max() > _FALL or rising[-1] - rising[0] < RISE:
        # Made to rise, such a curve would turn the whole picture into one tone.
        raise ValueError("the ICC profile is damaged (a tone curve does not rise)")
    return rising


def _parametric(x: NDArray[np.float64], tag: memoryview) -> NDArray[np.float64]:
    """parametricCurveType, functions 0 to 4 (ICC.1:2022, 10.18)."""
    (function,) = struct.unpack_from(">H", tag, 8)
    lengths = (1, 3, 4, 5, 7)
    if function >= len(lengths):
        raise ValueError(f"the ICC profile holds a tone curve of unknown function {function}")
    values = [value / 65536.0 for value in struct.unpack_from(f">{lengths[function]}i", tag, 12)]
    g, a, b, c, d, e, f = values + [0.0] * (7 - len(values))
    if function == 0:
        return x**g
    power = np.maximum(a * x + b, 0.0) ** g
    if function == 1:
        return np.where(a * x + b >= 0.0, power, 0.0)
    if function == 2:
        return np.where(a * x + b >= 0.0, power + c, c)
    return np.where(x >= d, power + e, c * x + f)
