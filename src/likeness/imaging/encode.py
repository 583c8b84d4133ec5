"""`Image` to the bytes of a picture file."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.errors import ConfigError, ImageWriteError
from likeness.imaging.arguments import finite_number
from likeness.imaging.containers import encode_png16, encode_tiff
from likeness.imaging.icc import from_srgb, is_srgb_profile, profile_space
from likeness.imaging.image import Image
from likeness.imaging.jpeg_file import standard_tables
from likeness.imaging.metadata.gate import for_file
from likeness.imaging.metadata.jpeg import jpeg_segments
from likeness.imaging.metadata.png import HEADER_END, png_chunks_of
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.origin import Compression
from likeness.imaging.samples import Samples, change_depth, is_grey, refuse_nan, to_samples
from likeness.messages.notice import Notice

__all__ = ["FORMATS", "FileFormat", "encode_image", "find_format"]

_log = logging.getLogger(__name__)

_USUAL_QUALITY = 95
_LEAST_QUALITY = 85
"""Nothing is compressed more strongly unless asked for: what the network draws would be spoiled by a messenger's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """What a file format can hold.

    Attributes:
        name: as Pillow names it.
        media_type: as HTTP names it.
        suffixes: lower case, with the dot; the first is the usual one.
        depths: bits per sample.
        alpha, grey, profile: whether it keeps transparency, one-channel pictures, and an ICC profile. What it keeps of other
            metadata stands in `likeness.imaging.metadata.gate`.
        largest_side: in pixels; AVIF itself goes to 65536, but decoders stop at libavif's 32768.
    """

    name: str
    media_type: str
    suffixes: tuple[str, ...]
    depths: tuple[int, ...] = (8,)
    alpha: bool = False
    grey: bool = True
    profile: bool = True
    largest_side: int = 2**31 - 1


FORMATS = (
    FileFormat(name="JPEG", media_type="image/jpeg", suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"), largest_side=65500),
    FileFormat(name="PNG", media_type="image/png", suffixes=(".png",), depths=(8, 16), alpha=True),
    FileFormat(name="TIFF", media_type="image/tiff", suffixes=(".tif", ".tiff"), depths=(8, 16), alpha=True),
    FileFormat(name="WEBP", media_type="image/webp", suffixes=(".webp",), alpha=True, grey=False, largest_side=16383),
    FileFormat(name="AVIF", media_type="image/avif", suffixes=(".avif",), alpha=True, grey=False, largest_side=32768),
    FileFormat(name="BMP", media_type="image/bmp", suffixes=(".bmp", ".dib"), profile=False),
)
"""Every format that can be written."""


def find_format(name: str) -> FileFormat:
    """The format of a name ("PNG", "jpeg") or a suffix (".jpg", "tif"), in any case.

    Raises:
        ImageWriteError: if there is none; the message lists the suffixes that can be written.
    """
    wanted = name.lower()
    for file_format in FORMATS:
        if wanted == file_format.name.lower() or f".{wanted.lstrip('.')}" in file_format.suffixes:
            return file_format
    known = ", ".join(suffix for file_format in FORMATS for suffix in file_format.suffixes)
    code = "image.no-such-format" if name else "image.no-suffix"
    raise ImageWriteError(Notice(code, {"format": repr(name), "known": known}))


def encode_image(
    image: Image, file_format: str, *, bit_depth: Literal[8, 16] | None = None, quality: int | None = None
) -> bytes:
    """The bytes of a picture file.

    Samples are rounded. A picture with a colour profile is written in that profile: pixels that were not changed since
    it was read get the samples that the file held, to the last bit. A grey picture that is still grey is written with
    one channel where the format has that. Transparency is laid over white, with a warning in the log, where the format
    has none (JPEG, BMP). EXIF, XMP, IPTC, comment, PNG texts and resolution are written where the format has a place for
    them, sizes in them set to the picture's; one warning in the log names what it has none for.

    Args:
        image: the picture.
        file_format: "JPEG", "PNG", "TIFF", "WebP", "AVIF" or "BMP", or a suffix of theirs, in any case.
        bit_depth: bits per sample; None takes the picture's own, or 8 where the format has no other.
        quality: 1 to 100, for JPEG, WebP and AVIF. From 90 on JPEG and AVIF keep colour at full resolution (4:4:4). 100
            makes WebP lossless; below, WebP is lossy. None compresses a picture that came from this format as its file was:
            lossless WebP stays lossless, JPEG keeps its quantisation tables and the resolution of its colour, though no
            table is coarser than that of quality 85; AVIF keeps its quality, from 85 on. Anything else gets 95.

    Raises:
        ConfigError: if ``quality`` or ``bit_depth`` is out of range.
        ImageWriteError: if the format is unknown or cannot hold the picture.
    """
    target = find_format(file_format)
    if quality is not None and not 1 <= finite_number("quality", quality) <= 100:
        raise ConfigError(Notice("option.quality", {"quality": quality}))
    if isinstance(bit_depth, bool) or bit_depth not in (None, 8, 16):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(Notice("option.bits", {"bit_depth": bit_depth}))
    if bit_depth is not None and bit_depth not in target.depths:
        raise ImageWriteError(Notice("image.eight-bits", {"format": target.name, "bits": bit_depth}))
    if max(image.size.width, image.size.height) > target.largest_side:
        values = {"size": str(image.size), "format": target.name, "most": target.largest_side}
        raise ImageWriteError(Notice("image.sides-too-long", values))
    depth: Literal[8, 16] = bit_depth or (image.bit_depth if image.bit_depth in target.depths else 8)
    exif, metadata = for_file(image.exif, image.metadata, image.size, target.name)
    try:
        samples, profile = _samples(image, target, depth)
        if target.name == "TIFF":
            return encode_tiff(_with_channels(samples), icc_profile=profile, exif=exif, metadata=metadata)
        if depth == 16:
            wide = cast("NDArray[np.uint16]", _with_channels(samples))
            return encode_png16(wide, metadata=png_chunks_of(metadata, icc_profile=profile, exif=exif))
        before = image.compression if quality is None else None
        if before is not None and before.format == target.name:
            return _encode_pillow(samples, target, _as_before(before), profile, exif, metadata)
        return _encode_pillow(samples, target, _of_quality(target, quality or _USUAL_QUALITY), profile, exif, metadata)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        detail = str(error) or type(error).__name__
        raise ImageWriteError(Notice("image.not-encoded", {"format": target.name, "detail": detail})) from error


def _samples(image: Image, target: FileFormat, depth: Literal[8, 16]) -> tuple[Samples, bytes | None]:
    """Samples as the file will hold them, height x width (x 2, 3 or 4 with alpha), and their profile."""
    alpha = image.alpha
    if alpha is not None and not target.alpha:
        if alpha.min() < 1:
            _log.warning("%s has no transparency; the picture was laid over white", target.name)
            image = replace(image, pixels=image.over_white())
        alpha = None
    grey = image.grey and target.grey and is_grey(image.pixels)
    profile = image.icc_profile if target.profile else None
    if profile is not None and not grey and profile_space(profile) == "GRAY":
        _log.info("the picture is no longer grey, or %s has no grey: its grey profile gives way to sRGB", target.name)
        profile = None
    pixels = image.pixels[..., 0] if grey else image.pixels
    if profile is None or is_srgb_profile(profile):
        samples = to_samples(pixels, depth)
    else:
        native = None if image.native is None else (image.native[..., 0] if grey else image.native)
        refuse_nan(pixels)
        samples = from_srgb(pixels, profile, depth, native)
    if alpha is not None:
        colour = samples[..., None] if samples.ndim == 2 else samples
        samples = np.concatenate([colour, to_samples(alpha, depth)[..., None]], axis=-1)
    return samples, profile


def _with_channels(samples: Samples) -> Samples:
    return samples[..., None] if samples.ndim == 2 else samples


def _of_quality(target: FileFormat, quality: int) -> dict[str, Any]:
    if target.name == "WEBP" and quality == 100:
        return {"lossless": True}
    if target.name in ("JPEG", "AVIF"):
        return {"quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
    return {"quality": quality}


def _as_before(compression: Compression) -> dict[str, Any]:
    """What compresses a picture as its file was."""
    if compression.lossless:
        return {"lossless": True}
    if compression.tables:
        limits = standard_tables(_LEAST_QUALITY)
        tables = [
            [_finer(step, limit) for step, limit in zip(table, limits[min(place, 1)], strict=True)]
            for place, table in enumerate(compression.tables)
        ]
        return {"qtables": tables, "subsampling": compression.subsampling, "progressive": compression.progressive}
    quality = _USUAL_QUALITY if compression.quality is None else max(compression.quality, _LEAST_QUALITY)
    return {"quality": quality, "subsampling": compression.subsampling}


def _finer(step: int, limit: int) -> int:
    """A quantisation step of at most ``limit``, which fits into ``step`` as best it can, so that its multiples stay."""
    if step <= limit:
        return step
    return min(range(limit, limit // 2, -1), key=lambda finer: min(step % finer, finer - step % finer))


def _encode_pillow(
    samples: Samples,
    target: FileFormat,
    options: dict[str, Any],
    profile: bytes | None,
    exif: bytes | None,
    metadata: Metadata,
) -> bytes:
    picture = PillowImage.fromarray(change_depth(samples, 8))
    written: dict[str, Any] = {"icc_profile": profile, "exif": exif, "xmp": metadata.xmp}
    if target.name == "JPEG":
        exif = None if exif is None else b"Exif\0\0" + exif
        written |= {"exif": exif, "xmp": None, "extra": jpeg_segments(metadata), "dpi": metadata.resolution}
    elif target.name == "PNG":
        written = {"compress_level": 4}  # a third of the default's time for 1% more bytes
    elif target.name == "WEBP":
        written["exact"] = True  # keeps the colour under transparent pixels
    elif target.name == "AVIF":
        written["speed"] = 8  # a third of the default's time, same size, 0.05 levels more mean error
    options = options | {option: value for option, value in written.items() if value is not None}
    stream = io.BytesIO()
    picture.save(stream, target.name, **options)
    if target.name == "PNG" and (chunks := png_chunks_of(metadata, icc_profile=profile, exif=exif)):
        data = stream.getbuffer()
        return b"".join((data[:HEADER_END], chunks, data[HEADER_END:]))
    return stream.getvalue()
