"""Web and print versions of finished pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from likeness.compute.cancellation import checkpoint
from likeness.errors import ConfigError, ImageTooLargeError, ResolutionError
from likeness.imaging.exif import credits_exif
from likeness.imaging.icc import can_convert_back, profile_space, srgb_profile
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.resample import resample
from likeness.imaging.transparency import without_hidden
from likeness.messages.notice import Notice, Value, notice_of
from likeness.restore.enlargement import MOST
from likeness.studio.sharpening import Sharpening, sharpen

__all__ = [
    "GOOD_PPI",
    "PrintOptions",
    "PrintVersion",
    "WebOptions",
    "checked_profile",
    "drawn_upscale",
    "for_print",
    "for_web",
    "print_scale",
]

_INCH = 25.4

GOOD_PPI = 200.0
"""Original pixels per inch of paper under which a print looks soft at reading distance; a warning says so."""

_LARGEST = 400_000_000
"""Pixels of a print at most: 80 x 120 cm at 300 dpi has 134 million."""


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """A version for the screen.

    Attributes:
        side: its long side, 16 px or more. Smaller pictures are not enlarged: a browser does that as well.
        file_format: "jpg" or "webp".
        quality: 1 to 100; from 90 on JPEG keeps colour at full resolution.

    Raises:
        ConfigError: for a value outside its range.
    """

    side: int = 1080
    file_format: Literal["jpg", "webp"] = "jpg"
    quality: int = 90

    def __post_init__(self) -> None:
        if self.side < 16:
            raise ConfigError(Notice("deliver.web-side", {"side": self.side}))
        if not 1 <= self.quality <= 100:
            raise ConfigError(Notice("option.quality", {"quality": self.quality}))


@dataclass(frozen=True, kw_only=True)
class PrintOptions:
    """A version for paper.

    Attributes:
        scale: by how much width and height grow, 0.1 to 8; without ``millimetres``.
        millimetres: the paper's sides, in any order: the picture is turned to fit and fills one of them.
        dpi: dots per inch of the file, 72 to 1200.
        file_format: "tif", "jpg" or "png".
        bit_depth: 8 or 16; None takes the picture's own where the format has it.
        quality: 90 to 100, for JPEG, so that colour keeps its full resolution (4:4:4).
        profile: the ICC profile to convert into (see `checked_profile`); None keeps the picture's own, or sRGB.
        sharpen: whether enlargement is made up for; see `sharpening.sharpen`.
        min_ppi: the fewest original pixels per inch of paper; 0 takes everything.

    Raises:
        ConfigError: for a value outside its range.
    """

    scale: float = 1.5
    millimetres: tuple[float, float] | None = None
    dpi: float = 300.0
    file_format: Literal["tif", "jpg", "png"] = "tif"
    bit_depth: Literal[8, 16] | None = None
    quality: int = 95
    profile: bytes | None = None
    sharpen: bool = True
    min_ppi: float = 100.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.scale <= 8:
            raise ConfigError(Notice("deliver.scale", {"scale": self.scale}))
        if self.millimetres is not None and not all(10 <= side <= 5000 for side in self.millimetres):
            raise ConfigError(Notice("deliver.sides", {"sides": _by(self.millimetres)}))
        if not 72 <= self.dpi <= 1200:
            raise ConfigError(Notice("deliver.dpi", {"dpi": self.dpi}))
        if not 90 <= self.quality <= 100:
            raise ConfigError(Notice("deliver.print-quality", {"quality": self.quality}))
        if self.bit_depth == 16 and self.file_format == "jpg":
            raise ConfigError(Notice("deliver.eight-bits"))
        if not 0 <= self.min_ppi <= 1200:
            raise ConfigError(Notice("deliver.fewest", {"min_ppi": self.min_ppi}))


@dataclass(frozen=True, kw_only=True, eq=False)
class PrintVersion:
    """A print, ready to be written.

    Attributes:
        image: the picture with its profile, and an EXIF block of nothing but resolution and credits.
        millimetres: width and height on paper.
        ppi: original pixels per inch of paper.
        scale: enlargement, or under 1 reduction.
        sharpening: what was done, and measured.
        warnings: what the user should know.
    """

    image: Image
    millimetres: tuple[float, float]
    ppi: float
    scale: float
    sharpening: Sharpening
    warnings: tuple[str, ...] = ()


def for_web(image: Image, options: WebOptions) -> Image:
    """The version for the screen: reduced in linear light, in sRGB with the profile that says so, 8 bits, without metadata,
    except that a network has drawn in it, if it has.

    Samples of other colour spaces became sRGB through their own profile when the picture was read.
    """
    return replace(
        _at(image, image.size.within(options.side)),
        icc_profile=srgb_profile(),
        exif=None,
        metadata=_source(image),
        bit_depth=8,
        grey=False,
    )


def _source(image: Image) -> Metadata:
    """All that a version says of itself: where the image comes from."""
    return Metadata(source_type=image.metadata.source_type)


def drawn_upscale(size: Size, version: WebOptions | PrintOptions) -> float:
    """How many times a restoration should enlarge a photograph for a version of it (`likeness.restore.canvas.Enlargement`).

    Then faces have in it the pixels that the network drew, and what is left to resample is nothing, or a reduction. 1 where
    the photograph has enough.
    """
    on_screen = isinstance(version, WebOptions)
    scale = version.side / max(size.width, size.height) if on_screen else print_scale(size, version)
    largest = math.sqrt(_LARGEST / size.pixels)
    return min(max(scale, 1.0), MOST, max(largest, 1.0))


def for_print(image: Image, options: PrintOptions, *, drawn: float = 1.0) -> PrintVersion:
    """The version for paper.

    Args:
        image: the finished picture.
        options: how it is printed.
        drawn: by how much the restoration enlarged it already (`Restoration.upscale`); its pixels count as its own.

    Raises:
        ResolutionError: if the picture holds fewer than ``min_ppi`` pixels per inch at that size.
        ImageTooLargeError: if the print would have more than 400 million pixels.
    """
    # On a paper's sides it is fitted, however large it is already.
    scale = print_scale(image.size, options) / (drawn if options.millimetres is None else 1.0)
    wide, high = image.size.width * scale, image.size.height * scale
    if wide * high > _LARGEST:
        raise ImageTooLargeError(Notice("print.too-large", {"megapixels": wide * high / 1e6}))
    size = image.size.times(scale)
    paper = (size.width / options.dpi * _INCH, size.height / options.dpi * _INCH)
    ppi = options.dpi / scale
    if ppi < options.min_ppi:
        largest = _by(_sides(image.size, options.min_ppi))
        values: dict[str, Value] = {"size": str(image.size), "paper": _by(paper), "ppi": ppi, "least": options.min_ppi}
        raise ResolutionError(Notice("print.coarse", {**values, "largest": largest}))
    warnings: list[Notice] = []
    if ppi < GOOD_PPI - 0.5:
        sharp = _by(_sides(image.size, GOOD_PPI))
        warnings.append(Notice("print.soft", {"ppi": ppi, "paper": _by(paper), "sharp": sharp}))
    pixels = _resampled(image, size)
    checkpoint()
    sharpening = Sharpening(amount=0.0)
    if options.sharpen:
        pixels, sharpening = sharpen(pixels, scale)
    profile = options.profile or image.icc_profile or srgb_profile()
    printed = replace(
        _at(image, size, pixels=pixels),
        icc_profile=profile,
        # One channel cannot carry a colour profile.
        grey=image.grey and profile_space(profile) == "GRAY",
        exif=credits_exif(image.exif, options.dpi),
        metadata=_source(image),
    )
    return PrintVersion(
        image=printed,
        millimetres=paper,
        ppi=ppi,
        scale=scale,
        sharpening=sharpening,
        warnings=tuple(warnings),
    )


def print_scale(size: Size, options: PrintOptions) -> float:
    """How many times as wide and high as a picture of this size its print is."""
    return options.scale if options.millimetres is None else _fitting(size, options.millimetres, options.dpi)


def checked_profile(profile: bytes, *, name: str) -> bytes:
    """An ICC profile that prints can be converted into.

    Raises:
        ConfigError: if it is damaged, no RGB profile, or knows only the way from the device to colour.
    """
    try:
        space = profile_space(profile)
        if space != "RGB":
            raise ConfigError(Notice("deliver.not-rgb", {"name": name, "space": space}))
        usable = can_convert_back(profile)
    except ValueError as error:
        raise ConfigError(Notice("deliver.no-profile", {"name": name, "why": notice_of(error)})) from error
    if not usable:
        raise ConfigError(Notice("deliver.reading-profile", {"name": name}))
    return profile


def _at(image: Image, size: Size, *, pixels: Pixels | None = None) -> Image:
    if size == image.size and pixels is None:
        return image
    moved = _resampled(image, size) if pixels is None else pixels
    alpha = None if image.alpha is None else resample(image.alpha, size)
    return replace(image, pixels=moved, alpha=alpha, native=image.native if size == image.size else None)


def _resampled(image: Image, size: Size) -> Pixels:
    return image.pixels if size == image.size else resample(without_hidden(image.pixels, image.alpha), size)


def _fitting(size: Size, millimetres: tuple[float, float], dpi: float) -> float:
    """The largest scale at which the picture fits on the paper, which lies as the picture does."""
    short, long = (side / _INCH * dpi for side in sorted(millimetres))
    if size.width == size.height:
        return short / size.width
    return min(long / max(size.width, size.height), short / min(size.width, size.height))


def _sides(size: Size, ppi: float) -> tuple[float, float]:
    """Millimetres at which the picture has so many pixels per inch, rounded down."""
    wide, high = (math.floor(side / ppi * _INCH) for side in (size.width, size.height))
    return wide, high


def _by(sides: tuple[float, float]) -> str:
    return f"{sides[0]:.0f} x {sides[1]:.0f}"
