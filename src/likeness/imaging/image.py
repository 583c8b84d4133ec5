"""The one image type, and the named types for sizes, points and boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ArgumentError
from likeness.imaging.metadata_fields import NO_METADATA, Metadata
from likeness.imaging.origin import Compression, Note
from likeness.imaging.samples import row_strips

__all__ = ["Box", "Image", "Pixels", "Point", "Size"]

Pixels = NDArray[np.float32]
"""RGB samples, height x width x 3, float32 in [0, 1], sRGB-encoded."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size must be at least 1 x 1, not {self.width} x {self.height}")

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Point:
    """A position in pixels; (0, 0) is the centre of the top left pixel."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels: left and top inside, right and bottom outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> Point:
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def intersection(self, other: Box) -> float:
        """Area common to both boxes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, in [0, 1]."""
        common = self.intersection(other)
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0

    def expanded(self, fraction: float) -> Box:
        """The box grown on each side by ``fraction`` of its width and height."""
        dx, dy = self.width * fraction, self.height * fraction
        return Box(self.left - dx, self.top - dy, self.right + dx, self.bottom + dy)

    def clipped(self, size: Size) -> Box:
        """The part of the box inside a picture of ``size``."""
        return Box(
            min(max(self.left, 0.0), size.width),
            min(max(self.top, 0.0), size.height),
            max(min(self.right, float(size.width)), 0.0),
            max(min(self.bottom, float(size.height)), 0.0),
        )

    def rounded(self) -> Box:
        """The box to a tenth of a pixel, for JSON."""
        return Box(round(self.left, 1), round(self.top, 1), round(self.right, 1), round(self.bottom, 1))

    def to_slices(self) -> tuple[slice, slice]:
        """Row and column slices that cover the box, rounded outward."""
        return (
            slice(int(np.floor(self.top)), int(np.ceil(self.bottom))),
            slice(int(np.floor(self.left)), int(np.ceil(self.right))),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """A picture: RGB samples in the sRGB colour space with what its file said about itself.

    Attributes:
        pixels: height x width x 3, float32 in [0, 1], sRGB-encoded, upright (EXIF orientation applied). Made read-only.
        alpha: height x width, float32 in [0, 1], or None for an opaque picture.
        bit_depth: bits per sample of the file it came from, 8 or 16; what `write_image` writes unless told otherwise.
        grey: whether the file held one channel; all three channels of ``pixels`` are equal then.
        icc_profile: the file's ICC profile, written back on save, or None (sRGB).
        exif: the file's EXIF block without its "Exif\\0\\0" header, orientation reset to 1, or None.
        metadata: what else the file said: XMP, IPTC, comment, PNG texts, and the resolution in its header.
        native: height x width x 3 samples (uint8 or uint16) in the file's own colour space, where that is not sRGB. On
            save every pixel whose sRGB value was not changed gets its native samples back, so that what was not
            restored is kept to the last bit.
        converted_from: "CMYK" or "Lab" where the file held that; its samples became sRGB for good.
        profile_fault: why the file's ICC profile was left out, or that one is missing which its samples need; "" if
            nothing is the matter.
        notes: what the file held that is not here (pages, frames, a gain map, HDR), and damage that did not matter.
        compression: how the file was compressed, where it was JPEG, WebP or AVIF; `write_image` does the same again.
    """

    pixels: Pixels
    alpha: NDArray[np.float32] | None = None
    bit_depth: Literal[8, 16] = 8
    grey: bool = False
    icc_profile: bytes | None = None
    exif: bytes | None = None
    metadata: Metadata = NO_METADATA
    native: NDArray[np.uint8] | NDArray[np.uint16] | None = None
    converted_from: Literal["CMYK", "Lab"] | None = None
    profile_fault: str = ""
    notes: tuple[Note, ...] = ()
    compression: Compression | None = None

    def __post_init__(self) -> None:
        _check_samples("pixels", self.pixels)
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.size == 0:
            raise ArgumentError(
                f"pixels must be height x width x 3 float32, not {self.pixels.shape} {self.pixels.dtype}"
            )
        if self.alpha is not None:
            _check_samples("alpha", self.alpha)
            if self.alpha.shape != self.pixels.shape[:2]:
                raise ArgumentError(f"alpha is {self.alpha.shape}, the picture {self.pixels.shape[:2]}")
        if isinstance(self.bit_depth, bool) or self.bit_depth not in (8, 16):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"bit_depth must be 8 or 16, not {self.bit_depth!r}")
        view = self.pixels.view()
        view.flags.writeable = False
        object.__setattr__(self, "pixels", view)

    @property
    def size(self) -> Size:
        height, width = self.pixels.shape[:2]
        return Size(width, height)

    def with_pixels(self, pixels: Pixels) -> Image:
        """This picture with other samples; everything else (alpha, profile, EXIF, depth) is kept if the size is.

        Raises:
            ValueError: if ``pixels`` has another size and this picture has alpha or native samples.
        """
        if pixels.shape == self.pixels.shape:
            return replace(self, pixels=pixels)
        if self.alpha is not None:
            raise ValueError("a picture with alpha cannot take samples of another size")
        return replace(self, pixels=pixels, native=None)

    def over_white(self) -> Pixels:
        """The pixels laid over white in encoded values, as browsers and image editors do; as they are if all is opaque."""
        if self.alpha is None:
            return self.pixels
        result = np.empty_like(self.pixels)
        for rows in row_strips(self.pixels):
            weight = self.alpha[rows][..., None]
            # White + (colour - white) leaves opaque pixels exactly as they are only where the weight is 1: say so.
            result[rows] = np.where(weight == 1, self.pixels[rows], 1 + (self.pixels[rows] - 1) * weight)
        return result

    def to_uint8(self) -> NDArray[np.uint8]:
        """The samples as height x width x 3 uint8, rounded."""
        return (np.clip(self.pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    @staticmethod
    def from_uint8(samples: NDArray[np.uint8]) -> Image:
        """A picture from RGB or grey uint8 samples, height x width (x 3)."""
        given: object = samples  # whatever a caller hands over
        if not isinstance(given, np.ndarray) or samples.dtype != np.uint8:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"samples must be a uint8 array, not {getattr(given, 'dtype', type(given).__name__)}")
        grey = samples.ndim == 2
        rgb = np.repeat(samples[:, :, None], 3, axis=2) if grey else samples
        return Image(pixels=rgb.astype(np.float32) / np.float32(255.0), grey=grey)


def _check_samples(name: str, samples: object) -> None:
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32:
        found = f"{samples.dtype}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise ArgumentError(f"{name} must be a float32 array with samples in 0 to 1, not {found}; see Image.from_uint8")
