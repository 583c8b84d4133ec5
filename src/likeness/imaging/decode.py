"""Picture files to `Image`: every format, depth and colour model that `read_image` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from likeness.imaging.decoded import Decoded, raw_file
from likeness.imaging.image import Image
from likeness.imaging.metadata.gate import admit
from likeness.imaging.metadata_fields import Found

__all__ = ["decode_image", "decode_samples", "decoder_of"]

_Decoder: TypeAlias = Callable[[BinaryIO, str, int], Decoded]
"""Decodes a file that sentences call so, if it has at most so many pixels."""


def decode_image(stream: BinaryIO, *, kind: str, name: str, max_pixels: int) -> Image:
    """Decode a picture.

    Args:
        stream: the file's bytes, seekable.
        kind: the format as `sniff_format` names it.
        name: what messages call the picture.
        max_pixels: the largest width x height; checked on the header, before anything is decoded.

    Raises:
        ImageTooLargeError: if the picture has more pixels than ``max_pixels``.
        RawImageError: if it is a camera's raw file.
        ImageReadError: if the picture is damaged, cut short, or of a kind that cannot be read.
    """
    return Image.from_decoded(decode_samples(stream, kind=kind, name=name, max_pixels=max_pixels), name)


def decode_samples(stream: BinaryIO, *, kind: str, name: str, max_pixels: int) -> Decoded:
    """The part of `decode_image` that libraries do with the file's bytes, and all that parses its metadata.

    Raises:
        ImageTooLargeError, RawImageError, ImageReadError: as there.
    """
    if kind == "raw":
        raise raw_file(name)
    decoded = decoder_of(kind)(stream, name, max_pixels)
    kept = admit(decoded.found, name)
    turn = decoded.orientation if decoded.orientation != 1 else kept.orientation
    return replace(decoded, found=Found(), exif=kept.exif, metadata=kept.metadata, orientation=turn)


def decoder_of(kind: str) -> _Decoder:
    """What decodes a format, imported when a file of it first comes: most programs see one or two."""
    if kind == "HEIF":
        from likeness.imaging.decode_heif import decode_heif as decode
    elif kind == "TIFF":
        from likeness.imaging.decode_tiff import decode_tiff as decode
    elif kind == "JPEG":
        from likeness.imaging.decode_jpeg import decode_jpeg as decode
    elif kind == "PNG":
        from likeness.imaging.decode_png import decode_png as decode
    else:
        from likeness.imaging.decode_pillow import decode_pillow

        return lambda stream, name, max_pixels: decode_pillow(stream, kind, name, max_pixels)
    return decode
