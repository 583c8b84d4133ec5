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
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

from likeness.imaging.geometry import Size

__all__ = [
    "Directory",
    "Field",
    "clean_exif",
    "credits_exif",
    "dots_per_inch",
    "exif_from_resolution",
    "exif_from_tiff",
    "exif_with_resolution",
    "exif_with_size",
    "exif_without_orientation",
    "is_adobe_rgb",
    "orientation",
    "pack_directory",
    "photograph_fields",
    "read_directory",
    "resolution_fields",
]

_log = logging.getLogger(__name__)

# Bytes per value of each TIFF type, from BYTE (1) and ASCII (2) to DOUBLE (12) and IFD (13), and BigTIFF's (16 to 18).
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_FIELDS = 500
"""In one directory: those of cameras and programs have fewer than 200."""

_SHORT, _LONG, _RATIONAL = 3, 4, 5

_WIDTH, _LENGTH = 0x0100, 0x0101
_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_COLOUR_SPACE = 0xA001
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_MAKER_NOTE = 0x927C
_NUMBERS = frozenset({_SHORT, _LONG, _RATIONAL})
_MOST_DPI = 65535.0
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202

_TEXT, _BYTES = frozenset({1, 2, 7}), frozenset({1, 7})
_DESCRIPTIVE = {
    **dict.fromkeys((0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298), _TEXT),
    **dict.fromkeys((0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F), _BYTES),
    **dict.fromkeys((_RESOLUTION_UNIT, 0x4746, 0x4749), frozenset({_SHORT})),
    **dict.fromkeys((_X_RESOLUTION, _Y_RESOLUTION), frozenset({_RATIONAL})),
    **dict.fromkeys((_EXIF_IFD, _GPS_IFD), frozenset({_LONG, 13})),
}
"""What a TIFF file's first directory says about the photograph, not about how its samples are stored; and in which types."""

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


def clean_exif(block: bytes | None, name: str = "the picture") -> bytes | None:
    """An EXIF block ready to be kept: sound, no "Exif\\0\\0" header, orientation 1, its thumbnail taken out.

    The thumbnail shows the picture as it was, before turning and before restoration; file managers would show it
    instead of the result. Its bytes are blanked in place, so that nothing else moves. A damaged block (fields that lie
    outside it, directories that overlap or end too early) is written anew from what can be read, without the camera
    maker's private notes, and a warning says so.

    Args:
        block: the block, with or without its header.
        name: what messages call the picture.

    Returns:
        The block, or None if there is none or nothing in it can be read (logged as a warning).
    """
    if not block:
        return None
    data = bytearray(block[6:] if block.startswith(b"Exif\0\0") else block)
    order = _byte_order(data)
    if order is None or len(data) < 8:
        _log.warning("%s: the EXIF block is damaged and was left out", name)
        return None
    # Some programs leave the four bytes out that should stand behind the last directory.
    for padding in (0, 4):
        data += bytes(padding)
        walk = _Walk(stream=io.BytesIO(data), order=order, end=len(data))
        directory = _read(walk, struct.unpack_from(f"{order}I", data, 4)[0])
        if walk.is_sound():
            break
    else:
        if not directory:
            _log.warning("%s: the EXIF block is damaged and was left out", name)
            return None
        inner = directory.get(_EXIF_IFD)
        notes = isinstance(inner, dict) and inner.pop(_MAKER_NOTE, None) is not None
        without = ", without the camera maker's notes" if notes else ""
        _log.warning("%s: the EXIF block is damaged; what can be read of it is kept%s", name, without)
        data = bytearray(_block(directory, order))
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    walk = _Walk(stream=io.BytesIO(data), order=order, end=len(data))
    for entry in _entries(walk, first):
        if entry.tag == _ORIENTATION and entry.type in (_SHORT, _LONG) and entry.count:
            struct.pack_into(f"{order}{'H' if entry.type == _SHORT else 'I'}", data, entry.data, 1)
    end = first + 2 + 12 * count
    (thumbnail,) = struct.unpack_from(f"{order}I", data, end)
    if thumbnail:
        _blank_thumbnail(walk, data, thumbnail)
        struct.pack_into(f"{order}I", data, end, 0)
    return bytes(data)


