"""What looks like damage and is none: drawn into the sound side of what the finder of marks learns from.

Portraits that are cut close show few buttons, lapels, braids, sword edges or window bars, and these were taken for dust and
scratches. Each is drawn as what it is: a button is shaded, closed, and one of a row; a braid runs along a cloth's edge and
beside its like; a rim ends at another edge; a fold of cloth is sharp on one side and fades on the other. They are drawn
before the picture is made to look old, so that they are as soft and as grainy as all that the camera saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["draw_lookalikes"]

_Map = NDArray[np.float32]
_Points = NDArray[np.float64]


def draw_lookalikes(x: Pixels, rng: Generator) -> Pixels:
    """Draw one to three such things into a part of a picture (H x W x 3 in [0, 1])."""
    for _ in range(int(rng.integers(1, 4))):
        x = _DRAW[int(rng.choice(len(_DRAW), p=_OFTEN))](x, rng)
    return np.clip(x, 0, 1).astype(np.float32)


def _cloth(x: Pixels, rng: Generator) -> Pixels:
    """Lapels, collars and seams: a smooth curve on whose one side the cloth has another tone, and a lit or shaded rim."""
    curve = _curve(x, rng)
    cloth = _beside(x, curve, rng)
    step = float(rng.choice((-1, 1))) * float(rng.uniform(0.12, 0.7))
    x = _add(x, gaussian_blur(cloth, float(rng.uniform(0.4, 1.5))), step)
    if rng.random() < 0.7:
        rim = _drawn(x, curve, int(rng.integers(1, 5)))
        x = _add(
            x, gaussian_blur(rim, float(rng.uniform(0.4, 1.2))) * _patchy(x, rng), step * float(rng.uniform(-1.5, 1.5))
        )
    return x


def _fold(x: Pixels, rng: Generator) -> Pixels:
    """A fold of cloth: light, or shadow, that begins at a line and fades away from it, here stronger and there weaker."""
    curve = _curve(x, rng)
    beside = _beside(x, curve, rng)
    away = np.asarray(cv2.distanceTransform((beside > 0.5).astype(np.uint8), cv2.DIST_L2, 3), np.float32)
    fading = np.exp(-away / np.float32(rng.uniform(1.0, 7.0))) * (beside > 0.5)
    strength = float(rng.choice((-1, 1))) * float(rng.uniform(0.25, 0.9))
    return _add(x, gaussian_blur(fading.astype(np.float32), float(rng.uniform(0.5, 1.3))) * _patchy(x, rng), strength)


def _buttons(x: Pixels, rng: Generator) -> Pixels:
    """Buttons, badges and studs in a row: domes with a rim, a glint and a shadow; now and then one alone, on a ribbon."""
    side = x.shape[0]
    radius = float(np.exp(rng.uniform(np.log(1.8), np.log(11.0))))
    place, way = rng.uniform(0, side, 2), rng.normal(0, 1, 2)
    way *= radius * rng.uniform(3, 9) / max(float(np.hypot(*way)), 1e-6)
    light = rng.normal(0, 1, 2)
    # Plain numbers: with NumPy 2 a float64 would make float64 of all that it is multiplied with.
    light = (light * (0.5 / max(float(np.hypot(*light)), 1e-6))).tolist()
    tone, glint = float(rng.uniform(0.02, 1.0)), float(rng.uniform(0.1, 0.9))
    rim, wide = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(0.15, 0.4))
    squeezed = float(rng.uniform(0.6, 1.0))
    down, across = np.mgrid[0 : x.shape[0], 0:side].astype(np.float32)
    y = x
    for number in range(int(rng.integers(1, 6))):
        cx, cy = place + number * way
        u, v = (across - np.float32(cx)) / np.float32(radius * squeezed), (down - np.float32(cy)) / np.float32(radius)
        r = np.hypot(u, v)
        inside = np.clip((1 - r) * np.float32(radius) + 0.5, 0, 1)
        # Its shadow first, on the side away from the light.
        shadow = np.clip((1.15 - np.hypot(u + light[0], v + light[1])) * np.float32(radius * 0.5), 0, 1)
        y = y * (1 - np.float32(0.5) * (shadow * (1 - inside)))[:, :, None]
        dome = tone * (0.75 + 0.25 * np.sqrt(np.clip(1 - r * r, 0, 1))) + 0.35 * (u * light[0] + v * light[1])
        dome = dome + rim * np.clip((r - (1 - wide)) / wide, 0, 1)
        spot = np.exp(-(np.square(u - light[0]) + np.square(v - light[1])) / np.float32(2 * 0.18**2))
        value = np.clip(dome + glint * spot, 0, 1).astype(np.float32)
        y = y + inside[:, :, None] * (value[:, :, None] - y)
    return y


def _suit(x: Pixels, rng: Generator) -> Pixels:
    """A coat over a shirt and a tie: slivers of linen between dark edges, notched lapels with a seam, and a front."""
    side = x.shape[0]
    wide = float(rng.uniform(0.2, 0.7)) * side
    neck = np.array([rng.uniform(0.1, 0.9), rng.uniform(-0.2, 0.5)]) * side
    long = wide * float(rng.uniform(0.8, 2.0))
    coat, shirt, tie = (float(v) for v in (rng.uniform(0.03, 0.55), rng.uniform(0.6, 1.0), rng.uniform(0.03, 0.8)))
    lean = float(rng.normal(0, 0.15))
    soft = float(rng.uniform(0.4, 1.2))

    def placed(*points: tuple[float, float]) -> _Points:
        """From shares of the opening's width and length to the picture."""
        flat = np.array(points) * (wide, long)
        return neck + np.stack([flat[:, 0] + lean * flat[:, 1], flat[:, 1] - lean * flat[:, 0]], axis=1)

    def laid(y: Pixels, outline: _Points, tone: float, *, rough: float = 0.02) -> Pixels:
        layer = np.zeros((side, side), np.float32)
        outline = outline + rng.normal(0, rough * wide, outline.shape)
        cv2.fillPoly(layer, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
        share = gaussian_blur(layer, soft)[:, :, None]
        # Cloth has light and shadow of its own.
        lit = tone + 0.15 * (_patchy(x, rng) - 0.5)[:, :, None]
        return y * (1 - share) + np.clip(lit, 0, 1) * share

    y = laid(x, placed((-1.5, 0.1), (-0.5, -0.05), (0.5, -0.05), (1.5, 0.1), (2.5, 3.0), (-2.5, 3.0)), coat)
    y = laid(y, placed((-0.5, -0.1), (0.5, -0.1), (0.04, 1.0), (-0.04, 1.0)), shirt)
    half = float(rng.uniform(0.05, 0.4))
    if rng.random() < 0.8:
        y = laid(
            y, placed((-0.1, 0.0), (0.1, 0.0), (0.5 * half, 0.2), (half, 1.1), (-half, 1.1), (-0.5 * half, 0.2)), tie
        )
    for way in (-1, 1):
        # The shirt's collar, and the lapel that covers what is beside it.
        y = laid(y, placed((0.0, 0.02), (way * 0.5, -0.1), (way * 0.45, 0.12), (way * 0.2, 0.25)), shirt)
        notch = float(rng.uniform(0.3, 0.6))
        lapel = placed(
            (way * 0.45, -0.1), (way * 1.0, notch - 0.1), (way * 0.8, notch), (way * 1.05, notch + 0.05), (0.0, 1.05)
        )
        y = laid(y, lapel, coat + float(rng.normal(0, 0.06)))
        if rng.random() < 0.8:
            seam = gaussian_blur(_drawn(x, np.concatenate([lapel, lapel[:1]]), int(rng.integers(1, 3))), soft)
            y = _add(y, seam * _patchy(x, rng), float(rng.choice((-0.6, 0.6))) * float(rng.uniform(0.2, 1.0)))
    # One side of the front lies over the other, and has another tone.
    y = laid(y, placed((0.0, 1.0), (2.5, 1.0), (2.5, 3.0), (0.05, 3.0)), coat + float(rng.normal(0, 0.08)))
    front = gaussian_blur(_drawn(x, placed((0.0, 1.0), (0.05, 3.0)), int(rng.integers(1, 4))), soft)
    return _add(y, front * _patchy(x, rng), float(rng.uniform(-0.3, 0.3)))


def _braid(x: Pixels, rng: Generator) -> Pixels:
    """Braid, piping and stripes of rank: two or more lines of one distance along a cloth's edge."""
    curve = _curve(x, rng)
    x = _add(x, gaussian_blur(_beside(x, curve, rng), 0.8), float(rng.choice((-1, 1))) * float(rng.uniform(0.1, 0.4)))
    step = float(rng.choice((0.7, 0.7, -0.4))) * float(rng.uniform(0.3, 1.0))
    width, apart = int(rng.integers(1, 4)), float(rng.uniform(4, 12))
    ahead = np.gradient(curve, axis=0)
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.maximum(np.hypot(*ahead.T), 1e-6)[:, None]
    layer = np.zeros(x.shape[:2], np.float32)
    for number in range(int(rng.integers(2, 5))):
        np.maximum(layer, _drawn(x, curve + aside * number * apart, width), out=layer)
    if rng.random() < 0.4:
        layer *= _twisted(x, rng)
    return _add(x, gaussian_blur(layer, float(rng.uniform(0.4, 0.9))), step)


def _blade(x: Pixels, rng: Generator) -> Pixels:
    """A sword, a rail, a cane: a straight band, light along one edge and dark along the other, that ends in a knob."""
    side = x.shape[0]
    angle, width = float(rng.uniform(0, np.pi)), float(rng.uniform(1.5, 6))
    ahead = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-ahead[1], ahead[0]])
    start = rng.uniform(0.1, 0.9, 2) * side
    ends = np.stack([start, start + ahead * side * 2])
    light, dark = (float(v) for v in rng.uniform(0.15, 0.7, 2))
    y = _add(x, gaussian_blur(_drawn(x, ends, round(width) + 1), 0.5), float(rng.uniform(-0.3, 0.3)))
    y = _add(y, gaussian_blur(_drawn(x, ends + aside * width / 2, max(1, round(width / 3))), 0.5), light)
    y = _add(y, gaussian_blur(_drawn(x, ends - aside * width / 2, max(1, round(width / 3))), 0.6), -dark)
    knob = np.zeros(x.shape[:2], np.float32)
    cv2.circle(
        knob, np.round(start).astype(int).tolist(), round(width * rng.uniform(1.0, 2.5)), (1.0,), -1, cv2.LINE_AA
    )
    return _add(y, gaussian_blur(knob, 1.0), float(rng.uniform(-0.5, 0.5)))


