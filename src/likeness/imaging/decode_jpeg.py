"""JPEG files, by way of Pillow."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import JpegImagePlugin

from likeness.imaging.decoded import Decoded, check_passes, check_size, reading
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.jpeg_file import jpeg_compression, jpeg_notes, passes_are_complete
from likeness.imaging.metadata.jpeg import take_from_jpeg
from likeness.imaging.origin import Note

__all__ = ["decode_jpeg"]


_END = b"\xff\xd9"
_FILLER = b"\x5a\xa5\x33" * 4096
"""Stands where a picture's data would go on. A whole picture does not change by it; one that is cut does."""


def decode_jpeg(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    """Decode a JPEG file, of several pictures in one the first.

    Raises:
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    stream.seek(0)
    whole = stream.read()
    found, plain = take_from_jpeg(whole)
    with reading(name, "image.unopened", "JPEG"):
        picture = JpegImagePlugin.JpegImageFile(plain)
    with picture:
        check_size(name, picture.size, max_pixels)
        data = plain.getvalue()
        check_passes(name, "JPEG", data, picture.size, max_pixels)
        notes = jpeg_notes(whole)
        with reading(name, "image.damaged", "JPEG"):
            try:
                picture.load()
            except OSError:
                picture = _without_end(data)
                notes = (Note(code="file-damaged", value="its end mark is missing"), *notes)
        picture.info["icc_profile"] = found.icc_profile
        return replace(
            from_pillow(picture, name),
            found=found,
            notes=notes,
            compression=jpeg_compression(picture),
        )


def _without_end(data: bytes) -> JpegImagePlugin.JpegImageFile:
    """The loaded picture of a file that ends without its end mark.

    The decoder fills what is missing without a word. So the picture is decoded twice, as it is and with other data behind
    it: only where nothing is missing do both come out the same.

    Raises:
        OSError: if part of the picture is missing.
    """
    data = data.rstrip(b"\xff")
    found, other = (_loaded(data + filler + _END) for filler in (b"", _FILLER))
    if not passes_are_complete(data) or not np.array_equal(np.asarray(found), np.asarray(other)):
        raise OSError("the file ends before its picture does")
    return found


def _loaded(data: bytes) -> JpegImagePlugin.JpegImageFile:
    picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    picture.load()
    return picture
