"""What image generators do to faces: an eye whose iris runs, an ear that dissolves into skin, skin like wax.

The faults are those that people report of diffusion models: irises that are no longer round, two pupils in one eye, eyes
that look different ways, colour of the iris smeared into the white, ears without folds. They are made from the portrait's
own pixels, by warps, copies and smears that the face mesh guides, and are seeded. Lengths follow the face.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.faces.outlines import filled
from likeness.faces.regions import RegionMasks
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["break_eye", "melt_ear", "wax"]

_Mask = NDArray[np.float32]

# Iris centre, a point of its rim, and the lids' outline in MediaPipe's mesh, left and right as seen in the picture.
_EYES = (
    (468, 469, (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)),
    (473, 474, (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)),
)
_SIDES = (234, 454)
_TOP, _CHIN = 10, 152


def break_eye(pixels: Pixels, points: NDArray[np.float32], seed: int) -> tuple[Pixels, _Mask]:
    """Break one eye: its iris loses its shape and place, and often gets a second pupil or runs into the white.

    Args:
        pixels: S x S x 3, [0, 1].
        points: 478 x 2, the mesh in pixels.
        seed: decides which eye, and how.

    Returns:
        the picture, and S x S in [0, 1] where it was changed; outside it is the same to the last bit.
    """
    rng = np.random.default_rng((seed, 10))
    middle, rim, lids = _EYES[int(rng.integers(2))]
    centre = points[middle].astype(np.float64)
    radius = max(float(np.hypot(*(points[rim] - centre))), 2.0)
    mask = _opening(points[list(lids)], pixels.shape[0], 0.3 * radius)
    across, down = _grid(pixels)
    dx, dy = across - centre[0], down - centre[1]
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    near = np.exp(-np.square(np.square(distance / (1.7 * radius)))).astype(np.float32)
    # Out of round: the rim waves two and three times around; then out of place, as if the eye looked elsewhere.
    wave = _signed(rng, 0.16, 0.30) * np.cos(2 * angle + rng.uniform(0, np.pi))
    wave = wave + _signed(rng, 0.12, 0.25) * np.cos(3 * angle + rng.uniform(0, np.pi))
    move = np.array([_signed(rng, 0.25, 0.6), rng.uniform(-0.2, 0.3)]) * radius
    broken = _sampled(pixels, across + near * (dx * wave - move[0]), down + near * (dy * wave - move[1]))
    if rng.random() < 0.6:
        broken = _second_pupil(broken, centre + move, radius, rng)
    if rng.random() < 0.6:
        broken = _run(broken, radius, rng)
    return _mixed(pixels, broken, mask), mask


def melt_ear(pixels: Pixels, points: NDArray[np.float32], seed: int) -> tuple[Pixels, _Mask]:
    """Dissolve one ear, the one that is turned more to the camera: its outline runs and its folds melt into skin.

    Where hair lies over the ear, the hair melts: generators do that, too.

    Args:
        pixels: S x S x 3, [0, 1].
        points: 478 x 2, the mesh in pixels.
        seed: decides how.

    Returns:
        as `break_eye`.
    """
    rng = np.random.default_rng((seed, 11))
    left, right = (points[side].astype(np.float64) for side in _SIDES)
    face_middle = (left + right) / 2
    nose = points[4].astype(np.float64)
    # The nose is nearer to the side that is turned away.
    side = left if np.hypot(*(nose - left)) >= np.hypot(*(nose - right)) else right
    height = float(np.hypot(*(points[_CHIN] - points[_TOP]).astype(np.float64)))
    outward = (side - face_middle) / max(float(np.hypot(*(side - face_middle))), 1e-6)
    centre = side + outward * 0.06 * height + np.array([0.0, 0.03 * height])
    across, down = _grid(pixels)
    u, v = (across - centre[0]) / (0.10 * height), (down - centre[1]) / (0.21 * height)
    inside = np.clip(1 - np.hypot(u, v), 0, 1).astype(np.float32)
    mask = _smooth_step(inside / 0.35)
    # Runs: the place each pixel is taken from wanders over some hundredths of the face.
    field = gaussian_blur(rng.standard_normal((pixels.shape[0], pixels.shape[1], 2), dtype=np.float32), 0.035 * height)
    field = field * np.float32(rng.uniform(0.02, 0.035) * height / max(float(field.std()), 1e-9)) * mask[:, :, None]
    slide = np.float32(_signed(rng, 0.02, 0.05) * height) * mask
    run = _sampled(pixels, across + field[:, :, 0], down + field[:, :, 1] + slide)
    # Melts: a median loses the folds, but not the outline.
    samples = (np.clip(run, 0, 1) * 255 + 0.5).astype(np.uint8)
    size = 2 * max(1, round(float(rng.uniform(0.016, 0.024)) * height)) + 1
    melted = gaussian_blur(cv2.medianBlur(samples, size).astype(np.float32) / np.float32(255), 0.0035 * height)
    return _mixed(pixels, melted, mask), mask


def wax(pixels: Pixels, masks: RegionMasks, seed: int) -> Pixels:
    """Skin as generators like it: without pores, its lights spread to a sheen. Eyes, hair and lips stay.

    Args:
        pixels: S x S x 3, [0, 1].
        masks: the regions.
        seed: decides how much.
    """
    rng = np.random.default_rng((seed, 12))
    unit = pixels.shape[0] / 512
    skin = masks["cheek"] + masks["forehead"] + np.float32(0.8) * masks["nose"]
    skin = (skin * np.float32(rng.uniform(0.65, 0.9)))[:, :, None]
    smooth = np.asarray(cv2.bilateralFilter(pixels, 0, 0.09, 4 * unit), dtype=np.float32)
    light = smooth @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    level = float(np.quantile(light[masks["cheek"] > 0.5], 0.7)) if (masks["cheek"] > 0.5).any() else 0.6
    sheen = gaussian_blur(np.clip(light - level, 0, None), 6 * unit) * np.float32(rng.uniform(0.4, 0.9))
    waxed = smooth + sheen[:, :, None]
    return np.clip(pixels + skin * (waxed - pixels), 0, 1, dtype=np.float32)


def _second_pupil(x: Pixels, centre: NDArray[np.float64], radius: float, rng: Generator) -> Pixels:
    """A copy of the pupil beside itself, as a darker, soft disc."""
    direction = rng.uniform(0, 2 * np.pi)
    offset = np.array([np.cos(direction), np.sin(direction)]) * radius * rng.uniform(0.45, 0.75)
    across, down = _grid(x)
    copy = _sampled(x, across - np.float32(offset[0]), down - np.float32(offset[1]))
    distance = np.hypot(across - centre[0] - offset[0], down - centre[1] - offset[1])
    disc = _smooth_step((0.62 - distance / radius) / 0.3)[:, :, None]
    return x + disc * (np.minimum(copy, x) - x)


def _run(x: Pixels, radius: float, rng: Generator) -> Pixels:
    """The iris's colour runs: a smear along one direction."""
    length = max(3, round(radius * rng.uniform(0.5, 1.0)))
    angle = rng.uniform(-0.6, 0.6)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    end = np.array([np.cos(angle), np.sin(angle)]) * length
    first, last = (np.round((length + sign * end) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, (1.0,), 1, cv2.LINE_AA, 4)
    smeared = cv2.filter2D(x, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return x + np.float32(0.6) * (smeared - x)


def _opening(outline: NDArray[np.float32], side: int, soft: float) -> _Mask:
    """Between the lids: 1 inside, falling to 0 over ``soft`` px outside, and exactly 0 beyond."""
    outside = (filled([outline], side) == 0).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    return _smooth_step(1 - distance / max(soft, 1.0))


def _smooth_step(t: NDArray[Any]) -> _Mask:
    t = np.clip(t, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _signed(rng: Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high) * rng.choice((-1, 1)))


def _grid(x: Pixels) -> tuple[_Mask, _Mask]:
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32)
    return across, down


def _sampled(x: Pixels, across: NDArray[Any], down: NDArray[Any]) -> Pixels:
    return np.asarray(
        cv2.remap(
            x,
            across.astype(np.float32),
            down.astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        dtype=np.float32,
    )


def _mixed(x: Pixels, changed: Pixels, mask: _Mask) -> Pixels:
    mixed = np.clip(x + mask[:, :, None] * (changed - x), 0, 1, dtype=np.float32)
    return np.where(mask[:, :, None] > 0, mixed, x)
