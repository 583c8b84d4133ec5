"""Whole-number samples as files hold them, and their way to [0, 1] and back. All conversions round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "change_depth", "is_grey", "refuse_nan", "rounded", "row_strips", "to_samples", "to_unit"]

Samples: TypeAlias = "NDArray[np.uint8 | np.uint16]"
"""Samples of a file: height x width, or height x width x channels, 8 or 16 bit."""

_STRIP_PIXELS = 1 << 20
_FEW_PIXELS = 1 << 17
"""Of arithmetic alone, which is as fast on strips that stay in the processor's caches."""


def row_strips(array: NDArray[np.generic], pixels: int = _STRIP_PIXELS) -> Iterator[slice]:
    """Row slices of about a million pixels each, so that a conversion needs no second picture's worth of memory."""
    height, width = array.shape[:2]
    step = max(1, pixels // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def is_grey(pixels: NDArray[np.float32]) -> bool:
    """Whether the three channels of H x W x 3 are the same to the last bit."""
    return all(
        np.array_equal(pixels[rows, :, 0], pixels[rows, :, 1])
        and np.array_equal(pixels[rows, :, 0], pixels[rows, :, 2])
        for rows in row_strips(pixels)
    )


def to_unit(samples: Samples) -> NDArray[np.float32]:
    """Samples of any shape to float32 in [0, 1]: divided by 255 or 65535."""
    top = np.float32(np.iinfo(samples.dtype).max)
    result = np.empty(samples.shape, np.float32)
    for rows in row_strips(samples):
        np.divide(samples[rows], top, out=result[rows], dtype=np.float32)
    return result


def to_samples(values: NDArray[np.float32], depth: Literal[8, 16]) -> Samples:
    """Values of any shape to samples, clipped to [0, 1] and rounded.

    Raises:
        ValueError: if a value is no number (NaN).
    """
    return rounded(values, depth, look=refuse_nan)


def rounded(
    values: NDArray[np.float32], depth: Literal[8, 16], *, look: Callable[[NDArray[np.float32]], None] | None = None
) -> Samples:
    """`to_samples` of values that are numbers, as far as ``look``, which sees them clipped, lets them be."""
    top, kind = (255.0, np.uint8) if depth == 8 else (65535.0, np.uint16)
    result = np.empty(values.shape, kind)
    for rows in row_strips(values, _FEW_PIXELS):
        strip = np.clip(values[rows], 0.0, 1.0)
        if look is not None:
            look(strip)
        strip *= np.float32(top)
        strip += np.float32(0.5)
        result[rows] = strip
    return result


def refuse_nan(values: NDArray[np.float32]) -> None:
    """Raise ValueError if there is a NaN among values of moderate size."""
    # One sum instead of a mask: a NaN makes it NaN, and nothing else does. Of single precision, as nothing is read from it.
    if np.isnan(values.sum(dtype=np.float32)):
        raise ValueError("the picture holds values that are no numbers (NaN)")


def change_depth(samples: Samples, bit_depth: Literal[8, 16]) -> Samples:
    """Samples at 8 or 16 bits, rounded; 8 bits to 16 and back is exact (255 * 257 = 65535)."""
    if bit_depth == 8:
        return samples if samples.dtype == np.uint8 else ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * np.uint16(257)
