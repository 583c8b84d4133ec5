"""JPEG, PNG, WebP, AVIF, GIF and BMP files, by way of Pillow."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from likeness.errors import ImageReadError
from likeness.imaging.containers import count_jpeg_scans, png_chunks
from likeness.imaging.decoded import Decoded, check_size, damaged, opencv_samples, reading, split_channels, unopened
from likeness.imaging.exif import orientation
from likeness.imaging.from_pillow import from_pillow, pillow_exif

__all__ = ["decode_pillow"]

_MOST_SCANS = 100
"""Progressive files have 10 or so. Each scan goes over the whole picture, and may be no longer than 60 bytes: a megabyte of
them would keep a decoder busy for minutes. libtiff draws the line for JPEG in TIFF at the same number."""

# Opened by class, not through Pillow's `open`: that one judges sizes by a process-wide limit of its own, and its list
# of formats is longer than what is tested here.
_PILLOW: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
_PNG_DEPTH, _PNG_COLOUR_TYPE = 24, 25  # positions in the file


def decode_pillow(stream: BinaryIO, kind: str, name: str, max_pixels: int) -> Decoded:
    stream.seek(0)
    with reading(name, unopened(kind)):
        picture = _PILLOW[kind](stream)
    with picture:
        check_size(name, picture.size, max_pixels)
        if kind == "PNG" and _byte_at(stream, _PNG_DEPTH) == 16 and picture.mode != "I;16":
            return _decode_png16(stream, picture, name)
        if kind == "JPEG":
            _check_scans(stream, name)
        with reading(name, damaged(kind)):
            picture.load()
        exif = pillow_exif(picture)
        return replace(from_pillow(picture, name), exif=exif, orientation=orientation(exif))


def _check_scans(stream: BinaryIO, name: str) -> None:
    stream.seek(0)
    if count_jpeg_scans(stream.read(), _MOST_SCANS) > _MOST_SCANS:
        raise ImageReadError(
            f"{name} is JPEG of more than {_MOST_SCANS} passes, which no camera writes; save it again as PNG"
        )


def _byte_at(stream: BinaryIO, position: int) -> int:
    stream.seek(position)
    return stream.read(1)[0]


def _decode_png16(stream: BinaryIO, picture: ImageFile.ImageFile, name: str) -> Decoded:
    """Colour or alpha at 16 bits, which Pillow cuts to 8: libpng by way of OpenCV."""
    exif = None
    with reading(name, damaged("PNG")):
        for kind, content in png_chunks(stream):
            if kind == b"eXIf":
                exif = content
        samples, alpha = split_channels(opencv_samples(stream))
    # OpenCV spreads grey with alpha over three channels; the colour type in the header says what the file holds.
    if _byte_at(stream, _PNG_COLOUR_TYPE) in (0, 4) and samples.ndim == 3:
        samples = samples[..., 0]
    exif = exif or pillow_exif(picture)
    profile = picture.info.get("icc_profile")
    return Decoded(samples=samples, alpha=alpha, icc_profile=profile, exif=exif, orientation=orientation(exif))
