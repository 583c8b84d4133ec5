"""Scratches and dust on scans of film and prints: found, and softened.

A scratch is a long thin line that is brighter, or darker, than what lies on *both* sides of it; dust is a small spot that
is so all around. Wrinkles, hair, frames of spectacles, seams and engravings are lines as well, so four more things are
asked, each of which such lines fail: a scratch stands far above the texture around it, it stands alone, it runs on for
long without a bend, and it has sharp sides. What lies mostly in a protected place (eyes, brows, lips, hair) is left alone.

The line filter is the classic one for scratches on film (Kokaram, "Motion picture restoration", 1998: the median across
the line is taken away), turned to sixteen directions and averaged along the line; hysteresis after Canny (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["Marks", "find_marks"]

_WORK_SIDE = 1600
"""Longest side of the copy on which marks are looked for; what is invisible there needs no mending."""

_DIRECTIONS = 16

_CONTRAST = 0.05
"""How far a scratch must stand above both sides along a stretch of its length, in luma."""

_SPECK_CONTRAST = 0.12

_TEXTURE_RATIO = 4.0
"""How far above the texture around it."""

_QUARTER = 0.25
"""Share of a mark that may lie in a protected place: a scratch across the picture may cross an eye, a lash is no scratch."""

_Map = NDArray[np.float32]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Marks:
    """Scratches and specks found in a picture.

    Attributes:
        mask: H x W, where there is a mark.
        scratches, specks: how many.
    """

    mask: _Flags
    scratches: int
    specks: int

    @property
    def area(self) -> float:
        """Share of the picture."""
        return float(self.mask.mean())


def find_marks(pixels: Pixels, keep: _Map | None = None, skin: _Map | None = None) -> Marks:
    """Look for scratches and dust.

    Args:
        pixels: H x W x 3, [0, 1].
        keep: H x W in [0, 1]; where it is over 0.5 (eyes, brows, lips, hair) specks are left alone, and so are lines
            that do not come from far outside.
        skin: H x W in [0, 1]; where it is over 0.5, only marks brighter than it count, as dark ones may be moles,
            wrinkles and stubble.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    small = Size(max(1, round(width * scale)), max(1, round(height * scale)))
    grey = luma(pixels)
    work = resize(grey, small, "area") if scale < 1 else grey
    nothing = np.zeros(work.shape, np.bool_)
    guarded = nothing if keep is None else resize(keep, small, "linear") > 0.5
    careful = guarded if skin is None else guarded | (resize(skin, small, "linear") > 0.5)
    unit = max(1.0, max(work.shape) / 640)
    found = nothing.copy()
    scratches = specks = 0
    for sign, hands_off in ((1, guarded), (-1, careful)):
        # A dark mark is a bright one of the negative.
        shown = work if sign == 1 else np.float32(1) - work
        lines, number = _lines(shown, hands_off, unit, 1.0 if sign == 1 else 1.5)
        spots, count = _specks(shown, hands_off | lines, unit)
        found |= lines | spots
        scratches, specks = scratches + number, specks + count
    mask = found
    if scale < 1:
        mask = resize(found.astype(np.float32), Size(width, height), "linear") > 0.3
    return Marks(mask=mask, scratches=scratches, specks=specks)


