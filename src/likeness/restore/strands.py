"""Hair in strands where the network draws sand.

Where a photograph holds nothing of the hair, the network's answer has as much texture there as hair has, but a grain
without direction: its noise, hardly shaped. Which way the hair runs is often seen all the same, in its coarse lights and
its outline. So the answer's finest detail is averaged along that way (`likeness.imaging.directions`) and given back the
contrast that the average took. Directions that are seen well spread to where they are not; where the answer has strands
of its own, those stay.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.colour import luma
from likeness.imaging.directions import across_slopes, averaged_along, box_for_averages, coherence, structure_tensor
from likeness.imaging.filters import gaussian_blur, resize, to_channels, wide_blur
from likeness.imaging.image import Pixels, Size

__all__ = ["along_strands"]

_Map = NDArray[np.float32]

_SIDE = 512
"""Side of a crop in which the lengths below are told, px."""

_SHARP, _BLURRED = 1.0, 2.0
"""Sigma of the blur up to which a photograph's hair needs no help, and from which it gets all of it."""

_HAIR, _SOFT, _LEAST = (0.5, 0.85), 1.5, 0.005
"""From which share of the region a place is hair, and up to which; how soft that ends; and the share of the crop that hair
takes at least."""

_FINE = 1.5
"""Sigma under which detail counts as strands: coarser, they look drawn with a brush."""

_STEPS = (1.0, 2.0, 3.0, 4.0)
"""How far either way the averages along the hair reach, one after another: as long as an original's strands are coherent."""

_SHARE = 0.8
"""How much of the detail runs along the hair at most: the original's does not run one way altogether."""

_OWN = (0.45, 0.75)
"""Coherence of the answer's detail from which it counts as strands of its own, and from which altogether: sand has 0.45."""

_MOST = 4.0
"""The most that detail is raised by."""

_GRID, _SPREAD = 4, (5.0, 9.0, 14.0)
"""Pixels to a step of the grid on which directions are made, and how far those that are seen well spread there, one time
after another, in its steps."""

_FAR = np.float32(1.5)
"""What directions from afar count by: means of many are shorter than each."""


def along_strands(answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float) -> Pixels:
    """The network's answer with hair that runs the way the photograph's does; itself where there is no blurred hair.

    Args:
        answer, crop: S x S x 3 in [0, 1].
        masks: the regions.
        blur: the photograph's, sigma as a share of the crop.
    """
    unit = masks.side / _SIDE
    strength = float(np.clip((blur * _SIDE - _SHARP) / (_BLURRED - _SHARP), 0, 1))
    if strength == 0:
        return answer
    soft = gaussian_blur(masks["hair"], _SOFT * unit)
    hair = np.clip((soft - _HAIR[0]) / (_HAIR[1] - _HAIR[0]), 0, 1)
    if float(hair.mean()) < _LEAST:
        return answer
    box = box_for_averages(hair, [length * unit for length in _STEPS])
    if box is None:
        return answer
    found = answer.copy()
    change = _change(answer[box], crop[box], hair[box], blur * masks.side, unit)
    found[box] += to_channels(hair[box] * np.float32(strength)) * change
    return np.clip(found, 0, 1, out=found)


def _change(answer: Pixels, crop: Pixels, hair: _Map, blur: float, unit: float) -> Pixels:
    """What makes the detail of the answer run along the hair."""
    light = luma(answer)
    own_tensor = structure_tensor(light, 0.8 * unit, 4 * unit)
    own = gaussian_blur(np.clip((coherence(own_tensor) - _OWN[0]) / (_OWN[1] - _OWN[0]), 0, 1), 3 * unit)
    along = _directions(light, luma(crop), hair, blur, unit, own_tensor, own)
    colours = answer - gaussian_blur(answer, _FINE * unit)
    detail = luma(colours)
    # Averages of what is hair: skin and background beside it have no part.
    weighted = averaged_along(
        np.asarray(cv2.merge((detail * hair, hair)), np.float32), along, [s * unit for s in _STEPS]
    )
    strands = weighted[..., 0] / (weighted[..., 1] + np.float32(1e-3))
    before = _energy(detail, hair, unit)
    strands = strands * _raised(before, _energy(strands, hair, unit))
    share = np.float32(_SHARE) * (1 - own)
    mixed = detail + share * (strands - detail)
    # Two textures that have nothing to do with one another are weaker together than each alone.
    mixed = mixed * _raised(before, _energy(mixed, hair, unit))
    return to_channels(mixed - detail) - to_channels(share / 2) * (colours - to_channels(detail))


def _directions(light: _Map, seen: _Map, hair: _Map, blur: float, unit: float, own_tensor: _Map, own: _Map) -> _Map:
    """H x W x 2, unit vectors along the hair: the answer's own where it has strands, else those of photograph and answer."""
    whole = Size(light.shape[1], light.shape[0])
    small, half = (Size(-(-whole.width // step), -(-whole.height // step)) for step in (_GRID, _GRID // 2))
    tensor = np.zeros((3, small.height, small.width), np.float32)
    for picture, sigma in ((seen, float(np.clip(0.6 * blur, 3 * unit, 5 * unit))), (light, 3.5 * unit)):
        # All that counts is coarse: half the size is as good, and a quarter of the work.
        one = structure_tensor(resize(picture, half, "area"), sigma / 2, 1.5 * unit)
        one = np.stack([resize(part, small, "area") for part in one])
        tensor += one / (gaussian_blur(one[0] + one[2], 6 * unit) + np.float32(1e-9))
    inside = resize(hair, small, "area") + np.float32(1e-3)
    xx, xy, yy = (gaussian_blur(part * inside, 3 * unit) for part in tensor)
    # Twice the angle, so that opposite directions are one; its length says how sure it is.
    across, down = (part / (xx + yy + np.float32(1e-7)) for part in (xx - yy, 2 * xy))
    for spread in _SPREAD:
        sure = across * across + down * down
        around = gaussian_blur(inside, spread * unit)
        far = [gaussian_blur(part * sure * inside, spread * unit) / around for part in (across, down)]
        across, down = (
            sure * part + _FAR * (1 - sure) * other for part, other in zip((across, down), far, strict=True)
        )
    far = [resize(gaussian_blur(part, 3 * unit), whole, "linear") for part in (across, down)]
    xx, xy, yy = own_tensor
    near = [part / (np.hypot(xx - yy, 2 * xy) + np.float32(1e-9)) for part in (xx - yy, 2 * xy)]
    length = np.hypot(*far) + np.float32(1e-9)
    across, down = (
        gaussian_blur(own * one + (1 - own) * other / length, 1.5 * unit) for one, other in zip(near, far, strict=True)
    )
    return across_slopes(across, down)


def _energy(detail: _Map, hair: _Map, unit: float) -> _Map:
    return wide_blur(detail * detail * (hair + np.float32(0.02)), 8 * unit)


def _raised(before: _Map, after: _Map) -> _Map:
    return np.clip(np.sqrt(before / np.maximum(after, np.float32(1e-9))), 1, _MOST).astype(np.float32)
