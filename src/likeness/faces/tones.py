"""What the light did to a face: brightness, clipping, glare, light from behind, and what stands around the head.

All figures are taken from two small pictures, so that they cost little whatever the photograph's size: the aligned crop of
the face at 256 px, and its surroundings (four widths of the face) at the same scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import align
from likeness.faces.face import Alignment, Face
from likeness.faces.outlines import EYE_OUTLINES
from likeness.faces.regions import RegionMasks, region_masks
from likeness.imaging.colour import luma, srgb_to_linear
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice

__all__ = ["CROP_SIDE", "FaceTones", "FaceView", "face_tones", "face_view"]

CROP_SIDE = 256
"""Side of the aligned crop that is measured, px."""

_AROUND_SIDE = 192
"""Side of the picture of the surroundings, px; it shows twice the side of the aligned crop."""

_WHITE = 0.94
"""Luma from which a spot counts as glare: 240 of 255, where JPEG and most cameras' curves end."""

_CLIPPED = 0.985
"""Samples over 251 of 255: no texture is left there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceView:
    """A face as it is measured.

    Attributes:
        crop: 256 x 256 x 3, the aligned crop.
        valid: 256 x 256 bool, where the crop lies inside the picture.
        points: 478 x 2, the mesh in the crop.
        masks: the regions of the crop.
        around: 192 x 192 x 3, the face with twice the crop's side around it.
        around_valid: 192 x 192 bool.
        alignment: from the picture to the crop.
    """

    crop: Pixels
    valid: NDArray[np.bool_]
    points: NDArray[np.float64]
    masks: RegionMasks
    around: Pixels
    around_valid: NDArray[np.bool_]
    alignment: Alignment


@dataclass(frozen=True, kw_only=True)
class FaceTones:
    """Figures of one face; luma is sRGB-encoded, in [0, 1].

    Attributes:
        white: what the face holds of white: the brighter of the 95th percentile of its luma and the 97th within the eyes'
            openings. Whites of the eyes tell a dark photograph from a dark skin.
        median: median luma of the skin.
        clipped: share of the skin in which a colour has reached the end of its range.
        forehead_glare, nose_glare, eye_glare: share of the region under white, far brighter than the skin; around the eyes,
            the rims and glasses of spectacles included.
        background_stops: how much brighter the surroundings are than ``white``, in stops (log2 of linear light); negative
            where darker. NaN where too little of the surroundings is in the picture.
        background_edges: share of the surroundings, shoulders excepted, that lies on an edge. NaN as above.
    """

    white: float
    median: float
    clipped: float
    forehead_glare: float
    nose_glare: float
    eye_glare: float
    background_stops: float
    background_edges: float


def face_view(image: Image, face: Face) -> FaceView:
    """The small pictures of a face.

    Raises:
        ValueError: if the face's points coincide, lie on a line, or outside the picture.
    """
    alignment = align(face.five_points, image.size, CROP_SIDE)
    matrix = alignment.matrix
    crop, valid = _reduced_warp(image.pixels, matrix, CROP_SIDE)
    # Twice the crop's side, the crop in its middle.
    zoom = _AROUND_SIDE / (2 * CROP_SIDE)
    shifted = matrix * zoom
    shifted[:, 2] += CROP_SIDE / 2 * zoom
    around, around_valid = _reduced_warp(image.pixels, shifted, _AROUND_SIDE)
    points = alignment.to_crop(face.landmarks.points.astype(np.float64))
    return FaceView(
        crop=crop,
        valid=valid,
        points=points,
        masks=region_masks(points.astype(np.float32), CROP_SIDE),
        around=around,
        around_valid=around_valid,
        alignment=alignment,
    )


def face_tones(view: FaceView) -> FaceTones:
    """Measure a face's light."""
    bright = luma(view.crop)
    masks = {
        name: (view.masks[name] > 0.5) & view.valid for name in ("cheek", "forehead", "nose", "eye", "lip", "brow")
    }
    skin = masks["cheek"] | masks["forehead"] | masks["nose"]
    face = skin | masks["eye"] | masks["lip"] | masks["brow"]
    if skin.sum() < 100:
        raise ValueError(Notice("face.little-inside"))
    median = float(np.median(bright[skin]))
    white = float(np.percentile(bright[face], 95))
    openings = _openings(view)
    if openings.sum() >= 20:
        white = max(white, float(np.percentile(bright[openings], 97)))
    glare = _glare(view.crop, bright, median)
    stops, edges = _surroundings(view, white)
    return FaceTones(
        white=white,
        median=median,
        clipped=float((view.crop[skin] > _CLIPPED).any(axis=-1).mean()),
        forehead_glare=_share(glare, masks["forehead"]),
        nose_glare=_share(glare, masks["nose"]),
        eye_glare=_share(glare, _spectacles(view) & view.valid),
        background_stops=stops,
        background_edges=edges,
    )


