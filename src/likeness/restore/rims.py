"""Rims of spectacles, drawn along the photograph's own edges; dark lenses, left as they are.

A network draws a blurred rim as sand, in waves and with gaps. Where it runs can be seen in the photograph all the same.
So about rims the network's answer is averaged along the directions of both (`likeness.imaging.directions`), which closes
gaps and straightens waves, and is given back the contrast that the average took. Behind a lens that cannot be seen
through there are no eyes to restore: there the photograph stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.outlines import EYE_OUTLINES, filled
from likeness.faces.regions import RegionMasks
from likeness.imaging.directions import averaged_along, box_for_averages, structure_tensor
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Pixels, Size

__all__ = ["along_rims"]

_Map = NDArray[np.float32]

_SIDE = 512
"""Side of a crop in which the lengths below are told, px."""

_RIM, _AROUND, _SOFT = (0.3, 0.6), 3.0, 2.0
"""From which share of the region a place is rim, and up to which; how far a rim's edge reaches, and how soft that ends."""

_LEAST = 0.001
"""Share of the crop that rims take at least: the thinnest that are seen have six times that; dark sockets seldom have it."""

_LIDS = 7.0
"""How far beyond the opening of an eye its lids go."""

_LENS, _COARSE = 16.0, 4
"""Half of the width from which what is told to be spectacles is no rim but a lens, and how many times smaller it is looked
for: at full size that took as long as all the rest."""

_SHARP, _BLURRED = 1.0, 2.0
"""Sigma of the blur up to which a photograph's rims need no help, and from which they get all of it."""

_STEPS = (2, 3, 4)
"""How far either way the averages along a rim reach, one after another: together as one with a sigma of 4. Longer steps
leave the rim at its corners, and more of them blur it."""

_CONTRAST, _MOST = 4.0, 2.5
"""Sigma under which detail counts as a rim's contrast, and the most that it is raised by."""


def along_rims(answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float, points: NDArray[np.float32]) -> Pixels:
    """The network's answer with rims that run along the photograph's edges, and without eyes on dark lenses.

    The answer itself where nobody wears spectacles.

    Args:
        answer, crop: S x S x 3 in [0, 1].
        masks: the regions.
        blur: the photograph's, sigma as a share of the crop.
        points: 478 x 2, the mesh in pixels of the crop.
    """
    unit = masks.side / _SIDE
    glasses = masks["glasses"]
    if float((glasses > sum(_RIM) / 2).mean()) < _LEAST:
        return answer
    rim = np.clip((glasses - _RIM[0]) / (_RIM[1] - _RIM[0]), 0, 1)
    small, whole = Size(masks.side // _COARSE, masks.side // _COARSE), Size(masks.side, masks.side)
    opened = cv2.morphologyEx(resize(rim, small, "area"), cv2.MORPH_OPEN, _disc(_LENS * unit / _COARSE))
    lens = np.clip(gaussian_blur(resize(np.asarray(opened, np.float32), whole, "linear"), _SOFT * unit), 0, 1)
    rim = np.clip(gaussian_blur(np.asarray(cv2.dilate(rim, _disc(_AROUND * unit)), np.float32), _SOFT * unit), 0, 1)
    rim *= float(np.clip((blur * _SIDE - _SHARP) / (_BLURRED - _SHARP), 0, 1))
    rim *= 1 - _eyes(points, masks.side, unit)
    box = box_for_averages(rim, [length * unit for length in _STEPS])
    found = answer.copy()
    if box is not None:
        drawn = _drawn(answer[box], crop[box], rim[box], blur * masks.side, unit)
        found[box] += to_channels(rim[box]) * (drawn - answer[box])
    found += to_channels(lens) * (crop - found)
    return found


def _eyes(points: NDArray[np.float32], side: int, unit: float) -> _Map:
    """Eyes with their lids: a blurred dark socket is told for spectacles now and then, and no rim runs through an eye."""
    eyes = filled([points[list(outline)] for outline in EYE_OUTLINES], side)
    return gaussian_blur(np.asarray(cv2.dilate(eyes, _disc(_LIDS * unit)), np.float32), _SOFT * unit)


def _drawn(answer: Pixels, crop: Pixels, rim: _Map, blur: float, unit: float) -> Pixels:
    """The answer, averaged along rims everywhere."""
    sigma = float(np.clip(blur / 2, 1.5 * unit, 3 * unit))
    tensor = _tensor(crop, sigma, 2 * sigma, unit) + _tensor(answer, 1.5 * unit, max(4 * unit, 1.5 * sigma), unit)
    xx, xy, yy = tensor
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    along = np.stack([np.cos(angle), np.sin(angle)], axis=2).astype(np.float32)
    total = averaged_along(answer, along, [length * unit for length in _STEPS])
    lost = _energy(answer, rim, unit) / np.maximum(_energy(total, rim, unit), np.float32(1e-7))
    more = np.clip(np.sqrt(lost), 1, _MOST).astype(np.float32) - np.float32(1)
    return total + to_channels(more) * _detail(total, unit)


def _tensor(pixels: Pixels, sigma: float, spread: float, unit: float) -> NDArray[np.float32]:
    """The structure tensor (xx, xy, yy), over its size in the neighbourhood: a faint rim counts as a strong one."""
    tensor = structure_tensor(pixels.mean(axis=2), sigma, spread)
    return tensor / (gaussian_blur(tensor[0] + tensor[2], 12 * unit) + np.float32(1e-7))


def _detail(pixels: Pixels, unit: float) -> Pixels:
    return pixels - gaussian_blur(pixels, _CONTRAST * unit)


def _energy(pixels: Pixels, rim: _Map, unit: float) -> _Map:
    light = _detail(pixels, unit).mean(axis=2)
    return gaussian_blur(light * light * (rim + np.float32(0.02)), 6 * unit)


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)
