"""Lenses that cannot be seen through: behind them are no eyes to restore, and the photograph stays.

Some are told by the network that sees spectacles. Others are known by the skin under an eye, which a clear lens shows as
light as the cheek under the lens, and sunglasses do not, however blurred. Bright mirrors are known by colours that no skin
has where the network may see spectacles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import FFHQ_TEMPLATE, TEMPLATE_SIZE
from likeness.faces.lenses import eye_middles, mean_lenses
from likeness.faces.outlines import EYE_OUTLINES, filled
from likeness.imaging.filters import disc, gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["SEEN", "are_eyes_hidden", "as_seen", "dark_lenses", "is_worn"]

_Map = NDArray[np.float32]
_Eyes = NDArray[np.floating[Any]]

SEEN = (0.3, 0.6)
"""From which share of the region a place shows spectacles, and from which surely."""

_SIDE = 128
"""Side at which lenses are looked for."""

_LENS = 16.0
"""Half of the width from which what is told to be spectacles is no rim but a lens, px of a crop of 512."""

_BOTH = (0.1, 0.3)
"""Share of the less sure lens, from which on both are believed: where one alone is told, it is a socket in the shade."""

_DARK = (-0.75, -0.6)
"""How dark it is under the eyes within the lenses, beside the cheeks under them (logarithm, mean of both): up to which
lenses surely cannot be seen through, and from which on they can. It is -2.9 to -0.6 of 11 wearers of sunglasses, and -0.57
at least of 583 others, with spectacles or without."""

_MAYBE, _FOREIGN = (0.22, 0.28), (0.24, 0.30)
"""Medians within both lenses, from which on they may be mirrors, and surely: the share that the network gives to spectacles,
and how far the colours are from those of the cheeks (ratios to green, logarithm). One wearer of bright mirrors has 0.26 to
0.45 and 0.32 to 0.41; of 583 others none has more than 0.19 and 0.29 at once."""

_MIRROR = 0.9
"""How far from its middle a mirror reaches, in mean lenses."""

_INNER = 0.72
"""How far from its middle what is surely within a lens reaches, in mean lenses."""

_REACH, _OPENED = 1.5, 2.0
"""How far from its middle a dark lens reaches, in mean lenses, and half of the width of what is a rim and no lens."""

_CORE, _EDGE = 0.5, 0.5
"""How far from the middle a lens is at least, in mean lenses; and how wide its edge is, px of 128."""

_APART = 15.0
"""How far apart eyes are at least, px of 128: in a profile one of them is not to be seen."""

_NEAR = 6.0
"""How near the eyes of the mesh are to those of an aligned crop where both tell the same, px of 512."""

_TRACE = 0.01
"""A lens less likely than this is none."""

_LEAST = 0.001
"""Share of the crop that rims take at least: the thinnest that are seen have six times that; dark sockets seldom have it."""

_HIDDEN = 0.5
"""Share of an eye behind a lens that cannot be seen through, from which on it is hidden. Of 5 wearers of sunglasses it is
0.65 to 1, of 49 of clear spectacles 0."""

_SOFT = 0.5
"""Sigma of a lens' edge, px of 128."""


def dark_lenses(crop: Pixels, told: _Map, points: NDArray[np.float32], blur: float) -> _Map | None:
    """S x S in [0, 1]: where a lens cannot be seen through; None if nowhere.

    Its edge, which a restoration draws sharp, is left out as far as the photograph's blur reaches.

    Args:
        crop: S x S x 3 in [0, 1].
        told: the region of spectacles, T x T in [0, 1].
        points: 478 x 2, the mesh in its pixels.
        blur: the photograph's, sigma as a share of the crop.
    """
    side = crop.shape[0]
    size, grid = Size(_SIDE, _SIDE), _SIDE / side
    small, spectacles = resize(crop, size, "area"), resize(told, size, "area")
    lens = cv2.morphologyEx(as_seen(spectacles), cv2.MORPH_OPEN, disc(_LENS * _SIDE / 512))
    # The mesh guesses where eyes are that it cannot see, at times far from a lens; but the crop was laid by the eyes.
    template = FFHQ_TEMPLATE[:2] * (side / TEMPLATE_SIZE)
    mesh = eye_middles(points)
    lens = np.asarray(lens, np.float32)
    lens *= np.float32(_on_both(lens, (mesh + 0.5) * grid - 0.5))
    for eyes in (mesh, template) if float(np.abs(mesh - template).max()) > _NEAR * side / 512 else (mesh,):
        lens = np.maximum(lens, _about(small, spectacles, (eyes + 0.5) * grid - 0.5, blur * _SIDE))
    if float(lens.max()) < _TRACE:
        return None
    soft = gaussian_blur(np.asarray(lens, np.float32), _SOFT)
    return np.clip(resize(soft, Size(side, side), "linear"), 0, 1)


def is_worn(told: _Map) -> bool:
    """Whether the region of spectacles shows any."""
    return float((told > sum(SEEN) / 2).mean()) >= _LEAST


