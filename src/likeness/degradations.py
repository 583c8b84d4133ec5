"""What happens to portraits: seeded operations and frozen recipes.

The core chain is the one of blind face restoration (Wang et al., GFPGAN, CVPR 2021, equation 6),

    y = JPEG_q( (x * k_sigma) down_r + n_delta ) up_r,

with what our users' pictures have seen besides: motion, film grain, scratches, dust, fading, low light, messengers.
Lengths (blur, motion, grain, scratches) are given in pixels of a 512 crop and scale with the picture; noise is in levels
of 255. A `Recipe` holds ranges and odds and draws a `Degradation`; a `Degradation` holds the drawn values and applies them.
Same recipe, seed and picture: same result.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["RECIPES", "TRAINING", "Degradation", "Range", "Recipe", "pre_degrade"]

Range = tuple[float, float]
"""Lowest and highest value of a uniform draw."""

_Array = NDArray[np.float32]
_REFERENCE_SIDE = 512.0


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One drawn degradation; every field at its default changes nothing.

    Attributes:
        blur: sigmas of a Gaussian along two axes, px at 512.
        blur_angle: rotation of these axes, radians.
        motion: length of a straight motion blur, px at 512.
        motion_angle: its direction, radians.
        fringe: shift of red and blue against green at high contrast (purple fringes), px at 512.
        dim: factor on linear light (low light), 1 keeps it.
        smear: strength of a camera's noise reduction (bilateral filter), 0 to 1.
        down: factor by which the picture is made smaller before noise and compression.
        noise: standard deviation in levels of 255, added at the small size.
        noise_colour: 0 makes the noise equal in all channels, 1 independent.
        noise_grain: correlation length of the noise in small-size pixels; 0 is white.
        jpeg: qualities of successive JPEG compressions at the small size; between two the picture is resized by ``resave``.
        resave: scale between two compressions.
        webp: quality of a last WebP compression, or None.
        grain: film grain in levels of 255, strongest in mid-tones.
        scratches: number of scratches.
        dust: number of specks.
        halftone: period of a printed dot screen, px at 512; 0 prints none.
        halftone_strength: 0 to 1, how much of the picture is dots.
        uneven: 0 to 1, light that falls off across the picture (flash, window, a stained print).
        fade: 0 to 1, lifted blacks and lowered contrast.
        yellow: 0 to 1, yellowing.
        backlight: 0 to 1, face darkened against a bright surround.
        grey: turn to one channel first.
    """

    blur: Range = (0.0, 0.0)
    blur_angle: float = 0.0
    motion: float = 0.0
    motion_angle: float = 0.0
    fringe: float = 0.0
    dim: float = 1.0
    smear: float = 0.0
    down: float = 1.0
    noise: float = 0.0
    noise_colour: float = 1.0
    noise_grain: float = 0.0
    jpeg: tuple[int, ...] = ()
    resave: float = 1.0
    webp: int | None = None
    grain: float = 0.0
    scratches: int = 0
    dust: int = 0
    halftone: float = 0.0
    halftone_strength: float = 0.0
    uneven: float = 0.0
    fade: float = 0.0
    yellow: float = 0.0
    backlight: float = 0.0
    grey: bool = False

    def tone(self) -> Degradation:
        """Only what changes tone and colour and no detail: what a restorer is not asked to undo."""
        return Degradation(
            dim=self.dim,
            uneven=self.uneven,
            fade=self.fade,
            yellow=self.yellow,
            backlight=self.backlight,
            grey=self.grey,
        )

    def apply(self, pixels: Pixels, seed: int, *, keep_small: bool = False) -> Pixels:
        """Degrade a picture.

        Args:
            pixels: H x W x 3, [0, 1].
            seed: decides noise, scratches and dust.
            keep_small: leave the picture at the small size instead of enlarging it back.

        Returns:
            H x W x 3 in [0, 1], or smaller by ``down`` with ``keep_small``.
        """
        rng = np.random.default_rng(seed)
        height, width = pixels.shape[:2]
        unit = max(height, width) / _REFERENCE_SIDE
        x = _grey(pixels) if self.grey else pixels
        if self.backlight > 0:
            x = _backlight(x, self.backlight)
        if self.uneven > 0:
            # From its own generator: the tone alone (`tone`) must fall the same way.
            x = _uneven(x, self.uneven, np.random.default_rng((seed, 1)))
        if self.dim != 1.0:
            x = np.power(np.power(x, 2.2) * self.dim, 1 / 2.2).astype(np.float32)
        if max(self.blur) > 0:
            x = _gaussian(x, self.blur[0] * unit, self.blur[1] * unit, self.blur_angle)
        if self.motion * unit >= 1.5:
            x = _motion(x, self.motion * unit, self.motion_angle)
        if self.fringe > 0:
            x = _fringe(x, self.fringe * unit)
        if self.grain > 0:
            x = _film_grain(x, self.grain, unit, rng)
        if self.halftone * unit >= 2.0 and self.halftone_strength > 0:
            x = _halftone(x, self.halftone * unit, self.halftone_strength, rng)
        if self.fade > 0 or self.yellow > 0:
            x = _age(x, self.fade, self.yellow)
        if self.scratches or self.dust:
            x = _scratch(x, self.scratches, self.dust, unit, rng)
        if self.down > 1.0:
            small = Size(max(8, round(width / self.down)), max(8, round(height / self.down)))
            x = resize(x, small, "area")
        if self.noise > 0:
            x = _noise(x, self.noise, self.noise_colour, self.noise_grain, rng)
        if self.smear > 0:
            x = _smear(x, self.smear)
        x = self._compress(np.clip(x, 0.0, 1.0))
        if not keep_small and x.shape[:2] != (height, width):
            x = np.clip(resize(x, Size(width, height), "cubic"), 0.0, 1.0)
        return np.ascontiguousarray(x, dtype=np.float32)

    def _compress(self, x: _Array) -> _Array:
        height, width = x.shape[:2]
        for index, quality in enumerate(self.jpeg):
            if index and self.resave != 1.0:
                x = resize(x, Size(max(8, round(width * self.resave)), max(8, round(height * self.resave))), "linear")
            x = _code(x, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
        if self.webp is not None:
            x = _code(x, ".webp", cv2.IMWRITE_WEBP_QUALITY, self.webp)
        return x


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Ranges and odds from which a `Degradation` is drawn. Ranges are uniform; ``*_odds`` are probabilities in [0, 1]."""

    name: str
    blur: Range = (0.0, 0.0)
    anisotropic_odds: float = 0.0
    motion: Range = (0.0, 0.0)
    motion_odds: float = 0.0
    fringe: Range = (0.0, 0.0)
    dim: Range = (1.0, 1.0)
    smear: Range = (0.0, 0.0)
    down: Range = (1.0, 1.0)
    noise: Range = (0.0, 0.0)
    noise_grey_odds: float = 0.4
    noise_grain: Range = (0.0, 0.0)
    jpeg: Range | None = None
    resave: Range = (1.0, 1.0)
    resave_odds: float = 0.0
    webp_odds: float = 0.0
    grain: Range = (0.0, 0.0)
    scratches: Range = (0.0, 0.0)
    dust: Range = (0.0, 0.0)
    halftone: Range = (0.0, 0.0)
    halftone_strength: Range = (0.0, 0.0)
    uneven: Range = (0.0, 0.0)
    fade: Range = (0.0, 0.0)
    yellow: Range = (0.0, 0.0)
    backlight: Range = (0.0, 0.0)
    grey_odds: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_odds") and not 0.0 <= value <= 1.0:
                raise ValueError(f"recipe {self.name}: {field.name} must be between 0 and 1, not {value}")
            if isinstance(value, tuple) and (value[0] > value[1] or value[0] < 0):
                raise ValueError(f"recipe {self.name}: {field.name} must be a rising range from 0 on, not {value}")

    def draw(self, seed: int) -> Degradation:
        """Draw the values; the recipe's name is part of the seed, so that two recipes draw independently."""
        rng = np.random.default_rng((zlib.crc32(self.name.encode()), seed))

        def value(range_: Range) -> float:
            return float(rng.uniform(*range_))

        def happens(odds: float) -> bool:
            return bool(rng.random() < odds)

        sigma = value(self.blur)
        second = value(self.blur) if happens(self.anisotropic_odds) else sigma
        jpeg: tuple[int, ...] = ()
        if self.jpeg is not None:
            jpeg = (round(value(self.jpeg)),)
            if happens(self.resave_odds):
                jpeg = (*jpeg, round(value(self.jpeg)))
        return Degradation(
            blur=(sigma, second),
            blur_angle=value((0.0, np.pi)),
            motion=value(self.motion) if happens(self.motion_odds) else 0.0,
            motion_angle=value((0.0, np.pi)),
            fringe=value(self.fringe),
            dim=value(self.dim),
            smear=value(self.smear),
            down=value(self.down),
            noise=value(self.noise),
            noise_colour=0.0 if happens(self.noise_grey_odds) else 1.0,
            noise_grain=value(self.noise_grain),
            jpeg=jpeg,
            resave=value(self.resave),
            webp=round(value(self.jpeg or (50.0, 90.0))) if happens(self.webp_odds) else None,
            grain=value(self.grain),
            scratches=round(value(self.scratches)),
            dust=round(value(self.dust)),
            fade=value(self.fade),
            yellow=value(self.yellow),
            backlight=value(self.backlight),
            grey=happens(self.grey_odds),
            # Drawn last, so that recipes without them draw as they always did.
            halftone=value(self.halftone),
            halftone_strength=value(self.halftone_strength),
            uneven=value(self.uneven),
        )

    def degrade(self, pixels: Pixels, seed: int, *, keep_small: bool = False) -> Pixels:
        """Draw with ``seed`` and apply with ``seed``: H x W x 3 in [0, 1] to the same."""
        return self.draw(seed).apply(pixels, seed, keep_small=keep_small)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="clean"),
        Recipe(name="mild", blur=(0.5, 1.5), down=(1.0, 2.0), noise=(0.0, 4.0), jpeg=(75, 95)),
        Recipe(name="moderate", blur=(1.0, 5.0), down=(2.0, 5.0), noise=(2.0, 10.0), jpeg=(50, 85)),
        Recipe(
            name="severe", blur=(4.0, 10.0), anisotropic_odds=0.5, down=(4.0, 8.0), noise=(5.0, 20.0), jpeg=(30, 60)
        ),
        Recipe(
            name="grey-film", blur=(0.8, 2.5), down=(1.0, 2.5), noise=(0.0, 3.0), noise_grey_odds=1.0, jpeg=(80, 95),
            grain=(8.0, 20.0), scratches=(0, 4), dust=(2, 15), fade=(0.1, 0.5), yellow=(0.0, 0.0), grey_odds=1.0,
        ),
        Recipe(
            name="messenger", blur=(0.3, 1.2), down=(1.5, 4.0), noise=(0.0, 4.0), jpeg=(35, 75), resave=(0.7, 1.2),
            resave_odds=1.0, webp_odds=0.2,
        ),
        Recipe(
            name="early-digital", blur=(0.8, 1.6), down=(2.2, 3.2), noise=(3.0, 7.0), noise_grain=(0.5, 1.0),
            jpeg=(28, 45), fringe=(0.5, 1.5),
        ),
        Recipe(
            name="film-scan", blur=(0.8, 1.6), down=(1.2, 1.8), jpeg=(85, 95), grain=(12.0, 18.0), scratches=(2, 5),
            dust=(8, 20), fade=(0.3, 0.5), yellow=(0.4, 0.7),
        ),
        Recipe(
            name="low-light", blur=(0.6, 1.2), motion=(3.0, 7.0), motion_odds=1.0, fringe=(1.0, 2.5), dim=(0.3, 0.5),
            down=(1.2, 2.0), noise=(8.0, 13.0), noise_grey_odds=0.0, noise_grain=(0.7, 1.2), smear=(0.6, 0.9),
            jpeg=(70, 85),
        ),
        Recipe(name="avatar", blur=(0.3, 0.8), down=(4.2, 4.3), jpeg=(70, 85)),
        Recipe(name="backlit", backlight=(0.6, 0.8), noise=(4.0, 8.0), blur=(0.4, 0.9), down=(1.2, 2.0), jpeg=(75, 90)),
    )
}  # fmt: skip
"""The fixed recipes by name: the evaluation's (first six) and the situations of the presets."""

