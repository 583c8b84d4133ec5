"""Scratches, dust, folds, tears and missing corners: found by a small network of our own, and sorted out.

The network (`likeness.models.marks`) tells how likely each pixel is damaged. Here that becomes marks: patches that it holds
likely, of which those stay that are surely damage by how likely all of the patch is and how even its surroundings are. Dust
lies anywhere; a lapel, a button's rim, a collar lie where light and dark meet. What a face has of its own that looks like a
speck is left alone: catch lights and lashes, teeth, moles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.imaging.colour import luma
from likeness.imaging.filters import disc, gaussian_blur, resize
from likeness.imaging.image import Pixels, Size
from likeness.runtimes.marks import MarkShares, marks_runtime

__all__ = ["MarkCounts", "Marks", "find_marks", "tokens_of"]

_TOKENS = (-2.54, 1.23, -0.89)
"""A constant, and what a patch's tokens (`tokens_of`) count, in the logarithm of how likely it is damage against not:
`benchmarks/damage.py --tokens` finds them, on the half of the old photographs that sets limits."""
_SURE = (0.85, 0.6, 0.1)
"""How likely a patch must be damage, at sensitivities of 0, 0.5 and 1."""
_SURE_ON_SKIN = (0.998, 0.985, 0.95)
"""The same for dark specks on skin, which may be moles: on 101 portraits without dust no mole reaches 0.985."""
_ON, _FAINT = 0.15, (0.15, 0.15, 0.1)
"""A mark goes on where damage is so likely; and how far it reaches in the end, at sensitivities of 0, 0.5 and 1."""
_AROUND = 6
"""How far from a patch its surroundings go, px."""
_EVEN = (0.015, 0.15)
"""How uneven its surroundings may be, in luma, at sensitivities of 0 and 0.5: what is mended unasked lies on even ground. In
the half that sets limits nothing sound was as sure there; the bar of a watch chain was as sure on other ground."""
_LINE, _LINE_LIKELY, _LINE_EVEN = 0.15, 0.78, 0.025
"""How long a mark is (share of the longer side), how likely damage is all along it, and how uneven its surroundings may be
in most of its sections, that surely is a scratch: it runs over light and dark, and a seam or a rim keeps them apart.
Nearly as sure, but shorter, were a watch chain and the front of a shirt."""
_SECTION, _SECTION_LEAST = 24, 20
"""Side of the squares by which a mark is taken in sections, and pixels of surroundings in one that counts, px."""
_UNEVEN_LEAST = 0.01
"""Added to how uneven the surroundings of a patch are, before the logarithm is taken."""
_ON_MISSING = 0.5
"""The same share for missing pieces, whose rims are sharp."""
_SURE_MISSING = (0.995, 0.97, 0.70)
"""The same for missing pieces, which have more to lose."""
_LEAST = 3
"""Pixels of the smallest speck, in the copy that is looked at."""
_LEAST_MISSING = 0.0005
"""Share of the picture of the smallest missing piece."""
_PAPER, _PAPER_LIGHTER, _PAPER_AGAIN = 0.02, 0.2, 0.06
"""How much tones differ in a wide piece (their median difference from the median, in luma); how much lighter it is than what
lies beside it, at least: paper (dark ones are not taken, as coats fill the lower corners of portraits); and how far the tone
has to be from that of the mirrored place: an oval or a mount has its paper on both sides."""
_SAME_TONE, _MOST = 0.08, 1.5
"""How far from the tone of missing paper what hangs together with it may be and be missing, too; and how many times as large
as the piece all of it may be."""
_QUARTER = 0.25
"""Share of a mark that may lie in a protected place: a scratch across the picture may cross an eye, a lash is no scratch."""
_LONG = 3.0
"""How many times as long as wide a mark is, at least, to be called a scratch and not a speck."""

_Map = NDArray[np.float32]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class MarkCounts:
    """How many long marks, round marks, and missing pieces."""

    scratches: int
    specks: int
    pieces: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Marks:
    """Damage found in a picture.

    Attributes:
        mask: H x W, where there is a thin mark: a scratch, a hair, a speck, a fold, a tear.
        missing: H x W, where a piece of the picture is gone.
        scratches, specks, pieces: how many long marks, round marks, and missing pieces.
    """

    mask: _Flags
    missing: _Flags
    scratches: int
    specks: int
    pieces: int

    @staticmethod
    def none(shape: tuple[int, ...]) -> Marks:
        """No damage in a picture of that shape (H, W)."""
        nothing = np.zeros(shape[:2], np.bool_)
        return Marks(mask=nothing, missing=nothing, scratches=0, specks=0, pieces=0)

    def edited(self, add: _Flags, rub: _Flags) -> Marks:
        """With what a person has painted (H x W each): ``add`` is damage, too, ``rub`` is none. What was counted stays."""
        return replace(self, mask=(self.mask & ~rub) | add, missing=self.missing & ~rub)

    @property
    def counts(self) -> MarkCounts:
        return MarkCounts(scratches=self.scratches, specks=self.specks, pieces=self.pieces)

    def beyond(self, others: Marks) -> MarkCounts:
        """How many more there are than at a lower sensitivity."""
        return MarkCounts(
            scratches=max(0, self.scratches - others.scratches),
            specks=max(0, self.specks - others.specks),
            pieces=max(0, self.pieces - others.pieces),
        )

    @property
    def whole(self) -> _Flags:
        """H x W, all that is damaged."""
        return self.mask | self.missing

    @property
    def area(self) -> float:
        """Share of the picture."""
        return float(self.whole.mean())


def find_marks(
    pixels: Pixels,
    keep: _Map | None = None,
    skin: _Map | None = None,
    *,
    sensitivity: float = 0.5,
    shares: MarkShares | None = None,
) -> Marks:
    """Look for damage.

    Args:
        pixels: H x W x 3, [0, 1].
        keep: H x W in [0, 1]; where it is over 0.5 (eyes, brows, lips, rims) specks are left alone, and so are lines that do
            not come from far outside.
        skin: H x W in [0, 1]; where it is over 0.5, dark specks are left alone, as they may be moles, unless the network is
            all but certain.
        sensitivity: 0 to 1; 0 finds only what is surely damage, 1 whatever may be.
        shares: what the network makes of these pixels (`MarksRuntime.look`); asked for here if None.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    height, width = pixels.shape[:2]
    shares = shares or marks_runtime().look(pixels)
    checkpoint()
    small = Size(shares.thin.shape[1], shares.thin.shape[0])
    sure = float(np.interp(sensitivity, (0, 0.5, 1), _SURE))
    work = luma(pixels) if (height, width) == shares.thin.shape else luma(resize(pixels, small, "area"))
    missing, pieces = _pieces(shares, work, float(np.interp(sensitivity, (0, 0.5, 1), _SURE_MISSING)))
    thin = shares.thin * (~missing).astype(np.float32)
    count, labels, stats = _components(thin > _ON)
    tokens = tokens_of(work, thin, labels, count)
    odds = _TOKENS[0] + tokens @ np.array(_TOKENS[1:])
    kept = (stats[:, cv2.CC_STAT_AREA] >= _LEAST) & (odds > _logit(sure))
    if sensitivity < 0.5:
        kept &= np.exp(tokens[:, 1]) - _UNEVEN_LEAST < np.interp(sensitivity, (0, 0.5), _EVEN)
    extents = _extents(labels, stats)
    kept |= _lines(
        work, labels, stats, (extents[:, 0] >= _LINE * max(thin.shape)) & (tokens[:, 0] >= _logit(_LINE_LIKELY))
    )
    kept[0] = False
    if keep is not None:
        kept &= _outside(labels, stats, extents, resize(keep, small, "linear") > 0.5)
    if skin is not None:
        on_skin = np.bincount(labels[resize(skin, small, "linear") > 0.5], minlength=len(kept))
        dark = _darker(work, labels, len(kept))
        mole = _peaks(thin, labels, count) < float(np.interp(sensitivity, (0, 0.5, 1), _SURE_ON_SKIN))
        short = extents[:, 0] < _LONG * extents[:, 1]
        kept &= ~(dark & short & mole & (on_skin > 0.5 * stats[:, cv2.CC_STAT_AREA]))
    long = kept & (extents[:, 0] >= _LONG * np.maximum(extents[:, 1], 1.5)) & (extents[:, 0] >= 8)
    mask, faint = kept[labels], float(np.interp(sensitivity, (0, 0.5, 1), _FAINT))
    if faint < _ON:
        mask |= _reached(thin > faint, mask) & (labels == 0)
    if mask.shape != (height, width):
        whole = Size(width, height)
        # Where damage is likely, at the picture's own size, near the marks that were kept.
        mask = resize(shares.thin * _grown(mask), whole, "linear") > faint
        missing = resize(missing.astype(np.float32), whole, "linear") > 0.5
    return Marks(
        mask=mask,
        missing=missing,
        scratches=int(long.sum()),
        specks=int((kept & ~long).sum()),
        pieces=pieces,
    )


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _reached(flags: _Flags, seeds: _Flags) -> _Flags:
    """Patches of ``flags`` that hold a seed."""
    count, labels, _ = _components(flags)
    reached = np.zeros(count, np.bool_)
    reached[labels[seeds]] = True
    reached[0] = False
    return reached[labels]


