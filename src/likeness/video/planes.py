"""Samples of a video frame and RGB: layouts, matrices, ranges, and a change that is added to the samples themselves.

A frame is stored as luma and two colour differences, of which there are mostly a quarter as many samples (ITU-T H.273,
section 8.3, has the equations and names of what is used here). The matrix between them and RGB is linear, so a change of
the picture is a change of the samples that needs no detour: what is not changed is not even rounded, and stays to the last
bit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.image import Pixels, Size

__all__ = ["Colours", "Layout", "Planes"]

Planes = tuple[NDArray[Any], ...]
"""Luma, Cb, Cr as uint8 or uint16; luma alone where the frame is grey."""

_NAME = re.compile(r"(?:yuvj?(?P<chroma>420|422|444|440|411|410)p|gray)(?P<bits>\d+)?(?:le)?")
_STEPS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "440": (1, 2), "411": (4, 1), "410": (4, 4)}

_MATRICES = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Kr and Kb by the code of the matrix (H.273, table 4); every other one is that of BT.601."""
_SD = (0.299, 0.114)

_UNSAID = (2, 3)
_SD_HEIGHT = 576
"""Height up to which a video that does not name its matrix is taken for standard definition, as players do."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a pixel format stores a frame, as far as it is handled here: planes of whole samples.

    Attributes:
        name: FFmpeg's name; "yuvj420p" and its like, which say a range as well, are called as the others.
        bits: of a sample.
        across, down: luma samples for each chroma sample.
        grey: whether there is luma only.
    """

    name: str
    bits: int
    across: int
    down: int
    grey: bool

    @staticmethod
    def of(name: str) -> Layout | None:
        """The layout of a pixel format; None of one that has to be converted first (`stand_in`)."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        across, down = _STEPS[found["chroma"]] if found["chroma"] else (1, 1)
        bits = int(found["bits"] or 8)
        if bits > 16:
            return None
        plain = name.replace("yuvj", "yuv")
        return Layout(name=plain, bits=bits, across=across, down=down, grey=not found["chroma"])

    @staticmethod
    def stand_in(name: str, bits: int, chroma: tuple[int, int]) -> Layout:
        """The layout that frames of another format are converted to: of the same depth, no coarser in colour.

        Args:
            name: FFmpeg's name of the format; RGB, packed, semi-planar, or with an alpha channel.
            bits: of its samples.
            chroma: luma samples for each chroma sample, across and down; (1, 1) of RGB.
        """
        code = next((code for code, steps in _STEPS.items() if steps == chroma), "444")
        deep = "" if bits <= 8 else "10le" if bits <= 10 else "12le" if bits <= 12 else "16le"
        layout = Layout.of(f"yuv{code}p{deep}")
        assert layout is not None, name
        return layout

    def fits(self, size: Size) -> Size:
        """The largest size within ``size`` whose sides its chroma samples divide."""
        return Size(max(size.width // self.across, 1) * self.across, max(size.height // self.down, 1) * self.down)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.bits <= 8 else np.uint16


@dataclass(frozen=True, kw_only=True)
class Colours:
    """What the samples of a video mean.

    Attributes:
        layout: how they are stored.
        matrix: code of the matrix (H.273, table 4); 2 if the file does not say.
        full: whether black and white are the ends of the range of values; else 16 and 235 of 255.
        centred: whether a chroma sample lies amid its luma samples across, as in JPEG and MPEG-1, and not on the first.
        height: of the frame, px, by which a matrix is guessed that is not named.
    """

    layout: Layout
    matrix: int
    full: bool
    centred: bool
    height: int

    @property
    def used_matrix(self) -> int:
        """The matrix's code, guessed where the file does not say."""
        if self.matrix in _UNSAID:
            return 5 if self.height <= _SD_HEIGHT else 1
        return self.matrix

    def to_rgb(self, planes: Planes) -> Pixels:
        """H x W x 3 in [0, 1]; what lies outside is clipped."""
        luma = planes[0].astype(np.float32)
        low, span, middle, reach = self._scales
        luma -= np.float32(low)
        luma *= np.float32(1.0 / span)
        if self.layout.grey:
            return np.repeat(np.clip(luma, 0.0, 1.0)[:, :, None], 3, axis=2)
        size = Size(luma.shape[1], luma.shape[0])
        chroma = [
            self._spread((x.astype(np.float32) - np.float32(middle)) / np.float32(reach), size) for x in planes[1:]
        ]
        rgb = cv2.transform(cv2.merge([luma, *chroma]), np.linalg.inv(self._matrix))
        return np.clip(np.asarray(rgb, np.float32), 0.0, 1.0)

    def with_change(self, planes: Planes, change: Pixels) -> Planes:
        """The planes with a change of the picture added: the same to the last bit where there is none.

        Args:
            planes: as stored.
            change: H x W x 3, in units of [0, 1].
        """
        moved = self._stored(change)
        return tuple(
            self._rounded(plane.astype(np.float32) + by * np.float32(scale))
            for plane, by, scale in zip(planes, moved, self._spans, strict=True)
        )

    def from_rgb(self, pixels: Pixels) -> Planes:
        """The planes of a picture (H x W x 3 in [0, 1]), rounded."""
        low, _, middle, _ = self._scales
        starts = (low,) if self.layout.grey else (low, middle, middle)
        return tuple(
            self._rounded(x * np.float32(scale) + np.float32(start))
            for x, scale, start in zip(self._stored(pixels), self._spans, starts, strict=True)
        )

    @cached_property
    def _matrix(self) -> NDArray[np.float64]:
        """3 x 3, from RGB to Y, Cb and Cr in units of their spans (H.273, equations 38 to 40)."""
        red, blue = _MATRICES.get(self.used_matrix, _SD)
        luma = np.array([red, 1.0 - red - blue, blue])
        return np.stack(
            [
                luma,
                (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue)),
                (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red)),
            ]
        )

    @property
    def _scales(self) -> tuple[float, float, float, float]:
        """Luma's zero and span, chroma's zero and span (H.273, equations 20 to 31)."""
        unit = float(1 << (self.layout.bits - 8))
        if self.full:
            most = float((1 << self.layout.bits) - 1)
            return 0.0, most, 128.0 * unit, most
        return 16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit

    @property
    def _spans(self) -> tuple[float, ...]:
        _, span, _, reach = self._scales
        return (span,) if self.layout.grey else (span, reach, reach)

    def _stored(self, x: Pixels) -> Sequence[NDArray[np.float32]]:
        """Y, Cb and Cr of RGB values or of a change of them, chroma as coarse as it is stored."""
        if self.layout.grey:
            return (np.asarray(cv2.transform(x, self._matrix[:1]), np.float32).reshape(x.shape[:2]),)
        planes = cv2.split(np.asarray(cv2.transform(x, self._matrix), np.float32))
        luma, *chroma = (np.asarray(plane, np.float32) for plane in planes)
        return (luma, *(self._gathered(plane) for plane in chroma))

    def _spread(self, plane: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
        """Chroma on the grid of luma, bilinear."""
        across, down = self.layout.across, self.layout.down
        if (across, down) == (1, 1):
            return plane
        # The place of a luma sample among the chroma samples.
        left = (1 / across - 1) / 2 if self.centred else 0.0
        matrix = np.array([[1 / across, 0, left], [0, 1 / down, (1 / down - 1) / 2]])
        return np.asarray(
            cv2.warpAffine(
                plane,
                matrix,
                (size.width, size.height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )

    def _gathered(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """On the grid of chroma: means down; across a triangle about the sample, or a mean where it is centred."""
        across, down = self.layout.across, self.layout.down
        height, width = plane.shape
        padded = np.pad(plane, ((0, -height % down), (0, -width % across)), mode="edge")
        if across > 1 and not self.centred:
            taps = across - np.abs(np.arange(1 - across, across))
            kernel = (taps / taps.sum()).astype(np.float32)[None, :]
            padded = np.asarray(cv2.filter2D(padded, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
            padded = padded[:, ::across]
            across = 1
        rows, columns = padded.shape
        return padded.reshape(rows // down, down, columns // across, across).mean(axis=(1, 3), dtype=np.float32)

    def _rounded(self, plane: NDArray[np.float32]) -> NDArray[Any]:
        most = (1 << self.layout.bits) - 1
        return np.clip(np.rint(plane), 0, most).astype(self.layout.dtype)