def _lines(grey: _Map, guarded: _Flags, unit: float, caution: float) -> tuple[_Flags, int]:
    """Scratches brighter than their surroundings, and how many."""
    reach = round(10 * unit)
    ridge, direction = _ridges(grey, reach, 3.0 * unit)
    # What is usual around: hair, cloth and engravings are full of lines, a scratch is one among few.
    limit = np.maximum(_CONTRAST, _TEXTURE_RATIO * _usual(ridge, 12 * unit)) * np.float32(caution)
    strong, weak = ridge > limit, ridge > 0.4 * limit
    # Cables, cracks and stripes are dark as well, so a dark line has to be longer to be a scratch.
    length = (0.1 if caution == 1.0 else 0.25) * max(grey.shape)
    alone = _Surroundings(grey=gaussian_blur(grey, 0.7), ridge=ridge, unit=unit)
    found = np.zeros(grey.shape, np.bool_)
    count = 0
    for index in range(_DIRECTIONS):
        checkpoint()
        turn = np.abs(direction - index)
        near = np.minimum(turn, _DIRECTIONS - turn) <= 1
        if (strong & near).sum() < 0.3 * length:
            continue
        kernel = (_line_kernel(index, max(2, reach // 2)) > 0).astype(np.uint8)
        joined = np.asarray(cv2.morphologyEx((weak & near).astype(np.uint8), cv2.MORPH_CLOSE, kernel)) > 0
        kept, number = _long(joined, strong & near, guarded, length, alone)
        count += number if not (kept & found).any() else 0
        found |= kept
    # Averaging along the line made it wider, and longer at its ends: only what stands out itself is damaged.
    rest = _above(grey, 4 * unit)
    # The mean weighted by itself: the ends, where there is nothing, count little.
    on = rest * found.astype(np.float32)
    peak = gaussian_blur(np.square(on), 12 * unit) / np.maximum(gaussian_blur(on, 12 * unit), 1e-6)
    return found & (rest > np.maximum(0.5 * peak, 0.3 * _CONTRAST)), count


def _above(grey: _Map, radius: float) -> _Map:
    """How far each place stands above what is left when all that is narrower than a disc is cut off."""
    return grey - np.asarray(cv2.morphologyEx(grey, cv2.MORPH_OPEN, _disc(radius)), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Surroundings:
    """What lies around a line: a scratch is lighter than all of it, and no other lines run there."""

    grey: _Map
    ridge: _Map
    unit: float

    def allow(self, window: tuple[slice, slice], line: _Flags) -> bool:
        margin = round(8 * self.unit)
        height, width = self.grey.shape
        top, left = max(0, window[0].start - margin), max(0, window[1].start - margin)
        wide = (slice(top, min(height, window[0].stop + margin)), slice(left, min(width, window[1].stop + margin)))
        own = np.zeros((wide[0].stop - top, wide[1].stop - left), np.uint8)
        own[window[0].start - top : window[0].stop - top, window[1].start - left : window[1].stop - left] = line
        near = np.asarray(cv2.dilate(own, _disc(2 * self.unit))) > 0
        band = (np.asarray(cv2.dilate(own, _disc(margin))) > 0) & ~near
        if not band.any():
            return False
        grey = self.grey[wide]
        highest = np.asarray(cv2.dilate(np.where(near, np.float32(0), grey), _disc(5 * self.unit)))
        own_flags = own > 0
        # Along its spine; the margin of a component is darker than the line itself.
        bright = grey[own_flags] >= highest[own_flags]
        ridge = self.ridge[wide]
        others = ridge[band] > 0.5 * float(np.median(ridge[own_flags]))
        return bool(bright.mean() > 0.35 and others.mean() < 0.06)


def _line_kernel(index: int, reach: int) -> _Map:
    angle = np.pi * index / _DIRECTIONS
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    along = np.array([np.cos(angle), np.sin(angle)])
    first, last = (np.round((reach + sign * reach * along) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, (1.0,), 1, cv2.LINE_AA, 4)
    return kernel


def _ridges(grey: _Map, reach: int, gap: float) -> tuple[_Map, NDArray[np.int8]]:
    """How far each place stands above both sides of the best line through it, averaged along the line, and its direction.

    Half of what the sides differ by is taken off: along a contour they differ, across a scratch they do not.
    """
    best = np.zeros(grey.shape, np.float32)
    direction = np.zeros(grey.shape, np.int8)
    height, width = grey.shape
    border = int(np.ceil(gap)) + 1
    for index in range(_DIRECTIONS):
        kernel = _line_kernel(index, reach)
        kernel /= kernel.sum()
        mean = np.asarray(cv2.filter2D(grey, -1, kernel, borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)
        wide = cv2.copyMakeBorder(mean, border, border, border, border, cv2.BORDER_REFLECT_101)
        angle = np.pi * index / _DIRECTIONS
        dx, dy = round(-np.sin(angle) * gap), round(np.cos(angle) * gap)
        one = wide[border + dy : border + dy + height, border + dx : border + dx + width]
        other = wide[border - dy : border - dy + height, border - dx : border - dx + width]
        response = mean - np.maximum(one, other) - np.float32(0.5) * np.abs(one - other)
        better = response > best
        best[better] = response[better]
        direction[better] = index
    # Frames and plate edges run along the border, and mirroring makes lines of what is cut there.
    rim = 2 * border
    inner = np.zeros(grey.shape, np.bool_)
    inner[rim:-rim, rim:-rim] = True
    return best * inner.astype(np.float32), direction


def _usual(strength: _Map, sigma: float) -> _Map:
    """Mean of a map in the neighbourhood, in which single peaks count by their area and not by their height."""
    capped = np.minimum(strength, 2 * gaussian_blur(strength, sigma))
    return np.maximum(gaussian_blur(capped, sigma), 1 / 510)


def _long(joined: _Flags, strong: _Flags, guarded: _Flags, length: float, around: _Surroundings) -> tuple[_Flags, int]:
    """Those components that are long, thin and straight, hold strong parts, and are not only in guarded places."""
    count, labels, stats = _components(joined)
    kept = np.zeros(count, np.bool_)
    sizes = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    for label in np.flatnonzero(sizes >= length):
        if label == 0:
            continue
        left, top, width, height = (int(v) for v in stats[label, :4])
        window = (slice(top, top + height), slice(left, left + width))
        here = labels[window] == label
        ys, xs = np.nonzero(here)
        spread = np.linalg.svd(np.stack([xs - xs.mean(), ys - ys.mean()]), compute_uv=False) / np.sqrt(len(xs))
        # A straight line of length n and width w has spreads n / sqrt(12) and w / sqrt(12).
        extent = float(spread[0] * np.sqrt(12))
        outside = 1 - float(guarded[window][here].mean())
        kept[label] = (
            extent >= length
            and spread[1] < 0.02 * spread[0] + 0.4 * around.unit  # a slight bend, and its own width
            and strong[window][here].mean() > 0.3
            and (outside >= 1 - _QUARTER or (outside >= 0.4 and outside * extent >= length))
            and around.allow(window, here)
        )
    return kept[labels], int(kept.sum())


def _specks(grey: _Map, guarded: _Flags, unit: float) -> tuple[_Flags, int]:
    """Spots brighter than everything around them, and how many."""
    smooth = gaussian_blur(grey, 0.5)
    # Grain around a speck must not count as something lighter beside it.
    ground = gaussian_blur(grey, 1.5 * unit)
    found = np.zeros(grey.shape, np.bool_)
    rest = _above(smooth, 4 * unit)
    texture = _usual(rest, 10 * unit)
    seeds = np.zeros(grey.shape, np.bool_)
    limit = np.maximum(_SPECK_CONTRAST, _TEXTURE_RATIO * texture)
    for radius in (3.0 * unit, 6.0 * unit):
        outer = _disc(radius + 1)
        ring = outer.copy()
        inner = _disc(radius - 1)
        off = (outer.shape[0] - inner.shape[0]) // 2
        ring[off : off + inner.shape[0], off : off + inner.shape[1]] -= inner
        around = np.asarray(cv2.dilate(ground, ring), dtype=np.float32)
        seeds |= smooth - around > limit
    weak = rest > 0.35 * limit
    count, labels, stats = _components(weak)
    widest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    kept = (np.bincount(labels[seeds], minlength=count) > 0) & (widest <= 11 * unit)
    kept &= np.bincount(labels[guarded], minlength=count) <= _QUARTER * stats[:, cv2.CC_STAT_AREA]
    kept[0] = False
    # Dust lies scattered. Where many spots lie close together, they are what was photographed: hatching, lace, glitter.
    crowd = gaussian_blur(kept[labels].astype(np.float32), 12 * unit)
    kept &= np.bincount(labels.ravel(), weights=(crowd > 0.04).ravel(), minlength=count) == 0
    found |= kept[labels]
    return found, int(kept.sum())


def _components(flags: _Flags) -> tuple[int, NDArray[np.intp], NDArray[np.int32]]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=8)
    return count, np.asarray(labels, dtype=np.intp), np.asarray(stats, dtype=np.int32)


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)
