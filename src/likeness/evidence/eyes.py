"""The eyes: radial texture of the irises, colour of the white, and the fold of the upper lid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.scene import SIDE, Scene, box_around
from likeness.faces.outlines import filled
from likeness.imaging.colour import luma
from likeness.imaging.image import Box

__all__ = ["EYES", "Eye", "Iris", "LidFold", "eye_box", "iris_texture", "lid_fold", "sclera"]

_Map = NDArray[np.float32]
_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Eye:
    """Indices of one eye in MediaPipe's mesh; the lids run from the corner at the left to that at the right, as seen.

    Attributes:
        iris: its centre and four points on its rim.
        upper, lower: the lids, nine points each, the corners included.
        brow: the brow's lower edge, above the upper lid.
    """

    iris: tuple[int, ...]
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    brow: tuple[int, ...]

    def opening(self, points: NDArray[np.floating[Any]], side: int) -> _Map:
        """S x S: 1 between the lids, 0 elsewhere."""
        return filled([points[[*self.upper, *self.lower[-2:0:-1]]]], side)

    def radius(self, points: NDArray[np.floating[Any]]) -> float:
        """Radius of the iris, px."""
        return float(np.hypot(*(points[list(self.iris[1:])] - points[self.iris[0]]).T).mean())


EYES = (
    Eye(
        iris=(468, 469, 470, 471, 472),
        upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
        lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
        brow=(46, 53, 52, 65, 55),
    ),
    Eye(
        iris=(473, 474, 475, 476, 477),
        upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
        lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
        brow=(285, 295, 282, 283, 276),
    ),
)
"""The eye to the left in the picture, and that to the right."""

_ANGLES = 96
_RINGS = 12


@dataclass(frozen=True, kw_only=True)
class Iris:
    """The irises' texture.

    Attributes:
        texture: variation in the ring as a share of its brightness, mean of the eyes that can be seen, before and after, in
            per cent.
        noise: what noise alone makes of that before, in per cent.
        radius: of the iris, px of the picture before.
        boxes: the eyes.
    """

    texture: tuple[float, float]
    noise: float
    radius: float
    boxes: tuple[Box, ...]


def iris_texture(scene: Scene) -> Iris | None:
    """Measure it; None where no iris can be seen (closed or covered eyes, glare, too few pixels).

    The ring between pupil and rim (0.45 to 0.88 of the radius) is unwrapped to polar coordinates, as for iris recognition
    (Daugman, "How iris recognition works", 2004). What is left there after the mean of a wide neighbourhood in angle (30
    degrees) is taken away is fibres and crypts, and not shading or the reflection of a window: its deviation over the ring's
    mean luma is the texture.
    """
    if not scene.measured:
        return None
    found: list[tuple[float, float, float]] = []
    radii: list[float] = []
    for eye in EYES:
        one = _one_iris(scene, eye)
        if one is not None:
            found.append(one[0])
            radii.append(one[1])
    if not found:
        return None
    before, after, noise = np.array(found).mean(axis=0)
    return Iris(
        texture=(float(before) * 100, float(after) * 100),
        noise=float(noise) * 100,
        radius=float(np.mean(radii)) * scene.native_side / SIDE,
        boxes=tuple(eye_box(scene, eye) for eye in EYES),
    )


def _one_iris(scene: Scene, eye: Eye) -> tuple[tuple[float, float, float], float] | None:
    p = scene.points.astype(np.float64)
    centre, radius = p[eye.iris[0]], eye.radius(p)
    if radius < 4.0:
        return None
    angles = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    radii = np.linspace(0.45, 0.88, _RINGS) * radius
    x = (centre[0] + radii[:, None] * np.cos(angles)).astype(np.float32)
    y = (centre[1] + radii[:, None] * np.sin(angles)).astype(np.float32)
    opening = np.asarray(cv2.erode(eye.opening(p, SIDE), np.ones((5, 5), np.uint8)), dtype=np.float32)
    rings = [_unwrapped(light, x, y) for light in scene.lumas]
    seen = _unwrapped(opening * scene.valid, x, y) > 0.9
    for ring in rings:
        # Catchlights and lashes are no iris; what either picture shows of them is left out of both.
        middle = float(np.median(ring[seen])) if seen.any() else 0.0
        seen &= (ring < middle + 0.2) & (ring > middle - 0.2)
    if seen.mean() < 0.25:
        return None
    weight = seen.astype(np.float64)
    near = np.maximum(_wrapped_blur(weight), 1e-6)
    values: list[float] = []
    for ring in rings:
        rest = (ring - _wrapped_blur(ring * weight) / near)[seen]
        values.append(float(np.sqrt(np.square(rest).mean())) / max(float(ring[seen].mean()), 0.05))
    noise = float(np.sqrt(scene.noise_power)) / max(float(rings[0][seen].mean()), 0.05)
    return (values[0], values[1], noise), radius


def _unwrapped(light: _Map, x: _Map, y: _Map) -> _Values:
    return np.asarray(cv2.remap(light, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64)


def _wrapped_blur(polar: _Values) -> _Values:
    """Gaussian of 30 degrees in angle, which wraps around, and 3 rings in radius."""
    turn = polar.shape[1]
    padded = np.pad(np.hstack([polar, polar, polar]), ((9, 9), (0, 0)), mode="symmetric")
    blurred = np.asarray(cv2.GaussianBlur(padded, (0, 0), sigmaX=turn / 12, sigmaY=3.0), dtype=np.float64)
    return blurred[9:-9, turn : 2 * turn]


def eye_box(scene: Scene, eye: Eye) -> Box:
    """The eye with its lids."""
    return box_around(scene.points[[*eye.upper, *eye.lower]].astype(np.float64), margin=8.0)


def sclera(scene: Scene) -> NDArray[np.bool_]:
    """512 x 512: the whites of the eyes, between lids and iris, without their dark rims."""
    p = scene.points.astype(np.float64)
    area = np.maximum(EYES[0].opening(p, SIDE), EYES[1].opening(p, SIDE)).astype(np.uint8)
    area = np.asarray(cv2.erode(area, np.ones((5, 5), np.uint8)), dtype=np.uint8)
    for eye in EYES:
        centre = p[eye.iris[0]]
        cv2.circle(area, (round(centre[0]), round(centre[1])), max(1, round(eye.radius(p) * 1.15)), (0,), -1)
    white = area > 0
    if int(white.sum()) < 30:
        return np.zeros((SIDE, SIDE), np.bool_)
    light = scene.lumas[0]
    return np.asarray(white & (light >= np.quantile(light[white], 0.4)))


@dataclass(frozen=True, kw_only=True)
class LidFold:
    """The fold of the upper lids.

    Attributes:
        depth: how much darker the fold is than the skin above and below it, before and after, mean of both eyes, levels of
            255; about 0 for a single eyelid.
        box: the eye that changed most.
    """

    depth: tuple[float, float]
    box: Box


def lid_fold(scene: Scene) -> LidFold | None:
    """Measure it; None without a mesh.

    The skin between the upper lid's rim and the brow is unrolled: columns from 25% to 75% of the eye's width, rows from the
    rim up. A fold is a dark line that runs along the lid, so the median of the columns keeps it and loses lashes and
    texture. Its depth is that of the valley: how far the profile lies under the lower of the highest points on either
    side. Both pictures are measured at equal softness (`Scene.matched`), as blur fills a fold.
    """
    if not scene.measured:
        return None
    depths: list[tuple[float, float]] = []
    for eye in EYES:
        x, y = _lid_grid(scene.points.astype(np.float64), eye)
        profiles = [_lid_profile(_unwrapped(luma(pixels), x, y)) for pixels in scene.matched]
        depths.append((_valley(profiles[0]), _valley(profiles[1])))
    before, after = np.array(depths).mean(axis=0) * 255.0
    worst = int(np.argmax([abs(b - a) for b, a in depths]))
    return LidFold(depth=(float(before), float(after)), box=eye_box(scene, EYES[worst]))


def _lid_grid(p: _Values, eye: Eye) -> tuple[_Map, _Map]:
    """48 rows from the lid's rim upward, 40 columns along it: crop positions."""
    share = np.linspace(0.25, 0.75, 40)
    rim = _along(p[list(eye.upper)], share)
    brow = _along(p[list(eye.brow)], share)
    # The lashes begin at the rim, the hairs of the brow at its lower edge.
    rows = np.linspace(0.06, 0.8, 48)
    at = rim[None] + (brow - rim)[None] * rows[:, None, None]
    return at[:, :, 0].astype(np.float32), at[:, :, 1].astype(np.float32)


def _along(points: _Values, share: _Values) -> _Values:
    """Points at shares of a polyline's extent from its left to its right."""
    order = np.argsort(points[:, 0])
    x, y = points[order, 0], points[order, 1]
    at = x[0] + share * (x[-1] - x[0])
    return np.stack([at, np.interp(at, x, y)], axis=1)


def _lid_profile(strip: _Values) -> _Values:
    profile = np.median(strip, axis=1)
    return np.asarray(cv2.GaussianBlur(profile[:, None], (1, 5), 1.0))[:, 0]


def _valley(profile: _Values) -> float:
    """The deepest valley: the profile under the lower of the maxima on both sides."""
    left = np.maximum.accumulate(profile)
    right = np.maximum.accumulate(profile[::-1])[::-1]
    return float(np.maximum(np.minimum(left, right) - profile, 0).max())
