"""The hair's edge: how softly it fades, and whether it is a saw.

The outline of the head is followed in polar coordinates about the face: of all paths that go around it without jumping, the
one with the most contrast (dynamic programming, as in Chen et al., "Sequential shape recovery by dynamic programming", and
Kang et al., "The detection of borders by graph search", 1989). The path is found once, in the softened mean of both
pictures, so that before and after are measured at the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.scene import SIDE, Scene, box_around
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box

__all__ = ["HairEdge", "hair_edge"]

_REACH = 16
"""How far a profile goes to either side of the edge, px."""

_PLATEAU = 5
"""Samples at either end of a profile that say how dark and how bright it is there."""

_CONTRAST = 0.10
"""Least difference between the plateaus: below it the edge cannot be told from texture."""

_LEAST = 60
"""Least length of an edge that is measured, px."""

_WAVE = 2.0
"""Sigma that parts the outline's course from its wander, px: teeth and stairs of up to about 12 px are wander."""

_Map = NDArray[np.float32]
_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class HairEdge:
    """The hair edge of one face, before and after.

    Attributes:
        width: median 10-90% width of the transition, px.
        jaggedness: root mean square wander of the 50% line across its smooth course, px.
        box: a part of the edge that shows it: where after wanders most against before.
    """

    width: tuple[float, float]
    jaggedness: tuple[float, float]
    box: Box


def hair_edge(scene: Scene) -> HairEdge | None:
    """Measure the edge; None if too little of the outline has contrast."""
    before, after = scene.lumas
    path = _outline(scene)
    normals = _normals(path)
    usable = _inside(path, scene)
    profiles = [_profiles(light, path, normals) for light in (before, after)]
    first, second = (_edges(profile) for profile in profiles)
    both = usable & first.usable & second.usable
    if int(both.sum()) < _LEAST:
        return None
    wander = [_wander(edges.middle, both) for edges in (first, second)]
    counted = np.isfinite(wander[0]) & np.isfinite(wander[1])
    if int(counted.sum()) < _LEAST:
        return None
    growth = np.where(counted, np.nan_to_num(wander[1]) ** 2 - np.nan_to_num(wander[0]) ** 2, 0.0)
    local = np.convolve(growth, np.ones(41) / 41, mode="same") - 1e3 * ~counted
    worst = int(np.argmax(local))
    near = path[max(worst - 20, 0) : worst + 21]
    return HairEdge(
        width=(float(np.median(first.width[both])), float(np.median(second.width[both]))),
        jaggedness=(_rms(wander[0][counted]), _rms(wander[1][counted])),
        box=box_around(near, margin=16.0, least=96.0),
    )


def _outline(scene: Scene) -> _Values:
    """N x 2 points about 1 px apart along the edge of the hair, from ear to ear over the head."""
    mean = gaussian_blur((scene.lumas[0] + scene.lumas[1]) / 2, 3.0)
    p = scene.points.astype(np.float64)
    chin, top = p[152], p[10]
    centre = (p[234] + p[454]) / 2
    up = (top - chin) / max(float(np.hypot(*(top - chin))), 1e-6)
    height = float(np.hypot(*(top - chin)))
    # From the height of the cheekbones on one side over the crown to the other.
    tilt = np.arctan2(up[1], up[0])
    steps = max(int(np.pi * 0.9 * height), 90)
    angles = tilt + np.linspace(-0.55 * np.pi, 0.55 * np.pi, steps)
    # Inward limit: the mesh's own outline, which ends below the hair line; outward: a head with full hair.
    radii = np.arange(0.5 * height, 1.15 * height, 1.0)
    x = centre[0] + np.cos(angles)[:, None] * radii
    y = centre[1] + np.sin(angles)[:, None] * radii
    polar = cv2.remap(
        mean, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    strength = np.abs(np.gradient(polar.astype(np.float64), axis=1))
    strength[(x < 2) | (y < 2) | (x > SIDE - 3) | (y > SIDE - 3)] = 0.0
    course = _best_path(strength)
    return np.stack([x[np.arange(steps), course], y[np.arange(steps), course]], axis=1)


def _best_path(strength: _Values) -> NDArray[np.int64]:
    """The column of each row on the path with the greatest sum that moves by at most one column a row, twice smoothed."""
    rows, columns = strength.shape
    total = strength[0].copy()
    back = np.zeros((rows, columns), np.int64)
    turn = 0.15 * float(strength.mean())  # a step aside costs a little, so that the path does not tremble
    for row in range(1, rows):
        padded = np.pad(total, 1, constant_values=-np.inf)
        choices = np.stack([padded[:-2] - turn, padded[1:-1], padded[2:] - turn])
        best = choices.argmax(axis=0)
        back[row] = best - 1
        total = choices[best, np.arange(columns)] + strength[row]
    path = np.zeros(rows, np.int64)
    path[-1] = int(total.argmax())
    for row in range(rows - 1, 0, -1):
        path[row - 1] = path[row] + back[row, path[row]]
    return path


def _normals(path: _Values) -> _Values:
    """N x 2 unit normals of the path's smooth course."""
    smooth = np.stack([_smoothed(path[:, i], 6.0) for i in range(2)], axis=1)
    along = np.gradient(smooth, axis=0)
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def _inside(path: _Values, scene: Scene) -> NDArray[np.bool_]:
    """Which points lie far enough from the crop's border, on pixels of the pictures."""
    x, y = np.round(path).astype(int).clip(0, SIDE - 1).T
    room = (path > _REACH + 2).all(axis=1) & (path < SIDE - _REACH - 3).all(axis=1)
    solid = cv2.erode(scene.valid, np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8))
    return np.asarray(room & (solid[y, x] > 0.5))


