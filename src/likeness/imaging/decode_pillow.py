"""WebP, AVIF, GIF and BMP files, by way of Pillow."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, ImageFile, WebPImagePlugin

from likeness.imaging.av1 import av1_quality, base_quantiser
from likeness.imaging.containers import webp_size
from likeness.imaging.decoded import Decoded, check_size, reading, with_signal
from likeness.imaging.exif import orientation
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.heif_file import HeifFile, read_heif
from likeness.imaging.metadata.boxes import take_from_boxes
from likeness.imaging.metadata.webp import take_from_webp
from likeness.imaging.metadata_fields import Found
from likeness.imaging.origin import Compression, Note

__all__ = ["decode_pillow"]

_AV1_HEADERS = 4096  # bytes that the headers of a picture lie in

# Opened by class, not through Pillow's `open`: that one judges sizes by a process-wide limit of its own, and its list
# of formats is longer than what is tested here.
_PILLOW: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}


def decode_pillow(stream: BinaryIO, kind: str, name: str, max_pixels: int) -> Decoded:
    """Decode a file, of an animated one the first frame.

    Raises:
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    if kind == "WebP":
        # Its decoder makes room for the whole picture when it is opened.
        with reading(name, "image.unopened", kind):
            check_size(name, webp_size(stream), max_pixels)
    stream, damage = _whole_webp(stream) if kind == "WebP" else (stream, ())
    stream.seek(0)
    found, plain = Found(), stream
    if kind == "AVIF":
        found, plain = take_from_boxes(stream.read())
    elif kind == "WebP":
        found = take_from_webp(stream.read())
        stream.seek(0)
    with reading(name, "image.unopened", kind):
        picture = _PILLOW[kind](plain)
    with picture:
        check_size(name, picture.size, max_pixels)
        with reading(name, "image.damaged", kind):
            notes = _frames(picture)
            picture.load()
        if kind == "GIF":
            found.comment = picture.info.get("comment")
        decoded = replace(from_pillow(picture, name), found=found, notes=notes)
    if kind == "AVIF":
        boxes = read_heif(stream)
        # What Pillow makes into EXIF here is how the boxes turn the picture.
        decoded = replace(decoded, orientation=orientation(picture.info.get("exif")) or 1)
        decoded = replace(decoded, notes=(*notes, *boxes.notes))
        decoded = replace(decoded, compression=_avif_compression(stream, boxes))
        return with_signal(decoded, lambda: boxes.signal, name)
    if kind == "WebP":
        compression = Compression(format="WEBP", lossless=_is_lossless(stream))
        return replace(decoded, notes=(*damage, *notes), compression=compression)
    return decoded


def _frames(picture: Any) -> tuple[Note, ...]:
    if not getattr(picture, "is_animated", False):
        return ()
    # Counting a GIF file's frames means going through all of it.
    return (Note(code="animated", value="" if picture.format == "GIF" else int(picture.n_frames)),)


def _whole_webp(stream: BinaryIO) -> tuple[BinaryIO, tuple[Note, ...]]:
    """The file, in memory where the length in its header goes past its end and has to be mended for the decoder."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(8)
    if struct.unpack("<I", head[4:])[0] + 8 <= end:
        return stream, ()
    # A file that is really cut is found out by the chunk that its picture lies in.
    mended = head[:4] + struct.pack("<I", end - 8) + stream.read()
    return io.BytesIO(mended), (Note(code="file-damaged", value="its header names a wrong length"),)


def _avif_compression(stream: BinaryIO, boxes: HeifFile) -> Compression:
    place, length = boxes.places.get(boxes.coded, (0, 0))
    stream.seek(place)
    quantiser = base_quantiser(stream.read(min(length, _AV1_HEADERS))) if length else None
    quality = None if quantiser is None else av1_quality(quantiser)
    return Compression(format="AVIF", quality=quality, subsampling=boxes.subsampling)


def _is_lossless(stream: BinaryIO) -> bool:
    """Whether a WebP file's (first) picture is coded without loss: in a chunk "VP8L" (RFC 9649, 2.6)."""
    place, end = 12, stream.seek(0, io.SEEK_END)
    while place + 8 <= end:
        stream.seek(place)
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        place += 8 + (16 if kind == b"ANMF" else length + length % 2)  # a frame's chunks lie inside it
    return False
