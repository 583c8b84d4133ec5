"""PNG, TIFF and JPEG as containers: checked before decoding, and written at 16 bits, which Pillow cannot do for colour.

Sources: PNG (W3C Recommendation, third edition), TIFF 6.0 and JPEG (ITU-T T.81, annex B).
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.exif import Directory, Field, pack_directory, photograph_fields, resolution_fields
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.png_file import write_chunk
from likeness.imaging.samples import Samples, row_strips

__all__ = ["count_jpeg_scans", "encode_png16", "encode_tiff", "webp_size"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of channels: grey, grey + alpha, RGB, RGB + alpha
_ADOBE_DEFLATE = 8
_HORIZONTAL_PREDICTOR = 2
_UNASSOCIATED_ALPHA = 2
_BYTE, _SHORT, _LONG, _UNDEFINED = 1, 3, 4, 7

_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""One that begins a segment or ends the picture; within coded data 0xFF is followed by 0 or a restart marker."""

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})


def count_jpeg_scans(data: bytes, most: int) -> int:
    """How many passes over its picture a JPEG file asks of a decoder; counting ends over ``most``.

    What is not the picture's own (thumbnails in segments, what follows its end) does not count.
    """
    scans, place, components, sequential = 0, 2, 0, False
    while scans <= most and (found := _JPEG_MARKER.search(data, place)):
        kind, at = data[found.start() + 1], found.end()
        if kind == _JPEG_END or len(data) < at + 2:
            break
        if kind in _JPEG_FRAMES and len(data) > at + 7:
            components, sequential = data[at + 7], kind in _JPEG_SEQUENTIAL
        elif kind == _JPEG_SCAN:
            scans += 1
            if sequential and len(data) > at + 2 and data[at + 2] == components:
                break  # all there is, in one pass: decoders look no further
        place = at + max(2, int.from_bytes(data[at : at + 2], "big"))
    return scans


def webp_size(stream: BinaryIO) -> tuple[int, int]:
    """Width and height that the first chunk of a WebP file names (RFC 9649; RFC 6386, 9.1).

    Raises:
        ValueError: if there is no such chunk.
    """
    stream.seek(0)
    head = stream.read(30).ljust(30, b"\0")
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        packed = int.from_bytes(head[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("its first chunk is not a picture's")


def encode_png16(samples: NDArray[np.uint16], *, metadata: bytes = b"") -> bytes:
    """A 16-bit PNG file.

    Args:
        samples: height x width x channels; 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha (not premultiplied).
        metadata: chunks for behind the header.
    """
    height, width, channels = samples.shape
    out = io.BytesIO()
    out.write(_PNG_SIGNATURE)
    write_chunk(out, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPES[channels], 0, 0, 0))
    out.write(metadata)
    # Level 4 is half as slow as the default 6 and costs 1% in size on filtered photographs.
    packer = zlib.compressobj(4)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for rows in row_strips(samples):
        raw = samples[rows].astype(">u2").view(np.uint8).reshape(-1, width * channels * 2)
        filtered = packer.compress(_paeth_rows(raw, above, channels * 2))
        if filtered:
            write_chunk(out, b"IDAT", filtered)
        above = raw[-1:]
    write_chunk(out, b"IDAT", packer.flush())
    write_chunk(out, b"IEND", b"")
    return out.getvalue()


def _paeth_rows(raw: NDArray[np.uint8], above: NDArray[np.uint8], pixel_bytes: int) -> bytes:
    """Rows behind the Paeth filter, each led by its filter byte (PNG, 9.4)."""
    up = np.concatenate([above, raw[:-1]]).astype(np.int16)
    left = np.zeros_like(up)
    left[:, pixel_bytes:] = raw[:, :-pixel_bytes]
    corner = np.zeros_like(up)
    corner[:, pixel_bytes:] = up[:, :-pixel_bytes]
    by_left, by_up = np.abs(up - corner), np.abs(left - corner)
    by_corner = np.abs(left + up - 2 * corner)
    predicted = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
    rows = np.empty((raw.shape[0], raw.shape[1] + 1), np.uint8)
    rows[:, 0] = 4
    rows[:, 1:] = raw - predicted.astype(np.uint8)
    return rows.tobytes()


def encode_tiff(samples: Samples, *, icc_profile: bytes | None, exif: bytes | None, metadata: Metadata) -> bytes:
    """A TIFF file, 8 or 16 bit, Deflate with horizontal differencing, EXIF fields in its own directories.

    Args:
        samples: height x width x channels; 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha (not premultiplied).
        icc_profile: for the ICC profile field.
        exif: what its first directory says about the photograph joins the file's, its EXIF and GPS directories follow as
            they are. The file takes the block's byte order.
        metadata: of this XMP, IPTC and resolution.
    """
    height, width, channels = samples.shape
    order, fields = photograph_fields(exif)
    bits = samples.dtype.itemsize * 8
    out = io.BytesIO()
    out.write((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    offsets: list[int] = []
    counts: list[int] = []
    strips = list(row_strips(samples))
    for rows in strips:
        strip = samples[rows].copy()
        strip[:, 1:] -= samples[rows][:, :-1]  # wraps around, as TIFF 6.0 section 14 wants it
        data = zlib.compress(strip.astype(f"{order}u{bits // 8}").tobytes(), 5)
        offsets.append(out.tell())
        counts.append(len(data))
        out.write(data + b"\0" * (len(data) % 2))

    def short(*values: int) -> Field:
        return Field.numbers(order, _SHORT, list(values))

    def long(*values: int) -> Field:
        return Field.numbers(order, _LONG, list(values))

    directory: Directory = {
        **fields,
        0x0100: long(width),
        0x0101: long(height),
        0x0102: short(*[bits] * channels),
        0x0103: short(_ADOBE_DEFLATE),
        0x0106: short(1 if channels < 3 else 2),
        0x0111: long(*offsets),
        0x0112: short(1),
        0x0115: short(channels),
        0x0116: long(strips[0].stop),
        0x0117: long(*counts),
        0x011C: short(1),
        0x013D: short(_HORIZONTAL_PREDICTOR),
    }
    if channels in (2, 4):
        directory[0x0152] = short(_UNASSOCIATED_ALPHA)
    if icc_profile is not None:
        directory[0x8773] = Field(_UNDEFINED, len(icc_profile), icc_profile)
    if metadata.resolution is not None:
        directory.update(resolution_fields(order, *metadata.resolution))
    if metadata.xmp is not None:
        directory[0x02BC] = Field(_BYTE, len(metadata.xmp), metadata.xmp)
    if metadata.iptc is not None:
        directory[0x83BB] = Field(_UNDEFINED, len(metadata.iptc), metadata.iptc)
    position = out.tell()
    out.write(pack_directory(directory, order, position))
    out.seek(4)
    out.write(struct.pack(f"{order}I", position))
    return out.getvalue()