def _profiles(light: _Map, path: _Values, normals: _Values) -> _Values:
    """N x 65: luma across the edge in steps of half a pixel; the smooth course of the path is the middle."""
    smooth = np.stack([_smoothed(path[:, i], 3.0) for i in range(2)], axis=1)
    offsets = np.arange(-2 * _REACH, 2 * _REACH + 1) / 2
    at = smooth[:, None, :] + normals[:, None, :] * offsets[None, :, None]
    x, y = (np.ascontiguousarray(at[:, :, i], dtype=np.float32) for i in range(2))
    return np.asarray(cv2.remap(light, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Edges:
    """Of each profile: 10-90% width, place of the 50% line (px from the path), and whether it is an edge at all."""

    width: _Values
    middle: _Values
    usable: NDArray[np.bool_]


def _edges(profiles: _Values) -> _Edges:
    """Widths and middles.

    Strands make profiles that go up and down; the mean of the rising envelope from one side and from the other (what a
    monotone profile is left by) gives each level exactly one place.
    """
    n = 2 * _PLATEAU
    low, high = np.median(profiles[:, :n], axis=1), np.median(profiles[:, -n:], axis=1)
    rise = high - low
    level = (profiles - low[:, None]) / np.where(np.abs(rise) < 1e-6, 1e-6, rise)[:, None]
    upward = np.maximum.accumulate(level, axis=1)
    downward = np.minimum.accumulate(level[:, ::-1], axis=1)[:, ::-1]
    monotone = (upward + downward) / 2
    tenth, half, most = (_crossing(monotone, at) for at in (0.1, 0.5, 0.9))
    return _Edges(width=(most - tenth) / 2, middle=half / 2 - _REACH, usable=np.abs(rise) >= _CONTRAST)


def _crossing(monotone: _Values, at: float) -> _Values:
    """Where each row first reaches a level, in samples, linear between two."""
    index = np.argmax(monotone >= at, axis=1).clip(1, monotone.shape[1] - 1)
    rows = np.arange(len(monotone))
    a, b = monotone[rows, index - 1], monotone[rows, index]
    return index - 1 + np.clip((at - a) / np.where(np.abs(b - a) < 1e-9, 1e-9, b - a), 0, 1)


def _wander(middle: _Values, usable: NDArray[np.bool_]) -> _Values:
    """Departure of the 50% line from its smooth course, px; NaN where the edge is no edge or beside such a place."""
    weight = usable.astype(np.float64)
    held = _smoothed(weight, _WAVE)
    course = _smoothed(np.where(usable, middle, 0.0) * weight, _WAVE) / np.maximum(held, 1e-6)
    away = middle - course
    # Where the line jumps from one strand to the next it does not wander.
    sound = usable & (held > 0.7) & (np.abs(away) < 6.0)
    return np.where(sound, away, np.nan)


def _smoothed(values: _Values, sigma: float) -> _Values:
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def _rms(values: _Values) -> float:
    return float(np.sqrt(np.square(values).mean()))
