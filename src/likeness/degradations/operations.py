"""The single operations: H x W x 3 float32 in [0, 1] to the same, which may leave the range a little until the end."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur

__all__ = [
    "REFERENCE_SIDE",
    "add_blotches",
    "add_film_grain",
    "add_noise",
    "age",
    "backlight",
    "code",
    "colour_fringe",
    "contrast",
    "gaussian",
    "light_unevenly",
    "mosaic",
    "motion_blur",
    "print_halftone",
    "purple_glow",
    "scratch",
    "sharpen",
    "smear",
    "to_grey",
]

_Array = NDArray[np.float32]

REFERENCE_SIDE = 512.0
"""Lengths are given in pixels of a picture of this side."""


def to_grey(x: _Array) -> _Array:
    # Rec. 601 weights, as cameras' and film scanners' monochrome modes use them.
    return np.repeat((x @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None], 3, axis=2)


def code(x: _Array, suffix: str, parameter: int, quality: int) -> _Array:
    scaled = np.clip(x, 0.0, 1.0)
    scaled *= np.float32(255.0)
    scaled += np.float32(0.5)
    _, coded = cv2.imencode(suffix, cv2.cvtColor(scaled.astype(np.uint8), cv2.COLOR_RGB2BGR), [parameter, quality])
    decoded = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.float32)
    decoded /= np.float32(255.0)
    return decoded


def gaussian(x: _Array, sigma_x: float, sigma_y: float, angle: float) -> _Array:
    if abs(sigma_x - sigma_y) < 1e-6:
        return gaussian_blur(x, sigma_x) if sigma_x > 0.05 else x
    radius = max(1, int(np.ceil(3 * max(sigma_x, sigma_y))))
    grid = np.arange(-radius, radius + 1, dtype=np.float32)
    across, down = np.meshgrid(grid, grid)
    u = (across * np.cos(angle) + down * np.sin(angle)) / max(sigma_x, 0.05)
    v = (down * np.cos(angle) - across * np.sin(angle)) / max(sigma_y, 0.05)
    kernel = np.exp(-0.5 * (u * u + v * v))
    return _convolve(x, kernel)


def _convolve(x: _Array, kernel: _Array) -> _Array:
    """With a kernel that is brought to sum 1."""
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


def motion_blur(x: _Array, length: float, angle: float) -> _Array:
    radius = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), dtype=np.float32)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    # Sub-pixel ends: the line is drawn in 1/16 px.
    first, last = (np.round((radius + sign * half) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, (1.0,), 1, cv2.LINE_AA, 4)
    if kernel.max() <= 0:
        return x
    return _convolve(x, kernel)


def _shift(channel: _Array, dx: float, dy: float) -> _Array:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    size = (channel.shape[1], channel.shape[0])
    shifted = cv2.warpAffine(channel, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(shifted, dtype=np.float32)


def colour_fringe(x: _Array, shift: float) -> _Array:
    red, green, blue = (np.ascontiguousarray(x[:, :, c]) for c in range(3))
    # Longitudinal chromatic aberration: red and blue a little out of focus and off, so that edges turn purple.
    red = _shift(gaussian_blur(red, 0.4 + 0.5 * shift), 0.5 * shift, 0.2 * shift)
    blue = _shift(gaussian_blur(blue, 0.4 + 0.8 * shift), -0.5 * shift, -0.2 * shift)
    return np.dstack([red, green, blue])


def add_noise(x: _Array, sigma: float, colour: float, grain: float, rng: Generator) -> _Array:
    shape = (*x.shape[:2], 3 if colour > 0 else 1)
    noise = rng.standard_normal(shape, dtype=np.float32)
    if grain > 0.2:
        noise = gaussian_blur(noise, grain).reshape(shape)
        noise /= max(float(noise.std()), 1e-6)
    return x + noise * np.float32(sigma / 255.0)


def add_film_grain(x: _Array, sigma: float, unit: float, rng: Generator) -> _Array:
    """Grain of about 1.2 px at 512, strongest in mid-tones: granularity follows sqrt(density (1 - density))."""
    shared = rng.standard_normal(x.shape[:2], dtype=np.float32)
    shared = gaussian_blur(shared, max(0.3, 0.7 * unit))
    shared /= max(float(shared.std()), 1e-6)
    luma = x.mean(axis=2)
    strength = 2.0 * np.sqrt(np.clip(luma * (1 - luma), 0.01, 0.25))
    return x + (shared * strength * np.float32(sigma / 255.0))[:, :, None]


def age(x: _Array, fade: float, yellow: float) -> _Array:
    x = x * (1 - 0.45 * fade) + 0.22 * fade
    tint = np.array([1 - 0.02 * yellow, 1 - 0.08 * yellow, 1 - 0.32 * yellow], dtype=np.float32)
    return (x * tint).astype(np.float32)


def scratch(x: _Array, scratches: int, dust: int, unit: float, rng: Generator) -> _Array:
    height, width = x.shape[:2]
    layer = np.zeros((height, width), dtype=np.float32)
    for _ in range(scratches):
        start = rng.uniform(0, 1, 2) * (width, height)
        lean = rng.normal(0, 0.08)
        length = rng.uniform(0.2, 0.9) * height
        steps = np.linspace(0, 1, 12)
        wobble = np.cumsum(rng.normal(0, 0.6 * unit, 12))
        line = np.stack([start[0] + lean * length * steps + wobble, start[1] + length * (steps - 0.5)], axis=1)
        thick = max(1, round(rng.uniform(0.6, 1.4) * unit))
        points = np.round(line * 16).astype(np.int32)
        cv2.polylines(layer, [points], False, (float(rng.uniform(0.4, 0.9)),), thick, cv2.LINE_AA, 4)
    for _ in range(dust):
        centre = (rng.uniform(0, 1, 2) * (width, height)).astype(int).tolist()
        axes = [max(1, round(v)) for v in (rng.uniform(0.6, 2.4, 2) * unit).tolist()]
        sign = 1.0 if rng.random() < 0.7 else -1.0
        cv2.ellipse(layer, centre, axes, float(rng.uniform(0, 180)), 0, 360, (sign * 0.8,), -1, cv2.LINE_AA)
    layer = gaussian_blur(layer, max(0.3, 0.5 * unit))[:, :, None]
    return (x * (1 - np.abs(layer)) + np.maximum(layer, 0) * 0.92 + np.maximum(-layer, 0) * 0.08).astype(np.float32)


def print_halftone(x: _Array, period: float, strength: float, rng: Generator) -> _Array:
    """A clustered-dot screen at an angle: where the luma is lower than the screen there is ink (Ulichney, 1987)."""
    angle = float(rng.uniform(0, np.pi / 2))
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32) * np.float32(2 * np.pi / period)
    u, v = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    screen = (0.5 + 0.25 * (np.cos(u) + np.cos(v)))[:, :, None]
    # A printer's dots have soft edges; the gain keeps the mean tone about as it was.
    dots = 1 / (1 + np.exp(-(x - screen) * 10))
    return (x * (1 - strength) + dots * strength).astype(np.float32)


def light_unevenly(x: _Array, strength: float, rng: Generator) -> _Array:
    height, width = x.shape[:2]
    angle = float(rng.uniform(0, 2 * np.pi))
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    along = (across / width - 0.5) * np.cos(angle) + (down / height - 0.5) * np.sin(angle)
    light = np.exp(along * 2.0 * strength)[:, :, None]
    return np.power(np.clip(np.power(x, 2.2) * light, 0, 1), 1 / 2.2).astype(np.float32)


def smear(x: _Array, strength: float) -> _Array:
    samples = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    smooth = cv2.bilateralFilter(samples, 5, 20 + 40 * strength, 2 + 2 * strength).astype(np.float32) / np.float32(
        255.0
    )
    return x * np.float32(1 - strength) + smooth * np.float32(strength)


def backlight(x: _Array, strength: float) -> _Array:
    height, width = x.shape[:2]
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((across / width - 0.5) / 0.42, (down / height - 0.58) / 0.55)
    light = 1 / (1 + np.exp(-(radius - 1) * 6))
    linear = np.power(x, 2.2)
    factor = (1 - 0.85 * strength) + light * (0.85 + 1.2) * strength
    return np.power(np.clip(linear * factor[:, :, None], 0, 1), 1 / 2.2).astype(np.float32)


def contrast(x: _Array, strength: float) -> _Array:
    """The steep curve of an early camera: mid-tones pulled apart about 0.45, lights burnt out, shadows blocked."""
    steep = np.clip(0.45 + (x - 0.45) * (1 + 0.9 * strength) + 0.06 * strength, 0.0, 1.0)
    return steep.astype(np.float32)


def mosaic(x: _Array) -> _Array:
    """One colour a pixel (RGGB), the other two interpolated linearly: zipper edges and coloured fine detail."""
    samples = (np.clip(x, 0.0, 1.0) * 65535.0 + 0.5).astype(np.uint16)
    raw = np.ascontiguousarray(samples[:, :, 1])
    raw[0::2, 0::2] = samples[0::2, 0::2, 0]
    raw[1::2, 1::2] = samples[1::2, 1::2, 2]
    # OpenCV names a pattern after the second row's second and third pixel: RGGB is its BG.
    return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BayerBG2RGB), dtype=np.float32) / np.float32(65535.0)


def sharpen(x: _Array, amount: float) -> _Array:
    """The unsharp mask of a camera: light and dark lines along edges."""
    return np.clip(x + np.float32(amount) * (x - gaussian_blur(x, 0.9)), 0.0, 1.0, dtype=np.float32)


def add_blotches(x: _Array, sigma: float, rng: Generator) -> _Array:
    """Colour noise of some 5 px that a phone's noise reduction leaves: it smooths brightness and forgets colour."""
    fields = gaussian_blur(rng.standard_normal((*x.shape[:2], 3), dtype=np.float32), 2.0)
    fields = fields / np.float32(max(float(fields.std()), 1e-6))
    # Without a change of luma (Rec. 601).
    fields = fields - (fields @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None]
    return x + fields * np.float32(sigma / 255.0)


def purple_glow(x: _Array, strength: float, unit: float) -> _Array:
    """Purple fringes: red and blue light of burnt edges, out of focus, spills over the dark side."""
    light = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    spill = np.clip(gaussian_blur(light, 2.5 * unit) - light - 0.04, 0.0, None) * np.float32(strength)
    return x + spill[:, :, None] * np.array([0.75, -0.1, 1.15], dtype=np.float32)