def orientation(block: bytes | None) -> int | None:
    """The EXIF orientation, 1 to 8; None where the block says nothing usable."""
    value = _first_value(block, _ORIENTATION)
    return int(value) if value is not None and value in range(1, 9) else None


def exif_with_size(block: bytes, size: Size) -> bytes:
    """The block with what it says of the picture's width and height, where it does, set to ``size``.

    That is PixelXDimension and PixelYDimension, and ImageWidth and ImageLength, which some programs leave in JPEGs though
    the standard keeps them out.
    """
    data = bytearray(block)
    order = _byte_order(data)
    if order is None or len(block) < 8:
        return block
    sides = {_WIDTH: size.width, _LENGTH: size.height, _PIXEL_X: size.width, _PIXEL_Y: size.height}

    def state(entry: _Entry) -> None:
        if entry.tag not in sides or entry.type not in (_SHORT, _LONG) or entry.count != 1:
            return
        value = sides[entry.tag]
        code = "H" if entry.type == _SHORT and value < 65536 else "I"
        struct.pack_into(f"{order}H", data, entry.position + 2, _SHORT if code == "H" else _LONG)
        struct.pack_into(f"{order}{code}", data, entry.data, value)

    walk = _Walk(stream=io.BytesIO(block), order=order, end=len(block))
    for entry in _entries(walk, struct.unpack_from(f"{order}I", block, 4)[0]):
        state(entry)
        if entry.tag == _EXIF_IFD and entry.type in (_LONG, 13) and entry.count == 1:
            for inner in _entries(walk, struct.unpack_from(f"{order}I", block, entry.data)[0]):
                state(inner)
    return bytes(data)


def exif_without_orientation(block: bytes) -> bytes | None:
    """A clean block without its orientation, for files that say it elsewhere; None if nothing else is in it."""
    data = bytearray(block)
    order = _byte_order(data)
    assert order is not None
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    table = bytes(data[first + 2 : first + 2 + 12 * count])
    kept = [
        table[at : at + 12]
        for at in range(0, len(table), 12)
        if struct.unpack_from(f"{order}H", table, at)[0] != _ORIENTATION
    ]
    rest = b"".join(kept) + bytes(data[first + 2 + len(table) : first + 6 + len(table)])
    data[first : first + 2 + len(rest)] = struct.pack(f"{order}H", len(kept)) + rest
    return bytes(data) if kept else None


def exif_with_resolution(block: bytes, x: float, y: float) -> bytes:
    """A clean block that says a resolution in dots per inch: a new first directory at its end, and nothing else moves."""
    order = _byte_order(block)
    assert order is not None
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, first)
    values = len(block) + len(block) % 2
    entries = {
        struct.unpack_from(f"{order}H", block, at)[0]: block[at : at + 12]
        for at in range(first + 2, first + 2 + 12 * count, 12)
    }
    entries[_X_RESOLUTION] = struct.pack(f"{order}HHII", _X_RESOLUTION, _RATIONAL, 1, values)
    entries[_Y_RESOLUTION] = struct.pack(f"{order}HHII", _Y_RESOLUTION, _RATIONAL, 1, values + 8)
    entries[_RESOLUTION_UNIT] = struct.pack(f"{order}HHIHH", _RESOLUTION_UNIT, _SHORT, 1, 2, 0)
    table = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    rationals = _rational(order, x) + _rational(order, y)
    return b"".join(
        (block[:4], struct.pack(f"{order}I", values + 16), block[8:], bytes(len(block) % 2), rationals, table)
    )


