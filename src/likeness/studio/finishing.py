"""Finishing touches that stay on the face: warmth, exposure and clarity.

All three leave the hue alone. Warmth scales chroma in OKLCh at constant lightness and hue (Ottosson, "A perceptual color
space for image processing", 2020); exposure and clarity multiply a pixel's three linear channels by one factor, which in
Oklab scales L, a and b alike. Each grows with its amount, and each is nothing at 0. What lies outside the face mask is not
touched, not by one bit.

Finding where a face lies (`find_areas`, `areas_of`) is slow and done once; `finish` is quick enough for a slider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.faces.align import align, unwarp, warp
from likeness.faces.face import Alignment, Face
from likeness.faces.outlines import filled
from likeness.faces.parts import face_parts
from likeness.faces.regions import RegionMasks, face_mask, region_masks
from likeness.imaging.colour import is_colourless, linear_to_srgb, luma, srgb_to_linear
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.restore.kinds import Number, Words, option, rows_of

if TYPE_CHECKING:
    from likeness.restore.outcome import FaceProjection

__all__ = ["WARMTH", "Finishing", "FinishingArea", "areas_of", "find_areas", "finish"]

WARMTH = 0.15
"""Warmth that studios ask for: a seventh more saturation."""

_Map = NDArray[np.float32]

_SKIN = ("eye", "brow", "nose", "lip", "cheek", "forehead", "ear", "neck", "edge")
"""Regions that are finished; hair is not."""

_LIPS = 0.5
"""Share of the warmth that lips get: with all of it they look painted."""

_MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""The inner edge of the lips in MediaPipe's mesh: teeth lie within."""

_GUIDE_SIDE = 256
"""Side of the crop on which masks are fitted to the picture, px."""

