"""Soft masks of the face's regions: from the mesh, and from what the picture shows around it.

The regions of the face itself are drawn as polygons of mesh points, most specific first; each takes what the ones before it
left, so that all of them add up to exactly 1 at every pixel. Hair, beard, spectacles, ears, neck and what lies in front of
the face are seen in the picture (`likeness.faces.parts`) and take their places first. Without a picture, hair and ears are
the parts of a head-shaped outline, in proportion to the face, that the mesh does not cover, and nobody wears anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.outlines import BROW_OUTLINES, EYE_OUTLINES, LIP_OUTLINE, OVAL_OUTLINE, filled
from likeness.faces.parts import FaceParts
from likeness.imaging.filters import box_around, disc, gaussian_blur, resize
from likeness.imaging.image import Size

__all__ = ["REGIONS", "RegionMasks", "face_mask", "region_masks"]

REGIONS = (
    "eye", "brow", "nose", "lip", "cheek", "forehead", "ear",
    "hair", "beard", "glasses", "neck", "edge", "occluder", "other",
)  # fmt: skip
"""``occluder``: what lies in front of the face, as a hand; ``other``: background, clothes and hats."""

_Mask = NDArray[np.float32]

# Indices of MediaPipe's canonical face mesh.
_NOSE = (6, 122, 196, 3, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 248, 419, 351)
_FOREHEAD = (
    127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 300, 293, 334, 296, 336, 9, 107, 66, 105, 63, 70,
)  # fmt: skip
_SIDES = (234, 454)
_CHIN, _TOP = 152, 10

_DRAWN_SIDE = 256
_FEATHER = 0.012
"""Sigma of the regions' soft edges, as a share of the crop."""

_SMALLEST_HAT, _SMALLEST_OCCLUDER = 0.03, 0.012
"""Shares of the crop under which a hat, or something in front of a face, is none."""

_LIKELY_HAT = (0.2, 0.5)
"""From which share on what hangs together with a sure hat is part of it, and from which in full."""

_AROUND_HAT, _LEAST_BACKGROUND = 6, 0.1
"""How far around a hat is looked for background, px at `_DRAWN_SIDE`, and how much of it there has to be."""

_REACH, _FADE = 2.0, 1.5
"""How far beyond the head the paste-back mask of a blurred photograph is whole, and how far from there it fades, in sigmas
of the blur."""

