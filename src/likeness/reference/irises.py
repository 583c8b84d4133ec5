"""The colour of the irises, which a lost photograph does not hold: an iris is two or three of its pixels wide.

What is coarser than its blur a photograph holds, so light and colour stay its own; but where an iris is hardly wider than
the blur, what stands there is a mixture of iris, white and skin, or a stain of compressed colour. Another photograph of the
person knows better. Its light is another one, so its colour is told beside that of the skin: the quotient of the two,
channel by channel, stays the same in any light (von Kries, "Chromatic adaptation", 1902; on encoded values too, as long as
these are a power of the light).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.eyes import EYES, Eye
from likeness.faces.outlines import OVAL_OUTLINE
from likeness.imaging.colour import LUMA, luma
from likeness.imaging.filters import gaussian_blur, to_channels
from likeness.imaging.image import Pixels
from likeness.reference.correspondence import Map, sampled

__all__ = ["IrisColours", "colour_change", "iris_colours", "skin_colour"]

_RING = (0.45, 0.88)
"""Part of the radius that shows an iris's colour, between pupil and rim (as `likeness.evidence.eyes` has it)."""
_CATCHLIGHT = 0.2
"""A pixel of an iris that is brighter or darker than its median by so much in luma is a catchlight or a lash."""
_FEWEST = 24
"""Pixels of an iris that it takes to tell its colour."""
_TONED = 0.012
"""Deviation of a face's chroma, as a share of luma, from the one that its luma foretells: a toned print has less."""
_EDGE = 1.0
"""Sigma of the soft edge of an iris, px at 512."""
_SHOWN = (0.3, 0.7)
"""Blur of the photograph over the radius of the iris: up to the first it shows the colour itself, from the second on not at
all."""
_DARK = 0.03

_Colour = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class IrisColours:
    """What another photograph tells of a person's irises.

    Attributes:
        eyes: of the eye to the left in the picture and of that to the right, 3 each: encoded RGB of the iris over that of
            the skin; None where no iris can be seen.
        radii: of the irises, px of the crop.
    """

    eyes: tuple[_Colour | None, _Colour | None]
    radii: tuple[float, float]


def iris_colours(pixels: Pixels, points: NDArray[np.float32]) -> IrisColours | None:
    """Measure them; None in a picture without colours, or if neither iris can be seen.

    Args:
        pixels: S x S x 3 in [0, 1], aligned crop.
        points: 478 x 2, the mesh in it.
    """
    skin = skin_colour(pixels, points)
    if skin is None:
        return None
    light = luma(pixels)
    found: list[_Colour | None] = []
    for eye in EYES:
        within, share = eye.opening(points, light.shape[0]) > 0, _from_middle(points, eye, light.shape[0])
        seen = within & (share >= _RING[0]) & (share <= _RING[1])
        if seen.any():
            seen &= np.abs(light - np.median(light[seen])) < _CATCHLIGHT
        enough = int(seen.sum()) >= _FEWEST
        found.append(np.median(pixels[seen].astype(np.float64), axis=0) / skin if enough else None)
    left, right = (own if own is not None else other for own, other in zip(found, found[::-1], strict=True))
    if left is None and right is None:
        return None
    return IrisColours(eyes=(left, right), radii=(_radius(points, EYES[0]), _radius(points, EYES[1])))


def skin_colour(pixels: Pixels, points: NDArray[np.float32]) -> _Colour | None:
    """Encoded RGB of the face's skin, its median; None in a picture without colours, black and white or toned.

    Args:
        pixels: S x S x 3 in [0, 1], aligned crop.
        points: 478 x 2, the mesh in it.
    """
    oval = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillConvexPoly(oval, np.round(points[list(OVAL_OUTLINE)]).astype(np.int32), (1,))
    if not oval.any():
        return None
    inside = gaussian_blur(pixels, max(2 * pixels.shape[0] / 512, 0.5))[oval > 0].astype(np.float64)
    inside = inside[:: max(1, len(inside) // 4000)]
    light = inside @ LUMA
    seen = (light > 0.1) & (light < 0.95)
    if int(seen.sum()) < 2 * _FEWEST:
        return None
    light, inside = light[seen], inside[seen]
    foretold = np.vander(light, 3)
    chroma = (inside - light[:, None]) / light[:, None]
    rest = chroma - foretold @ np.linalg.lstsq(foretold, chroma, rcond=None)[0]
    if float(np.sqrt(np.square(rest).mean())) < _TONED:
        return None
    return np.maximum(np.median(inside, axis=0), _DARK)


def colour_change(
    target: Pixels,
    light: NDArray[np.float32],
    points: NDArray[np.float32],
    *,
    colours: IrisColours,
    source: NDArray[np.float32],
    places: Map,
    sigma: float,
) -> Pixels | None:
    """What gives the irises of a restored face the colour of the person's own; luma stays. None where it has no colours.

    Args:
        target: S x S x 3, the restored face.
        light: S x S, its luma with the detail of the other photograph.
        points: 478 x 2, its mesh.
        colours: of the other photograph.
        source: 478 x 2, the mesh of the other photograph in its crop of S x S.
        places: which place of the other photograph shows each place of the face.
        sigma: the photograph's blur, px.

    Returns:
        S x S x 3, zero outside the irises.
    """
    skin = skin_colour(target, points)
    if skin is None:
        return None
    side = target.shape[0]
    own = target - to_channels(luma(target))
    change = np.zeros_like(target)
    for eye, quotient, radius in zip(EYES, colours.eyes, colours.radii, strict=True):
        unseen = float(np.clip((sigma / max(radius, 1e-6) - _SHOWN[0]) / (_SHOWN[1] - _SHOWN[0]), 0, 1))
        if quotient is None or unseen == 0:
            continue
        disc = (_from_middle(source, eye, side) <= 1).astype(np.float32) * eye.opening(source, side)
        iris = sampled(gaussian_blur(disc, max(_EDGE * side / 512, 0.3)), places) * np.float32(unseen)
        inside = iris > 0.5 * unseen
        if not inside.any():
            continue
        wanted = quotient * skin
        chroma = (wanted / max(float(wanted @ LUMA), _DARK) - 1).astype(np.float32)
        # A catchlight has the colour of the lamp.
        middle = float(np.median(light[inside]))
        iris *= np.clip((middle + 2 * _CATCHLIGHT - light) / _CATCHLIGHT, 0, 1)
        change += to_channels(iris) * (light[:, :, None] * chroma - own)
    return change


def _radius(points: NDArray[np.float32], eye: Eye) -> float:
    return max(eye.radius(points), 1e-6)


def _from_middle(points: NDArray[np.float32], eye: Eye, side: int) -> NDArray[np.float32]:
    """S x S: distance from the iris's centre, in its radii."""
    x, y = points[eye.iris[0]]
    line = np.arange(side, dtype=np.float32)
    return np.asarray(np.hypot(line[None] - x, line[:, None] - y) / _radius(points, eye), dtype=np.float32)