# Linear sRGB to Oklab's cone responses, and the lightness of their cube roots (Ottosson, 2020).
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_FROM_LMS = np.linalg.inv(_TO_LMS)
_LIGHTNESS = (0.2104542553, 0.7936177850, -0.0040720468)


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """How much of each touch; 0 changes nothing.

    Attributes:
        warmth: -0.5 to 0.5; what the chroma of skin is raised by: 0.15 is 15% more saturation, at the same hue and
            lightness. Lips get half of it, eyes and teeth none.
        exposure: -1 to 1; how many stops lighter the dark tones of the face become. Light tones move less, and white
            stays white.
        clarity: 0 to 1; contrast of middle size (folds, the modelling of cheek and nose), raised by this share. Pores and
            grain are smaller, and edges stronger, than what it raises.

    Raises:
        ControlError: for a value outside its range.
    """

    warmth: float = option(
        Number(low=-0.5, high=0.5),
        default=0.0,
        label=Words("Warmth", "暖度"),
        text=Words("saturation of skin; hue and lightness stay", "皮肤的饱和度，色相与明度不变"),
        place="skin",
        part="finishing",
    )
    exposure: float = option(
        Number(low=-1.0, high=1.0, step=0.05),
        default=0.0,
        label=Words("Shadows", "暗部提亮"),
        text=Words("lifts the face's dark tones; white stays white", "提亮面部暗部，白色保持不变"),
        place="advanced",
        part="finishing",
    )
    clarity: float = option(
        Number(low=0.0, high=1.0, step=0.05),
        default=0.0,
        label=Words("Clarity", "清晰度"),
        text=Words("contrast of folds and modelling; pores stay", "增强轮廓与褶皱的反差，毛孔不变"),
        place="advanced",
        part="finishing",
    )

    def __post_init__(self) -> None:
        for row in rows_of(Finishing):
            row.check(getattr(self, row.key))

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return (self.warmth, self.exposure, self.clarity) != (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class FinishingArea:
    """Where the touches go on one face.

    Attributes:
        box: on whole pixels of the picture.
        colour: height x width of the box, in [0, 1]: share of the warmth.
        tone: the same for exposure and clarity.
        side: side of the face's aligned crop in the picture, px; says what is of middle size.
    """

    box: Box
    colour: _Map
    tone: _Map
    side: float


def find_areas(image: Image, faces: Iterable[Face]) -> tuple[FinishingArea, ...]:
    """The areas of faces that were found in a picture; a face whose points allow no alignment has none."""
    found: list[FinishingArea] = []
    for face in faces:
        try:
            alignment = align(face.five_points, image.size, _GUIDE_SIDE)
            guide = warp(image.pixels, alignment)
        except ValueError:
            continue
        points = _in_crop(face, alignment)
        masks = region_masks(points, _GUIDE_SIDE, face_parts(guide, points))
        found.append(_area(guide, points, masks, face_mask(masks), alignment))
    return _apart(found)


def areas_of(projections: Iterable[FaceProjection], size: Size | None = None) -> tuple[FinishingArea, ...]:
    """The areas of faces that `Restorer.project` has been at, in the picture enlarged to ``size``; nothing is found anew."""
    areas: list[FinishingArea] = []
    for kept in projections:
        alignment = kept.alignment if size is None else kept.alignment.scaled(size)
        areas.append(_area(kept.crop, _in_crop(kept.face, kept.alignment), kept.masks, kept.mask, alignment))
    return _apart(areas)


def finish(image: Image, areas: Sequence[FinishingArea], finishing: Finishing) -> Image:
    """Apply the touches.

    Args:
        image: the picture, as a rule a restored one.
        areas: its faces, from `find_areas` or `areas_of`; of this picture or another of the same size and scene.
        finishing: how much.

    Returns:
        The picture; equal to ``image`` to the last bit wherever no area reaches, and everywhere if all amounts are 0.

    Raises:
        ValueError: if an area reaches beyond the picture.
    """
    if not finishing.any or not areas:
        return image
    result = image.pixels.copy()
    for area in areas:
        checkpoint()
        rows, columns = area.box.to_slices()
        part = result[rows, columns]
        if part.shape[:2] != area.tone.shape:
            raise ValueError(f"the areas are not of this picture of {image.size}")
        # In black and white there is nothing to warm, and rounding must not bring colour in.
        _finish_part(part, area, finishing, colourless=image.grey or is_colourless(part))
    return image.with_pixels(result)


def _finish_part(part: Pixels, area: FinishingArea, finishing: Finishing, *, colourless: bool) -> None:
    """Change the pixels of a box, in place."""
    warm = finishing.warmth != 0.0 and not colourless
    toned = finishing.exposure != 0.0 or finishing.clarity != 0.0
    reached = np.zeros(area.tone.shape, bool)
    if warm:
        reached |= area.colour > 0
    if toned:
        reached |= area.tone > 0
    where = np.flatnonzero(reached)
    if not len(where):
        return
    flat = np.ascontiguousarray(part).reshape(-1, 3)
    encoded = flat[where]
    grey = colourless and np.array_equal(encoded[:, 0], encoded[:, 1]) and np.array_equal(encoded[:, 0], encoded[:, 2])
    linear = srgb_to_linear(encoded)
    if toned:
        tone = area.tone.reshape(-1)[where]
        linear *= _tone_factor(part, area, finishing, linear, tone, where)[:, None]
    if warm:
        linear = _with_chroma(linear, 1 + np.float32(finishing.warmth) * area.colour.reshape(-1)[where])
    finished = np.clip(linear_to_srgb(linear), 0.0, 1.0)
    flat[where] = finished[:, :1] if grey else finished
    part[...] = flat.reshape(part.shape)


def _tone_factor(
    part: Pixels, area: FinishingArea, finishing: Finishing, linear: Pixels, tone: _Map, where: NDArray[np.intp]
) -> _Map:
    """What exposure and clarity multiply the light of N pixels by, so that none leaves [0, 1]."""
    peak = np.maximum(_largest(linear), np.float32(1e-6))
    factor = np.ones_like(peak)
    if finishing.clarity:
        lighter = _middle_contrast(part, area).reshape(-1)[where] * tone * np.float32(finishing.clarity)
        # Lightness is the cube root of light, so its relative change counts three times.
        factor = np.minimum(np.clip(1 + lighter, 0.5, 2.0) ** 3, 1 / peak)
        peak = peak * factor
    if finishing.exposure:
        gain = np.exp2(np.float32(finishing.exposure) * tone)
        # x' = g x / (1 + (g - 1) x): slope g at black, white stays white, and never falls.
        factor = factor * gain / (1 + (gain - 1) * peak)
    return factor.astype(np.float32)


def _with_chroma(linear: Pixels, scale: _Map) -> Pixels:
    """Linear sRGB, N x 3, with its Oklab chroma times ``scale`` (N) at constant lightness and hue.

    Where a channel would leave [0, 1], the chroma is raised only as far as it does not: clipping channels instead would turn
    the hue.
    """
    roots = np.cbrt(_mixed(linear, _TO_LMS))
    light = _mixed(roots, np.array([_LIGHTNESS] * 3))
    # Grey has three equal roots, all of them its lightness, so chroma is what they differ by.
    colour = roots - light

    def at(share: _Map, where: NDArray[np.intp] | slice) -> Pixels:
        raised = light[where] + colour[where] * share[:, None]
        return _mixed(raised * raised * raised, _FROM_LMS)

    result = at(scale, slice(None))
    out = np.flatnonzero((_least(result) < 0) | (_largest(result) > 1))
    if len(out):
        low, high = np.ones(len(out), np.float32), scale[out]
        for _ in range(10):
            middle = (low + high) / 2
            tried = at(middle, out)
            inside = (_least(tried) >= 0) & (_largest(tried) <= 1)
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        result[out] = at(low, out)
    return result


# By columns: a reduction over an axis of three is twenty times slower.
def _largest(x: Pixels) -> _Map:
    return np.maximum(np.maximum(x[:, 0], x[:, 1]), x[:, 2])


def _least(x: Pixels) -> _Map:
    return np.minimum(np.minimum(x[:, 0], x[:, 1]), x[:, 2])


def _mixed(x: Pixels, matrix: NDArray[np.float64]) -> Pixels:
    return np.asarray(cv2.transform(x[:, None], matrix.astype(np.float32)), np.float32)[:, 0]


def _middle_contrast(part: Pixels, area: FinishingArea) -> _Map:
    """Relative change of lightness that doubles the contrast of middle size, height x width.

    What a guided filter (He, Sun and Tang, "Guided image filtering", 2013) takes away from a luma that was freed of its
    finest octaves: the filter keeps edges, so that they get no halo. Measured on a small copy.
    """
    height, width = part.shape[:2]
    shrink = max(1.0, area.side / _GUIDE_SIDE)
    small = Size(max(1, round(width / shrink)), max(1, round(height / shrink)))
    light = luma(resize(part, small, "area") if shrink > 1 else part)
    unit = area.side / shrink / _GUIDE_SIDE
    smooth = gaussian_blur(light, max(1.5 * unit, 0.3))
    band = smooth - _guided(smooth, smooth, max(1, round(12 * unit)), 0.06**2)
    relative = band / np.maximum(smooth, np.float32(0.1))
    return resize(relative, Size(width, height), "linear")


def _guided(guide: _Map, x: _Map, radius: int, threshold: float) -> _Map:
    """Guided filter of x: follows edges of the guide whose variance is over ``threshold``."""

    def mean(y: _Map) -> _Map:
        side = 2 * radius + 1
        return np.asarray(cv2.boxFilter(y, -1, (side, side), borderType=cv2.BORDER_REFLECT_101), np.float32)

    mean_guide, mean_x = mean(guide), mean(x)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * x) - mean_guide * mean_x) / (variance + np.float32(threshold))
    return mean(slope) * guide + mean(mean_x - slope * mean_guide)


