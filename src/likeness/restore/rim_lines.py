"""One closed line about each lens, and a rim that runs along it: even, smooth, and without gaps.

The line is the cheapest closed path over what is dark between two lighter sides, in the network's answer and in the
photograph, and over what is told to be spectacles; both lenses are looked for together, as they are alike. Across the line
the answer has a profile at every place. Profiles are moved onto the smooth line and averaged along it, each as much as there
is a rim in it: so waves go, and a gap gets the colour, the width and the strength of what is drawn beside it. Where neither
answer nor photograph have a rim for a while, as below many lenses, none is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from likeness.faces.lenses import eye_middles, eye_widths, mean_lenses
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, sampled
from likeness.imaging.image import Pixels

__all__ = ["RimEvidence", "with_even_rims"]

_Map = NDArray[np.float32]
_Lenses = NDArray[np.floating[Any]]

_APART = 60.0
"""How far apart eyes are at least; px of a crop of 512, as all lengths below. In a profile they are nearer, and lenses are
no ellipses."""

_PLACES, _ROWS = 96, np.arange(0.45, 1.85, 0.025)
"""How many places a line has, and how far from the middle each may lie, in mean lenses."""

_ACROSS = np.arange(-9.0, 9.01, 0.5)
"""Places of a profile across the line."""

_SIDES = (3.5, 5.5)
"""How far to either side what is lighter than a rim lies: of thin ones and of thick ones."""

_DRAWN, _SEEN = (1.0, 0.06), (1.4, 0.03)
"""How much a rim in the answer and one in the photograph count, and the depths that count half of that."""

_TOLD, _BROW, _LID, _ALIKE = 0.8, 0.5, 1.0, 0.4
"""How much counts what is told to be spectacles, brow, lid, and what the other lens shows."""

_MEAN, _SPREAD, _FAR = 1.05, 0.35, 0.30
"""Where a line lies as a rule, how far off that is usual, in mean lenses, and what that costs."""

_CLIMBS = ((3, 0.15), (2, 0.25))
"""By how many rows neighbours on a line differ at most, and what one costs: of lines, and of what is off the smooth line."""

_OFF = 4.0
"""How far off the smooth line a rim is looked for."""

_SMOOTH, _ALONG = 6.0, 12.0
"""Sigma of a line, and of averages along it."""

_LEAST_DEPTH, _LEAST_SHARE = 0.04, 0.35
"""How dark a rim is at least, and how much of the line has one, for the rest to be believed."""

_DEPTH, _OF_USUAL = (0.015, 0.045), (0.15, 0.55)
"""How dark a place of a line is, and over what is usual on it, from which on there is a rim, and surely one."""

_VISIBLE, _SHOWN = 0.006, (0.3, 0.7)
"""How dark a rim is in a photograph that shows it, and the share of what drawn rims are in it from which on it shows one."""

_PRESENT = (0.35, 0.6)
"""Which share of the surroundings on a line has a rim where one is drawn at all, and as strongly as those."""

_SHORT, _LONG, _SUPPORT = 36.0, 100.0, 0.25
"""Gaps that are closed; and longer ones, that are where the photograph shows this share of what it shows of drawn rims."""

_RAISED = 1.6
"""The most that averages are raised to the strength of what went into them."""

_WHOLE, _ENDS = 4.0, 7.0
"""How far from the line the answer is the averaged one, and from where on it is left."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RimEvidence:
    """What a photograph tells about where rims run, H x W each.

    Attributes:
        seen: the photograph.
        spectacles, brows, lids: masks in [0, 1]; no rim is drawn over brows and lids.
        blur: the photograph's sigma, px.
    """

    seen: Pixels
    spectacles: _Map
    brows: _Map
    lids: _Map
    blur: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Line:
    """Smooth lines about both lenses, 2 x P if not said otherwise.

    Attributes:
        middles: 2 x 2, x and y.
        axes: 2 x 2 x 2, outward and down, each half of a mean lens: so places of both lenses are alike.
        ways: 2 x P x 2, from the middle to the mean lens.
        distances: how far the line is from the middle, in ways.
        pixel: what a px across the line is in ways.
        arc: the mean distance of neighbours, px of 512.
    """

    middles: _Lenses
    axes: _Lenses
    ways: _Lenses
    distances: _Lenses
    pixel: _Lenses
    arc: float


