"""PNG files: Pillow decodes them, and OpenCV those of colour or alpha at 16 bits, which Pillow cuts to 8."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import PngImagePlugin

from likeness.imaging.decoded import (
    Decoded,
    check_size,
    reading,
    split_channels,
    with_signal,
)
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.metadata.png import take_from_png
from likeness.imaging.opencv_samples import opencv_samples
from likeness.imaging.origin import Note
from likeness.imaging.png_file import PngFile, read_png
from likeness.imaging.samples import Samples

__all__ = ["decode_png"]

_SIZE = 16  # position of width and height, right behind the first chunk's name


def decode_png(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    """Decode a PNG file, of an animated one the picture that programs show which know no animation.

    Raises:
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    stream.seek(_SIZE)
    with reading(name, "image.damaged", "PNG"):
        check_size(name, struct.unpack(">II", stream.read(8)), max_pixels)
        png = read_png(stream)
    notes = [Note(code="file-damaged", value=fault) for fault in png.faults[:1]]
    frames = png.chunk(b"acTL")
    if frames is not None and len(frames) >= 4 and (count := struct.unpack(">I", frames[:4])[0]) > 1:
        notes.append(Note(code="animated", value=count))
    decoded = _samples(png, name)
    if png.narrow_range:
        decoded = replace(decoded, samples=_full_range(decoded.samples))
    decoded = replace(decoded, icc_profile=png.icc_profile, found=take_from_png(png.chunks))
    return with_signal(replace(decoded, notes=tuple(notes)), lambda: png.signal, name)


def _samples(png: PngFile, name: str) -> Decoded:
    stream = io.BytesIO(png.picture)
    if png.depth == 16 and png.colour_type != 0:
        with reading(name, "image.damaged", "PNG"):
            samples, alpha = split_channels(opencv_samples(stream))
        # OpenCV spreads grey with alpha over three channels; the colour type says what the file holds.
        grey = png.colour_type == 4 and samples.ndim == 3
        return Decoded(samples=samples[..., 0] if grey else samples, alpha=alpha)
    with reading(name, "image.unopened", "PNG"):
        picture = PngImagePlugin.PngImageFile(stream)
    with picture:
        with reading(name, "image.damaged", "PNG"):
            picture.load()
        hidden = picture.info.get("transparency")
        if png.colour_type == 0 and png.depth in (2, 4) and isinstance(hidden, int):
            # The grey that is transparent is given in the file's own levels, which Pillow has spread over 0 to 255.
            top = (1 << png.depth) - 1
            picture.info["transparency"] = (hidden & top) * (255 // top)
        return from_pillow(picture, name)


def _full_range(samples: Samples) -> Samples:
    """Samples of narrow range (H.273, 8.3: 16 to 235 of 255) spread over all of it."""
    unit = (np.iinfo(samples.dtype).max + 1) >> 8
    top = np.iinfo(samples.dtype).max
    spread = (samples.astype(np.float32) - 16 * unit) * np.float32(top / (219 * unit))
    return (np.clip(spread, 0, top) + np.float32(0.5)).astype(samples.dtype)
