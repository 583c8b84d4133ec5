"""Alignment to a named template: the similarity fit, the warp into the crop, and its inverse.

Template of all networks here, FFHQ: Karras et al., "A Style-Based Generator Architecture for GANs" (2019), as five points at
512. Fit: Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns" (1991).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Alignment
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Pixels, Size
from likeness.messages.notice import Notice

__all__ = [
    "FFHQ_TEMPLATE",
    "TEMPLATES",
    "TEMPLATE_SIZE",
    "align",
    "realigned",
    "rewarp",
    "similarity",
    "unwarp",
    "unwarp_by_rows",
    "valid_mask",
    "warp",
]

TEMPLATE_SIZE = 512

_ROWS = 256
"""Of a strip of `unwarp_by_rows`."""

_FINER = 1.5
"""How much finer than the crop an area still is, at least, when it is averaged to a whole fraction before the low pass: at
that, crops differ from those that are only low-passed by under half a level."""

FFHQ_TEMPLATE: NDArray[np.float64] = np.array(
    [(193.0, 239.9), (318.9, 240.2), (256.6, 314.0), (201.3, 371.4), (313.1, 371.2)]
)
"""5 x 2: left eye, right eye, nose tip, left and right mouth corner in a crop of 512."""

TEMPLATES: Mapping[str, NDArray[np.float64]] = MappingProxyType(
    {
        "ffhq": FFHQ_TEMPLATE,
        # The face a seventh smaller: GPEN's demo, which pads the template of 112 px by a quarter.
        "gpen": np.array([(202.0, 242.9), (309.4, 242.3), (256.1, 304.0), (212.0, 366.8), (300.9, 366.3)]),
    }
)
"""How faces lie in a crop of 512, by name, as `FFHQ_TEMPLATE` has it."""


def align(five_points: NDArray[np.float64], picture_size: Size, crop_size: int, template: str = "ffhq") -> Alignment:
    """The similarity (no reflection) that brings five points to the template in the least-squares sense.

    Args:
        five_points: 5 x 2, picture pixels.
        picture_size: size of the picture.
        crop_size: side of the crop, px.
        template: a name of `TEMPLATES`.

    Raises:
        ValueError: if the points coincide or lie on a line.
    """
    source = np.asarray(five_points, dtype=np.float64)
    if source.shape != (5, 2) or not np.isfinite(source).all():
        raise ValueError(Notice("face.points"))
    target = (TEMPLATES[template] + 0.5) * (crop_size / TEMPLATE_SIZE) - 0.5
    matrix = similarity(source, target)
    return Alignment(matrix=matrix, crop_size=crop_size, picture_size=picture_size, template=template)


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, scale and shift (2 x 3) that brings N x 2 points closest to others, without reflection.

    Raises:
        ValueError: if the source points coincide or lie on a line.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    spread = np.linalg.svd(source_centred, compute_uv=False)
    if spread[0] < 1e-6 or spread[1] < 0.05 * spread[0]:
        raise ValueError(Notice("face.in-line"))
    u, d, vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    variance = float(np.square(source_centred).sum() / len(source))
    linear = u @ np.diag(signs) @ vt * float((d * signs).sum() / variance)
    return np.hstack([linear, (target_mean - linear @ source_mean)[:, None]])


def warp(pixels: Pixels, alignment: Alignment) -> Pixels:
    """The aligned crop of a picture, S x S x 3; mirrored where the picture ends.

    Where the crop is smaller than its area in the picture, the picture is low-passed first. Only the part of the picture
    that the crop covers is touched.
    """
    side = alignment.crop_size
    height, width = pixels.shape[:2]
    reduction = 1.0 / alignment.scale
    sigma = _low_pass(reduction)
    margin = int(np.ceil(3 * sigma)) + 4
    box = alignment.box
    left, top = max(int(box.left) - margin, 0), max(int(box.top) - margin, 0)
    right, bottom = min(int(box.right) + margin, width), min(int(box.bottom) + margin, height)
    area = pixels[top:bottom, left:right]
    if area.size == 0:
        raise ValueError(Notice("face.outside"))
    # A large face is averaged to a whole fraction first, which is a good part of the low pass and leaves little to do.
    step = min(max(int(reduction / _FINER), 1), area.shape[0], area.shape[1])
    if step > 1:
        # What does not go into it is left out where the picture goes on.
        spare_columns, spare_rows = area.shape[1] % step, area.shape[0] % step
        left += spare_columns if right == width and left > 0 else 0
        top += spare_rows if bottom == height and top > 0 else 0
        small = Size((right - left) // step, (bottom - top) // step)
        area = resize(pixels[top : top + small.height * step, left : left + small.width * step], small, "area")
        sigma = float(np.sqrt(sigma**2 - (step**2 - 1) / 12)) / step
    matrix = alignment.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (left + (step - 1) / 2, top + (step - 1) / 2)
    matrix[:, :2] *= step
    if sigma > 0:
        # What was averaged is nobody else's: of a face that fills 24 megapixels a second copy would be 14 MB.
        area = gaussian_blur(area, sigma, into=area if step > 1 else None)
    crop = cv2.warpAffine(area, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(crop, 0.0, 1.0, out=np.asarray(crop, dtype=np.float32))


def realigned(crop: Pixels, alignment: Alignment, other: Alignment) -> Pixels:
    """A crop, made by one alignment, as another one of the same picture has it, S x S x 3; mirrored beyond its border.

    For templates that differ little: nothing is low-passed.
    """
    inverse = alignment.inverse
    matrix = np.hstack(
        [other.matrix[:, :2] @ inverse[:, :2], (other.matrix[:, :2] @ inverse[:, 2] + other.matrix[:, 2])[:, None]]
    )
    side = other.crop_size
    found = cv2.warpAffine(crop, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(found, 0.0, 1.0, out=np.asarray(found, dtype=np.float32))


def valid_mask(alignment: Alignment) -> NDArray[np.float32]:
    """S x S: 1 where the crop holds pixels of the picture, 0 where it was mirrored."""
    side = alignment.crop_size
    inverse = alignment.inverse
    size = alignment.picture_size
    corners = np.array([[0, 0], [side - 1, 0], [0, side - 1], [side - 1, side - 1]]) @ inverse[:, :2].T + inverse[:, 2]
    if (corners >= -0.5).all() and (corners <= (size.width - 0.5, size.height - 0.5)).all():
        return np.ones((side, side), np.float32)
    step = np.arange(side, dtype=np.float32)
    inside = np.ones((side, side), np.bool_)
    for (along, aside, start), length in zip(inverse.astype(np.float32), (size.width, size.height), strict=True):
        at = (along * step)[None, :] + (aside * step)[:, None]
        at += start
        inside &= at >= -0.5
        inside &= at <= length - 0.5
    return inside.astype(np.float32)


def unwarp(crop: NDArray[np.float32], alignment: Alignment) -> tuple[NDArray[np.float32], Box]:
    """A crop (S x S or S x S x 3) on the picture's own grid, within `Alignment.box`; 0 outside the crop.

    Where the picture is coarser than the crop, the crop is low-passed first.

    Returns:
        the samples over the box, and the box.
    """
    return _laid(_fit(crop, alignment), alignment, alignment.box), alignment.box


def unwarp_by_rows(crop: NDArray[np.float32], alignment: Alignment) -> Iterator[tuple[NDArray[np.float32], Box]]:
    """`unwarp` in strips, from top to bottom: a face that fills a large picture takes as much memory as that."""
    fit, box = _fit(crop, alignment), alignment.box
    for top in range(int(box.top), int(box.bottom), _ROWS):
        strip = Box(box.left, top, box.right, min(top + _ROWS, box.bottom))
        yield _laid(fit, alignment, strip), strip


def _fit(crop: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """The crop without what the picture's grid cannot hold."""
    sigma = _low_pass(alignment.scale)
    return gaussian_blur(crop, sigma) if sigma > 0 else crop


def _laid(fit: NDArray[np.float32], alignment: Alignment, box: Box) -> NDArray[np.float32]:
    """The crop on the picture's grid, within a box of it."""
    width, height = int(box.width), int(box.height)
    inverse = alignment.inverse.copy()
    inverse[:, 2] -= (box.left, box.top)
    laid = cv2.warpAffine(
        fit, inverse, (max(width, 1), max(height, 1)), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(laid, dtype=np.float32)[:height, :width]


def rewarp(change: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """What was added over `Alignment.box` as it looks in the crop, S x S x 3: `warp` for values below 0 as well."""
    sigma = _low_pass(1.0 / alignment.scale)
    if sigma > 0:
        change = gaussian_blur(change, sigma)
    matrix = alignment.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (alignment.box.left, alignment.box.top)
    side = alignment.crop_size
    return np.asarray(cv2.warpAffine(change, matrix, (side, side), flags=cv2.INTER_CUBIC), dtype=np.float32)


def _low_pass(reduction: float) -> float:
    """Sigma of the Gaussian before reducing by a factor: 0 up to about 1, then what leaves little above the new Nyquist."""
    return 0.5 * float(np.sqrt(reduction**2 - 1)) if reduction > 1.05 else 0.0
