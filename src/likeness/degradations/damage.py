"""What age and accidents do to a print or a film, drawn at known places: to learn from, and to measure by.

Each piece of damage has an opacity at every pixel and a colour of its own, so that what it hides is known. Scratches are
straight or nearly so and wander in width and opacity; hairs are fibres under the scanner's glass; folds go through the whole
picture and have crumbled in places; tears come in from a border; a missing corner shows the scanner's lid or its darkness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.imaging.colour import LUMA
from likeness.imaging.filters import box_around, gaussian_blur, to_channels

__all__ = ["DAMAGE_KINDS", "MISSING", "DamageKind", "DamagePiece", "Damaged", "draw_damage"]

DamageKind: TypeAlias = Literal["scratch", "curve", "hair", "speck", "fold", "tear", "corner"]

DAMAGE_KINDS: tuple[DamageKind, ...] = get_args(DamageKind)

MISSING: tuple[DamageKind, ...] = ("corner",)
"""Kinds where a piece of the picture is gone; the others are thin."""

_SEEN = 0.06
"""A pixel whose luma or colour damage changes by less is not damaged to the eye: white on white."""

_Map: TypeAlias = NDArray[np.float32]
_Pixels: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class DamagePiece:
    """One scratch, speck, fold, ...

    Attributes:
        kind: what it is.
        seen: H x W, the pixels that it visibly changes.
        lighter: whether it is lighter than what it lies on.
    """

    kind: DamageKind
    seen: NDArray[np.bool_]
    lighter: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Damaged:
    """A damaged picture and the truth about it.

    Attributes:
        pixels: H x W x 3 in [0, 1].
        pieces: every piece of damage of which anything can be seen.
        touched: H x W, whatever damage may have changed, however faintly; outside the pieces neither sound nor damaged.
    """

    pixels: _Pixels
    pieces: tuple[DamagePiece, ...]
    touched: NDArray[np.bool_]


def draw_damage(
    pixels: _Pixels,
    counts: Mapping[DamageKind, int],
    rng: Generator,
    *,
    unit: float = 1.0,
    blur: float = 0.5,
    span: float | None = None,
) -> Damaged:
    """Damage a picture.

    Args:
        pixels: H x W x 3 in [0, 1], at least 32 px each way.
        counts: how many pieces of each kind.
        rng: decides all.
        unit: widths are multiplied by it; at 1 a scratch is 0.7 to 3 px wide.
        blur: sigma in px of the scanner's lens, over the damage's edges.
        span: longest side in px of the whole picture of which this is a part, which scratches and curves are as long as a
            share of; None for the longest side of this one.
    """
    x = pixels.astype(np.float32, copy=True)
    pieces: list[DamagePiece] = []
    touched = np.zeros(x.shape[:2], np.bool_)
    span = float(max(x.shape[:2])) if span is None else span
    order: list[DamageKind] = [kind for kind in DAMAGE_KINDS for _ in range(counts.get(kind, 0))]
    # Folds and missing corners are older than the dust on top.
    for kind in reversed(order):
        drawn = _DRAW[kind](x, unit, span, rng)
        window = box_around(drawn.alpha, math.ceil(3 * blur) + 1) if drawn.shade is None else _WHOLE
        alpha = np.clip(gaussian_blur(drawn.alpha, blur)[window], 0, 1)
        colour = drawn.colour if drawn.colour.ndim == 1 else drawn.colour[window]
        whole = x[window].copy()
        before = whole if drawn.shade is None else np.clip(whole + to_channels(drawn.shade), 0, 1)
        after = before + to_channels(alpha) * (colour - before)
        x[window] = after
        change = np.asarray(cv2.reduce(np.abs(after - whole).reshape(-1, 3), 1, cv2.REDUCE_MAX)).reshape(alpha.shape)
        here = (alpha > 0.2) & (change > _SEEN)
        touched[window] |= change > 0.4 * _SEEN
        if here.any():
            lighter = float(((after - whole)[here] @ LUMA.astype(np.float32)).mean()) > 0
            seen = np.zeros(touched.shape, np.bool_)
            seen[window] = here
            pieces.append(DamagePiece(kind=kind, seen=seen, lighter=lighter))
    return Damaged(pixels=np.clip(x, 0, 1), pieces=tuple(pieces), touched=touched)


_WHOLE = (slice(None), slice(None))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawn:
    """Opacity H x W, the colour to show through it (3, or H x W x 3), and light or shadow beside it, which hides nothing."""

    alpha: _Map
    colour: _Pixels
    shade: _Map | None = None


def _scratch(x: _Pixels, unit: float, span: float, rng: Generator) -> _Drawn:
    height, width = x.shape[:2]
    length = float(rng.uniform(0.15, 1.1)) * span
    # Film is scratched along its way; prints in any direction.
    angle = float(rng.normal(np.pi / 2, 0.06)) if rng.random() < 0.4 else float(rng.uniform(0, np.pi))
    steps = max(8, int(length / 12))
    wobble = np.cumsum(rng.normal(0, 0.25 * unit, steps)) * float(rng.random() < 0.7)
    points = _along(rng.uniform(0, 1, 2) * (width, height), angle, length, steps, wobble)
    alpha = np.zeros((height, width), np.float32)
    for shift in rng.uniform(-12, 12, int(rng.integers(1, 4))) * unit if rng.random() < 0.2 else (0.0,):
        aside = np.array([-np.sin(angle), np.cos(angle)]) * shift
        _stroke(alpha, points + aside, float(rng.uniform(0.6, 3.0)) * unit, rng)
    return _Drawn(alpha=alpha, colour=_colour(x, alpha, rng))


def _curve(x: _Pixels, unit: float, span: float, rng: Generator) -> _Drawn:
    """A scratch or a crease that bends."""
    height, width = x.shape[:2]
    length = float(rng.uniform(0.15, 0.8)) * span
    steps = max(8, int(length / 8))
    bend = np.cumsum(rng.normal(0, 0.02, steps)) + float(rng.normal(0, 0.01))
    points = _walk(rng.uniform(0.05, 0.95, 2) * (width, height), float(rng.uniform(0, 2 * np.pi)), length, bend)
    alpha = np.zeros((height, width), np.float32)
    _stroke(alpha, points, float(rng.uniform(0.6, 2.5)) * unit, rng)
    return _Drawn(alpha=alpha, colour=_colour(x, alpha, rng))


def _hair(x: _Pixels, unit: float, _span: float, rng: Generator) -> _Drawn:
    height, width = x.shape[:2]
    length = float(rng.uniform(18, 140)) * unit
    steps = max(8, int(length / (3 * unit)))
    bend = np.cumsum(rng.normal(0, 0.05, steps)) + float(rng.normal(0, 0.04))
    points = _walk(rng.uniform(0.03, 0.97, 2) * (width, height), float(rng.uniform(0, 2 * np.pi)), length, bend)
    alpha = np.zeros((height, width), np.float32)
    _stroke(alpha, points, float(rng.uniform(0.6, 1.9)) * unit, rng, broken=False)
    return _Drawn(alpha=alpha, colour=_colour(x, alpha, rng))


def _speck(x: _Pixels, unit: float, _span: float, rng: Generator) -> _Drawn:
    height, width = x.shape[:2]
    radius = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0)))) * unit
    reach = int(np.ceil(3 * radius)) + 2
    side = 2 * reach + 1
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    turn, stretch = float(rng.uniform(0, np.pi)), float(rng.uniform(0.45, 1.0))
    u, v = across * np.cos(turn) + down * np.sin(turn), (down * np.cos(turn) - across * np.sin(turn)) / stretch
    field = radius - np.hypot(u, v)
    if radius > 1.5:
        # Torn outlines: an outline that a smooth random field pushes in and out.
        rough = gaussian_blur(rng.standard_normal((side, side), dtype=np.float32), 0.5 * radius)
        field = field + rough * np.float32(rng.uniform(0, 0.45) * radius / max(float(rough.std()), 1e-6))
    spot = np.clip(field + 0.5, 0, 1) * np.float32(rng.uniform(0.5, 1.0))
    alpha = np.zeros((height, width), np.float32)
    cx, cy = int(rng.integers(width)), int(rng.integers(height))
    top, left = max(0, cy - reach), max(0, cx - reach)
    bottom, right = min(height, cy + reach + 1), min(width, cx + reach + 1)
    alpha[top:bottom, left:right] = spot[top - cy + reach : bottom - cy + reach, left - cx + reach : right - cx + reach]
    return _Drawn(alpha=alpha, colour=_colour(x, alpha, rng))


def _fold(x: _Pixels, unit: float, _span: float, rng: Generator) -> _Drawn:
    height, width = x.shape[:2]
    upright = rng.random() < 0.5
    angle = float(rng.normal(np.pi / 2 if upright else 0.0, 0.05 if rng.random() < 0.6 else 0.5))
    reach = 1.5 * float(np.hypot(height, width))
    steps = max(12, int(reach / 10))
    wobble = np.cumsum(rng.normal(0, 0.3 * unit, steps))
    points = _along(rng.uniform(0.1, 0.9, 2) * (width, height), angle, reach, steps, wobble - wobble.mean())
    core = np.zeros((height, width), np.float32)
    _line(core, points, max(1.0, float(rng.uniform(0.8, 2.0)) * unit), 1.0)
    wide = np.zeros((height, width), np.float32)
    _line(wide, points, float(rng.uniform(3.0, 9.0)) * unit, 1.0)
    # Emulsion that has crumbled off beside the line, here and there.
    rough = gaussian_blur(rng.standard_normal((height, width), dtype=np.float32), float(rng.uniform(0.8, 2.5)) * unit)
    rough /= np.float32(max(float(rough.std()), 1e-6))
    crumbled = wide * (rough > rng.uniform(0.3, 1.6))
    alpha = np.maximum(core * np.float32(rng.uniform(0.5, 1.0)), crumbled.astype(np.float32))
    # The paper is bent: one side is lit, the other in shadow.
    across = np.zeros((height, width), np.float32)
    _line(across, points + np.array([-np.sin(angle), np.cos(angle)]) * 4 * unit, 5 * unit, 1.0)
    shade = gaussian_blur(across, 3 * unit) - gaussian_blur(wide, 5 * unit)
    return _Drawn(
        alpha=alpha, colour=_colour(x, alpha, rng, light=0.8), shade=shade * np.float32(rng.uniform(-0.12, 0.12))
    )


def _tear(x: _Pixels, unit: float, _span: float, rng: Generator) -> _Drawn:
    """A wedge from a border inward, widest there, that shows paper or what lies behind it."""
    height, width = x.shape[:2]
    start, inward = _on_border(height, width, rng)
    angle = inward + float(rng.normal(0, 0.45))
    length = float(rng.uniform(0.12, 0.55)) * min(height, width)
    steps = max(6, int(length / (5 * unit)))
    wobble = np.cumsum(rng.normal(0, 1.3 * unit, steps))
    points = _along(start, angle, length, steps, wobble - wobble[0], centred=False)
    opening = float(rng.uniform(2.0, 11.0)) * unit
    aside = np.array([-np.sin(angle), np.cos(angle)])
    taper = np.linspace(1, 0.04, steps)[:, None] * opening / 2
    rough = rng.normal(0, 0.6 * unit, (2, steps, 1))
    outline = np.concatenate([points + aside * (taper + rough[0]), (points - aside * (taper + rough[1]))[::-1]])
    alpha = np.zeros((height, width), np.float32)
    cv2.fillPoly(alpha, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    _line(alpha, points, max(1.0, unit), 1.0)
    return _Drawn(alpha=alpha, colour=_paper(x, alpha, rng))


def _corner(x: _Pixels, unit: float, _span: float, rng: Generator) -> _Drawn:
    height, width = x.shape[:2]
    along = rng.uniform(0.06, 0.3, 2) * (width, height)
    steps = max(6, int(float(along.sum()) / (8 * unit)))
    line = np.linspace((along[0], 0.0), (0.0, along[1]), steps)
    away = np.array([along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    rough = np.cumsum(rng.normal(0, 1.2 * unit, steps))
    rough = rough - np.linspace(rough[0], rough[-1], steps) + rng.normal(0, 0.7 * unit, steps)
    belly = float(rng.normal(0, 0.12)) * np.hypot(*along) * np.sin(np.linspace(0, np.pi, steps))
    line = line + away * (rough + belly)[:, None]
    outline = np.concatenate([line, [(-4.0, along[1]), (-4.0, -4.0), (along[0], -4.0)]])
    if rng.random() < 0.5:
        outline[:, 0] = width - 1 - outline[:, 0]
    if rng.random() < 0.5:
        outline[:, 1] = height - 1 - outline[:, 1]
    alpha = np.zeros((height, width), np.float32)
    cv2.fillPoly(alpha, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    colour = _paper(x, alpha, rng)
    if rng.random() < 0.5:
        # The paper's own thickness along the break.
        rim = alpha - np.asarray(cv2.erode(alpha, np.ones((3, 3), np.uint8)), np.float32)
        colour = np.clip(colour + (rim * np.float32(rng.uniform(-0.4, 0.4)))[:, :, None], 0, 1)
    return _Drawn(alpha=alpha, colour=colour)


_DRAW: dict[DamageKind, Callable[[_Pixels, float, float, Generator], _Drawn]] = {
    "scratch": _scratch,
    "curve": _curve,
    "hair": _hair,
    "speck": _speck,
    "fold": _fold,
    "tear": _tear,
    "corner": _corner,
}


def _along(
    at: NDArray[np.float64],
    angle: float,
    length: float,
    steps: int,
    wobble: NDArray[np.float64],
    *,
    centred: bool = True,
) -> NDArray[np.float64]:
    """Points of a line through ``at`` (or from it on), each pushed sideways."""
    ahead, aside = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    way = np.linspace(-0.5 if centred else 0.0, 0.5 if centred else 1.0, steps) * length
    return at + way[:, None] * ahead + wobble[:, None] * aside


def _walk(at: NDArray[np.float64], angle: float, length: float, bend: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a line from ``at`` on that turns by ``bend`` at each step."""
    turns = angle + np.cumsum(bend)
    step = length / len(bend)
    return at + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)


