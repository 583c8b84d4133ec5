"""EXIF blocks and TIFF directories, field by field.

An EXIF block is a small TIFF file (CIPA DC-008, TIFF 6.0): directories of fields with a tag, a type and a count. A
block that goes back into a file is patched in place wherever possible, because camera makers' private notes hold
positions inside the block that nobody can rewrite.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from likeness.imaging.image import Size

__all__ = [
    "Directory",
    "Field",
    "clean_exif",
    "credits_exif",
    "dots_per_inch",
    "exif_from_resolution",
    "exif_from_tiff",
    "exif_with_size",
    "is_adobe_rgb",
    "orientation",
    "pack_directory",
    "read_directory",
]

_log = logging.getLogger(__name__)

# Bytes per value of each TIFF type, from BYTE (1) and ASCII (2) to DOUBLE (12) and IFD (13).
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG, _RATIONAL = 3, 4, 5

_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_COLOUR_SPACE = 0xA001
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202

# What a TIFF file's first directory says about the photograph, not about how its samples are stored.
_DESCRIPTIVE = frozenset(
    {
        0x010E,
        0x010F,
        0x0110,
        _ORIENTATION,
        _X_RESOLUTION,
        _Y_RESOLUTION,
        _RESOLUTION_UNIT,
        0x0131,
        0x0132,
        0x013B,
        0x013C,
        0x4746,
        0x4749,
    }
    | {0x8298, _EXIF_IFD, _GPS_IFD, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
)


_CREDITS = (0x013B, 0x8298, 0x9C9D)
"""Artist, copyright, and Windows' author."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a directory: TIFF type, count of values, and the values' bytes in the block's byte order."""

    type: int
    count: int
    data: bytes

    @staticmethod
    def numbers(order: str, kind: int, values: list[int]) -> Field:
        """A field of SHORT (3) or LONG (4) values."""
        return Field(kind, len(values), struct.pack(f"{order}{len(values)}{'H' if kind == _SHORT else 'I'}", *values))


Directory: TypeAlias = "dict[int, Field | Directory]"
"""Fields by tag; a directory inside a directory is the EXIF, GPS or interoperability one."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a field stands: ``position`` of its twelve bytes, ``data`` where its values begin."""

    position: int
    tag: int
    type: int
    count: int
    data: int

    @property
    def size(self) -> int:
        return _TYPE_SIZES[self.type] * self.count


def clean_exif(block: bytes | None) -> bytes | None:
    """An EXIF block ready to be kept: no "Exif\\0\\0" header, orientation 1, its thumbnail taken out.

    The thumbnail shows the picture as it was, before turning and before restoration; file managers would show it
    instead of the result. Its bytes are blanked in place, so that nothing else moves.

    Returns:
        The block, or None if there is none or it is no EXIF block (logged as a warning).
    """
    if not block:
        return None
    data = bytearray(block[6:] if block.startswith(b"Exif\0\0") else block)
    order = _byte_order(bytes(data[:4]))
    if order is None or len(data) < 8:
        _log.warning("the EXIF block is damaged and was left out")
        return None
    stream = io.BytesIO(bytes(data))
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    count, end = 0, first
    for entry in _entries(stream, order, first):
        count, end = count + 1, entry.position + 12
        if entry.tag == _ORIENTATION and entry.type in (_SHORT, _LONG):
            struct.pack_into(f"{order}{'H' if entry.type == _SHORT else 'I'}", data, entry.data, 1)
    if count and end + 4 <= len(data):
        (thumbnail,) = struct.unpack_from(f"{order}I", data, end)
        if thumbnail:
            _blank_thumbnail(stream, data, order, thumbnail)
            struct.pack_into(f"{order}I", data, end, 0)
    return bytes(data)