def dots_per_inch(block: bytes | None) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in dots per inch, or None where the block says nothing usable."""
    if not block:
        return None
    unit = _first_value(block, _RESOLUTION_UNIT)
    x, y = (_first_value(block, tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if not x or not y or unit == 1:
        return None
    factor = 2.54 if unit == 3 else 1.0
    return (x * factor, y * factor) if max(x, y) * factor <= _MOST_DPI else None


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
    return _block(resolution_fields("<", x, y), "<")


def resolution_fields(order: str, x: float, y: float) -> Directory:
    """The three fields of a resolution in dots per inch."""
    return {
        _X_RESOLUTION: Field(_RATIONAL, 1, _rational(order, x)),
        _Y_RESOLUTION: Field(_RATIONAL, 1, _rational(order, y)),
        _RESOLUTION_UNIT: Field.numbers(order, _SHORT, [2]),
    }


def credits_exif(block: bytes | None, dpi: float) -> bytes:
    """A block for pictures that are handed on: a resolution, and of another block who made the picture and whose it is.

    Artist, copyright and the author that Windows writes are kept; where and when it was taken, the camera, its numbers and
    everything else are left out.
    """
    found = read_directory(io.BytesIO(block)) if block else None
    order, fields = found if found else ("<", {})
    kept: Directory = {tag: fields[tag] for tag in _CREDITS if tag in fields}
    return _block(kept | resolution_fields(order, dpi, dpi), order)


def exif_from_tiff(stream: BinaryIO) -> bytes | None:
    """The descriptive fields of a TIFF file's first directory, with its EXIF and GPS directories, as an EXIF block."""
    found = _read_stream(stream, _DESCRIPTIVE)
    return _block(found[1], found[0]) if found and found[1] else None


def photograph_fields(block: bytes | None) -> tuple[str, Directory]:
    """What a clean block says about the photograph, for the first directory of a TIFF file, and its byte order."""
    return (_read_stream(io.BytesIO(block), _DESCRIPTIVE) if block else None) or ("<", {})


def read_directory(stream: BinaryIO) -> tuple[str, Directory] | None:
    """The first directory of a TIFF file or EXIF block, with the directories inside it.

    Returns:
        The byte order ("<" or ">") and the fields, those that lie outside the file left out; None if this is no TIFF
        file (BigTIFF is not read). All values together are no longer than the file.
    """
    return _read_stream(stream, None)


def pack_directory(directory: Directory, order: str, offset: int) -> bytes:
    """A directory's bytes as they stand at ``offset`` of a file, followed by the values it points to."""
    head = struct.pack(f"{order}H", len(directory))
    body = bytearray()
    start = offset + 2 + 12 * len(directory) + 4
    for tag, entry in sorted(directory.items()):
        position = start + len(body)
        if isinstance(entry, dict):
            head += struct.pack(f"{order}HHII", tag, _LONG, 1, position)
            data = pack_directory(entry, order, position)
        elif len(entry.data) <= 4:
            head += struct.pack(f"{order}HHI4s", tag, entry.type, entry.count, entry.data)
            continue
        else:
            head += struct.pack(f"{order}HHII", tag, entry.type, entry.count, position)
            data = entry.data
        body += data + b"\0" * (len(data) % 2)
    return head + b"\0\0\0\0" + bytes(body)


def _byte_order(head: bytes | bytearray) -> str | None:
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(head[:4]))


def _block(directory: Directory, order: str) -> bytes:
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + pack_directory(directory, order, 8)


