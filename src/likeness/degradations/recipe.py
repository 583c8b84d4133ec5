"""A recipe holds ranges and probabilities and draws a degradation; a degradation holds the drawn values and applies them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields

import cv2
import numpy as np

from likeness.degradations.operations import (
    REFERENCE_SIDE,
    add_blotches,
    add_film_grain,
    add_noise,
    age,
    backlight,
    code,
    colour_fringe,
    contrast,
    gaussian,
    light_unevenly,
    mosaic,
    motion_blur,
    print_halftone,
    purple_glow,
    scratch,
    sharpen,
    smear,
    to_grey,
)
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size

__all__ = ["Degradation", "Range", "Recipe"]

Range = tuple[float, float]
"""Lowest and highest value of a uniform draw."""


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
        contrast: 0 to 1, a camera's steep tone curve that burns out lights.
        purple: 0 to 1, purple glow on the dark side of bright edges.
        mosaic: sample through a Bayer pattern and interpolate, at the small size.
        blotches: standard deviation in levels of 255 of coarse colour noise, at the small size.
        sharpen: amount of a camera's unsharp mask, at the small size, just before compression.
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
    contrast: float = 0.0
    purple: float = 0.0
    mosaic: bool = False
    blotches: float = 0.0
    sharpen: float = 0.0

    def tone(self) -> Degradation:
        """Only what changes tone and colour and no detail: what a restorer is not asked to undo."""
        return Degradation(
            dim=self.dim,
            uneven=self.uneven,
            fade=self.fade,
            yellow=self.yellow,
            backlight=self.backlight,
            grey=self.grey,
            contrast=self.contrast,
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
        unit = max(height, width) / REFERENCE_SIDE
        x = to_grey(pixels) if self.grey else pixels
        if self.backlight > 0:
            x = backlight(x, self.backlight)
        if self.uneven > 0:
            # From its own generator: the tone alone (`tone`) must fall the same way.
            x = light_unevenly(x, self.uneven, np.random.default_rng((seed, 1)))
        if self.dim != 1.0:
            x = np.power(np.power(x, 2.2) * self.dim, 1 / 2.2).astype(np.float32)
        if self.contrast > 0:
            x = contrast(x, self.contrast)
        if max(self.blur) > 0:
            x = gaussian(x, self.blur[0] * unit, self.blur[1] * unit, self.blur_angle)
        if self.motion * unit >= 1.5:
            x = motion_blur(x, self.motion * unit, self.motion_angle)
        if self.fringe > 0:
            x = colour_fringe(x, self.fringe * unit)
        if self.purple > 0:
            x = purple_glow(x, self.purple, unit)
        if self.grain > 0:
            x = add_film_grain(x, self.grain, unit, rng)
        if self.halftone * unit >= 2.0 and self.halftone_strength > 0:
            x = print_halftone(x, self.halftone * unit, self.halftone_strength, rng)
        if self.fade > 0 or self.yellow > 0:
            x = age(x, self.fade, self.yellow)
        if self.scratches or self.dust:
            x = scratch(x, self.scratches, self.dust, unit, rng)
        if self.down > 1.0:
            small = Size(max(8, round(width / self.down)), max(8, round(height / self.down)))
            x = resize(x, small, "area")
        if self.noise > 0:
            x = add_noise(x, self.noise, self.noise_colour, self.noise_grain, rng)
        if self.blotches > 0:
            x = add_blotches(x, self.blotches, rng)
        if self.mosaic:
            x = mosaic(x)
        if self.smear > 0:
            x = smear(x, self.smear)
        if self.sharpen > 0:
            x = sharpen(x, self.sharpen)
        x = self._compress(np.clip(x, 0.0, 1.0))
        if not keep_small and x.shape[:2] != (height, width):
            x = np.clip(resize(x, Size(width, height), "cubic"), 0.0, 1.0)
        return np.ascontiguousarray(x, dtype=np.float32)

    def _compress(self, x: Pixels) -> Pixels:
        height, width = x.shape[:2]
        for index, quality in enumerate(self.jpeg):
            if index and self.resave != 1.0:
                x = resize(x, Size(max(8, round(width * self.resave)), max(8, round(height * self.resave))), "linear")
            x = code(x, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
        if self.webp is not None:
            x = code(x, ".webp", cv2.IMWRITE_WEBP_QUALITY, self.webp)
        return x


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Ranges (uniform) and probabilities (``*_p``, in [0, 1]) from which a `Degradation` is drawn."""

    name: str
    blur: Range = (0.0, 0.0)
    anisotropic_p: float = 0.0
    motion: Range = (0.0, 0.0)
    motion_p: float = 0.0
    fringe: Range = (0.0, 0.0)
    dim: Range = (1.0, 1.0)
    smear: Range = (0.0, 0.0)
    down: Range = (1.0, 1.0)
    noise: Range = (0.0, 0.0)
    noise_grey_p: float = 0.4
    noise_grain: Range = (0.0, 0.0)
    jpeg: Range | None = None
    resave: Range = (1.0, 1.0)
    resave_p: float = 0.0
    webp_p: float = 0.0
    grain: Range = (0.0, 0.0)
    scratches: Range = (0.0, 0.0)
    dust: Range = (0.0, 0.0)
    halftone: Range = (0.0, 0.0)
    halftone_strength: Range = (0.0, 0.0)
    uneven: Range = (0.0, 0.0)
    fade: Range = (0.0, 0.0)
    yellow: Range = (0.0, 0.0)
    backlight: Range = (0.0, 0.0)
    grey_p: float = 0.0
    contrast: Range = (0.0, 0.0)
    purple: Range = (0.0, 0.0)
    mosaic_p: float = 0.0
    blotches: Range = (0.0, 0.0)
    sharpen: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_p") and not 0.0 <= value <= 1.0:
                raise ValueError(f"recipe {self.name}: {field.name} must be between 0 and 1, not {value}")
            if isinstance(value, tuple) and (value[0] > value[1] or value[0] < 0):
                raise ValueError(f"recipe {self.name}: {field.name} must be a rising range from 0 on, not {value}")

    def draw(self, seed: int) -> Degradation:
        """Draw the values; the recipe's name is part of the seed, so that two recipes draw independently."""
        rng = np.random.default_rng((zlib.crc32(self.name.encode()), seed))

        def value(range_: Range) -> float:
            return float(rng.uniform(*range_))

        def happens(probability: float) -> bool:
            return bool(rng.random() < probability)

        sigma = value(self.blur)
        second = value(self.blur) if happens(self.anisotropic_p) else sigma
        jpeg: tuple[int, ...] = ()
        if self.jpeg is not None:
            jpeg = (round(value(self.jpeg)),)
            if happens(self.resave_p):
                jpeg = (*jpeg, round(value(self.jpeg)))
        return Degradation(
            blur=(sigma, second),
            blur_angle=value((0.0, np.pi)),
            motion=value(self.motion) if happens(self.motion_p) else 0.0,
            motion_angle=value((0.0, np.pi)),
            fringe=value(self.fringe),
            dim=value(self.dim),
            smear=value(self.smear),
            down=value(self.down),
            noise=value(self.noise),
            noise_colour=0.0 if happens(self.noise_grey_p) else 1.0,
            noise_grain=value(self.noise_grain),
            jpeg=jpeg,
            resave=value(self.resave),
            webp=round(value(self.jpeg or (50.0, 90.0))) if happens(self.webp_p) else None,
            grain=value(self.grain),
            scratches=round(value(self.scratches)),
            dust=round(value(self.dust)),
            fade=value(self.fade),
            yellow=value(self.yellow),
            backlight=value(self.backlight),
            grey=happens(self.grey_p),
            # Drawn last, so that recipes without them draw as they always did.
            halftone=value(self.halftone),
            halftone_strength=value(self.halftone_strength),
            uneven=value(self.uneven),
            contrast=value(self.contrast),
            purple=value(self.purple),
            mosaic=happens(self.mosaic_p),
            blotches=value(self.blotches),
            sharpen=value(self.sharpen),
        )

    def degrade(self, pixels: Pixels, seed: int, *, keep_small: bool = False) -> Pixels:
        """Draw with ``seed`` and apply with ``seed``: H x W x 3 in [0, 1] to the same."""
        return self.draw(seed).apply(pixels, seed, keep_small=keep_small)