def tokens_of(grey: _Map, thin: _Map, labels: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """What tells damage from what belongs to the picture, of each patch (count x 2).

    Args:
        grey: H x W luma.
        thin: H x W, how likely damage is.
        labels: H x W, the number of the patch that a pixel is part of, 0 for none.
        count: of patches, none among them.

    Returns:
        The logarithm of how likely damage is against not, by the mean over the patch; and the logarithm of how uneven the
        surroundings are.
    """
    names = labels.ravel()
    mean = np.bincount(names, weights=thin.ravel(), minlength=count) / np.maximum(
        np.bincount(names, minlength=count), 1
    )
    mean = np.clip(mean, 1e-4, 1 - 1e-4)
    # Surroundings that grow lighter to one side are even.
    outside, reach = (labels == 0).astype(np.float32), 0.7 * _AROUND
    smooth = gaussian_blur(grey, 0.8)
    level = gaussian_blur(smooth * outside, reach) / np.maximum(gaussian_blur(outside, reach), 1e-3)
    off = (smooth - level).ravel().astype(np.float64)
    # Of two patches beside one another the later one has what lies between; few do.
    kernel = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _AROUND + 1, 2 * _AROUND + 1)))
    near = np.asarray(cv2.dilate(labels.astype(np.float32), kernel), np.intp)
    ring = np.where(_grown(labels > 0), 0, near).ravel()
    pixels = np.maximum(np.bincount(ring, minlength=count), 1)
    middle = np.bincount(ring, weights=off, minlength=count) / pixels
    uneven = np.sqrt(np.maximum(np.bincount(ring, weights=off * off, minlength=count) / pixels - middle * middle, 0))
    return np.stack([np.log(mean / (1 - mean)), np.log(uneven + _UNEVEN_LEAST)], axis=1)


