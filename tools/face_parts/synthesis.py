"""Labelled portraits as the network of parts is shown them: with spectacles, hats and things in front of the face drawn on,
before other backgrounds, turned, and degraded as users' photographs are.

Pictures are 256 x 256 x 3 float32 RGB in [0, 1], labels 256 x 256 uint8 (`likeness.faces.parts.PARTS`, 255 for what is not
told), meshes 478 x 2 in pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.outlines import filled
from likeness.faces.parts import PARTS, PARTS_SIDE
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["UNTOLD", "example"]

UNTOLD = 255

_SIDE = PARTS_SIDE
_BACKGROUND, _SKIN, _GLASSES, _HAT, _OCCLUDER = (
    PARTS.index(part) for part in ("background", "skin", "glasses", "hat", "occluder")
)
_DOWN, _ACROSS = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)

_Map = NDArray[np.float32]
_Label = NDArray[np.uint8]
_Points = NDArray[np.float64]
_Random = np.random.RandomState


def example(
    picture: Pixels, label: _Label, points: _Points, other: Pixels, random: _Random
) -> tuple[Pixels, _Label, _Points]:
    """One picture to learn from.

    Args:
        picture: a portrait.
        label: what is where in it.
        points: its mesh.
        other: another picture, for textures and backgrounds.
        random: where everything is drawn from.
    """
    picture, label = picture.copy(), label.copy()
    height = float(np.hypot(*(points[10] - points[152])))
    if random.rand() < 0.3:
        _before_another_background(picture, label, other, random)
    if random.rand() < 0.14:
        _put_on_a_hat(picture, label, points, height, other, random)
    row, column = np.clip(points[468][::-1], 0, _SIDE - 1).astype(int)
    wears = label[row, column] == UNTOLD or bool((label == _GLASSES).any())
    if random.rand() < 0.45 and not wears:
        _put_on_spectacles(picture, label, points, other, random)
    if random.rand() < 0.3:
        _put_something_in_front(picture, label, points, height, other, random)
    picture, label, points = _moved(picture, label, points, random)
    return _degraded(_toned(picture, random), random), label, points


def _soft_capsule(begin: _Points, end: _Points, width: float, end_width: float) -> tuple[_Map, _Map]:
    """A stroke with round ends, and how near its middle each place is, both in [0, 1]."""
    along = end - begin
    t = ((_ACROSS - begin[0]) * along[0] + (_DOWN - begin[1]) * along[1]) / max(float(along @ along), 1e-3)
    t = np.clip(t, 0, 1)
    away = np.hypot(_ACROSS - begin[0] - t * along[0], _DOWN - begin[1] - t * along[1])
    wide = width + (end_width - width) * t
    return np.clip(wide - away + 0.5, 0, 1), np.clip(1 - away / np.maximum(wide, 0.5), 0, 1)


def _noise(random: _Random, cells: int, *channels: int) -> _Map:
    coarse = random.randn(cells, cells, *channels).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


def _texture(other: Pixels, random: _Random) -> Pixels:
    """A plain, mottled, woven or photographed surface with light and shade."""
    base = random.uniform(0, 1, 3) ** 1.3
    kind = random.choice(4)
    if kind == 0:
        surface: Any = np.ones((_SIDE, _SIDE, 3)) * base
    elif kind == 1:
        surface = base + _noise(random, random.randint(4, 60), 3) * random.uniform(0.02, 0.12)
    elif kind == 2:
        side, (left, top) = random.randint(48, 96), random.randint(0, _SIDE - 96, 2)
        surface = cv2.resize(other[top : top + side, left : left + side], (_SIDE, _SIDE))
    else:
        angle, fineness = random.uniform(0, np.pi), random.uniform(0.1, 1.2)
        wave = np.sin((_ACROSS * np.cos(angle) + _DOWN * np.sin(angle)) * fineness)
        surface = base + 0.12 * random.uniform(0.3, 1) * wave[..., None]
    shade = cv2.resize(
        random.uniform(0.7, 1.2, (3, 3)).astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(surface * shade[..., None], 0, 1).astype(np.float32)


def _lay(picture: Pixels, label: _Label, shape: _Map, surface: Any, part: int | None, softness: float) -> None:
    """Lay a surface over the picture where the shape is, and say so in the label."""
    soft = gaussian_blur(shape.astype(np.float32), softness)
    picture[:] = picture * (1 - soft[..., None]) + surface * soft[..., None]
    if part is not None:
        label[soft > 0.5] = part


def _before_another_background(picture: Pixels, label: _Label, other: Pixels, random: _Random) -> None:
    if random.rand() < 0.5:
        left, top = random.randint(0, _SIDE // 2, 2)
        surface = cv2.resize(other, (_SIDE * 3 // 2, _SIDE * 3 // 2))[top : top + _SIDE, left : left + _SIDE]
        surface = gaussian_blur(np.asarray(surface, np.float32), random.uniform(0.3, 8))
    else:
        surface = _texture(other, random)
    _lay(picture, label, (label == _BACKGROUND).astype(np.float32), surface, None, 0.8)


def _put_on_a_hat(
    picture: Pixels, label: _Label, points: _Points, height: float, other: Pixels, random: _Random
) -> None:
    """A dome over the forehead, some with a brim or a turned-up band."""
    up = (points[10] - points[152]) / height
    aside = np.array([-up[1], up[0]])
    half = float(np.hypot(*(points[454] - points[234]))) / 2 * random.uniform(1.0, 1.2)
    base, tall = points[152] + up * height * random.uniform(0.82, 1.08), height * random.uniform(0.35, 0.6)
    surface = _texture(other, random)
    if random.rand() < 0.5:
        surface = np.clip(surface * 0.5 + 0.5 * np.median(surface, axis=(0, 1)), 0, 1)
    t, power = np.linspace(0, np.pi, 24), random.uniform(0.5, 1)
    dome = [
        base + aside * half * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** power + up * tall * np.sin(a) ** power
        for a in t
    ]
    sag = random.uniform(-0.08, 0.1) * height
    front = [base - aside * half * x + up * sag * (x * x - 1) for x in np.linspace(1, -1, 9)]
    softness = random.uniform(0.4, 1.2)
    _lay(picture, label, filled([np.array(dome + front)], _SIDE), surface, _HAT, softness)
    kind = random.rand()
    if kind < 0.45:
        centre = base + aside * half * random.uniform(-0.5, 0.5) - up * 0.02 * height
        wide, thick = half * random.uniform(0.8, 1.9), height * random.uniform(0.05, 0.14)
        brim = np.array(
            [centre + aside * wide * np.cos(a) + up * thick * np.sin(a) for a in np.linspace(0, 2 * np.pi, 40)]
        )
        darker = np.clip(surface * random.uniform(0.5, 1.1), 0, 1)
        _lay(picture, label, filled([brim], _SIDE), darker, _HAT, softness)
    elif kind < 0.7:
        left, right = base - aside * half * 1.02, base + aside * half * 1.02
        band = np.array([left, right, right + up * height * 0.14, left + up * height * 0.14])
        lighter = np.clip(surface * random.uniform(0.6, 1.3), 0, 1)
        _lay(picture, label, filled([band], _SIDE), lighter, _HAT, softness)


def _put_on_spectacles(picture: Pixels, label: _Label, points: _Points, other: Pixels, random: _Random) -> None:
    """Frames of many shapes, and three in ten with lenses that hide the eyes."""
    eyes = points[468], points[473]
    apart = float(np.hypot(*(eyes[1] - eyes[0])))
    level = (eyes[1] - eyes[0]) / max(apart, 1e-3)
    below = np.array([-level[1], level[0]])
    wide = random.uniform(0.34, 0.5) * apart
    tall = min(random.uniform(0.22, 0.42) * apart, wide * 1.1)
    power = float(random.choice([2, 2, 2.4, 3, 4, 6]))
    thick = apart * float(
        random.choice(
            [random.uniform(0.018, 0.035), random.uniform(0.035, 0.075), random.uniform(0.06, 0.1)], p=[0.5, 0.25, 0.25]
        )
    )
    outward, down = random.uniform(-0.02, 0.08) * apart, random.uniform(-0.02, 0.14) * apart
    tilt, half_rimmed = random.uniform(-0.1, 0.15), random.rand() < 0.15
    frame, lens = np.zeros((_SIDE, _SIDE), np.float32), np.zeros((_SIDE, _SIDE), np.float32)
    outer: list[_Points] = []
    inner: list[_Points] = []
    for sign, eye in zip((-1, 1), eyes, strict=True):
        centre = eye + level * sign * outward + below * down
        x = (_ACROSS - centre[0]) * level[0] + (_DOWN - centre[1]) * level[1]
        y = (_ACROSS - centre[0]) * below[0] + (_DOWN - centre[1]) * below[1] + tilt * sign * x * 0.5
        inside = ((np.abs(x / wide) ** power + np.abs(y / tall) ** power) ** (1 / power) - 1) * min(wide, tall)
        rim = np.clip(thick / 2 - np.abs(inside) + 0.5, 0, 1)
        if half_rimmed:
            rim = rim * (y < tall * 0.2)
        elif power > 2.2 and random.rand() < 0.5:
            rim = np.maximum(rim, np.clip(thick * 0.8 - np.abs(inside) + 0.5, 0, 1) * (y < -tall * 0.3))
        frame, lens = np.maximum(frame, rim), np.maximum(lens, np.clip(0.5 - inside, 0, 1))
        outer.append(centre + level * sign * wide - below * tall * random.uniform(0.1, 0.7))
        inner.append(centre - level * sign * wide * 0.97 - below * tall * random.uniform(0.1, 0.4))
    bridge = (inner[0] + inner[1]) / 2 - below * random.uniform(0, 0.06) * apart
    for end in inner:
        frame = np.maximum(frame, _soft_capsule(end, bridge, thick * 0.4, thick * 0.4)[0])
    for end, temple in zip(outer, (points[127], points[356]), strict=True):
        if np.hypot(*(temple - end)) < 0.9 * apart:
            reach = temple + (temple - end) * random.uniform(0, 0.5)
            frame = np.maximum(frame, _soft_capsule(end, reach, thick * 0.45, thick * 0.35)[0])
    if random.rand() < 0.3:
        dark = random.uniform(0, 0.25, 3) * np.array([1, 0.9, 0.8])
        glass: Any = np.ones((_SIDE, _SIDE, 3)) * dark
        kind = random.choice(3)
        if kind == 1:
            fade = np.clip((_DOWN - eyes[0][1]) / max(apart, 1.0) * 0.6 + 0.5, 0, 1)[..., None]
            glass = glass * (0.6 + 0.8 * fade) + 0.05
        elif kind == 2:  # they mirror what is in front of them
            glass = np.clip(gaussian_blur(other, random.uniform(0.5, 4)) * random.uniform(0.3, 1.2) + glass * 0.5, 0, 1)
        _lay(picture, label, lens * random.uniform(0.8, 1), glass, None, random.uniform(0.4, 1.2))
        label[lens > 0.5] = _GLASSES
    elif random.rand() < 0.5:
        shine = np.clip(_noise(random, 6) - 0.5, 0, 9) * lens
        picture[:] = np.clip(picture + random.uniform(0, 0.4) * shine[..., None], 0, 1)
    kind = random.rand()
    if kind < 0.5:
        colour = np.array([0.06, 0.05, 0.05]) * random.uniform(0.3, 2.5)
    elif kind < 0.65:
        colour = np.array([0.3, 0.18, 0.1]) * random.uniform(0.5, 1.5)
    elif kind < 0.85:
        colour = np.array([0.75, 0.7, 0.62]) * random.uniform(0.4, 1.2)
    else:
        colour = random.uniform(0, 1, 3)
    gleam = np.clip(_noise(random, 6) - 0.6, 0, 1)[..., None] * random.uniform(0, 1.5)
    surface = np.clip(colour + _noise(random, 40)[..., None] * random.choice([0.01, 0.06]) + gleam, 0, 1)
    opacity = float(random.choice([1, 1, 0.8, 0.55]))
    _lay(picture, label, frame * opacity, surface, None, random.uniform(0.3, 0.8))
    label[frame > 0.5] = _GLASSES


def _put_something_in_front(
    picture: Pixels, label: _Label, points: _Points, height: float, other: Pixels, random: _Random
) -> None:
    """A hand, a microphone, a board or a scrap of something."""
    kind = random.choice(4, p=[0.45, 0.2, 0.2, 0.15])
    surface, softness = _texture(other, random), random.uniform(0.4, 1.2)
    angle = random.uniform(0.2, 0.8) * np.pi
    away = np.array([np.cos(angle), np.sin(angle)])
    if kind == 0:
        _hold_a_hand(picture, label, points, height, random)
    elif kind == 1:
        at = points[random.choice([152, 14, 17, 61, 291, 136, 365])]
        at = at + np.array([random.randn() * 0.12, random.uniform(0, 0.25)]) * height
        wide = random.uniform(0.05, 0.13) * height
        grid = 0.15 + 0.15 * np.sin(_ACROSS * 1.9) * np.sin(_DOWN * 1.9) + random.uniform(0, 0.35)
        handle, _ = _soft_capsule(at + away * wide, at + away * height * 2, wide * 0.55, wide * 0.6)
        _lay(picture, label, handle, surface * 0.4, _OCCLUDER, softness)
        head, depth = _soft_capsule(at, at + away * wide * 0.6, wide, wide)
        _lay(picture, label, head, np.clip(grid * (0.5 + depth), 0, 1)[..., None], _OCCLUDER, softness)
    elif kind == 2:
        centre = points[random.choice([152, 172, 397, 50, 280, 234, 454, 14])] + random.randn(2) * 0.25 * height
        long, wide = random.uniform(0.2, 0.8) * height * away, random.uniform(0.1, 0.4) * height
        across = wide * np.array([-away[1], away[0]])
        board = np.array(
            [centre + long + across, centre - long + across, centre - long - across, centre + long - across]
        )
        _lay(picture, label, filled([board], _SIDE), surface, _OCCLUDER, softness)
    else:
        centre = points[random.choice([152, 172, 397, 234, 454])] + random.randn(2) * 0.3 * height
        corners = random.randint(5, 10)
        turns = np.sort(random.uniform(0, 2 * np.pi, corners))
        reach = random.uniform(0.15, 0.5, (corners, 1)) * height
        scrap = centre + np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach
        _lay(picture, label, filled([scrap], _SIDE), surface, _OCCLUDER, softness)


def _hold_a_hand(picture: Pixels, label: _Label, points: _Points, height: float, random: _Random) -> None:
    """Fingers and a palm in the colour of the face's skin."""
    skin = picture[label == _SKIN]
    colour = np.median(skin, axis=0) if len(skin) > 50 else np.array([0.7, 0.5, 0.4])
    tone = np.clip(colour * random.uniform(0.75, 1.15) * (1 + random.randn(3) * 0.03), 0, 1)
    tip = points[random.choice([152, 50, 280, 61, 291, 172, 397, 136, 365, 10, 109, 338, 200])]
    tip = tip + random.randn(2) * 0.08 * height
    angle = random.uniform(0.15, 0.85) * np.pi if random.rand() < 0.8 else random.uniform(0, 2 * np.pi)
    away = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-away[1], away[0]])
    wide, fingers = random.uniform(0.045, 0.065) * height, random.randint(1, 6)
    grain = _noise(random, 50) * 0.02 + _noise(random, 8) * 0.03
    strokes: list[tuple[_Points, _Points, float, float]] = []
    for number in range(fingers):
        place = number - (fingers - 1) / 2
        begin = tip + across * place * 2.1 * wide + away * abs(place) * wide * random.uniform(0, 1)
        strokes.append((begin, tip + away * height * 0.75 + across * place * 1.9 * wide, wide, wide * 1.2))
    palm = wide * fingers * 1.05 + 0.02 * height
    strokes.append((tip + away * height * 0.6, tip + away * height * 1.3, palm, palm * 0.9))
    for begin, end, first, last in strokes:
        shape, depth = _soft_capsule(begin, end, first, last)
        lit = tone * (0.55 + 0.5 * np.sqrt(depth))[..., None] + grain[..., None]
        _lay(picture, label, shape, np.clip(lit, 0, 1), _OCCLUDER, random.uniform(0.4, 1.2))


