"""What was drawn into a face, by its structure: irises, teeth, grains without direction, colours.

A network that is given too little draws something all the same. What it draws looks like a face from afar, and is told from
one by its structure: irises without a rim or out of round, teeth without separations, features in another place, hair of
sand, lips of another colour. Every figure compares a face before and after on one grid (`Scene`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.colour import to_lab
from likeness.evidence.eyes import EYES, Eye
from likeness.evidence.scene import SIDE, Scene, skin_within
from likeness.faces.attention import mesh_points
from likeness.faces.effective_resolution import EffectiveResolution
from likeness.imaging.colour import luma
from likeness.imaging.filters import box_around, gaussian_blur, resize, wide_blur
from likeness.imaging.image import Image, Size

__all__ = ["Structure", "measure_structure"]

_Map = NDArray[np.float32]
_Values = NDArray[np.float64]

_LEVELS = 255.0

_FEATURES = (33, 133, 362, 263, 61, 291, 1)
"""Corners of eyes and mouth, and the nose's tip."""

_UPPER_TEETH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER_TEETH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The inner rim of the lips, from corner to corner as seen."""

_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)

_SIDES = (
    (61, 291), (33, 263), (133, 362), (48, 278), (98, 327), (78, 308), (40, 270), (91, 321), (205, 425), (84, 314),
    (37, 267),
)  # fmt: skip
_BETWEEN = (13, 14, 0, 17, 1, 2, 152, 6, 168)
"""Points that a mirror held along the middle of a face exchanges, and those that it leaves where they are."""
_TURNED = np.array([*(place for pair in _SIDES for place in pair), *_BETWEEN])
_MIRRORED = np.array([*(place for pair in _SIDES for place in pair[::-1]), *_BETWEEN])

_LOWER = (*_LIPS, 48, 278, 4, 5)
"""What nose and mouth lie within."""
_AROUND_LOWER = 13
_DRAWN_BAND = (1.5, 8.0)
"""How wide that is grown, px, and the sigmas between which its drawing is compared with its mirror image, px."""
_MARGIN = 25
"""How far around it the blur of the larger one looks, px."""

_GAP, _WIDTH = 9.0, 40.0
"""Least height and width of an open mouth whose teeth are looked at, px."""

_SAND_SCALE = 1.0
"""Scale at which sand is looked for: sigma, px."""

_CELL = 8
"""Side of the neighbourhood in which gradients have one direction, px; with its neighbours, three times as wide."""
_CELLS = Size(SIDE // _CELL, SIDE // _CELL)

_RADII = np.linspace(0.15, 1.6, 9)
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_RINGS = _RADII[:, None, None] * np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
"""Where an iris is looked at for its roundness: rings x angles x 2, radii of the iris."""
_SIZES = np.array([0.75, 0.95, 1.15])
_SHIFTS = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 5), np.linspace(-0.3, 0.3, 3)), axis=-1).reshape(-1, 2)
"""Which other radii and centres are tried, radii of the mesh's iris."""
_GLINT, _FEW = 0.12, 0.2
"""How much brighter than most of the iris a catchlight is, luma, and how much of the iris it takes at most."""

_SMALL = 128
"""Side at which colours are compared."""

_WIDE = 5.0
_AROUND = 12
"""Sigma over which blotches are told from shading, and how far around skin and lips that looks, px of that side."""