def orientation(block: bytes | None) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block says nothing usable."""
    value = _first_value(block, _ORIENTATION)
    return value if value is not None and 1 <= value <= 8 else 1


def exif_with_size(block: bytes, size: Size) -> bytes:
    """The block with its PixelXDimension and PixelYDimension, where it has them, set to ``size``."""
    data = bytearray(block)
    stream = io.BytesIO(block)
    order = _byte_order(block[:4])
    if order is None or len(block) < 8:
        return block
    for entry in _entries(stream, order, struct.unpack_from(f"{order}I", block, 4)[0]):
        if entry.tag != _EXIF_IFD or entry.type not in (_LONG, 13):
            continue
        for inner in _entries(stream, order, struct.unpack_from(f"{order}I", block, entry.data)[0]):
            if inner.tag in (_PIXEL_X, _PIXEL_Y) and inner.type in (_SHORT, _LONG):
                value = size.width if inner.tag == _PIXEL_X else size.height
                code = "H" if inner.type == _SHORT and value < 65536 else "I"
                struct.pack_into(f"{order}H", data, inner.position + 2, _SHORT if code == "H" else _LONG)
                struct.pack_into(f"{order}{code}", data, inner.data, value)
    return bytes(data)


def dots_per_inch(block: bytes | None) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in dots per inch, or None where the block does not say."""
    if not block:
        return None
    unit = _first_value(block, _RESOLUTION_UNIT)
    x, y = (_first_value(block, tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if not x or not y or unit == 1:
        return None
    factor = 2.54 if unit == 3 else 1.0
    return x * factor, y * factor


def is_adobe_rgb(block: bytes | None) -> bool:
    """Whether a block says that the samples are Adobe RGB: interoperability index "R03" (DCF 2.0), or colour space 2."""
    found = read_directory(io.BytesIO(block)) if block else None
    if found is None:
        return False
    order, first = found
    inner = first.get(_EXIF_IFD)
    if not isinstance(inner, dict):
        return False
    space, interoperability = inner.get(_COLOUR_SPACE), inner.get(_INTEROP_IFD)
    if isinstance(interoperability, dict):
        index = interoperability.get(1)
        if isinstance(index, Field) and index.data.startswith(b"R03"):
            return True
    return isinstance(space, Field) and space.data[:2] == struct.pack(f"{order}H", 2)


def exif_from_resolution(x: float, y: float) -> bytes:
    """A block that holds a resolution in dots per inch and nothing else."""
    directory: Directory = {
        tag: Field(_RATIONAL, 1, struct.pack("<II", round(value * 100), 100))
        for tag, value in ((_X_RESOLUTION, x), (_Y_RESOLUTION, y))
    }
    directory[_RESOLUTION_UNIT] = Field.numbers("<", _SHORT, [2])
    return b"II*\0" + struct.pack("<I", 8) + pack_directory(directory, "<", 8)


def credits_exif(block: bytes | None, dpi: float) -> bytes:
    """A block for pictures that are handed on: a resolution, and of another block who made the picture and whose it is.

    Artist, copyright and the author that Windows writes are kept; where and when it was taken, the camera, its numbers and
    everything else are left out.
    """
    found = read_directory(io.BytesIO(block)) if block else None
    order, fields = found if found else ("<", {})
    kept: Directory = {tag: fields[tag] for tag in _CREDITS if tag in fields}
    for tag in (_X_RESOLUTION, _Y_RESOLUTION):
        kept[tag] = Field(_RATIONAL, 1, struct.pack(f"{order}II", round(dpi * 100), 100))
    kept[_RESOLUTION_UNIT] = Field.numbers(order, _SHORT, [2])
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + pack_directory(kept, order, 8)


def exif_from_tiff(stream: BinaryIO) -> bytes | None:
    """The descriptive fields of a TIFF file's first directory, with its EXIF and GPS directories, as an EXIF block."""
    found = read_directory(stream)
    if found is None:
        return None
    order, directory = found
    kept: Directory = {tag: field for tag, field in directory.items() if tag in _DESCRIPTIVE}
    if not kept:
        return None
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + pack_directory(kept, order, 8)


def read_directory(stream: BinaryIO) -> tuple[str, Directory] | None:
    """The first directory of a TIFF file or EXIF block, with the directories inside it.

    Returns:
        The byte order ("<" or ">") and the fields, those that lie outside the file left out; None if this is no TIFF
        file (BigTIFF is not read).
    """
    stream.seek(0)
    order = _byte_order(head := stream.read(8))
    if order is None or len(head) < 8:
        return None
    return order, _read(stream, order, struct.unpack_from(f"{order}I", head, 4)[0])


def pack_directory(directory: Directory, order: str, offset: int) -> bytes:
    """A directory's bytes as they stand at ``offset`` of a file, followed by the values it points to."""
    head = struct.pack(f"{order}H", len(directory))
    body = bytearray()
    start = offset + 2 + 12 * len(directory) + 4
    for tag, field in sorted(directory.items()):
        position = start + len(body)
        if isinstance(field, dict):
            head += struct.pack(f"{order}HHII", tag, _LONG, 1, position)
            data = pack_directory(field, order, position)
        elif len(field.data) <= 4:
            head += struct.pack(f"{order}HHI4s", tag, field.type, field.count, field.data)
            continue
        else:
            head += struct.pack(f"{order}HHII", tag, field.type, field.count, position)
            data = field.data
        body += data + b"\0" * (len(data) % 2)
    return head + b"\0\0\0\0" + bytes(body)


def _byte_order(head: bytes) -> str | None:
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(head[:4]))


def _entries(stream: BinaryIO, order: str, offset: int) -> Iterator[_Entry]:
    """The entries of the directory at ``offset`` whose values lie inside the stream."""
    end = stream.seek(0, io.SEEK_END)
    if offset < 8 or offset + 2 > end:
        return
    stream.seek(offset)
    (count,) = struct.unpack(f"{order}H", stream.read(2))
    table = stream.read(12 * count)
    for index in range(len(table) // 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHII", table, 12 * index)
        if kind not in _TYPE_SIZES:
            continue
        position = offset + 2 + 12 * index
        inline = _TYPE_SIZES[kind] * number <= 4
        entry = _Entry(position, tag, kind, number, position + 8 if inline else value)
        if entry.data + entry.size <= end:
            yield entry


def _read(stream: BinaryIO, order: str, offset: int, depth: int = 0) -> Directory:
    directory: Directory = {}
    for entry in list(_entries(stream, order, offset)):
        stream.seek(entry.data)
        data = stream.read(entry.size)
        if entry.tag in (_EXIF_IFD, _GPS_IFD, _INTEROP_IFD):
            # Two levels are all there are; a damaged file may point back at itself.
            if (
                len(data) == 4
                and depth < 2
                and (inner := _read(stream, order, struct.unpack(f"{order}I", data)[0], depth + 1))
            ):
                directory[entry.tag] = inner
            continue
        directory[entry.tag] = Field(entry.type, entry.count, data)
    return directory


def _first_value(block: bytes | None, tag: int) -> int | None:
    """The first value of a SHORT, LONG or RATIONAL field of the first directory, rationals rounded."""
    found = read_directory(io.BytesIO(block[6:] if block.startswith(b"Exif\0\0") else block)) if block else None
    if found is None:
        return None
    order, directory = found
    field = directory.get(tag)
    if not isinstance(field, Field) or field.count < 1:
        return None
    if field.type == _RATIONAL:
        numerator, denominator = struct.unpack_from(f"{order}II", field.data)
        return round(numerator / denominator) if denominator else None
    if field.type in (_SHORT, _LONG):
        return struct.unpack_from(f"{order}{'H' if field.type == _SHORT else 'I'}", field.data)[0]
    return None


def _blank_thumbnail(stream: BinaryIO, data: bytearray, order: str, offset: int) -> None:
    """Zero the JPEG thumbnail that the second directory points to."""
    place: dict[int, int] = {
        entry.tag: struct.unpack_from(f"{order}I", data, entry.data)[0]
        for entry in _entries(stream, order, offset)
        if entry.tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH) and entry.type == _LONG
    }
    start, length = place.get(_THUMBNAIL_OFFSET, 0), place.get(_THUMBNAIL_LENGTH, 0)
    if start >= 8 and start + length <= len(data) and data.startswith(b"\xff\xd8", start):
        data[start : start + length] = bytes(length)