def _moved(picture: Pixels, label: _Label, points: _Points, random: _Random) -> tuple[Pixels, _Label, _Points]:
    """Turned, scaled, shifted and mirrored as alignments differ; the mesh a little beside the face, as meshes are."""
    scale, angle = float(np.exp(random.uniform(-0.16, 0.14))), random.uniform(-0.16, 0.16)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, _SIDE / 2)
    matrix = np.column_stack([linear, centre - linear @ centre + random.uniform(-14, 14, 2)])
    border: Sequence[int] = (cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)
    moved = cv2.warpAffine(picture, matrix, (_SIDE, _SIDE), borderMode=border[random.randint(3)])
    told = cv2.warpAffine(label, matrix, (_SIDE, _SIDE), flags=cv2.INTER_NEAREST, borderValue=(UNTOLD,))
    points = points @ matrix[:, :2].T + matrix[:, 2] + random.randn(2) + random.randn(478, 2) * 0.3
    if random.rand() < 0.5:
        moved, told = moved[:, ::-1], told[:, ::-1]
        points[:, 0] = _SIDE - 1 - points[:, 0]
    return np.ascontiguousarray(moved, np.float32), np.ascontiguousarray(told, np.uint8), points


def _toned(picture: Pixels, random: _Random) -> Pixels:
    """Other light, colours and contrast; a fifth in grey or sepia."""
    toned: Any = np.clip(picture, 0, 1) ** np.exp(random.randn() * 0.25)
    grey = toned.mean(axis=2, keepdims=True)
    if random.rand() < 0.22:
        toned = np.repeat(grey, 3, axis=2) * (np.array([1.08, 1, 0.85]) if random.rand() < 0.4 else 1.0)
    else:
        toned = (grey + (toned - grey) * random.uniform(0.5, 1.35)) * np.exp(random.randn(3) * 0.07)
    toned = (toned - 0.5) * np.exp(random.randn() * 0.15) + 0.5 + random.randn() * 0.05
    return np.clip(toned, 0, 1).astype(np.float32)


