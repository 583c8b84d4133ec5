"""The one image type, and its ways from and to the types of other libraries."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image as PillowImage

from likeness.errors import ArgumentError
from likeness.imaging.decoded import Decoded, split_channels
from likeness.imaging.develop import develop
from likeness.imaging.from_pillow import from_loaded_pillow
from likeness.imaging.geometry import Box, Point, Size
from likeness.imaging.metadata_fields import EDITED_BY_NETWORK, MADE_BY_NETWORK, NO_METADATA, Metadata
from likeness.imaging.origin import Compression, Note
from likeness.imaging.samples import Samples, rounded, row_strips, to_samples

__all__ = ["Box", "Image", "Pixels", "Point", "Size"]

Pixels = NDArray[np.float32]
"""RGB samples, height x width x 3, float32 in [0, 1], sRGB-encoded."""

_SHOWN_SIDE = 1024
"""Longer side of what a notebook shows, px: a 24 megapixel PNG would weigh the notebook down."""


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
    native: Samples | None = None
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

    def in_colour(self) -> Image:
        """The same picture, ready to be given colours: no longer one channel, nor in a colour space that has one only."""
        return replace(self, grey=False, native=None, icc_profile=None) if self.grey else self

    def edited_by_network(self) -> Image:
        """The same picture, saying that a network has drawn in it."""
        if self.metadata.source_type == MADE_BY_NETWORK:
            return self
        return replace(self, metadata=replace(self.metadata, source_type=EDITED_BY_NETWORK))

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
        return cast("NDArray[np.uint8]", rounded(self.pixels, 8))

    def to_pil(self) -> PillowImage.Image:
        """The picture for Pillow: 8 bits in sRGB, of mode L, LA, RGB or RGBA, upright; in ``info`` its EXIF block.

        >>> Image.from_array(np.zeros((20, 30, 4))).to_pil().mode
        'RGBA'
        """
        colour = self.pixels[..., :1] if self.grey else self.pixels
        samples = to_samples(colour, 8)
        if self.alpha is not None:
            samples = np.concatenate([samples, to_samples(self.alpha, 8)[..., None]], axis=2)
        picture = PillowImage.fromarray(samples[..., 0] if samples.shape[2] == 1 else np.ascontiguousarray(samples))
        if self.exif is not None:
            picture.info["exif"] = b"Exif\0\0" + self.exif
        return picture

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """For NumPy: ``pixels``, as they are or of another floating-point type; uint8 and uint16 are scaled and rounded.

        >>> np.asarray(Image.from_array(np.ones((20, 30))), dtype=np.uint8)[0, 0].tolist()
        [255, 255, 255]
        """
        wanted: np.dtype[Any] = self.pixels.dtype if dtype is None else np.dtype(dtype)
        if wanted == np.float32:
            return self.pixels.copy() if copy else self.pixels
        if copy is False:
            raise ValueError(f"the samples are float32: as {wanted} they have to be copied")
        if wanted == np.uint8 or wanted == np.uint16:
            return to_samples(self.pixels, 8 if wanted == np.uint8 else 16)
        if wanted.kind != "f":
            raise ArgumentError(f"a picture becomes an array of uint8, uint16 or a floating-point type, not {wanted}")
        return self.pixels.astype(wanted)

    def __repr__(self) -> str:
        more = [f"{self.bit_depth} bits", *["grey"] * self.grey, *["alpha"] * (self.alpha is not None)]
        return f"Image({self.size}, {', '.join(more)})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: a PNG file, no side over 1024 px."""
        picture, stream = self.to_pil(), io.BytesIO()
        picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        picture.info.clear()
        picture.save(stream, "PNG", compress_level=1)
        return stream.getvalue()

    @staticmethod
    def from_uint8(samples: NDArray[np.uint8]) -> Image:
        """A picture from RGB or grey uint8 samples, height x width (x 3)."""
        given: object = samples  # whatever a caller hands over
        if not isinstance(given, np.ndarray) or samples.dtype != np.uint8:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"samples must be a uint8 array, not {getattr(given, 'dtype', type(given).__name__)}")
        grey = samples.ndim == 2
        rgb = np.repeat(samples[:, :, None], 3, axis=2) if grey else samples
        return Image(pixels=rgb.astype(np.float32) / np.float32(255.0), grey=grey)

    @staticmethod
    def from_array(samples: NDArray[Any]) -> Image:
        """A picture from samples of another library: grey, RGB or RGBA, sRGB-encoded.

        Args:
            samples: height x width, or height x width x 1, 3 or 4; uint8 in 0 to 255, uint16 in 0 to 65535, or
                floating-point in 0 to 1. OpenCV's are BGR: hand over ``array[..., ::-1]``.

        Raises:
            ArgumentError: for another type, shape or range.

        >>> Image.from_array(np.full((480, 640), 65535, np.uint16))
        Image(640x480, 16 bits, grey)
        """
        if not isinstance(samples, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"samples must be a NumPy array, not {type(samples).__name__}")
        if (samples.ndim != 2 and (samples.ndim != 3 or samples.shape[2] not in (1, 3, 4))) or samples.size == 0:
            shape = " x ".join(map(str, samples.shape))
            hint = "; move the channels last" if samples.ndim == 3 and samples.shape[0] in (1, 3, 4) else ""
            raise ArgumentError(
                f"samples must be height x width, or height x width x 3 or 4, not {shape or 'one'}{hint}"
            )
        if samples.dtype.kind == "u" and samples.dtype.itemsize <= 2:
            colour, alpha = split_channels(samples.astype(samples.dtype.newbyteorder("="), copy=False))
            return Image.from_decoded(Decoded(samples=colour, alpha=alpha), "the picture")
        if samples.dtype.kind != "f":
            raise ArgumentError(f"samples must be uint8, uint16 or floating-point, not {samples.dtype}")
        low, high = float(samples.min()), float(samples.max())
        if not (low >= 0 and high <= 1):  # the negation refuses undefined samples as well
            raise ArgumentError(f"floating-point samples must be in 0 to 1, not {low:g} to {high:g}")
        planes = np.array(samples if samples.ndim == 3 else samples[..., None], dtype=np.float32)
        grey = planes.shape[2] == 1
        return Image(
            pixels=np.repeat(planes, 3, axis=2) if grey else np.ascontiguousarray(planes[..., :3]),
            alpha=np.ascontiguousarray(planes[..., 3]) if planes.shape[2] == 4 else None,
            grey=grey,
        )

    @staticmethod
    def from_pil(picture: PillowImage.Image) -> Image:
        """A picture from Pillow, of any mode, as `likeness.read_image` gives it: upright, in sRGB, with profile and EXIF.

        Raises:
            ArgumentError: if it is none of Pillow's.
            ImageReadError: if its file turns out to be damaged, or its mode holds no picture ("F", "I").
        """
        given: object = picture
        if not isinstance(given, PillowImage.Image):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"a picture of the type PIL.Image.Image is wanted, not {type(given).__name__}")
        return Image.from_decoded(from_loaded_pillow(picture, "the picture"), "the picture")

    @staticmethod
    def from_decoded(decoded: Decoded, name: str) -> Image:
        """The picture that a decoder has handed on; ``name`` is what the log calls it."""
        made = develop(decoded, name)
        return Image(
            pixels=made.pixels,
            alpha=made.alpha,
            bit_depth=made.bit_depth,
            grey=decoded.samples.ndim == 2,
            icc_profile=made.icc_profile,
            exif=decoded.exif,
            metadata=decoded.metadata,
            native=made.native,
            converted_from=decoded.converted_from,
            profile_fault=made.profile_fault,
            notes=made.notes,
            compression=decoded.compression,
        )


def _check_samples(name: str, samples: object) -> None:
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32:
        found = f"{samples.dtype}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise ArgumentError(f"{name} must be a float32 array with samples in 0 to 1, not {found}; see Image.from_uint8")