def are_eyes_hidden(crop: Pixels, told: _Map, points: NDArray[np.float32], blur: float) -> bool:
    """Whether dark lenses hide both eyes; arguments as of `dark_lenses`."""
    lens = dark_lenses(crop, told, points, blur) if is_worn(told) else None
    if lens is None:
        return False
    eyes = [filled([points[list(outline), :2]], lens.shape[0]) > 0.5 for outline in EYE_OUTLINES]
    return all(eye.any() and float(lens[eye].mean()) > _HIDDEN for eye in eyes)


def as_seen(glasses: _Map) -> _Map:
    """What of the region of spectacles surely shows some, in [0, 1]."""
    return np.clip((glasses - SEEN[0]) / (SEEN[1] - SEEN[0]), 0, 1)


def _on_both(lens: _Map, eyes: _Eyes) -> float:
    """How surely a lens is told about either eye, 0 to 1; 1 where only one eye is to be seen."""
    if float(np.hypot(*(eyes[1] - eyes[0]))) < _APART:
        return 1.0
    inner = [np.hypot(u, v) < _INNER for u, v in _lens_places(lens, eyes)]
    if not all(where.any() for where in inner):
        return 1.0  # the other lies outside the crop
    return _rising(min(float(lens[where].mean()) for where in inner), *_BOTH)


def _about(small: Pixels, spectacles: _Map, eyes: _Eyes, blur: float) -> _Map:
    """Where lenses about these eyes are dark or mirrors, in [0, 1]."""
    found = np.zeros_like(spectacles)
    if float(np.hypot(*(eyes[1] - eyes[0]))) < _APART:
        return found
    light = np.log(small + np.float32(0.02)).mean(axis=2)
    logs = np.log(gaussian_blur(small, 1.0) + np.float32(0.04))
    colours = logs[..., [0, 2]] - logs[..., 1:2]
    radii: list[_Map] = []
    over: list[_Map] = []
    depths: list[float] = []
    foreign: list[float] = []
    maybe: list[float] = []
    for u, v in _lens_places(spectacles, eyes):
        radius = np.hypot(u, v)
        inner = radius < _INNER
        under_eye = (v > 0.15) & inner & (np.abs(u) < 0.6)
        cheek = (v > 1.35) & (v < 2.1) & (np.abs(u + 0.1) < 0.5)
        if not under_eye.any() or not cheek.any():
            return found
        skin = float(np.median(light[cheek]))
        depths.append(float(np.median(light[under_eye])) - skin)
        # Darker than half way to what is under the eye: the lens with its rim, and no skin.
        over.append(light - (skin + depths[-1] / 2))
        radii.append(radius)
        apart = colours[inner] - np.median(colours[cheek], axis=0)
        foreign.append(float(np.median(np.hypot(apart[:, 0], apart[:, 1]))))
        maybe.append(float(np.median(spectacles[inner])))
    dark = 1 - _rising(sum(depths) / 2, *_DARK)
    mirror = _rising(min(maybe), *_MAYBE) * _rising(min(foreign), *_FOREIGN)
    for radius, lighter in zip(radii, over, strict=True):
        if dark > 0:
            area = ((radius < _REACH) & (lighter < 0)).astype(np.float32)
            area = cv2.morphologyEx(area, cv2.MORPH_CLOSE, disc(_OPENED))
            whole = _reaching(cv2.morphologyEx(area, cv2.MORPH_OPEN, disc(_OPENED)) > 0, radius < _CORE)
            found = np.maximum(found, np.float32(dark) * _within(whole, blur))
        if mirror > 0:
            whole = (radius < _MIRROR).astype(np.float32)
            found = np.maximum(found, np.float32(mirror) * _within(whole, blur))
    return found


def _lens_places(area: _Map, eyes: _Eyes) -> Iterator[tuple[_Map, _Map]]:
    """For either mean lens about these eyes: how far outward and down from its middle each place is, in half lenses."""
    y, x = np.indices(area.shape, np.float32)
    for middle, (outward, down) in zip(*mean_lenses(eyes), strict=True):
        u, v = (((x - middle[0]) * way[0] + (y - middle[1]) * way[1]) / float(way @ way) for way in (outward, down))
        yield u, v


def _within(lens: _Map, blur: float) -> _Map:
    """A lens without its edge."""
    return gaussian_blur(np.asarray(cv2.erode(lens, disc(_EDGE + blur)), np.float32), (_EDGE + blur) / 2)


def _reaching(area: NDArray[np.bool_], core: NDArray[np.bool_]) -> _Map:
    """The parts of an area that reach into the core."""
    _, numbers = cv2.connectedComponents(area.astype(np.uint8), connectivity=4)
    found = np.asarray(numbers, dtype=np.int64)
    reached = np.bincount(found[core], minlength=int(found.max()) + 1) > 0
    reached[0] = False
    return reached[found].astype(np.float32)


def _rising(x: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on."""
    return min(max((x - low) / (high - low), 0.0), 1.0)