def with_even_rims(answer: Pixels, evidence: RimEvidence, points: NDArray[np.float32], unit: float) -> Pixels:
    """The answer with even rims.

    Args:
        answer: H x W x 3 in [0, 1], the part of a face about the spectacles.
        evidence: of the same part.
        points: 478 x 2, the mesh in its pixels.
        unit: the side of the whole face over 512.
    """
    eyes = eye_middles(points)
    if float(np.hypot(*(eyes[1] - eyes[0]))) < _APART * unit:
        return answer
    middles, axes = mean_lenses(eyes, eye_widths(points))
    angles = np.arange(_PLACES) * (2 * np.pi / _PLACES)
    ways = np.cos(angles)[:, None] * axes[:, None, 0] + np.sin(angles)[:, None] * axes[:, None, 1]
    places = middles[:, None, None] + _ROWS[:, None] * ways[:, :, None]
    row = np.hypot(ways[..., 0], ways[..., 1]) * (_ROWS[1] - _ROWS[0]) / unit
    light = _sampled(gaussian_blur(luma(answer), 0.8 * unit), places)
    drawn = np.maximum(*(_depth(light, side / row) for side in _SIDES))
    photograph = _averaged(_sampled(luma(evidence.seen), places), 1.5)
    seen = _depth(photograph, np.maximum(1.8 * evidence.blur / unit, _SIDES[0]) / row)
    masks = np.asarray(cv2.merge((evidence.spectacles, evidence.brows, evidence.lids)), np.float32)
    spectacles, brows, lids = np.moveaxis(_sampled(masks, places), 3, 0)
    gain = sum(most * depth / (depth + half) for depth, (most, half) in ((drawn, _DRAWN), (seen, _SEEN)))
    gain = _averaged(gain + _TOLD * spectacles - _BROW * brows - _LID * lids, 1.0)
    other = np.stack([cv2.dilate(one.astype(np.float32), np.ones((3, 7), np.uint8)) for one in gain[::-1]])
    path = _closed_path(_FAR * np.square((_ROWS - _MEAN) / _SPREAD) - gain - _ALIKE * other, *_CLIMBS[0])
    line, smooth = _line(middles, axes, ways, path, unit)
    free = np.clip(1 - 3 * _at(brows, smooth), 0, 1) * np.clip(1 - 4 * _at(lids, smooth), 0, 1)
    support = _averaged(np.max([_at(seen, smooth + off / row) for off in (-2, -1, 0, 1, 2)], axis=0), 2.0)
    change, off = _evened(answer, line, free, support)
    found = answer.copy()
    if change is not None:
        for lens in (0, 1):
            _lay(found, change[lens], line, lens, off[lens])
    return np.clip(found, 0, 1, out=found)


def _line(
    middles: _Lenses, axes: _Lenses, ways: _Lenses, path: NDArray[np.int64], unit: float
) -> tuple[_Line, _Lenses]:
    """The smooth line of a path, and its rows."""
    step = 2 * np.pi / _PLACES
    radius = np.hypot(ways[..., 0], ways[..., 1])
    smooth = _averaged(path.astype(np.float64), _SMOOTH * unit / (float(radius.mean()) * step))
    distances = _ROWS[0] + smooth * (_ROWS[1] - _ROWS[0])
    tangents = _slopes(distances[..., None] * ways)
    lengths = np.hypot(tangents[..., 0], tangents[..., 1])
    # How much of a step away from the middle is one across the line.
    cross = np.abs(ways[..., 0] * tangents[..., 1] - ways[..., 1] * tangents[..., 0])
    across = np.maximum(cross / np.maximum(radius * lengths, 1e-6), 0.3)
    arc = float(lengths.mean()) / unit
    return _Line(
        middles=middles, axes=axes, ways=ways, distances=distances, pixel=unit / (radius * across), arc=arc
    ), smooth


def _evened(answer: Pixels, line: _Line, free: _Lenses, support: _Lenses) -> tuple[_Map | None, _Lenses]:
    """2 x P x N x 3: what makes the profiles across the lines even, None if nothing; and how far off the line they are."""
    depth = _depths(_profiles(answer, line, np.zeros_like(free)))
    near = np.abs(_ACROSS) <= _OFF
    cost = 0.02 * np.abs(_ACROSS[near]) - depth[..., near] / (depth[..., near] + _DRAWN[1])
    chosen = _closed_path(cost, *_CLIMBS[1]) + int(near.argmax())
    off, depths = _ACROSS[chosen], np.take_along_axis(depth, chosen[..., None], axis=2)[..., 0]
    usual = np.percentile(depths, 65, axis=1, keepdims=True)
    there = _rising(depths / np.maximum(usual, 1e-6), *_OF_USUAL) * _rising(depths, *_DEPTH)
    there *= (usual >= _LEAST_DEPTH) & ((there > 0.5).mean(axis=1, keepdims=True) >= _LEAST_SHARE)
    if not there.any():
        return None, off
    sigma = _ALONG / line.arc
    present = np.stack([_present(*one, line.arc) for one in zip(there, support, strict=True)])
    present = _rising(_averaged(present, 0.8 * sigma), *_PRESENT) * free * there.any(axis=1, keepdims=True)
    weights = there + 1e-3
    total = _averaged(weights, sigma)

    def mean(x: _Lenses) -> _Lenses:
        more = (..., *[None] * (x.ndim - 2))
        return _averaged(x * weights[more], sigma) / total[more]

    moved = mean(off)
    rim = _profiles(answer, line, off)
    detail = mean(rim - _between(*_ends(rim)))
    got = _depths(detail)[..., np.abs(_ACROSS) <= 1.5].max(axis=2)
    detail *= np.clip(mean(depths) / np.maximum(got, 0.01), 1, _RAISED)[..., None, None]
    before = _profiles(answer, line, moved)
    after = _between(*(_averaged(side, 0.4 * sigma) for side in _ends(before))) + detail
    # No darker than the rim is, where the answer is not so itself: no line is drawn on a broad frame.
    after = np.maximum(after, np.minimum(before, mean(rim[:, :, np.abs(_ACROSS) <= 0.5].mean(axis=2))[:, :, None]))
    window = np.clip((_ENDS - np.abs(_ACROSS)) / (_ENDS - _WHOLE), 0, 1)
    share = present[..., None] * (window * window * (3 - 2 * window))
    return (share[..., None] * (after - before)).astype(np.float32), moved