TRAINING: tuple[tuple[float, Recipe], ...] = (
    (0.08, Recipe(name="train-clean", grey_odds=0.2)),
    (0.16, Recipe(
        name="train-mild", blur=(0.1, 2.0), anisotropic_odds=0.3, down=(0.8, 2.5), noise=(0.0, 6.0), noise_grain=(0.0, 1.0),
        jpeg=(60, 100), resave_odds=0.2, resave=(0.7, 1.3), webp_odds=0.05, grey_odds=0.2,
    )),
    (0.38, Recipe(
        name="train-blind", blur=(0.5, 6.0), anisotropic_odds=0.5, motion=(2.0, 12.0), motion_odds=0.15, down=(0.8, 6.0),
        noise=(0.0, 14.0), noise_grain=(0.0, 1.0), jpeg=(35, 95), resave_odds=0.2, resave=(0.7, 1.3), webp_odds=0.05,
        uneven=(0.0, 0.6), grey_odds=0.2,
    )),
    (0.12, Recipe(
        name="train-severe", blur=(0.1, 10.0), anisotropic_odds=0.5, motion=(4.0, 20.0), motion_odds=0.15, down=(3.0, 10.0),
        noise=(0.0, 20.0), noise_grain=(0.0, 1.0), jpeg=(30, 90), resave_odds=0.2, resave=(0.7, 1.3), grey_odds=0.2,
    )),
    (0.09, Recipe(
        name="train-film", blur=(0.3, 3.0), down=(0.8, 3.0), grain=(3.0, 22.0), scratches=(0, 4), dust=(0, 15),
        fade=(0.0, 0.5), yellow=(0.0, 0.5), uneven=(0.0, 0.6), jpeg=(60, 98), grey_odds=0.6,
    )),
    (0.03, Recipe(
        name="train-print", blur=(0.3, 2.0), down=(0.8, 2.5), halftone=(3.0, 7.0), halftone_strength=(0.2, 0.9),
        fade=(0.0, 0.4), yellow=(0.0, 0.4), uneven=(0.0, 0.4), jpeg=(60, 95), grey_odds=0.9,
    )),
    (0.04, Recipe(
        name="train-low-light", blur=(0.3, 1.5), motion=(2.0, 10.0), motion_odds=0.6, fringe=(0.0, 2.5), dim=(0.3, 0.9),
        backlight=(0.0, 0.6), down=(1.0, 3.0), noise=(4.0, 16.0), noise_grey_odds=0.1, noise_grain=(0.4, 1.3),
        smear=(0.0, 0.9), jpeg=(55, 92),
    )),
    (0.10, replace(RECIPES["messenger"], name="train-messenger", jpeg=(30, 90), grey_odds=0.1)),
)  # fmt: skip
"""What training draws from: odds and recipe. Tone is not undone: the target is given the same (`Degradation.tone`)."""


