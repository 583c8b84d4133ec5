"""Rims of spectacles, drawn even and along the photograph's own edges; dark lenses, left as they are.

A network draws a blurred rim as sand, in waves and with gaps. Where it runs can be seen in the photograph all the same.
Broad frames are averaged along the directions of both (`likeness.imaging.directions`), which makes them even, and are given
back the contrast that the average took. Rims are drawn anew along one closed line about each lens
(`likeness.restore.rim_lines`). Where a lens cannot be seen through the photograph stays (`likeness.restore.dark_lenses`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.outlines import EYE_OUTLINES, filled
from likeness.faces.regions import RegionMasks
from likeness.imaging.colour import luma
from likeness.imaging.directions import across_slopes, averaged_along, box_for_averages, structure_tensor
from likeness.imaging.filters import disc, gaussian_blur, resize, to_channels
from likeness.imaging.image import Pixels, Size
from likeness.restore.dark_lenses import SEEN, as_seen, dark_lenses, is_worn
from likeness.restore.rim_lines import RimEvidence, with_even_rims

__all__ = ["along_rims"]

_Map = NDArray[np.float32]
_Box = tuple[slice, slice]

_SIDE = 512
"""Side of a crop in which the lengths below are told, px."""

_AROUND, _SOFT = 3.0, 2.0
"""How far a rim's edge reaches, and how soft that ends."""

_LIDS = 7.0
"""How far beyond the opening of an eye its lids go."""

_BROAD = 5.0
"""Half of the width from which a rim is a broad frame. Thin rims lose more by averages than the lines leave to mend."""

_SHARP, _BLURRED = 0.7, 1.3
"""Sigma of the blur up to which a photograph's rims need no help, and from which they get all of it."""

_STEPS = (2, 3, 4)
"""How far either way the averages along a rim reach, one after another: together as one with a sigma of 4. Longer steps
leave the rim at its corners, and more of them blur it."""

_CONTRAST, _MOST = 4.0, 2.5
"""Sigma under which detail counts as a rim's contrast, and the most that it is raised by."""

_MARGIN = 40.0
"""How far beyond what is told to be spectacles rims are looked for: of some only a part is told."""


def along_rims(answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float, points: NDArray[np.float32]) -> Pixels:
    """The network's answer with even rims, and without eyes on dark lenses.

    The answer itself where nobody wears spectacles.

    Args:
        answer, crop: S x S x 3 in [0, 1].
        masks: the regions.
        blur: the photograph's, sigma as a share of the crop.
        points: 478 x 2, the mesh in pixels of the crop.
    """
    unit = masks.side / _SIDE
    told = masks.masks["glasses"]
    if not is_worn(told):
        return answer
    box = _box(told, masks.side, unit)
    strength = float(np.clip((blur * _SIDE - _SHARP) / (_BLURRED - _SHARP), 0, 1))
    found = answer.copy()
    if strength > 0:
        even = _even(answer[box], crop[box], masks, blur * masks.side, points, box)
        found[box] = even if strength == 1 else answer[box] + np.float32(strength) * (even - answer[box])
    lens = dark_lenses(crop, told, points, blur)
    if lens is not None:
        # Finer than half of its blur a photograph holds noise and blocks alone, which would stand out in a sharp face.
        seen = gaussian_blur(crop, blur * masks.side / 2) if strength > 0 else crop
        found += to_channels(lens) * (seen - found)
    return found


def _box(told: _Map, side: int, unit: float) -> _Box:
    """Rows and columns in which spectacles are."""
    grid, margin = side / told.shape[0], _MARGIN * unit
    rows, columns = (np.flatnonzero(told.max(axis=axis) > SEEN[0]) * grid for axis in (1, 0))
    down, across = (
        slice(max(round(float(at[0]) - margin), 0), round(float(at[-1]) + grid + margin)) for at in (rows, columns)
    )
    return down, across


def _even(
    answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float, points: NDArray[np.float32], box: _Box
) -> Pixels:
    """A part of the answer with even rims."""
    unit = masks.side / _SIDE
    here = points[:, :2] - np.array([box[1].start, box[0].start], np.float32)
    glasses, lids = masks["glasses"][box], _lids(here, answer.shape[:2], unit)
    frames = _frames(glasses, unit) * (1 - lids)
    found = answer
    part = box_for_averages(frames, [length * unit for length in _STEPS])
    if part is not None:
        found = answer.copy()
        drawn = _averaged(answer[part], crop[part], frames[part], blur, unit)
        found[part] += to_channels(frames[part]) * (drawn - answer[part])
    evidence = RimEvidence(seen=crop, spectacles=glasses, brows=masks["brow"][box], lids=lids, blur=blur)
    return with_even_rims(found, evidence, here, unit)


def _frames(glasses: _Map, unit: float) -> _Map:
    """Where broad frames are, with what is beside them."""
    height, width = glasses.shape
    half = resize(glasses, Size(-(-width // 2), -(-height // 2)), "area")
    broad = cv2.morphologyEx(as_seen(half), cv2.MORPH_OPEN, disc(_BROAD * unit / 2))
    broad = np.asarray(cv2.dilate(broad, disc(_AROUND * unit / 2)), np.float32)
    return np.clip(gaussian_blur(resize(broad, Size(width, height), "linear"), _SOFT * unit), 0, 1)


def _lids(points: NDArray[np.float32], shape: tuple[int, ...], unit: float) -> _Map:
    """Eyes with their lids: a blurred dark socket is told for spectacles now and then, and no rim runs through an eye."""
    eyes = filled([points[list(outline)] for outline in EYE_OUTLINES], max(shape[:2]))[: shape[0], : shape[1]]
    return gaussian_blur(np.asarray(cv2.dilate(eyes, disc(_LIDS * unit)), np.float32), _SOFT * unit)


def _averaged(answer: Pixels, crop: Pixels, rim: _Map, blur: float, unit: float) -> Pixels:
    """The answer, averaged along rims everywhere."""
    sigma = float(np.clip(blur / 2, 1.5 * unit, 3 * unit))
    tensor = _tensor(crop, sigma, 2 * sigma, unit) + _tensor(answer, 1.5 * unit, max(4 * unit, 1.5 * sigma), unit)
    height, width = rim.shape
    xx, xy, yy = (resize(part, Size(width, height), "linear") for part in tensor)
    total = averaged_along(answer, across_slopes(xx - yy, 2 * xy), [length * unit for length in _STEPS])
    lost = _energy(answer, rim, unit) / np.maximum(_energy(total, rim, unit), np.float32(1e-7))
    more = np.clip(np.sqrt(lost), 1, _MOST).astype(np.float32) - np.float32(1)
    return total + to_channels(more) * (total - gaussian_blur(total, _CONTRAST * unit))


def _tensor(pixels: Pixels, sigma: float, spread: float, unit: float) -> NDArray[np.float32]:
    """The structure tensor (xx, xy, yy) at half the size, over its own nearby: a faint rim counts as a strong one."""
    height, width = pixels.shape[:2]
    half = resize(luma(pixels), Size(-(-width // 2), -(-height // 2)), "area")
    tensor = structure_tensor(half, sigma / 2, spread / 2)
    return tensor / (gaussian_blur(tensor[0] + tensor[2], 6 * unit) + np.float32(1e-7))


def _energy(pixels: Pixels, rim: _Map, unit: float) -> _Map:
    light = luma(pixels)
    detail = light - gaussian_blur(light, _CONTRAST * unit)
    return gaussian_blur(detail * detail * (rim + np.float32(0.02)), 6 * unit)