def _present(there: _Lenses, support: _Lenses, arc: float) -> _Lenses:
    """P in [0, 1], of one lens: where there is a rim, from how much of one is drawn and what the photograph shows."""
    sure = there > 0.8
    usual = max(float(np.median(support[sure])) if sure.any() else 1.0, _VISIBLE)
    shown = np.where(support < _VISIBLE / 2, 0, np.clip(support / usual, 0, 1))
    return np.maximum(there, 0.8 * np.maximum(_rising(shown, *_SHOWN), _bridged(there > 0.5, shown, arc)))


def _depths(profiles: _Lenses) -> _Lenses:
    """2 x P x N: how dark profiles are at each of their places."""
    light = np.stack([gaussian_blur(luma(one.astype(np.float32)), 0.6) for one in profiles])
    rows = np.full(profiles.shape[:2], 1 / (_ACROSS[1] - _ACROSS[0]))
    return np.maximum(*(_depth(light, side * rows) for side in _SIDES))


def _lay(found: Pixels, change: Pixels, line: _Line, lens: int, off: _Lenses) -> None:
    """Add a change of the profiles to the picture that they were taken from."""
    outline = line.middles[lens] + (line.distances[lens] + 16 * line.pixel[lens])[:, None] * line.ways[lens]
    left, top = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int) + 1
    part = found[top:bottom, left:right]
    if not part.size:
        return
    height, width = part.shape[:2]
    x, y = np.arange(left, left + width) - line.middles[lens, 0], np.arange(top, top + height) - line.middles[lens, 1]
    (ax, ay), (bx, by) = line.axes[lens] / np.square(line.axes[lens]).sum(axis=1, keepdims=True)
    u, v = (np.add.outer(y * down, x * right).astype(np.float32) for right, down in ((ax, ay), (bx, by)))
    distance, angle = cv2.cartToPolar(u, v)
    place = angle * np.float32(_PLACES / (2 * np.pi))
    # Place P is place 0 again; by turns of the profiles' own table every pixel gets what lies between two places.
    tables = np.stack([line.distances[lens], line.pixel[lens], off], axis=1)
    tables = np.concatenate([tables, tables[:1]]).astype(np.float32)[:, None]
    zero = np.zeros_like(place)
    here = cv2.remap(tables, zero, place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    across = (distance - here[..., 0]) / here[..., 1] - here[..., 2]
    column = (across - np.float32(_ACROSS[0])) * np.float32(1 / (_ACROSS[1] - _ACROSS[0]))
    closed = np.concatenate([change, change[:1]])
    part += cv2.remap(closed, column, place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _profiles(pixels: Pixels, line: _Line, off: _Lenses) -> _Map:
    """2 x P x N x 3: the picture across the lines, moved by ``off`` px."""
    distances = line.distances[..., None] + (_ACROSS + off[..., None]) * line.pixel[..., None]
    return _sampled(pixels, line.middles[:, None, None] + distances[..., None] * line.ways[:, :, None])


def _ends(profiles: _Map) -> tuple[_Map, _Map]:
    """The colours on both sides of profiles."""
    return profiles[:, :, :5].mean(axis=2), profiles[:, :, -5:].mean(axis=2)


def _between(inner: _Lenses, outer: _Lenses) -> _Lenses:
    """From the colour on one side of each profile to that on the other."""
    share = np.linspace(0, 1, len(_ACROSS))[:, None]
    return inner[:, :, None] * (1 - share) + outer[:, :, None] * share


def _bridged(there: NDArray[np.bool_], shown: _Lenses, arc: float) -> _Lenses:
    """1 in gaps that are short, or not long and shown by the photograph, between parts of a rim."""
    found = np.zeros(len(there))
    if there.all() or not there.any():
        return found
    first = int(there.argmax())
    turned, light = np.roll(there, -first), np.roll(shown, -first)
    ends = np.flatnonzero(np.diff(np.append(turned, True).astype(np.int8)))
    starts = np.concatenate([[0], ends + 1])
    lengths = np.diff(np.append(starts, len(there))) * arc
    gaps = np.zeros(len(there))
    for number in range(1, len(starts) - (0 if len(starts) % 2 == 0 else 1), 2):
        begin, end = starts[number], starts[number] + round(lengths[number] / arc)
        beside = min(lengths[number - 1], lengths[(number + 1) % len(starts)])
        shows = float(light[begin:end].mean()) > _SUPPORT
        if beside >= _ALONG and (lengths[number] <= _SHORT or (lengths[number] <= _LONG and shows)):
            gaps[begin:end] = 1
    return np.roll(gaps, first)


def _closed_path(cost: _Lenses, most: int, climb: float) -> NDArray[np.int64]:
    """L x P: the cheapest row at each place of L x P x R costs, for a path that ends where it begins."""
    lenses, places, rows = cost.shape
    steps = climb * np.abs(np.arange(-most, most + 1, dtype=np.float32))[:, None, None] ** 1.5
    costs = np.asarray(cost, np.float32)
    total = np.full((lenses, rows + 2 * most), 1e6, np.float32)
    inner = total[:, most:-most]
    inner[:] = costs[:, 0]
    # What lies up to so many rows beside each; it goes on to show what stands in ``total``.
    beside = sliding_window_view(total, rows, axis=1).transpose(1, 0, 2)
    # Twice around; half a turn on either side of what is taken makes the ends meet.
    back = np.zeros((2 * places, lenses, rows), np.int64)
    for turn in range(1, 2 * places):
        ways = beside + steps
        ways.argmin(axis=0, out=back[turn])
        np.add(ways.min(axis=0), costs[:, turn % places], out=inner)
    path = np.zeros((lenses, 2 * places), np.int64)
    for lens in range(lenses):
        row = int(inner[lens].argmin())
        for turn in range(2 * places - 1, -1, -1):
            path[lens, turn] = row
            row += int(back[turn, lens, row]) - (most if turn else 0)
    half = places // 2
    return np.roll(path[:, half : half + places], half, axis=1)


def _depth(light: _Lenses, rows: _Lenses) -> _Lenses:
    """L x P x R: how much darker a place is than what lies some rows to either side of it, the darker one; 0 at least."""
    last = light.shape[2] - 1
    sides = []
    for way in (-1, 1):
        at = np.clip(np.arange(light.shape[2]) + way * rows[..., None], 0, last - 1e-3)
        floor = at.astype(np.int64)
        low, high = (np.take_along_axis(light, row, axis=2) for row in (floor, floor + 1))
        sides.append(low + (high - low) * (at - floor))
    return np.maximum(np.minimum(*sides) - light, 0)


def _at(values: _Lenses, rows: _Lenses) -> _Lenses:
    """L x P: what L x P x R values are at a row of each place."""
    rows = np.clip(rows, 0, values.shape[2] - 1.001)
    floor = np.floor(rows).astype(int)
    share = rows - floor
    low, high = (np.take_along_axis(values, at[..., None], axis=2)[..., 0] for at in (floor, floor + 1))
    return low * (1 - share) + high * share


def _averaged(values: _Lenses, sigma: float) -> _Lenses:
    """L x P or L x P x N, averaged around along the places by a sigma of so many of them."""
    reach = min(int(np.ceil(3 * sigma)), values.shape[1])
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / max(sigma, 1e-3)))
    kernel /= kernel.sum()
    flat = values.reshape(*values.shape[:2], -1).astype(np.float32)
    around = np.concatenate([flat[:, -reach:], flat, flat[:, :reach]], axis=1)
    done = [np.asarray(cv2.sepFilter2D(one, -1, np.ones(1), kernel), np.float32) for one in around]
    return np.stack([one.reshape(around.shape[1:])[reach:-reach] for one in done]).reshape(values.shape)


def _rising(x: _Lenses, low: float, high: float) -> _Lenses:
    """0 up to ``low``, 1 from ``high`` on."""
    return np.clip((x - low) / (high - low), 0, 1)


def _slopes(values: _Lenses) -> _Lenses:
    """Half of the difference of the places on both sides."""
    return (np.roll(values, -1, axis=1) - np.roll(values, 1, axis=1)) / 2


def _sampled(pixels: NDArray[np.float32], places: _Lenses) -> _Map:
    """What a picture is at x, y: ... x 2 places."""
    at = places.reshape(places.shape[0], -1, 2).astype(np.float32)
    return sampled(pixels, at).reshape(*places.shape[:-1], *pixels.shape[2:])