def pre_degrade(pixels: Pixels, scale: float) -> Pixels:
    """D_s: what the network is shown instead of the picture (design, section 2).

    A Gaussian blur of sigma 0.6 ``scale`` px at 512, then JPEG of quality 100 - 8 ``scale``. Fine texture is hidden from the
    network, which must then draw it itself: the larger ``scale``, the more.

    Args:
        pixels: H x W x 3, [0, 1].
        scale: 0 (off) or more; 1 is the network's plain behaviour.

    Returns:
        H x W x 3 in [0, 1].
    """
    if scale <= 0:
        return pixels
    sigma = 0.6 * scale * max(pixels.shape[:2]) / _REFERENCE_SIDE
    return _code(_gaussian(pixels, sigma, sigma, 0.0), ".jpg", cv2.IMWRITE_JPEG_QUALITY, round(100 - 8 * scale))


def _grey(x: _Array) -> _Array:
    # Rec. 601 weights, as cameras' and film scanners' monochrome modes use them.
    return np.repeat((x @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None], 3, axis=2)


def _code(x: _Array, suffix: str, parameter: int, quality: int) -> _Array:
    samples = (np.clip(x, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    _, coded = cv2.imencode(suffix, samples[:, :, ::-1], [parameter, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return decoded[:, :, ::-1].astype(np.float32) / np.float32(255.0)


def _gaussian(x: _Array, sigma_x: float, sigma_y: float, angle: float) -> _Array:
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


def _motion(x: _Array, length: float, angle: float) -> _Array:
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


def _fringe(x: _Array, shift: float) -> _Array:
    red, green, blue = (np.ascontiguousarray(x[:, :, c]) for c in range(3))
    # Longitudinal chromatic aberration: red and blue a little out of focus and off, so that edges turn purple.
    red = _shift(gaussian_blur(red, 0.4 + 0.5 * shift), 0.5 * shift, 0.2 * shift)
    blue = _shift(gaussian_blur(blue, 0.4 + 0.8 * shift), -0.5 * shift, -0.2 * shift)
    return np.dstack([red, green, blue])


def _noise(x: _Array, sigma: float, colour: float, grain: float, rng: Generator) -> _Array:
    shape = (*x.shape[:2], 3 if colour > 0 else 1)
    noise = rng.standard_normal(shape, dtype=np.float32)
    if grain > 0.2:
        noise = gaussian_blur(noise, grain).reshape(shape)
        noise /= max(float(noise.std()), 1e-6)
    return x + noise * np.float32(sigma / 255.0)


def _film_grain(x: _Array, sigma: float, unit: float, rng: Generator) -> _Array:
    """Grain of about 1.2 px at 512, strongest in mid-tones: granularity follows sqrt(density (1 - density))."""
    shared = rng.standard_normal(x.shape[:2], dtype=np.float32)
    shared = gaussian_blur(shared, max(0.3, 0.7 * unit))
    shared /= max(float(shared.std()), 1e-6)
    luma = x.mean(axis=2)
    strength = 2.0 * np.sqrt(np.clip(luma * (1 - luma), 0.01, 0.25))
    return x + (shared * strength * np.float32(sigma / 255.0))[:, :, None]


def _age(x: _Array, fade: float, yellow: float) -> _Array:
    x = x * (1 - 0.45 * fade) + 0.22 * fade
    tint = np.array([1 - 0.02 * yellow, 1 - 0.08 * yellow, 1 - 0.32 * yellow], dtype=np.float32)
    return (x * tint).astype(np.float32)


def _scratch(x: _Array, scratches: int, dust: int, unit: float, rng: Generator) -> _Array:
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


def _halftone(x: _Array, period: float, strength: float, rng: Generator) -> _Array:
    """A clustered-dot screen at an angle: where the luma is lower than the screen there is ink (Ulichney, 1987)."""
    angle = float(rng.uniform(0, np.pi / 2))
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32) * np.float32(2 * np.pi / period)
    u, v = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    screen = (0.5 + 0.25 * (np.cos(u) + np.cos(v)))[:, :, None]
    # A printer's dots have soft edges; the gain keeps the mean tone about as it was.
    dots = 1 / (1 + np.exp(-(x - screen) * 10))
    return (x * (1 - strength) + dots * strength).astype(np.float32)


def _uneven(x: _Array, strength: float, rng: Generator) -> _Array:
    height, width = x.shape[:2]
    angle = float(rng.uniform(0, 2 * np.pi))
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    along = (across / width - 0.5) * np.cos(angle) + (down / height - 0.5) * np.sin(angle)
    light = np.exp(along * 2.0 * strength)[:, :, None]
    return np.power(np.clip(np.power(x, 2.2) * light, 0, 1), 1 / 2.2).astype(np.float32)


def _smear(x: _Array, strength: float) -> _Array:
    samples = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    smooth = cv2.bilateralFilter(samples, 5, 20 + 40 * strength, 2 + 2 * strength).astype(np.float32) / np.float32(
        255.0
    )
    return x * np.float32(1 - strength) + smooth * np.float32(strength)


def _backlight(x: _Array, strength: float) -> _Array:
    height, width = x.shape[:2]
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((across / width - 0.5) / 0.42, (down / height - 0.58) / 0.55)
    light = 1 / (1 + np.exp(-(radius - 1) * 6))
    linear = np.power(x, 2.2)
    factor = (1 - 0.85 * strength) + light * (0.85 + 1.2) * strength
    return np.power(np.clip(linear * factor[:, :, None], 0, 1), 1 / 2.2).astype(np.float32)