def _rational(order: str, value: float) -> bytes:
    return struct.pack(f"{order}II", round(value * 100), 100)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One reading of a block or file of ``end`` bytes: what it cost so far, and what it came across.

    Attributes:
        spent: bytes of values taken so far; never more than ``end``.
        whole: whether every directory and field lay where it said.
        spans: begin, end of each table (true) and of each field's values outside its table (false).
    """

    stream: BinaryIO
    order: str
    end: int
    spent: int = 0
    whole: bool = True
    visited: set[int] = field(default_factory=set)
    spans: list[tuple[int, int, bool]] = field(default_factory=list)

    def take(self, size: int) -> bool:
        """Whether ``size`` more bytes of values may be read."""
        if self.spent + size > self.end:
            self.whole = False
            return False
        self.spent += size
        return True

    def is_sound(self) -> bool:
        """Whether all was in its place, and no table shares a byte with anything else (values may share theirs)."""
        table_end = span_end = 8
        for begin, end, is_table in sorted(self.spans):
            if begin < (span_end if is_table else table_end):
                return False
            span_end = max(span_end, end)
            table_end = max(table_end, end if is_table else 0)
        return self.whole


def _entries(walk: _Walk, offset: int) -> Iterator[_Entry]:
    """The entries of the directory at ``offset`` whose values lie inside the stream; none the second time."""
    if offset < 8 or offset + 2 > walk.end or offset in walk.visited:
        walk.whole = False
        return
    walk.visited.add(offset)
    walk.stream.seek(offset)
    (count,) = struct.unpack(f"{walk.order}H", walk.stream.read(2))
    table = walk.stream.read(12 * min(count, _MOST_FIELDS))
    if offset + 2 + 12 * count + 4 > walk.end or count > _MOST_FIELDS:
        walk.whole = False
    walk.spans.append((offset, offset + 2 + 12 * count + 4, True))
    for index in range(len(table) // 12):
        tag, kind, number, value = struct.unpack_from(f"{walk.order}HHII", table, 12 * index)
        if kind not in _TYPE_SIZES:
            continue
        position = offset + 2 + 12 * index
        inline = _TYPE_SIZES[kind] * number <= 4
        entry = _Entry(position, tag, kind, number, position + 8 if inline else value)
        if entry.data + entry.size > walk.end:
            walk.whole = False
            continue
        if not inline:
            walk.spans.append((entry.data, entry.data + entry.size, False))
        yield entry


def _read_stream(stream: BinaryIO, wanted: dict[int, frozenset[int]] | None) -> tuple[str, Directory] | None:
    """Byte order and first directory; of that only fields of the wanted tags and types, if there is such a table."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    order = _byte_order(head := stream.read(8))
    if order is None or len(head) < 8:
        return None
    walk = _Walk(stream=stream, order=order, end=end)
    return order, _read(walk, struct.unpack_from(f"{order}I", head, 4)[0], wanted)


def _read(walk: _Walk, offset: int, wanted: dict[int, frozenset[int]] | None = None, depth: int = 0) -> Directory:
    directory: Directory = {}
    for entry in list(_entries(walk, offset)):
        if wanted is not None and entry.type not in wanted.get(entry.tag, ()):
            continue
        if entry.tag in directory or not walk.take(entry.size):
            continue
        walk.stream.seek(entry.data)
        data = walk.stream.read(entry.size)
        if entry.tag in (_EXIF_IFD, _GPS_IFD, _INTEROP_IFD):
            # Two levels are all there are; a damaged file may point back at itself.
            if (
                len(data) == 4
                and depth < 2
                and (inner := _read(walk, struct.unpack(f"{walk.order}I", data)[0], depth=depth + 1))
            ):
                directory[entry.tag] = inner
            continue
        directory[entry.tag] = Field(entry.type, entry.count, data)
    return directory


def _first_value(block: bytes | None, tag: int) -> float | None:
    """The first value of a SHORT, LONG or RATIONAL field of the first directory."""
    if not block:
        return None
    found = _read_stream(io.BytesIO(block[6:] if block.startswith(b"Exif\0\0") else block), {tag: _NUMBERS})
    fields = found[1].get(tag) if found else None
    if found is None or not isinstance(fields, Field) or fields.count < 1:
        return None
    if fields.type == _RATIONAL:
        numerator, denominator = struct.unpack_from(f"{found[0]}II", fields.data)
        return numerator / denominator if denominator else None
    return struct.unpack_from(f"{found[0]}{'H' if fields.type == _SHORT else 'I'}", fields.data)[0]


def _blank_thumbnail(walk: _Walk, data: bytearray, offset: int) -> None:
    """Zero the JPEG thumbnail that the second directory points to, unless a table lies in it."""
    place: dict[int, int] = {
        entry.tag: struct.unpack_from(f"{walk.order}I", data, entry.data)[0]
        for entry in _entries(walk, offset)
        if entry.tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH) and entry.type == _LONG and entry.count
    }
    start, length = place.get(_THUMBNAIL_OFFSET, 0), place.get(_THUMBNAIL_LENGTH, 0)
    end = start + length
    if start < 8 or end > len(data) or not data.startswith(b"\xff\xd8", start):
        return
    if not any(table and start < other_end and begin < end for begin, other_end, table in walk.spans):
        data[start:end] = bytes(length)