def _degraded(picture: Pixels, random: _Random) -> Pixels:
    """Blur, fewer pixels, noise and JPEG, from none to much."""
    if random.rand() < 0.25:
        return picture
    much = float(random.choice([0.4, 1, 1.8]))
    if random.rand() < 0.7:
        picture = gaussian_blur(picture, random.uniform(0.3, 2.2) * much)
    if random.rand() < 0.5:
        side = max(24, int(_SIDE / (random.uniform(1, 2.5) * max(much, 0.8))))
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    if random.rand() < 0.6:
        channels = 3 if random.rand() < 0.5 else 1
        noise = random.randn(*picture.shape[:2], channels).astype(np.float32)
        picture = np.asarray(picture + noise * random.uniform(0.005, 0.06) * much, np.float32)
    picture = np.clip(picture, 0, 1)
    if random.rand() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.uniform(12, 90))]
        _, data = cv2.imencode(".jpg", (picture[..., ::-1] * 255).astype(np.uint8), quality)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        picture = np.asarray(decoded, np.float32)[..., ::-1] / 255
    if picture.shape[0] != _SIDE:
        method = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[random.randint(2)]
        picture = np.asarray(cv2.resize(picture, (_SIDE, _SIDE), interpolation=method), np.float32)
    return np.clip(picture, 0, 1).astype(np.float32)