def _in_crop(face: Face, alignment: Alignment) -> _Map:
    return alignment.to_crop(face.landmarks.points).astype(np.float32)


def _area(guide: Pixels, points: _Map, masks: RegionMasks, mask: _Map, alignment: Alignment) -> FinishingArea:
    """Shares within the face mask, drawn to the picture's own edges (jaw, hair line), on the picture's grid."""
    checkpoint()
    side = alignment.crop_size
    skin = np.add.reduce([masks[region] for region in _SKIN])
    tone = np.clip(_guided(luma(guide), skin, max(1, round(0.03 * side)), 0.05**2), 0.0, 1.0) * mask
    mouth = gaussian_blur(filled([points[list(_MOUTH)]], side), 0.008 * side)
    colour = tone * np.clip(1 - masks["eye"] - _LIPS * masks["lip"], 0.0, 1.0) * (1 - mouth)

    def laid(share: _Map) -> tuple[_Map, Box]:
        placed, box = unwarp(share, alignment)
        placed = np.clip(placed, 0.0, 1.0)
        # Interpolation leaves traces beside the mask that would only cost time.
        placed[placed < 1e-3] = 0.0
        return placed, box

    placed, box = laid(colour)
    return FinishingArea(box=box, colour=placed, tone=laid(tone)[0], side=alignment.native_side)


def _apart(areas: Sequence[FinishingArea]) -> tuple[FinishingArea, ...]:
    """Areas whose shares add up to the largest of them wherever they overlap, so that nothing is done twice."""
    result: list[FinishingArea] = []
    for area in areas:
        colour, tone = area.colour.copy(), area.tone.copy()
        top_colour, top_tone = np.zeros_like(colour), np.zeros_like(tone)
        for other in areas[: len(result)]:
            left, right = max(area.box.left, other.box.left), min(area.box.right, other.box.right)
            top, bottom = max(area.box.top, other.box.top), min(area.box.bottom, other.box.bottom)
            if left >= right or top >= bottom:
                continue
            here, there = (
                (slice(int(top - box.top), int(bottom - box.top)), slice(int(left - box.left), int(right - box.left)))
                for box in (area.box, other.box)
            )
            np.maximum(top_colour[here], other.colour[there], out=top_colour[here])
            np.maximum(top_tone[here], other.tone[there], out=top_tone[here])
        result.append(
            FinishingArea(
                box=area.box,
                colour=np.maximum(colour - top_colour, 0),
                tone=np.maximum(tone - top_tone, 0),
                side=area.side,
            )
        )
    return tuple(result)