def _reduced_warp(pixels: Pixels, matrix: NDArray[np.float64], side: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """A square of a picture through a similarity, averaged where it shrinks; and where it lies inside the picture."""
    height, width = pixels.shape[:2]
    linear = np.linalg.inv(matrix[:, :2])
    corners = (np.array([[0, 0], [side, 0], [side, side], [0, side]]) - matrix[:, 2]) @ linear.T
    low = np.floor(corners.min(axis=0)).astype(int) - 2
    high = np.ceil(corners.max(axis=0)).astype(int) + 3
    left, top = int(np.clip(low[0], 0, width)), int(np.clip(low[1], 0, height))
    right, bottom = int(np.clip(high[0], 0, width)), int(np.clip(high[1], 0, height))
    if right - left < 2 or bottom - top < 2:
        raise ValueError(Notice("face.outside"))
    area = pixels[top:bottom, left:right]
    step = max(1.0, float(np.hypot(linear[0, 0], linear[1, 0])))
    small = Size(max(1, round((right - left) / step)), max(1, round((bottom - top) / step)))
    if step > 1.2:
        area = resize(area, small, "area")
    factor = np.array([(right - left) / area.shape[1], (bottom - top) / area.shape[0]])
    local = np.empty((2, 3))
    local[:, :2] = matrix[:, :2] * factor
    local[:, 2] = matrix[:, 2] + matrix[:, :2] @ (np.array([left, top]) + (factor - 1) / 2)
    warped = cv2.warpAffine(area, local, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        np.ones(area.shape[:2], np.uint8), local, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )
    return np.clip(np.asarray(warped, dtype=np.float32), 0.0, 1.0), np.asarray(inside, dtype=np.bool_)


def _glare(crop: Pixels, bright: NDArray[np.float32], median: float) -> NDArray[np.bool_]:
    """Spots without colour near white, well above the skin: a lamp's reflection takes the lamp's colour (Shafer 1985)."""
    # By channel: along an axis of three numpy's own maximum takes eight times as long.
    red, green, blue = cv2.split(crop)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return (bright > _WHITE) & (bright > median + 0.2) & (spread < 0.12)


def _openings(view: FaceView) -> NDArray[np.bool_]:
    canvas = np.zeros((CROP_SIDE, CROP_SIDE), np.uint8)
    for eye in EYE_OUTLINES:
        cv2.fillPoly(canvas, [np.round(view.points[list(eye)]).astype(np.int32)], (1,))
    return (canvas > 0) & view.valid


def _spectacles(view: FaceView) -> NDArray[np.bool_]:
    """The area of spectacles: around each eye, 1.6 eye widths wide and 0.95 high, without the eye's own opening."""
    canvas = np.zeros((CROP_SIDE, CROP_SIDE), np.uint8)
    holes = np.zeros_like(canvas)
    for outer, inner in ((33, 133), (263, 362)):
        a, b = view.points[outer], view.points[inner]
        width = float(np.hypot(*(b - a)))
        centre = (a + b) / 2 + (0.0, 0.1 * width)
        angle = float(np.degrees(np.arctan2(*(b - a)[::-1]))) % 180
        whole = (round(0.8 * width), round(0.475 * width))
        opening = (round(0.55 * width), round(0.24 * width))
        middle = (round(float(centre[0])), round(float(centre[1])))
        cv2.ellipse(canvas, middle, whole, angle, 0, 360, (1,), -1)
        cv2.ellipse(holes, (middle[0], round(float((a + b)[1] / 2))), opening, angle, 0, 360, (1,), -1)
    return (canvas > 0) & (holes == 0)


def _share(glare: NDArray[np.bool_], region: NDArray[np.bool_]) -> float:
    return float(glare[region].mean()) if region.sum() >= 20 else 0.0


def _surroundings(view: FaceView, white: float) -> tuple[float, float]:
    """Brightness over the face's white in stops, and the share of edges, beside and above the head."""
    side = _AROUND_SIDE
    unit = side / 2  # the aligned crop's side, in the middle
    down, across = np.mgrid[0:side, 0:side].astype(np.float32)
    # The head with its hair, in proportion to the FFHQ crop: an ellipse about its middle, and the body under it.
    head = ((across - side / 2) / (0.42 * unit)) ** 2 + ((down - side / 2 - 0.02 * unit) / (0.56 * unit)) ** 2 < 1
    beside = ~head & (down < side / 2 + 0.2 * unit) & view.around_valid
    if beside.mean() < 0.04:
        return float("nan"), float("nan")
    bright = luma(view.around)
    linear = srgb_to_linear(np.array([np.median(bright[beside]), white], np.float32))
    stops = float(np.log2((linear[0] + 1e-3) / (linear[1] + 1e-3)))
    soft = gaussian_blur(bright, 1.0)
    gradient = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)) / 4
    kernel = np.ones((5, 5), np.uint8)
    inner = cv2.erode(beside.astype(np.uint8), kernel).astype(bool)
    return stops, float((gradient[inner] > 0.05).mean()) if inner.any() else float("nan")