_CLOSE = 0.006
"""Sigma of the paste-back mask's edge along hair and jaw, as a share of the crop."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionMasks:
    """A soft mask of each region, S x S in [0, 1]; they add up to 1 at every pixel.

    Attributes:
        masks: of each region, at the side at which they were drawn: they are too soft to need more.
        side: S.
        seen: whether the picture was looked at for them, so that they end where the head ends.
    """

    masks: dict[str, _Mask]
    side: int
    seen: bool = False

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


def region_masks(points: NDArray[np.float32], crop_size: int, parts: FaceParts | None = None) -> RegionMasks:
    """The regions of an aligned crop.

    Args:
        points: 478 x 2, the mesh in crop pixels.
        crop_size: S.
        parts: what the crop shows (`likeness.faces.parts.face_parts`); None to draw everything in proportion to the mesh.
    """
    unit = _DRAWN_SIDE / crop_size
    p = (points.astype(np.float64) + 0.5) * unit - 0.5
    down, across = np.indices((_DRAWN_SIDE, _DRAWN_SIDE), np.float32)
    chin, top = p[_CHIN], p[_TOP]
    oval = _polygon(p[list(OVAL_OUTLINE)])
    face_height = float(np.hypot(*(chin - top)))
    left, right = p[_SIDES[0]], p[_SIDES[1]]
    middle = (left + right) / 2
    half_width = float(np.hypot(*(right - left))) / 2

    drawn: dict[str, _Mask] = {
        "eye": _grown(_polygon(*(p[list(eye)] for eye in EYE_OUTLINES)), 0.035 * face_height),
        "brow": _grown(_polygon(*(p[list(brow)] for brow in BROW_OUTLINES)), 0.012 * face_height),
        "lip": _grown(_polygon(p[list(LIP_OUTLINE)]), 0.008 * face_height),
        "nose": _grown(_polygon(p[list(_NOSE)]), 0.01 * face_height),
        "edge": _grown(oval, 0.03 * face_height) - _shrunk(oval, 0.03 * face_height),
        "forehead": np.minimum(_polygon(p[list(_FOREHEAD)]), oval),
        "cheek": oval,
    }
    # The hair line is no contour of the face: there the forehead goes over into hair.
    drawn["edge"] = drawn["edge"] * _below(down, float(p[9][1]), 0.04 * face_height)
    ears = _ears(across, down, left, right, middle, half_width, face_height)
    if parts is None:
        drawn["ear"] = ears
        drawn["hair"] = _head(across, down, top, chin, middle, half_width, face_height)
    masks, left_over = _layered(drawn)
    if parts is not None:
        masks = _with_parts(masks, left_over, parts, p, oval, ears)
    masks |= {region: np.zeros_like(left_over) for region in REGIONS if region not in masks and region != "other"}
    if crop_size < _DRAWN_SIDE:
        masks = {region: resize(mask, Size(crop_size, crop_size), "linear") for region, mask in masks.items()}
    masks = {region: np.clip(mask, 0.0, 1.0) for region, mask in masks.items()}
    total = _sum(masks.values())
    masks["other"] = np.clip(np.float32(1) - total, 0.0, 1.0)
    return RegionMasks(masks=masks, side=crop_size, seen=parts is not None)


def _layered(drawn: Mapping[str, _Mask]) -> tuple[dict[str, _Mask], _Mask]:
    """Soft masks of drawn regions, each of what the ones before it left, and what is left after the last."""
    left_over = np.ones((_DRAWN_SIDE, _DRAWN_SIDE), np.float32)
    masks: dict[str, _Mask] = {}
    for region, mask in drawn.items():
        masks[region] = gaussian_blur(mask.astype(np.float32), _FEATHER * _DRAWN_SIDE) * left_over
        left_over = left_over - masks[region]
    return masks, left_over


def _with_parts(
    face: Mapping[str, _Mask],
    left_over: _Mask,
    parts: FaceParts,
    p: NDArray[np.float64],
    oval: _Mask,
    ears: _Mask,
) -> dict[str, _Mask]:
    """The mesh's regions as far as the picture shows skin there, and the regions that only the picture shows.

    Well within the face the mesh is believed where the network sees background or clothes: a face that is blurred or dark is
    still restored.
    """
    down, across = np.indices((_DRAWN_SIDE, _DRAWN_SIDE), np.float32)
    up = p[_TOP] - p[_CHIN]
    height = max(float(np.hypot(*up)), 1e-6)
    up = up / height
    along = ((across - p[_CHIN][0]) * up[0] + (down - p[_CHIN][1]) * up[1]) / height
    aside = np.abs((across - p[_CHIN][0]) * -up[1] + (down - p[_CHIN][1]) * up[0]) / height
    inside = gaussian_blur(_shrunk(oval, 0.06 * height), _FEATHER * _DRAWN_SIDE)
    head = _of_this_head(parts, oval)
    under_chin = np.clip((0.30 - aside) / 0.06, 0, 1) * np.clip(0.5 - along / 0.06, 0, 1)
    hat = _before_background(parts["background"], _sure(parts["hat"], _SMALLEST_HAT, oval))
    hat = _whole(parts["hat"], hat) * np.clip((along - 0.6) / 0.1, 0.0, 1.0)
    # What may be a hat, and is not sure to be one, is hair.
    hair = (parts["hair"] + np.maximum(parts["hat"] - hat, 0.0)) * head * (np.float32(1) - under_chin)
    beard = (parts["beard"] + parts["hair"] * under_chin) * head
    glasses = parts["glasses"] * head
    occluder = _sure(parts["occluder"], _SMALLEST_OCCLUDER, oval)
    skin = np.clip(np.float32(1) - hair - beard - glasses - occluder - hat, 0.0, 1.0)
    masks = {region: mask * skin for region, mask in face.items()}
    around = parts["skin"] * head * left_over
    neck = np.clip(0.5 - (along - 0.15) / 0.06, 0.0, 1.0)
    ear = gaussian_blur(ears, _FEATHER * _DRAWN_SIDE) * (np.float32(1) - neck)
    masks["neck"] = around * neck
    masks["ear"] = around * ear
    # What is left is skin above the mesh, up to the hair line or over a bald head.
    masks["forehead"] = masks["forehead"] + around * np.clip(np.float32(1) - neck - ear, 0.0, 1.0)
    masks |= {"hair": hair, "beard": beard, "glasses": glasses, "occluder": occluder}
    # Where soft masks overlap their products leave a rest, which belongs to whoever is there and not to the background.
    person = np.clip(np.float32(1) - parts["background"] - parts["cloth"] - hat, 0.0, 1.0)
    wanted = np.maximum(inside * (np.float32(1) - hat), person * head)
    total = _sum(masks.values())
    scale = np.where(total > 1e-3, wanted / np.maximum(total, 1e-3), 0.0).astype(np.float32)
    return {region: mask * scale for region, mask in masks.items()}


def _sum(masks: Iterable[_Mask]) -> _Mask:
    first, *others = masks
    total = first.copy()
    for mask in others:
        total += mask
    return total


def _sure(mask: _Mask, smallest: float, oval: _Mask) -> _Mask:
    """A part that is left out of the restoration, as far as the network is sure of it: a doubtful spot tears no hole.

    What lies in front of a face, or is on a head, is not small, and reaches in from beside the face.
    """
    if float(mask.max()) <= 0.6:  # most people wear no hat, and hold nothing before their faces
        return np.zeros_like(mask)
    sure = np.clip((mask - 0.6) / 0.3, 0.0, 1.0).astype(np.float32)
    _, numbers = cv2.connectedComponents((sure > 0).astype(np.uint8), connectivity=4)
    found = np.asarray(numbers, dtype=np.int64)
    large = np.bincount(found.ravel()) >= smallest * mask.size
    beside = np.bincount(found[oval == 0], minlength=len(large)) > 0
    return np.where((large & beside)[found], sure, np.float32(0))


def _whole(mask: _Mask, sure: _Mask) -> _Mask:
    """What is sure, and what hangs together with it and is likely: shadows and folds of a hat are no hair."""
    if not sure.any():
        return sure
    likely = np.clip((mask - _LIKELY_HAT[0]) / (_LIKELY_HAT[1] - _LIKELY_HAT[0]), 0.0, 1.0).astype(np.float32)
    _, numbers = cv2.connectedComponents((likely > 0).astype(np.uint8), connectivity=4)
    found = np.asarray(numbers, dtype=np.int64)
    reached = np.bincount(found[sure > 0], minlength=int(found.max()) + 1) > 0
    return np.maximum(sure, np.where(reached[found], likely, np.float32(0)))


def _before_background(background: _Mask, hat: _Mask) -> _Mask:
    """A hat that no background is seen beside, and that ends before the crop does, is none: it is smooth hair."""
    if not hat.any():
        return hat
    _, numbers = cv2.connectedComponents((hat > 0).astype(np.uint8), connectivity=4)
    found = np.asarray(numbers, dtype=np.int64)
    kept = hat.copy()
    for number in range(1, int(found.max()) + 1):
        one = found == number
        inner = not (one[0].any() or one[:, 0].any() or one[:, -1].any())
        around = (_grown(one.astype(np.float32), _AROUND_HAT) > 0) & ~one
        if inner and float(background[around].mean()) < _LEAST_BACKGROUND:
            kept[one] = 0
    return kept


def _of_this_head(parts: FaceParts, oval: _Mask) -> _Mask:
    """1 about what hangs together with the face, 0 elsewhere: a neighbour's hair is the neighbour's."""
    if not oval.any():  # the mesh lies outside the crop
        return np.zeros_like(oval)
    person = parts["skin"] + parts["hair"] + parts["beard"] + parts["glasses"] + parts["occluder"] + parts["hat"]
    joined = ((person > 0.5) | (oval > 0)).astype(np.uint8)
    _, numbers = cv2.connectedComponents(joined, connectivity=4)
    found = np.asarray(numbers, dtype=np.int64)
    own = found == int(np.bincount(found[oval > 0]).argmax())
    return gaussian_blur(_grown(own.astype(np.float32), 3), 1.0)


def face_mask(masks: RegionMasks, blur: float = 0.0) -> _Mask:
    """The paste-back mask, S x S: 1 on the head, exactly 0 toward the crop's border.

    Where the picture was looked at, it ends with hair, jaw and neck, and the background beside them keeps its grain; where
    only the mesh is known, it fades through the hair. A blurred photograph's head has no edge but a wide slope, half of it
    outside: the mask reaches over that, or the slope stays as a rim about a sharp head.

    Args:
        masks: the regions.
        blur: the photograph's (`EffectiveResolution.blur`), sigma as a share of the crop.
    """
    head, side = np.float32(1) - masks.masks["other"], masks.side
    small = head if head.shape[0] == _DRAWN_SIDE else resize(head, Size(_DRAWN_SIDE, _DRAWN_SIDE), "linear")
    border = np.minimum(np.arange(_DRAWN_SIDE), np.arange(_DRAWN_SIDE)[::-1]) / _DRAWN_SIDE
    ramp = np.clip((border - 0.025) / 0.07, 0.0, 1.0)
    ramps = np.minimum(ramp[:, None], ramp[None, :]).astype(np.float32)
    # A smooth step (3t^2 - 2t^3): no kink at either end of the fade.
    if masks.seen:
        t = np.clip((gaussian_blur(small, _CLOSE * _DRAWN_SIDE) - 0.4) / 0.5, 0.0, 1.0)
        outside = np.asarray(cv2.distanceTransform((small < 0.5).astype(np.uint8), cv2.DIST_L2, 5), dtype=np.float32)
        slope = blur * _DRAWN_SIDE
        if slope > 0:
            t = np.maximum(t, np.clip((_REACH + _FADE - outside / slope) / _FADE, 0.0, 1.0))
        t = t * ramps
    else:
        t = np.clip((gaussian_blur(small * ramps, 0.02 * _DRAWN_SIDE) - 0.1) / 0.75, 0.0, 1.0)
    window = np.clip((border - 0.02) / 0.06, 0.0, 1.0)
    mask = (t * t * (3 - 2 * t) * np.minimum(window[:, None], window[None, :])).astype(np.float32)
    return np.clip(resize(mask, Size(side, side), "linear"), 0.0, 1.0)


def _polygon(*outlines: NDArray[np.float64]) -> _Mask:
    return filled(outlines, _DRAWN_SIDE)


def _grown(mask: _Mask, radius: float) -> _Mask:
    return _about(mask, radius, cv2.dilate)


def _shrunk(mask: _Mask, radius: float) -> _Mask:
    return _about(mask, radius, cv2.erode)


def _about(mask: _Mask, radius: float, change: Callable[..., cv2.typing.MatLike]) -> _Mask:
    """The mask changed by a disc, looked at only about what it shows: features are small."""
    near = disc(radius)
    box = box_around(mask, len(near))
    found = np.zeros_like(mask)
    found[box] = change(mask[box], near)
    return found


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