def _spectacles(x: Pixels, rng: Generator) -> Pixels:
    """Two rims, a bridge and the arms; wire is light on one side and dark on the other."""
    side = x.shape[0]
    radius = float(rng.uniform(0.06, 0.25)) * side
    high, turn = radius * float(rng.uniform(0.65, 1.05)), float(rng.normal(0, 12))
    middle = rng.uniform(0.15, 0.85, 2) * side
    along = np.array([np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))])
    gap, thick = radius * float(rng.uniform(1.15, 1.5)), int(rng.integers(1, 4))
    layer = np.zeros(x.shape[:2], np.float32)
    for way in (-1, 1):
        centre = tuple(int(v * 16) for v in middle + way * gap * along)
        axes = (int(radius * 16), int(high * 16))
        cv2.ellipse(layer, centre, axes, turn, 0, 360, (1.0,), thick, cv2.LINE_AA, 4)
        hinge = middle + way * (gap + radius) * along
        arm = np.stack([hinge, hinge + way * along * radius * rng.uniform(0.5, 1.5) + (0, rng.normal(0, 0.1 * radius))])
        np.maximum(layer, _drawn(x, arm, thick), out=layer)
    inner = (gap - radius) * along
    arch = np.stack([middle - inner, middle - np.array([0, 0.15 * radius]), middle + inner])
    np.maximum(layer, _drawn(x, arch, thick), out=layer)
    tone = float(rng.choice((-0.6, 0.6))) * float(rng.uniform(0.3, 1.0))
    layer = gaussian_blur(layer, float(rng.uniform(0.4, 0.8)))
    y = _add(x, layer * _patchy(x, rng), tone)
    return _add(y, np.roll(layer, 1, axis=int(rng.integers(2))) * _patchy(x, rng), -tone * float(rng.uniform(0, 0.8)))


