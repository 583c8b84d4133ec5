"""Seams: is the edge of what was laid back to be seen?

The change, after minus before, is smooth across a good paste and has a step at a bad one. Where a tool has put its edge is
not known, so several contours are tried: where Likeness fades out, the mesh's oval, and the border of what has changed at
all. The step is the difference of the change across the contour beyond its slope, averaged along the contour, since a seam
is a line and texture points every way; and only what exceeds the same beside the contour is a seam.

A paste mostly ends with the head, on an edge of the photograph, and where that was blurred and became sharp, the change goes
up on one side of it and down on the other. Two things tell that from a seam: a seam goes on into the surroundings, and
sharpening leaves no larger step than unsharp masking of the photograph by its own blur does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.scene import SIDE, Scene, box_around
from likeness.imaging.filters import gaussian_blur, wide_blur
from likeness.imaging.image import Box

__all__ = ["Seam", "seam"]

_NEAR, _FAR, _WIDE = 2, 7, 10
"""The step is measured between the means over 1 to 2 px on either side, and its surroundings' over 3 to 7 and 8 to 10 px."""

_LOOSE = 3
"""A contour is known to so many pixels: the highest step within them counts."""

_ASIDE = 8
"""How far beside the contour its surroundings are measured, px: so far that a seam does not reach there."""

_REACH = _WIDE + _ASIDE + _LOOSE
"""How far beside a contour pixels are looked at, px."""

_ALONG = 12.0
"""Sigma of the average along the contour, px."""

_EVERY = 2
"""Of the points of a contour each so manieth is measured: they are averaged over `_ALONG` anyway."""

_LONGEST = 4 * SIDE
"""A line that is longer is no border but the coast of noise that came or went, px."""

_WORST = 0.9
"""Quantile along a contour that is reported: a seam along a tenth of it is seen."""

_UNSHARP = 4.0
"""Sigma of the unsharp mask that says what sharpening explains, in sigmas of the photograph's blur. Of 1.5, 2.5 and 4 it
told real results and seams apart best."""

_Values = NDArray[np.float64]
_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Seam:
    """The most visible seam.

    Attributes:
        step: its height beyond that of the surroundings, levels of 255.
        box: where it is highest.
    """

    step: float
    box: Box


def seam(scene: Scene, *, own: bool = False) -> Seam | None:
    """Measure it; None if no contour lies on the picture.

    Args:
        scene: the face.
        own: along the lines on which Likeness fades out only, for its own results.
    """
    change = scene.after - scene.before
    # A seam of colour alone is seen as well: the channel that changes most at each place would favour noise, so all count.
    best: tuple[float, _Values] | None = None
    around = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
    solid = cv2.erode((scene.valid > 0.5).astype(np.uint8), around) > 0
    solid[:_REACH] = solid[-_REACH - 1 :] = solid[:, :_REACH] = solid[:, -_REACH - 1 :] = False
    blurred = wide_blur(scene.before, max(_UNSHARP * scene.resolution.blur * SIDE, 0.5))
    sharper = np.subtract(scene.before, blurred, out=blurred)
    for contour in _contours(scene, change, own=own):
        heights = _heights(change, sharper, contour, solid, least=-1.0 if best is None else best[0])
        if heights is None:
            continue
        height = float(np.nanquantile(heights, _WORST))
        if best is None or height > best[0]:
            best = (height, contour[_EVERY * int(np.nanargmax(heights))])
    if best is None:
        return None
    return Seam(step=best[0] * 255.0, box=box_around(best[1][None], margin=48.0, least=96.0))


