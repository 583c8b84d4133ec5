"""Soft masks of the face's regions, from the mesh.

Regions are drawn as polygons of mesh points, most specific first; each takes what the ones before it left, so that all ten
add up to exactly 1 at every pixel. Hair and ears lie outside the mesh: they are the parts of a head-shaped outline, in
proportion to the face, that the mesh does not cover.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Size

__all__ = ["EYE_OUTLINES", "OVAL_OUTLINE", "REGIONS", "RegionMasks", "face_mask", "filled", "region_masks"]

REGIONS = ("eye", "brow", "nose", "lip", "cheek", "forehead", "ear", "hair", "edge", "other")

_Mask = NDArray[np.float32]

# Indices of MediaPipe's canonical face mesh; "left" is as seen in the picture.
OVAL_OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
EYE_OUTLINES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_NOSE = (6, 122, 196, 3, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 248, 419, 351)
_FOREHEAD = (
    127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 300, 293, 334, 296, 336, 9, 107, 66, 105, 63, 70,
)  # fmt: skip
_SIDES = (234, 454)
_CHIN, _TOP = 152, 10

_DRAWN_SIDE = 256
_FEATHER = 0.012
"""Sigma of the regions' soft edges, as a share of the crop."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionMasks:
    """Ten soft masks, S x S in [0, 1], that add up to 1 at every pixel.

    Attributes:
        masks: of each region, at the side at which they were drawn: they are too soft to need more.
        side: S.
    """

    masks: dict[str, _Mask]
    side: int

    def __post_init__(self) -> None:
        if set(self.masks) != set(REGIONS):
            raise ValueError(f"masks must be of the regions {', '.join(REGIONS)}")

    def __getitem__(self, region: str) -> _Mask:
        """The mask of one region, S x S."""
        return self._enlarged(self.masks[region])

    def blend(self, values: Mapping[str, float]) -> _Mask:
        """S x S: a value for each region, blended by their masks."""
        total = np.zeros_like(self.masks["other"])
        for region, value in values.items():
            total += self.masks[region] * np.float32(value)
        return self._enlarged(total)

    def means(self, values: _Mask) -> dict[str, float]:
        """The mean of S x S values in each region; 0 for a region without area."""
        drawn = self.masks["other"].shape[0]
        if values.shape[0] != drawn:
            values = resize(values, Size(drawn, drawn), "area")
        areas = {region: float(mask.sum()) for region, mask in self.masks.items()}
        return {
            region: float((mask * values).sum()) / areas[region] if areas[region] > 0 else 0.0
            for region, mask in self.masks.items()
        }

    def _enlarged(self, mask: _Mask) -> _Mask:
        return mask if mask.shape[0] == self.side else resize(mask, Size(self.side, self.side), "linear")


def region_masks(points: NDArray[np.float32], crop_size: int) -> RegionMasks:
    """The regions of an aligned crop.

    Args:
        points: 478 x 2, the mesh in crop pixels.
        crop_size: S.
    """
    unit = _DRAWN_SIDE / crop_size
    p = (points.astype(np.float64) + 0.5) * unit - 0.5
    down, across = np.mgrid[0:_DRAWN_SIDE, 0:_DRAWN_SIDE].astype(np.float32)
    chin, top = p[_CHIN], p[_TOP]
    oval = _polygon(p[list(OVAL_OUTLINE)])
    face_height = float(np.hypot(*(chin - top)))
    left, right = p[_SIDES[0]], p[_SIDES[1]]
    middle = (left + right) / 2
    half_width = float(np.hypot(*(right - left))) / 2

    drawn: dict[str, _Mask] = {
        "eye": _grown(_polygon(*(p[list(eye)] for eye in EYE_OUTLINES)), 0.035 * face_height),
        "brow": _grown(_polygon(*(p[list(brow)] for brow in _BROWS)), 0.012 * face_height),
        "lip": _grown(_polygon(p[list(_LIPS)]), 0.008 * face_height),
        "nose": _grown(_polygon(p[list(_NOSE)]), 0.01 * face_height),
        "edge": _grown(oval, 0.03 * face_height) - _shrunk(oval, 0.03 * face_height),
        "forehead": np.minimum(_polygon(p[list(_FOREHEAD)]), oval),
        "cheek": oval,
        "ear": _ears(across, down, left, right, middle, half_width, face_height),
        "hair": _head(across, down, top, chin, middle, half_width, face_height),
    }
    # The hair line is no contour of the face: there the forehead goes over into hair.
    drawn["edge"] = drawn["edge"] * _below(down, float(p[9][1]), 0.04 * face_height)
    left_over = np.ones((_DRAWN_SIDE, _DRAWN_SIDE), np.float32)
    masks: dict[str, _Mask] = {}
    for region, mask in drawn.items():
        masks[region] = gaussian_blur(mask.astype(np.float32), _FEATHER * _DRAWN_SIDE) * left_over
        left_over = left_over - masks[region]
    if crop_size < _DRAWN_SIDE:
        masks = {region: resize(mask, Size(crop_size, crop_size), "linear") for region, mask in masks.items()}
    masks = {region: np.clip(mask, 0.0, 1.0) for region, mask in masks.items()}
    total = np.add.reduce(list(masks.values()))
    masks["other"] = np.clip(np.float32(1) - total, 0.0, 1.0)
    return RegionMasks(masks=masks, side=crop_size)