def _line(layer: _Map, points: NDArray[np.float64], width: float, value: float) -> None:
    """A line, at least as opaque as what is there."""
    drawn = np.zeros_like(layer)
    thick = max(1, round(width))
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(drawn, [fixed], False, (value * min(1.0, width / thick),), thick, cv2.LINE_AA, 4)
    np.maximum(layer, drawn, out=layer)


def _stroke(layer: _Map, points: NDArray[np.float64], width: float, rng: Generator, *, broken: bool = True) -> None:
    """A line whose opacity and width change along its way, and that may stop and go on."""
    pieces = max(1, min(len(points) // 3, int(rng.integers(1, 9))))
    edges = np.linspace(0, len(points) - 1, pieces + 1).round().astype(int)
    strength = float(rng.uniform(0.45, 1.0))
    for first, last in pairwise(edges.tolist()):
        if broken and pieces > 2 and rng.random() < 0.12:
            continue
        share = strength * float(rng.uniform(0.6, 1.0))
        _line(layer, points[first : last + 1], width * float(rng.uniform(0.8, 1.2)), share)


def _colour(x: _Pixels, alpha: _Map, rng: Generator, *, light: float = 0.6) -> _Pixels:
    """A colour that is lighter or darker than what it lies on, as far as there is room: 3 values."""
    on = x[alpha > 0.3]
    ground = on.mean(axis=0) if len(on) else np.full(3, 0.5, np.float32)
    level = float(ground @ LUMA)
    lighter = rng.random() < light
    if (0.9 - level if lighter else level - 0.1) < 0.15:
        lighter = not lighter
    room = (1.0 - level) if lighter else level
    step = max(0.14, float(rng.uniform(0.3, 1.0)) * room)
    target = level + step if lighter else level - step
    grey = np.full(3, target)
    # Scratches go through one layer of a colour film after the other; otherwise dust has no colour of its own.
    tinted = ground * (target / max(level, 0.05)) if rng.random() < 0.5 else grey
    if rng.random() < 0.12:
        tinted = tinted + rng.normal(0, 0.12, 3)
    return np.clip(tinted, 0, 1).astype(np.float32)


def _paper(x: _Pixels, alpha: _Map, rng: Generator) -> _Pixels:
    """Bare paper, the scanner's lid, or darkness, with a little texture: H x W x 3."""
    on = x[alpha > 0.3]
    level = float((on @ LUMA.astype(np.float32)).mean()) if len(on) else 0.5
    light = level < 0.6 if rng.random() < 0.8 else level < 0.3
    tone = float(rng.uniform(0.82, 1.0)) if light else float(rng.uniform(0.0, 0.18))
    tint = np.array([1.0, 1.0, 1.0]) if rng.random() < 0.6 else np.array([1.0, 0.97, 0.88])
    grain = rng.standard_normal((*alpha.shape, 1), dtype=np.float32) * np.float32(rng.uniform(0, 0.015))
    slope = np.linspace(0, float(rng.normal(0, 0.05)), alpha.shape[1], dtype=np.float32)[None, :, None]
    return np.clip((tone * tint).astype(np.float32) + grain + slope, 0, 1).astype(np.float32)


def _on_border(height: int, width: int, rng: Generator) -> tuple[NDArray[np.float64], float]:
    """A place on the picture's border, and the direction straight inward."""
    side, share = int(rng.integers(4)), float(rng.uniform(0.1, 0.9))
    places = ((share * width, 0.0), (width - 1.0, share * height), (share * width, height - 1.0), (0.0, share * height))
    return np.array(places[side]), (np.pi / 2, np.pi, -np.pi / 2, 0.0)[side]