_FEATURED = ("cheek", "forehead", "nose", "eye", "brow", "lip")
_HELD_BAND = (4.0, 4.0)
"""Where a face is compared with what the photograph holds of it: sigma of the finest detail, px of the 512 crop at least,
and how many times that the coarsest."""


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Figures of one face before and after; px are those of the 512 crop.

    Attributes:
        held: what the photograph holds there.
        found: whether a mesh was found in the face after; True as well where none was before. If none was, the one before
            serves, and ``moved`` is 0.
        known: whether a mesh was found in one of the two; else eyes and mouth are sought in an average face's places.
        eyes_seen: `Scene.eyes_seen`: where they are not, ``iris``, ``round`` and ``uneven`` are of lenses.
        iris: luma of the whites beside the irises over that of the irises within their rim, on the side where the rim is
            weakest, mean of both eyes, levels of 255.
        round: how much of what is seen about an iris goes by the distance from its centre alone, of the less
            round one; 0 to 1.
        uneven: difference of the irises' heights between the corners of their eyes, shares of the eye's width.
        moved: mean distance of the features from where they were, px.
        mirrored: correlation of nose and mouth with their mirror image, at scales of lines: a head that is turned, a
            crooked smile and light from the side lower it, and so does a mouth of which half is a smear.
        teeth: variation along the row of teeth over their brightness; None where the mouth is shut.
        sand: gradients in hair that have none, at a scale of 1 px: what was added of them beyond what was added on skin,
            where only grain and coding add any, less what was added of lines; levels.
        lips: distance of the lips' colour from that before, CIELAB a* and b*.
        blotches: variation of the skin's colour at a scale of 4 to 20 px over that before, CIELAB a* and b*.
        changed: 1 less the correlation of the face after with that before in what the photograph holds: 0 where it is as it
            was, whatever its light, and about 1 where another face stands there, or none.
    """

    held: EffectiveResolution
    found: bool
    known: bool
    eyes_seen: bool
    iris: float
    round: float
    uneven: float
    moved: float
    mirrored: float
    teeth: float | None
    sand: float
    lips: float
    blotches: float
    changed: float


def measure_structure(scene: Scene) -> Structure:
    """Measure one face."""
    before = scene.followed
    mesh = mesh_points(Image(pixels=scene.after).to_uint8(), known=scene.points if scene.measured else None)
    points = before if mesh is None else mesh[:, :2]
    places = list(_FEATURES)
    smooth = [gaussian_blur(light, _SAND_SCALE) for light in scene.lumas]
    irises = [_iris(smooth[1], points, eye) for eye in EYES]
    inside = scene.masks.blend(dict.fromkeys(("cheek", "forehead", "nose"), 1.0)) * scene.valid
    areas = [resize(area, _CELLS, "area") for area in (inside, scene.masks["hair"] * scene.valid)]
    fine = [_tensor(light, areas) for light in smooth]
    skin, hair = fine[1] - fine[0]
    # Grain and coding are on skin as well, and no sand.
    grown = np.array([hair[0], hair[1] - max(skin[1], 0.0)])
    strands, grains = np.sign(grown) * np.sqrt(np.abs(grown))
    lips, blotches = _colours(scene, inside, points)
    return Structure(
        held=scene.resolution,
        found=mesh is not None or not scene.measured,
        known=mesh is not None or scene.measured,
        eyes_seen=scene.eyes_seen,
        iris=float(np.mean([contrast for contrast, _ in irises])) * _LEVELS,
        round=min(_roundness(smooth[1], points, eye) for eye in EYES),
        uneven=abs(irises[0][1] - irises[1][1]),
        moved=float(np.hypot(*(points[places] - before[places]).T).mean()),
        mirrored=_mirrored(scene.lumas[1], points),
        teeth=_teeth(scene.lumas[1], points),
        sand=float(grains - max(strands, 0.0)),
        lips=lips,
        blotches=blotches,
        changed=_changed(scene),
    )


def _changed(scene: Scene) -> float:
    """1 less the correlation of both lumas in the band that the photograph holds, within the face."""
    size = Size(_SMALL, _SMALL)
    unit = _SMALL / SIDE
    sigma = max(_HELD_BAND[0], SIDE / scene.resolution.pixels) * unit
    face = resize(scene.masks.blend(dict.fromkeys(_FEATURED, 1.0)) * scene.valid, size, "area")
    small = [resize(light, size, "area") for light in scene.lumas]
    one, other = (gaussian_blur(light, sigma) - wide_blur(light, _HELD_BAND[1] * sigma) for light in small)
    powers = float((face * one * one).sum()) * float((face * other * other).sum())
    return 1.0 - float((face * one * other).sum()) / max(powers, 1e-12) ** 0.5


def _iris(light: _Map, p: _Values, eye: Eye) -> tuple[float, float]:
    """Contrast of an iris against the whites, and its height over the line of the eye's corners, in eye widths.

    Of the places near the mesh's own iris, that with the most contrast between a circle inside the rim and one outside it
    (the operator of Daugman, "High confidence visual recognition of persons by a test of statistical independence", 1993),
    above and below left out, where the lids are.
    """
    middle, radius = p[eye.iris[0]], max(eye.radius(p), 2.0)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    turn = turn[np.abs(np.sin(turn)) < 0.6]
    shift = _SHIFTS[:, None]
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    inside, outside = (
        cv2.remap(light, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR)
        for at in (middle + radius * (shift + share * around) for share in (0.7, 1.3))
    )
    step = np.asarray(outside, dtype=np.float64) - np.asarray(inside, dtype=np.float64)
    right = np.cos(turn) > 0
    contrast = np.minimum(step[:, right].mean(axis=1), step[:, ~right].mean(axis=1))
    best = int(contrast.argmax())
    along = p[eye.upper[-1]] - p[eye.upper[0]]
    width = max(float(np.hypot(*along)), 1.0)
    offset = middle + radius * shift[best, 0] - p[eye.upper[0]]
    return float(contrast[best]), float(along[0] * offset[1] - along[1] * offset[0]) / width**2


def _roundness(light: _Map, p: _Values, eye: Eye) -> float:
    """How much of what is seen about an iris goes by the distance from its centre alone, in [0, 1].

    Pupil, iris and white are rings, however sharp the picture. Of the places and sizes near the mesh's own iris, that counts
    at which the means of rings explain most of luma's variance (coefficient of determination), with the white brighter than
    the iris. Lids are left out, and within the iris what is much brighter than most of it: catchlights.
    """
    middle, radius = p[eye.iris[0]], max(eye.radius(p), 2.0)
    at = middle + radius * (_SHIFTS[:, None, None, None] + _SIZES[:, None, None, None] * _RINGS)
    shape = (len(_SHIFTS) * len(_SIZES), *_RINGS.shape[:2])
    x, y = (np.ascontiguousarray(at[..., axis].reshape(len(_SHIFTS), -1), np.float32) for axis in range(2))
    values, seen = (
        np.asarray(cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=border), np.float32).reshape(shape)
        for source, border in ((light, cv2.BORDER_REPLICATE), (eye.opening(p, SIDE), cv2.BORDER_CONSTANT))
    )
    inner, outer = _RADII < 0.9, _RADII > 1.1
    within = (seen > 0.7) & inner[:, None]
    own = values[shape[0] // 2][within[shape[0] // 2]]
    typical = float(np.median(own)) if len(own) else 0.0
    # Ring by ring an area, and of little difference from the rest, so that squares stay exact in single precision.
    values = values - np.float32(typical)
    glint = within & (values > _GLINT)
    few = glint.sum(axis=(1, 2)) < _FEW * within.sum(axis=(1, 2))
    weight = ((seen > 0.7) & ~(glint & few[:, None, None])) * _RADII[:, None].astype(np.float32)
    total = np.maximum(weight.sum(axis=2), 1e-6)
    first = (weight * values).sum(axis=2)
    second = (weight * np.square(values)).sum(axis=(1, 2))
    left = second - (first * first / total).sum(axis=1)
    whole = second - np.square(first.sum(axis=1)) / total.sum(axis=1)
    iris, white = (first[:, part].sum(axis=1) / total[:, part].sum(axis=1) for part in (inner, outer))
    return float(np.max(np.where(white > iris, 1 - left / np.maximum(whole, 1e-6), 0.0)))


def _mirrored(light: _Map, p: _Values) -> float:
    """Correlation of nose and mouth with their mirror image: a homography exchanges the points of one side and the other."""
    found: tuple[Any, Any] = cv2.findHomography(p[_TURNED].astype(np.float32), p[_MIRRORED].astype(np.float32))
    turn = found[0]  # None where there is none, whatever OpenCV's types say
    area = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(area, cv2.convexHull(p[list(_LOWER)].astype(np.int32)), (1.0,))
    area = cv2.dilate(area, np.ones((_AROUND_LOWER, _AROUND_LOWER), np.uint8))
    if turn is None or not area.any():  # a mesh that lies on one line, or beside the crop, has no sides
        return 0.0
    rows, columns = box_around(area, 0)
    x, y = np.meshgrid(np.arange(SIDE)[columns], np.arange(SIDE)[rows])
    u, v = np.moveaxis(cv2.perspectiveTransform(np.stack([x, y], axis=-1).astype(np.float32), turn), -1, 0)
    # Only where nose and mouth and their mirror images lie: the whole takes five times as long.
    first = np.array([min(x.min(), u.min()), min(y.min(), v.min())])
    last = np.array([max(x.max(), u.max()), max(y.max(), v.max())])
    left, top = np.clip(first - _MARGIN, 0, SIDE).astype(int)
    right, bottom = np.clip(last + _MARGIN, 0, SIDE).astype(int)
    part = light[top:bottom, left:right]
    band = gaussian_blur(part, _DRAWN_BAND[0]) - gaussian_blur(part, _DRAWN_BAND[1])
    other = cv2.remap(band, u - np.float32(left), v - np.float32(top), cv2.INTER_LINEAR)
    lower = area[rows, columns] > 0
    one, two = band[y - top, x - left][lower], np.asarray(other, np.float32)[lower]
    one, two = one - one.mean(), two - two.mean()
    return float((one * two).sum() / np.sqrt((one * one).sum() * (two * two).sum() + 1e-9))


def _teeth(light: _Map, p: _Values) -> float | None:
    """Variation along the row of teeth, over their mean luma: separations are dark lines across it."""
    if float(np.hypot(*(p[13] - p[14]))) < _GAP or float(np.hypot(*(p[78] - p[308]))) < _WIDTH:
        return None
    share, knots = np.linspace(0.2, 0.8, 64), np.linspace(0, 1, len(_UPPER_TEETH))
    top, bottom = (
        np.stack([np.interp(share, knots, p[list(rim), axis]) for axis in range(2)], axis=1)
        for rim in (_UPPER_TEETH, _LOWER_TEETH)
    )
    at = top + (bottom - top) * np.linspace(0.2, 0.7, 9)[:, None, None]
    strip = cv2.remap(light, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR)
    row = np.asarray(strip, dtype=np.float64).mean(axis=0)
    wide = np.asarray(cv2.GaussianBlur(row[None], (0, 0), sigmaX=4.0, sigmaY=0.01))[0]
    return float((row - wide).std() / max(row.mean(), 0.05))


def _tensor(smooth: _Map, areas: list[_Map]) -> _Values:
    """Areas x 2: power of a smooth picture's gradients that have a direction, and of those that have none; levels of 255,
    squared.

    By the eigenvalues of the structure tensor (Bigun and Granlund, "Optimal orientation detection of linear symmetry",
    1987): their difference is what has a direction, twice the smaller one what has none.
    """
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=_LEVELS / 8) for x in (1, 0))
    xx, yy, xy = (
        cv2.blur(resize(np.asarray(product, dtype=np.float32), _CELLS, "area"), (3, 3))
        for product in (across * across, down * down, across * down)
    )
    lines = np.sqrt(np.square(xx - yy) + 4 * np.square(xy))
    powers = (lines, np.maximum(xx + yy - lines, 0))
    return np.array([[float((power * area).sum()) / (float(area.sum()) + 1e-6) for power in powers] for area in areas])


def _colours(scene: Scene, inside: _Map, p: _Values) -> tuple[float, float]:
    """Distance of the lips' colour from that before, and how much more the skin's colour varies; 0 where there is none."""
    size = Size(_SMALL, _SMALL)
    pictures = [resize(np.ascontiguousarray(pixels), size, "area") for pixels in (scene.before, scene.after)]
    lips = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(lips, [np.round(p[list(_LIPS)]).astype(np.int32)], (1.0,))
    cv2.fillPoly(lips, [np.round(p[[*_UPPER_TEETH, *_LOWER_TEETH[-2:0:-1]]]).astype(np.int32)], (0.0,))
    red = resize(lips * scene.valid, size, "area") > 0.5
    skin = skin_within(resize(inside, size, "area"), luma(pictures[0]), margin=1) > 0.6
    where = box_around(red | skin, _AROUND)
    red, skin = red[where], skin[where]
    before, after = (to_lab(pixels[where])[..., 1:].astype(np.float32) for pixels in pictures)
    moved, grown = 0.0, 0.0
    if red.sum() > 8:
        moved = float(np.hypot(*(after[red].mean(axis=0) - before[red].mean(axis=0))))
    if skin.sum() > 40:
        band = [np.square(gaussian_blur(x, 1.0) - gaussian_blur(x, _WIDE)).sum(axis=-1)[skin] for x in (before, after)]
        grown = float(np.sqrt(band[1].mean()) - np.sqrt(band[0].mean()))
    return moved, grown