def face_mask(masks: RegionMasks) -> _Mask:
    """The paste-back mask, S x S: 1 on face and ears, fading through the hair, exactly 0 toward the crop's border."""
    head, side = np.float32(1) - masks.masks["other"], masks.side
    small = head if head.shape[0] == _DRAWN_SIDE else resize(head, Size(_DRAWN_SIDE, _DRAWN_SIDE), "linear")
    border = np.minimum(np.arange(_DRAWN_SIDE), np.arange(_DRAWN_SIDE)[::-1]) / _DRAWN_SIDE
    ramp = np.clip((border - 0.025) / 0.07, 0.0, 1.0)
    soft = gaussian_blur(small * np.minimum(ramp[:, None], ramp[None, :]).astype(np.float32), 0.02 * _DRAWN_SIDE)
    # A smooth step (3t^2 - 2t^3): no kink at either end of the fade.
    t = np.clip((soft - 0.1) / 0.75, 0.0, 1.0)
    window = np.clip((border - 0.02) / 0.06, 0.0, 1.0)
    mask = (t * t * (3 - 2 * t) * np.minimum(window[:, None], window[None, :])).astype(np.float32)
    return np.clip(resize(mask, Size(side, side), "linear"), 0.0, 1.0)


def filled(outlines: Iterable[NDArray[np.floating[Any]]], side: int) -> _Mask:
    """S x S: 1 within any of the outlines, each N x 2 in pixels, 0 elsewhere."""
    canvas = np.zeros((side, side), np.float32)
    for outline in outlines:
        # Whole numbers with 4 bits after the point, as `fillPoly` wants them.
        cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_8, 4)
    return canvas


def _polygon(*outlines: NDArray[np.float64]) -> _Mask:
    return filled(outlines, _DRAWN_SIDE)


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def _grown(mask: _Mask, radius: float) -> _Mask:
    return np.asarray(cv2.dilate(mask, _disc(radius)), dtype=np.float32)


def _shrunk(mask: _Mask, radius: float) -> _Mask:
    return np.asarray(cv2.erode(mask, _disc(radius)), dtype=np.float32)


def _below(down: _Mask, y: float, softness: float) -> _Mask:
    return np.clip((down - y) / max(softness, 1e-3) + 0.5, 0.0, 1.0)


def _ears(
    across: _Mask,
    down: _Mask,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    middle: NDArray[np.float64],
    half_width: float,
    height: float,
) -> _Mask:
    """An upright ellipse outside either side of the face, from brow to mouth."""
    found = np.zeros_like(across)
    for side in (left, right):
        outward = (side - middle) / max(half_width, 1e-6)
        centre = side + outward * 0.07 * height + np.array([0.0, 0.03 * height])
        u = (across - centre[0]) / (0.085 * height)
        v = (down - centre[1]) / (0.19 * height)
        found = np.maximum(found, (u * u + v * v < 1).astype(np.float32))
    return found


def _head(
    across: _Mask,
    down: _Mask,
    top: NDArray[np.float64],
    chin: NDArray[np.float64],
    middle: NDArray[np.float64],
    half_width: float,
    height: float,
) -> _Mask:
    """The head with its hair: an ellipse about the face, reaching a third of the face's height over the mesh."""
    upper, lower = top[1] - 0.36 * height, chin[1] + 0.05 * height
    centre_y, radius_y = (upper + lower) / 2, (lower - upper) / 2
    u = (across - middle[0]) / max(half_width * 1.45, 1e-6)
    v = (down - centre_y) / max(radius_y, 1e-6)
    # Between an ellipse and a rounded rectangle (Lame's curve of degree 2.5): heads are fuller than ellipses.
    return (np.abs(u) ** 2.5 + np.abs(v) ** 2.5 < 1).astype(np.float32)
