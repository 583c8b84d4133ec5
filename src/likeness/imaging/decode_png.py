"""PNG files: Pillow decodes them, and OpenCV those of colour or alpha at 16 bits, which Pillow cuts to 8."""

from __future__ import annotations

import contextlib
import io
import struct
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import PngImagePlugin

from likeness.imaging.decoded import (
    Decoded,
    check_size,
    damaged,
    opencv_samples,
    reading,
    split_channels,
    unopened,
    with_signal,
)
from likeness.imaging.exif import exif_from_resolution, orientation
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.origin import Note
from likeness.imaging.png_file import PngFile, inflate, read_png
from likeness.imaging.samples import Samples

__all__ = ["decode_png"]

_SIZE = 16  # position of width and height, right behind the first chunk's name
_MOST_EXIF_TEXT = 1 << 20
_EXIF_NAMES = (b"Raw profile type exif", b"Raw profile type APP1")
_HIGHEST_DPI = 100_000


def decode_png(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    """Decode a PNG file, of an animated one the picture that programs show which know no animation.

    Raises:
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    stream.seek(_SIZE)
    with reading(name, damaged("PNG")):
        check_size(name, struct.unpack(">II", stream.read(8)), max_pixels)
        png = read_png(stream)
    notes = [Note(code="file-damaged", value=fault) for fault in png.faults[:1]]
    frames = png.chunk(b"acTL")
    if frames is not None and len(frames) >= 4 and (count := struct.unpack(">I", frames[:4])[0]) > 1:
        notes.append(Note(code="animated", value=count))
    decoded = _samples(png, name)
    if png.narrow_range:
        decoded = replace(decoded, samples=_full_range(decoded.samples))
    exif = _exif(png)
    decoded = replace(decoded, icc_profile=png.icc_profile, exif=exif, orientation=orientation(exif))
    return with_signal(replace(decoded, notes=tuple(notes)), lambda: png.signal, name)


def _samples(png: PngFile, name: str) -> Decoded:
    stream = io.BytesIO(png.picture)
    if png.depth == 16 and png.colour_type != 0:
        with reading(name, damaged("PNG")):
            samples, alpha = split_channels(opencv_samples(stream))
        # OpenCV spreads grey with alpha over three channels; the colour type says what the file holds.
        grey = png.colour_type == 4 and samples.ndim == 3
        return Decoded(samples=samples[..., 0] if grey else samples, alpha=alpha)
    with reading(name, unopened("PNG")):
        picture = PngImagePlugin.PngImageFile(stream)
    with picture:
        with reading(name, damaged("PNG")):
            picture.load()
        return from_pillow(picture, name)


def _full_range(samples: Samples) -> Samples:
    """Samples of narrow range (H.273, 8.3: 16 to 235 of 255) spread over all of it."""
    unit = (np.iinfo(samples.dtype).max + 1) >> 8
    top = np.iinfo(samples.dtype).max
    spread = (samples.astype(np.float32) - 16 * unit) * np.float32(top / (219 * unit))
    return (np.clip(spread, 0, top) + np.float32(0.5)).astype(samples.dtype)


def _exif(png: PngFile) -> bytes | None:
    """The EXIF block; where there is none, one that holds the header's resolution."""
    block = png.chunk(b"eXIf") or _exif_of_text(png)
    if block is None and (physical := png.chunk(b"pHYs")) is not None and len(physical) >= 9 and physical[8] == 1:
        x, y = (value * 0.0254 for value in struct.unpack(">II", physical[:8]))
        if min(x, y) > 0 and max(x, y) <= _HIGHEST_DPI:
            return exif_from_resolution(x, y)
    return block


def _exif_of_text(png: PngFile) -> bytes | None:
    """ImageMagick before 7 wrote EXIF into PNG as hexadecimal text behind a name and a length."""
    for kind, content in png.chunks:
        name, _, text = content.partition(b"\0")
        if name in _EXIF_NAMES and kind in (b"tEXt", b"zTXt"):
            text = inflate(text[1:], _MOST_EXIF_TEXT) if kind == b"zTXt" else text[:_MOST_EXIF_TEXT]
            with contextlib.suppress(ValueError):
                return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    return None
