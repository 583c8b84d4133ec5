"""What every decoder hands on, how its errors are told, and samples in the order and layout used here."""

from __future__ import annotations

import logging
import struct
import sys
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from PIL import Image as PillowImage

from likeness.errors import ImageReadError, ImageTooLargeError, RawImageError
from likeness.imaging.colour_signal import ColourSignal
from likeness.imaging.containers import count_jpeg_scans
from likeness.imaging.metadata_fields import NO_METADATA, Found, Metadata
from likeness.imaging.origin import Compression, Note
from likeness.imaging.samples import Samples, row_strips
from likeness.messages.notice import Notice

__all__ = [
    "Decoded",
    "check_passes",
    "check_size",
    "raw_file",
    "reading",
    "split_channels",
    "with_signal",
]

_log = logging.getLogger(__name__)

_MOST_PASSES = 100
"""Progressive JPEG has 10 or so. Each pass goes over the whole picture, and may be no longer than 60 bytes: a megabyte of
them would keep a decoder busy for minutes. libtiff draws the line for JPEG in TIFF at the same number."""

_MOST_PASSED, _USUAL_PIXELS = 20, 100_000_000
"""How many passes over a picture of the most pixels that may be read (of 100 million, if fewer may) are done in all."""

# What decoders raise on damaged files; a programming error of ours (AttributeError, NameError) is none of these.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def _decoder_errors() -> tuple[type[Exception], ...]:
    # OpenCV is imported for the few formats of which it decodes something, and its own error can be none before.
    return (*_DECODER_ERRORS, sys.modules["cv2"].error) if "cv2" in sys.modules else _DECODER_ERRORS


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """What a file holds, before it is turned upright and converted to sRGB.

    Attributes:
        samples: height x width (grey) or height x width x 3, uint8 or uint16.
        alpha: height x width, of the samples' depth, or None.
        icc_profile: the profile the samples are in; None once they are in sRGB.
        orientation: how the file says that the picture lies where it does not say so by EXIF (AVIF), 1 to 8.
        converted_from: the colour model that the samples were converted from, if they were.
        profile_fault: why colours may be off after that conversion, or "".
        signal: the colour space by other means than a profile, where there is no profile.
        found: what the file said beside its pixels, unchecked; made sound it becomes ``exif`` and ``metadata``.
        exif, metadata, notes, compression: as `likeness.imaging.image.Image` has them.
    """

    samples: Samples
    alpha: Samples | None = None
    icc_profile: bytes | None = None
    orientation: int = 1
    converted_from: Literal["CMYK", "Lab"] | None = None
    profile_fault: str = ""
    signal: ColourSignal | None = None
    found: Found = field(default_factory=Found)
    exif: bytes | None = None
    metadata: Metadata = NO_METADATA
    notes: tuple[Note, ...] = ()
    compression: Compression | None = None


def with_signal(decoded: Decoded, read: Callable[[], ColourSignal | None], name: str) -> Decoded:
    """A decoded picture with the colour space that its file names without a profile, if it has no profile."""
    if decoded.icc_profile:
        return decoded
    try:
        return replace(decoded, signal=read())
    except ValueError as error:
        _log.warning("%s: %s; its colours are taken as sRGB", name, error)
        return replace(decoded, profile_fault=str(error))


@contextmanager
def reading(name: str, code: Literal["image.damaged", "image.samples", "image.unopened"], kind: str) -> Generator[None]:
    """Turn what a decoder raises into the one sentence; a bomb limit of Pillow's own keeps its meaning."""
    try:
        yield
    except (ImageReadError, ImageTooLargeError):
        raise
    except PillowImage.DecompressionBombError as error:
        raise ImageTooLargeError(Notice("image.decoder-limit", {"name": name, "detail": str(error)})) from error
    except MemoryError as error:
        raise ImageReadError(Notice("image.no-memory", {"name": name})) from error
    except _decoder_errors() as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        values = {"name": name, "kind": kind, "detail": detail.rstrip(".")[:200]}
        raise ImageReadError(Notice(code, values)) from error


def raw_file(name: str) -> RawImageError:
    """The error for a camera's raw file."""
    return RawImageError(Notice("image.raw", {"name": name}))


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    pixels = width * height
    if pixels > max_pixels:
        values = {"name": name, "width": width, "height": height, "pixels": pixels, "limit": max_pixels}
        raise ImageTooLargeError(Notice("image.too-many-pixels", values), pixels=pixels)


def check_passes(name: str, kind: str, data: bytes, size: tuple[int, int], max_pixels: int) -> None:
    """Refuse JPEG data that makes a decoder go over its picture too often for the picture's size.

    Raises:
        ImageReadError: if it does.
    """
    pixels = max(1, size[0] * size[1])
    most = max(1, min(_MOST_PASSES, _MOST_PASSED * max(max_pixels, _USUAL_PIXELS) // pixels))
    if count_jpeg_scans(data, most) > most:
        values = {"name": name, "kind": kind, "most": most, "megapixels": pixels / 1e6}
        raise ImageReadError(Notice("image.passes", values))


def split_channels(raw: Samples, *, premultiplied: bool = False) -> tuple[Samples, Samples | None]:
    """Height x width (x 1 to 4) to colour or grey samples and alpha."""
    if raw.ndim == 2:
        return raw, None
    channels = raw.shape[2]
    samples = raw[..., 0] if channels < 3 else raw[..., :3]
    alpha = raw[..., -1] if channels in (2, 4) else None
    if alpha is not None and premultiplied:
        top = np.iinfo(raw.dtype).max
        plain = np.empty(samples.shape, raw.dtype)
        for rows in row_strips(samples):
            divisor = np.maximum(alpha[rows], 1).astype(np.float64)
            divisor = divisor if samples.ndim == 2 else divisor[..., None]
            plain[rows] = np.minimum(samples[rows] * (top / divisor) + 0.5, top)
        samples = plain
    return samples, alpha
