"""A picture turned by quarters, straightened, and cut: arithmetic on samples.

Quarter turns and cuts move samples and change none, in the file's own colour space too. Straightening interpolates, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import linear_to_srgb, srgb_to_linear
from likeness.imaging.image import Box, Image, Size
from likeness.imaging.metadata.xmp import xmp_turned, xmp_without_regions
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.transparency import without_hidden

__all__ = ["cut", "straightened", "straightened_map", "straightened_size", "turned", "turned_map"]

_Map = NDArray[np.float32]
_Value = TypeVar("_Value", bound=np.generic)

_LONGEST, _PART, _FILTER = 32766, 16384, 8
"""The longest side that OpenCV turns, px; that of the parts in which longer ones are turned; how far its filters read."""

_TURNS = {90: 6, 180: 3, 270: 8}
"""The EXIF orientation that a turn clockwise undoes."""


def turned(image: Image, degrees: int) -> Image:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees, to the last bit."""
    if degrees == 0:
        return image
    return replace(
        image,
        metadata=_with_xmp(image.metadata, lambda packet: xmp_turned(packet, _TURNS[degrees])),
        pixels=turned_map(image.pixels, degrees),
        alpha=None if image.alpha is None else turned_map(image.alpha, degrees),
        native=None if image.native is None else turned_map(image.native, degrees),
    )


def turned_map(values: NDArray[_Value], degrees: int) -> NDArray[_Value]:
    """H x W (x C) values turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(values, -(degrees // 90)))


def straightened_size(size: Size, degrees: float) -> Size:
    """Size of the largest rectangle of a picture's own proportions inside it, after it was turned by so many degrees."""
    turn = math.radians(abs(degrees))
    across = size.width * math.cos(turn) + size.height * math.sin(turn)
    down = size.width * math.sin(turn) + size.height * math.cos(turn)
    share = min(size.width / across, size.height / down)
    return Size(max(1, math.floor(size.width * share)), max(1, math.floor(size.height * share)))


def straightened(image: Image, degrees: float) -> Image:
    """The picture turned clockwise by a few degrees and cut to `straightened_size`, so that no corner is empty.

    Interpolated (Lanczos, in linear light) once; samples of the file's own colour space cannot be kept.
    """
    if degrees == 0:
        return image
    size = straightened_size(image.size, degrees)
    linear = _rotated(srgb_to_linear(without_hidden(image.pixels, image.alpha)), degrees, size, cv2.INTER_LANCZOS4)
    return replace(
        image,
        pixels=np.clip(linear_to_srgb(np.clip(linear, 0, 1)), 0, 1).astype(np.float32),
        alpha=None if image.alpha is None else straightened_map(image.alpha, degrees),
        native=None,
        metadata=_with_xmp(image.metadata, xmp_without_regions),
    )


def straightened_map(values: _Map, degrees: float) -> _Map:
    """H x W values in [0, 1] turned and cut as `straightened` does it with a picture."""
    if degrees == 0:
        return values
    height, width = values.shape[:2]
    return np.clip(_rotated(values, degrees, straightened_size(Size(width, height), degrees), cv2.INTER_LINEAR), 0, 1)


def _rotated(values: _Map, degrees: float, size: Size, flags: int) -> _Map:
    """What lies in a rectangle of that size around the middle once the values are turned clockwise."""
    height, width = values.shape[:2]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # From the result back to the picture, both about their middles; the middle of n pixels is at (n - 1) / 2.
    back = np.array([[cos, sin], [-sin, cos]])
    middle, own = np.array([width - 1, height - 1]) / 2, np.array([size.width - 1, size.height - 1]) / 2
    matrix = np.hstack([back, (middle - back @ own)[:, None]])
    if max(width, height, size.width, size.height) <= _LONGEST:
        return _moved(values, matrix, size, flags)
    result = np.empty((size.height, size.width, *values.shape[2:]), np.float32)
    for top in range(0, size.height, _PART):
        for left in range(0, size.width, _PART):
            part = result[top : top + _PART, left : left + _PART]
            # What the part shows, and as much around it as the filter reads.
            ends = np.array([[x, y] for x in (left, left + part.shape[1]) for y in (top, top + part.shape[0])])
            places = ends @ back.T + matrix[:, 2]
            first = np.maximum(np.floor(places.min(axis=0)).astype(int) - _FILTER, 0)
            last = np.ceil(places.max(axis=0)).astype(int) + _FILTER
            moved = matrix.copy()
            moved[:, 2] += back @ (left, top) - first
            shown = values[first[1] : last[1], first[0] : last[0]]
            part[...] = _moved(shown, moved, Size(part.shape[1], part.shape[0]), flags)
    return result


def _moved(values: _Map, matrix: NDArray[np.float64], size: Size, flags: int) -> _Map:
    moved = cv2.warpAffine(
        values,
        matrix,
        (size.width, size.height),
        flags=flags | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(moved, np.float32)


def cut(image: Image, box: Box) -> Image:
    """The part of the picture that a box on whole pixels takes in, to the last bit."""
    rows, columns = box.clipped(image.size).to_slices()
    whole = (columns.stop - columns.start, rows.stop - rows.start) == (image.size.width, image.size.height)
    return replace(
        image,
        metadata=image.metadata if whole else _with_xmp(image.metadata, xmp_without_regions),
        pixels=np.ascontiguousarray(image.pixels[rows, columns]),
        alpha=None if image.alpha is None else np.ascontiguousarray(image.alpha[rows, columns]),
        native=None if image.native is None else np.ascontiguousarray(image.native[rows, columns]),
    )


def _with_xmp(metadata: Metadata, change: Callable[[bytes], bytes]) -> Metadata:
    """What is said of the picture, its XMP changed."""
    return metadata if metadata.xmp is None else replace(metadata, xmp=change(metadata.xmp))