def _outline(x: Pixels, rng: Generator) -> Pixels:
    """A head, a shoulder, a hat against the light: a rounded form of another tone, and along a part of its edge a bright or
    dark rim."""
    side = x.shape[0]
    centre, radius = rng.uniform(0, 1, 2) * side, float(rng.uniform(0.15, 0.7)) * side
    turn = np.linspace(0, 2 * np.pi, 73)[:-1]
    shape = np.ones_like(turn)
    for wave in (1, 2, 3, 5):
        shape += float(rng.normal(0, 0.12 / wave)) * np.cos(wave * turn + float(rng.uniform(0, 2 * np.pi)))
    outline = centre + radius * shape[:, None] * np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.8, 1.4)], axis=1)
    form = np.zeros(x.shape[:2], np.float32)
    cv2.fillPoly(form, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    y = _add(x, gaussian_blur(form, float(rng.uniform(0.4, 1.5))), float(rng.uniform(-0.6, 0.6)))
    rim = _drawn(x, np.concatenate([outline, outline[:1]]), int(rng.integers(1, 4)))
    rim = gaussian_blur(rim, float(rng.uniform(0.4, 1.2))) * _patchy(x, rng)
    return _add(y, rim, float(rng.choice((-0.5, 0.8))) * float(rng.uniform(0.3, 1.0)))


def _eyes(x: Pixels, rng: Generator) -> Pixels:
    """An iris with its pupil, and the light of a window in it; mostly two."""
    side = x.shape[0]
    radius = float(rng.uniform(2.0, 9.0))
    place, apart = rng.uniform(0.1, 0.9, 2) * side, np.array([radius * rng.uniform(4, 6), rng.normal(0, 1)])
    shift, size = rng.normal(0, 0.3, 2) * radius, max(1, round(radius * rng.uniform(0.15, 0.4)))
    iris, white = float(rng.uniform(0.05, 0.4)), np.zeros(x.shape[:2], np.float32)
    y = x
    for number in range(2 if rng.random() < 0.7 else 1):
        centre = np.round(place + number * apart).astype(int)
        for share, tone in ((1.0, iris), (0.5, iris * 0.3)):
            disc = np.zeros(x.shape[:2], np.float32)
            cv2.circle(disc, centre.tolist(), max(1, round(share * radius)), (1.0,), -1, cv2.LINE_AA)
            disc = gaussian_blur(disc, 0.6)[:, :, None]
            y = y * (1 - disc) + np.float32(tone) * disc
        cv2.circle(white, np.round(centre + shift).astype(int).tolist(), size, (1.0,), -1, cv2.LINE_AA)
    return _add(y, gaussian_blur(white, 0.5), float(rng.uniform(0.4, 1.0)))


def _chain(x: Pixels, rng: Generator) -> Pixels:
    """A necklace or a watch chain: pearls or links at one distance along a hanging line."""
    side = x.shape[0]
    left, right = rng.uniform(-0.2, 0.9, 2) * side, rng.uniform(0.2, 1.2, 2) * side
    t = np.linspace(0, 1, 200)[:, None]
    curve = (1 - t) * left + t * right
    curve[:, 1] += (4 * t * (1 - t))[:, 0] * float(rng.uniform(0.05, 0.6)) * side
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    radius = float(rng.uniform(0.8, 4.0))
    places = np.arange(0, length[-1], radius * float(rng.uniform(1.8, 3.2)))
    beads = np.zeros(x.shape[:2], np.float32)
    glints = np.zeros_like(beads)
    for at in places[:120]:
        centre = np.array([np.interp(at, length, curve[:, 0]), np.interp(at, length, curve[:, 1])])
        whole = np.round(centre * 16).astype(int)
        cv2.circle(beads, whole.tolist(), max(8, round(radius * 16)), (1.0,), -1, cv2.LINE_AA, 4)
        lit = np.round((centre - 0.3 * radius) * 16).astype(int)
        cv2.circle(glints, lit.tolist(), max(6, round(0.35 * radius * 16)), (1.0,), -1, cv2.LINE_AA, 4)
    y = _add(x, gaussian_blur(beads, 0.5), float(rng.uniform(-0.35, 0.35)))
    return _add(y, gaussian_blur(glints, 0.4), float(rng.uniform(0.2, 0.8)))


def _strands(x: Pixels, rng: Generator) -> Pixels:
    """A lock of hair, grass, fringe: many strands of one way, of changing tones, over a common ground."""
    curve = _curve(x, rng)
    count, wide = int(rng.integers(12, 40)), float(rng.uniform(0.02, 0.09)) * x.shape[0]
    layer = np.zeros(x.shape[:2], np.float32)
    spread = rng.normal(0, 1, (count, 1, 2)) * wide * 0.5
    fan = np.linspace(0, 1, len(curve))[None, :, None] * rng.normal(0, 0.5 * wide, (count, 1, 2))
    ground = float(rng.uniform(-0.35, 0.35))
    y = _add(x, gaussian_blur(_drawn(x, curve, max(1, round(1.5 * wide))), 0.3 * wide + 0.5), ground)
    for strand in curve + spread + fan:
        first = int(rng.integers(0, len(curve) // 2))
        last = int(rng.integers(len(curve) // 2, len(curve)))
        line = _drawn(x, strand[first:last], 1)
        layer += line * np.float32(rng.normal(0, 1))
    return _add(y, gaussian_blur(layer, float(rng.uniform(0.3, 0.7))), float(rng.uniform(0.08, 0.35)))


def _stripes(x: Pixels, rng: Generator) -> Pixels:
    """Striped cloth, blinds, pages: lines of one way at one distance, within a form."""
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32)
    angle, period = float(rng.uniform(0, np.pi)), float(rng.uniform(4, 22))
    bend = gaussian_blur(rng.standard_normal(x.shape[:2], dtype=np.float32), 15.0) * np.float32(rng.uniform(0, 120))
    phase = (across * np.cos(angle) + down * np.sin(angle) + bend) / np.float32(period)
    distance = np.abs(phase - np.round(phase)) * np.float32(period)
    lines = np.clip(np.float32(rng.uniform(0.4, 2.0)) + 0.5 - distance, 0, 1).astype(np.float32)
    form = gaussian_blur(_beside(x, _curve(x, rng), rng), 0.8)
    tone = float(rng.choice((-1, 1)))
    y = _add(x, form, float(rng.uniform(-0.25, 0.25)))
    return _add(y, lines * form, tone * float(rng.uniform(0.08, 0.5)))


def _bars(x: Pixels, rng: Generator) -> Pixels:
    """A window or a chair's back: bars across each other, or side by side, that end at a frame."""
    side = x.shape[0]
    left, top = (int(v) for v in rng.uniform(-0.3, 0.6, 2) * side)
    width, height = (int(v) for v in rng.uniform(0.3, 1.2, 2) * side)
    tone = float(rng.choice((-1, 1))) * float(rng.uniform(0.2, 0.8))
    thick = int(rng.integers(1, 5))
    layer, pane = np.zeros(x.shape[:2], np.float32), np.zeros(x.shape[:2], np.float32)
    cv2.rectangle(pane, (left, top), (left + width, top + height), (1.0,), -1)
    cv2.rectangle(layer, (left, top), (left + width, top + height), (1.0,), thick + int(rng.integers(0, 4)))
    columns, rows = int(rng.integers(1, 6)), int(rng.integers(0, 4))
    for number in range(1, columns):
        at = left + round(number * width / columns)
        cv2.line(layer, (at, top), (at, top + height), (1.0,), thick)
    for number in range(1, rows):
        at = top + round(number * height / rows)
        cv2.line(layer, (left, at), (left + width, at), (1.0,), thick)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.normal(0, 6)), 1.0)
    layer, pane = (np.asarray(cv2.warpAffine(part, turn, (side, side)), np.float32) for part in (layer, pane))
    y = _add(x, gaussian_blur(pane, 0.6), -tone * float(rng.uniform(0, 0.6)))
    return _add(y, gaussian_blur(layer, float(rng.uniform(0.4, 1.0))), tone)


_DRAW: tuple[Callable[[Pixels, Generator], Pixels], ...] = (
    _cloth,
    _suit,
    _fold,
    _buttons,
    _braid,
    _blade,
    _spectacles,
    _outline,
    _eyes,
    _chain,
    _strands,
    _stripes,
    _bars,
)
_OFTEN = np.array((4, 7, 4, 3, 2, 1, 4, 2, 1, 1, 1, 1, 1)) / 32
"""Cloth is in every portrait."""


def _curve(x: Pixels, rng: Generator) -> _Points:
    """A smooth curve from one border to another, 40 points (x, y)."""
    first, last = (0.5 + 0.75 * np.array([np.cos(turn), np.sin(turn)]) for turn in rng.uniform(0, 2 * np.pi, 2))
    ends = np.stack([first, rng.uniform(0, 1, 2), last]) * x.shape[0]
    t = np.linspace(0, 1, 40)[:, None]
    return (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]


def _beside(x: Pixels, curve: _Points, rng: Generator) -> _Map:
    """What lies on one side of a curve: 1 there."""
    aside = rng.normal(0, 1, 2)
    outline = np.concatenate([curve, (curve + aside / np.hypot(*aside) * 2 * x.shape[0])[::-1]])
    layer = np.zeros(x.shape[:2], np.float32)
    cv2.fillPoly(layer, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    return layer


def _drawn(x: Pixels, points: _Points, thick: int) -> _Map:
    """A line through points."""
    layer = np.zeros(x.shape[:2], np.float32)
    cv2.polylines(layer, [np.round(points * 16).astype(np.int32)], False, (1.0,), thick, cv2.LINE_AA, 4)
    return layer


def _patchy(x: Pixels, rng: Generator) -> _Map:
    """Light changes along an edge: shares in [0, 1] that vary smoothly, or 1."""
    if rng.random() < 0.3:
        return np.ones(x.shape[:2], np.float32)
    coarse = rng.uniform(-0.5, 1.8, (5, 5)).astype(np.float32)
    size = (x.shape[1], x.shape[0])
    return np.clip(np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32), 0, 1)


def _twisted(x: Pixels, rng: Generator) -> _Map:
    """A cord's twist: shares that go up and down within a few pixels."""
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32)
    angle, period = float(rng.uniform(0, np.pi)), float(rng.uniform(2.5, 7))
    return 0.6 + 0.4 * np.sin((across * math.cos(angle) + down * math.sin(angle)) * np.float32(2 * np.pi / period))


def _add(x: Pixels, share: _Map, step: float) -> Pixels:
    """Lighter (or darker) by ``step`` times the room that is left there."""
    room = (1 - x) if step > 0 else x
    return np.clip(x + (share * np.float32(step))[:, :, None] * np.maximum(room, 0.25), 0, 1).astype(np.float32)