def _peaks(thin: _Map, labels: NDArray[np.intp], count: int) -> _Map:
    peaks = np.zeros(count, np.float32)
    np.maximum.at(peaks, labels.ravel(), thin.ravel())
    return peaks


def _lines(grey: _Map, labels: NDArray[np.intp], stats: NDArray[np.int32], asked: _Flags) -> _Flags:
    """Which of the patches asked for have even surroundings in most of their sections."""
    found = np.zeros(len(stats), np.bool_)
    smooth = gaussian_blur(grey, 0.8)
    around = disc(_AROUND)
    for number in np.flatnonzero(asked[1:]) + 1:
        left, top, width, height = (int(value) for value in stats[number, :4])
        rows = slice(max(0, top - _AROUND), top + height + _AROUND)
        columns = slice(max(0, left - _AROUND), left + width + _AROUND)
        part = labels[rows, columns]
        near = np.asarray(cv2.dilate((part == number).astype(np.uint8), around)) > 0
        ys, xs = np.nonzero(near & ~_grown(part > 0))
        sections = (ys // _SECTION) * (part.shape[1] // _SECTION + 1) + xs // _SECTION
        tones = smooth[rows, columns][ys, xs].astype(np.float64)
        pixels = np.maximum(np.bincount(sections), 1)
        mean = np.bincount(sections, weights=tones) / pixels
        uneven = np.sqrt(np.maximum(np.bincount(sections, weights=tones * tones) / pixels - mean * mean, 0))
        counted = pixels >= _SECTION_LEAST
        even = int(pixels[counted & (uneven <= _LINE_EVEN)].sum())
        found[number] = even > int(pixels[counted].sum()) / 2
    return found


def _pieces(shares: MarkShares, grey: _Map, sure: float) -> tuple[_Flags, int]:
    """Missing pieces: large, and at the picture's border. Wide ones, seen on the smallest copies, are paper."""
    found = _at_border(shares.missing, sure) | _paper(grey, _at_border(shares.wide, sure))
    count, labels, _ = _components(found)
    for number in range(1, count):
        found |= _as_far_as_its_tone(grey, labels == number)
    return found, count - 1


def _at_border(missing: _Map, sure: float) -> _Flags:
    likely = missing > _ON_MISSING * sure
    _, labels, stats = _components(_reached(likely, missing > sure))
    height, width = likely.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    kept = (left <= 1) | (top <= 1) | (right >= width - 1) | (bottom >= height - 1)
    kept &= stats[:, cv2.CC_STAT_AREA] >= _LEAST_MISSING * height * width
    kept[0] = False
    return kept[labels]


def _as_far_as_its_tone(grey: _Map, own: _Flags) -> _Flags:
    """A piece of light paper, up to where that ends: what is left along a break would be spread over what is filled."""
    tone = np.median(grey[own])
    if np.median(np.abs(grey[own] - tone)) > _PAPER:
        return own
    whole = _reached(own | (np.abs(grey - tone) <= _SAME_TONE), own)
    beside = _grown(whole, 4) & ~_grown(whole)
    if whole.sum() > _MOST * own.sum() or not beside.any() or tone - np.median(grey[beside]) < _PAPER_LIGHTER:
        return own
    return _grown(whole)  # the break itself is soft


def _paper(grey: _Map, flags: _Flags) -> _Flags:
    """Corners of one tone that are lighter than what lies beside them and than the mirrored places of the picture."""
    count, labels, _ = _components(flags)
    kept = np.zeros(count, np.bool_)
    # A picture may be one pixel wide.
    corners = labels[np.ix_(*(np.clip((0, 1, side - 2, side - 1), 0, side - 1) for side in labels.shape))]
    for number in np.unique(corners[corners > 0]):
        own = labels == number
        inner = np.asarray(cv2.erode(own.astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
        beside = _grown(own, 4) & ~_grown(own)
        if not inner.any() or not beside.any():
            continue
        tone = np.median(grey[inner])
        others = [np.median(mirrored[inner]) for mirrored in (grey[:, ::-1], grey[::-1])]
        kept[number] = (
            np.median(np.abs(grey[inner] - tone)) <= _PAPER
            and tone - np.median(grey[beside]) >= _PAPER_LIGHTER
            and tone - max(others) >= _PAPER_AGAIN
        )
    return kept[labels]


def _grown(flags: _Flags, radius: int = 1) -> _Flags:
    side = 2 * radius + 1
    return np.asarray(cv2.dilate(flags.astype(np.uint8), np.ones((side, side), np.uint8))) > 0


def _extents(labels: NDArray[np.intp], stats: NDArray[np.int32]) -> NDArray[np.float64]:
    """Length and width of every patch, px: those of a rectangle with the same second moments, and of no larger area."""
    ys, xs = np.nonzero(labels)
    names, count = labels[ys, xs], len(stats)
    area = np.maximum(np.bincount(names, minlength=count), 1).astype(np.float64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(names, weights=values, minlength=count) / area

    mx, my = mean(xs.astype(np.float64)), mean(ys.astype(np.float64))
    dx, dy = xs - mx[names], ys - my[names]
    # A pixel has a width of its own.
    xx, yy, xy = mean(dx * dx) + 1 / 12, mean(dy * dy) + 1 / 12, mean(dx * dy)
    root = np.sqrt(np.square((xx - yy) / 2) + xy * xy)
    length = np.sqrt(12 * ((xx + yy) / 2 + root))
    width = np.minimum(np.sqrt(12 * np.maximum((xx + yy) / 2 - root, 1 / 12)), area / np.maximum(length, 1))
    return np.stack([length, np.maximum(width, 1)], axis=1)


def _outside(
    labels: NDArray[np.intp], stats: NDArray[np.int32], extents: NDArray[np.float64], kept_places: _Flags
) -> _Flags:
    """Patches that lie outside of protected places, or come from far outside."""
    area = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    inside = np.bincount(labels[kept_places], minlength=len(stats)) / area
    reach = max(20.0, 0.05 * max(labels.shape))
    return (inside <= _QUARTER) | ((inside <= 0.6) & ((1 - inside) * extents[:, 0] >= reach))


def _darker(grey: _Map, labels: NDArray[np.intp], count: int) -> _Flags:
    """Patches that are darker than what lies around them."""
    outside = (labels == 0).astype(np.float32)
    around = gaussian_blur(grey * outside, 4.0) / np.maximum(gaussian_blur(outside, 4.0), 1e-3)
    step = np.bincount(labels.ravel(), weights=(grey - around).ravel(), minlength=count)
    return step < 0


def _components(flags: _Flags) -> tuple[int, NDArray[np.intp], NDArray[np.int32]]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=8)
    return count, np.asarray(labels, dtype=np.intp), np.asarray(stats, dtype=np.int32)