def _contours(scene: Scene, change: NDArray[np.float32], *, own: bool) -> list[_Values]:
    """Closed lines, N x 2, about 1 px apart."""
    canvases: list[_Map] = [scene.pasted - np.float32(level) for level in (0.02, 0.1, 0.5, 0.9)]
    if not own:
        canvases.append(scene.face - np.float32(0.5))
        # What has changed at all, by more than the coding of the file.
        moved = gaussian_blur(np.abs(change).max(axis=2), 2.0)
        canvases.append(np.where(moved > 2.5 / 255, 1.0, -1.0).astype(np.float32))
    found: list[_Values] = []
    for canvas in canvases:
        closed = cv2.morphologyEx((canvas > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        lines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        found += [line[:, 0].astype(np.float64) for line in lines if 200 < len(line) < _LONGEST]
    return found


def _heights(
    change: NDArray[np.float32], sharper: NDArray[np.float32], line: _Values, solid: NDArray[np.bool_], *, least: float
) -> _Map | None:
    """The step at every second point of a contour; NaN where its surroundings are not ``solid``, all of them pixels of the
    picture. None if that is so almost everywhere, or the contour's height cannot be over ``least``.

    Args:
        change: 512 x 512 x 3.
        sharper: 512 x 512 x 3, what sharpening would change.
        line: N x 2, the contour.
        solid: 512 x 512.
    """
    smooth = np.stack([_around(line[:, i], 3.0) for i in range(2)], axis=1)
    along = np.roll(smooth, -2, axis=0) - np.roll(smooth, 2, axis=0)
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    line, smooth, normal = (values[::_EVERY] for values in (line, smooth, normal))
    x, y = np.round(smooth).astype(int).clip(0, SIDE - 1).T
    room = solid[y, x]
    if int(room.sum()) < 100 // _EVERY:
        return None
    near, far, wide = _steps(change, line, normal)
    # A slope grows with the distance: what it adds to the nearer step is taken away.
    step = np.minimum(np.abs(near), np.abs(far)) - np.abs(far - near) * np.float32((_NEAR + 1) / _FAR)
    # An edge that became sharper changes one way here and the other way beside it; a seam goes on.
    step = np.where((near * far > 0) & (far * wide > 0), np.minimum(step, np.abs(wide)), np.float32(0))
    middle = step.shape[0] // 2

    def highest(height: _Map, centre: int) -> _Map:
        return height[centre - _LOOSE : centre + _LOOSE + 1].max(axis=0)

    # What follows only takes away.
    if float(np.quantile(highest(_most(step), middle)[room], _WORST)) <= least:
        return None
    explained = _steps(sharper, line, normal)
    height = np.maximum(_most(step - np.maximum(np.abs(explained[0]), np.abs(explained[1]))), 0)
    # Texture that came or went makes steps everywhere: only what rises above the places beside the contour is a seam.
    beside = np.maximum(highest(height, middle - _ASIDE), highest(height, middle + _ASIDE))
    return np.where(room, np.maximum(highest(height, middle) - beside, 0), np.float32(np.nan))


def _most(step: _Map) -> _Map:
    """The largest of three channels; along an axis of three numpy's own maximum takes eight times as long."""
    return np.maximum(np.maximum(step[..., 0], step[..., 1]), step[..., 2])


def _steps(x: NDArray[np.float32], line: _Values, normal: _Values) -> tuple[_Map, _Map, _Map]:
    """Steps of a picture across a line and beside it, offsets x points x 3 each: between the means over `_NEAR`, `_FAR` and
    `_WIDE` on either side, averaged along the line."""
    offsets = np.arange(-_REACH, _REACH + 1)[:, None]
    kernel = _gaussian(_ALONG / _EVERY)
    # The line is closed.
    ends = np.arange(-len(kernel), len(line) + len(kernel)) % len(line)
    u, v = ((line[ends, i] + normal[ends, i] * offsets).astype(np.float32) for i in range(2))
    profile = np.asarray(cv2.remap(x, u, v, cv2.INTER_LINEAR))
    mean = np.asarray(cv2.sepFilter2D(profile, -1, kernel, np.ones(1)))[:, len(kernel) : -len(kernel)]
    # Prefix sums give the means on either side of every offset.
    total = np.zeros((len(offsets) + 1, len(line), 3), np.float32)
    for row, values in enumerate(mean):  # numpy's own running sum takes seven times as long
        np.add(total[row], values, out=total[row + 1])
    middles = len(offsets) - 2 * _WIDE

    def over(first: int, last: int) -> _Map:
        """Mean over offsets ``first`` to ``last`` from each of the middles."""
        low, high = _WIDE + first, _WIDE + last + 1
        return (total[high : high + middles] - total[low : low + middles]) / np.float32(last - first + 1)

    def step(first: int, last: int) -> _Map:
        return over(first, last) - over(-last, -first)

    return step(1, _NEAR), step(_NEAR + 1, _FAR), step(_FAR + 1, _WIDE)


def _around(values: _Values, sigma: float) -> _Values:
    """Gaussian along a closed line."""
    kernel = _gaussian(sigma)
    return np.convolve(np.pad(values, len(kernel) // 2, mode="wrap"), kernel, mode="valid")


def _gaussian(sigma: float) -> _Values:
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return kernel / kernel.sum()
