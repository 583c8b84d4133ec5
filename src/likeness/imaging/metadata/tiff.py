"""The directories of TIFF files (TIFF 6.0; BigTIFF), cut down to the fields of which pixels are made.

Decoders read every field of a directory, and each value anew, though thousands of fields may point at the same bytes.
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from likeness.imaging.exif import dots_per_inch, exif_from_tiff
from likeness.imaging.metadata.iptc import iptc_from_resources
from likeness.imaging.metadata_fields import Found

__all__ = ["take_from_tiff"]

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BYTES = frozenset({1, 7})
_ORIENTATION = 0x0112
_XMP, _IPTC, _PHOTOSHOP, _ICC = 0x02BC, 0x83BB, 0x8649, 0x8773

_SINGLE = (0x0100, 0x0101, 0x0103, 0x0106, 0x0115, 0x0116, 0x011C, 0x013D, 0x0142, 0x0143)
_SINGLE_AND_SPARED = (0x00FE, 0x00FF, 0x010A, 0x0124, 0x0125, 0x014C, 0x014E, 0x0200, 0x0201, 0x0202, 0x0203, 0x0213)
_SEVERAL = (0x0102, 0x0111, 0x0117, 0x0140, 0x0144, 0x0145, 0x0152, 0x0153)
_SEVERAL_AND_SPARED = (0x0150, 0x0207, 0x0208, 0x0209, 0x0212)
_STORAGE = {
    **dict.fromkeys(_SINGLE + _SINGLE_AND_SPARED + _SEVERAL + _SEVERAL_AND_SPARED, frozenset({1, 3, 4, 13, 16})),
    **dict.fromkeys((0x0211, 0x0214), frozenset({3, 4, 5})),  # YCbCr coefficients, reference black and white
    0x015B: _BYTES,  # JPEG tables
}
"""Types of the fields that say how samples are stored. Without those that can be spared a decoder takes what is usual."""

_MOST_FIELDS = 1000
_MOST_VALUES = 1 << 20
_MOST_PAGES = 4096
_LARGEST_TILE = 64 << 20
"""Bytes by which a tile may be larger than the whole picture: decoders make room for one before they look at it."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file writes its numbers: TIFF's and BigTIFF's directories differ in the width of everything."""

    order: str
    count: str
    value: str

    @property
    def head(self) -> str:
        return f"{self.order}HH{self.value}"

    @property
    def width(self) -> int:
        return struct.calcsize(f"{self.order}{self.value}")

    @property
    def entry(self) -> int:
        return 4 + 2 * self.width


@dataclass(frozen=True, slots=True)
class _Field:
    raw: bytes
    type: int
    count: int
    place: int

    @property
    def size(self) -> int:
        return _TYPE_SIZES[self.type] * self.count


def take_from_tiff(stream: BinaryIO) -> tuple[Found, io.BytesIO]:
    """What the first page's fields say, and the file with directories that say only how samples are stored.

    Raises:
        ValueError: if a field about the samples is damaged.
    """
    found = Found(exif=exif_from_tiff(stream))
    found.resolution = dots_per_inch(found.exif)
    plain = io.BytesIO()
    stream.seek(0)
    shutil.copyfileobj(stream, plain)
    end = plain.tell()
    for number, (layout, place, fields, following) in enumerate(_directories(plain, end)):
        if number == 0:
            _take(found, layout, plain, fields)
        kept = {tag: field for tag, field in fields.items() if _is_storage(tag, field, end)}
        _check_tiles(layout, plain, kept)
        table = b"".join(kept[tag].raw for tag in sorted(kept))
        plain.seek(place)
        plain.write(struct.pack(f"{layout.order}{layout.count}", len(kept)) + table)
        plain.write(struct.pack(f"{layout.order}{layout.value}", following))
    plain.seek(0)
    return found, plain


def _directories(plain: io.BytesIO, end: int) -> Iterator[tuple[_Layout, int, dict[int, _Field], int]]:
    """Each page's directory: where it stands, its fields (the first of each tag), and where the next one stands."""
    plain.seek(0)
    head = plain.read(16)
    order = "<" if head[:1] == b"I" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    layout = _Layout(order, "Q" if big else "H", "Q" if big else "I")
    if len(head) < 8 + 8 * big:
        return
    (place,) = struct.unpack_from(f"{order}{layout.value}", head, 8 if big else 4)
    visited: set[int] = set()
    while place and len(visited) < _MOST_PAGES:
        visited.add(place)
        first = place + struct.calcsize(f"{order}{layout.count}")
        if place < 8 or first > end:
            return
        plain.seek(place)
        (count,) = struct.unpack(f"{order}{layout.count}", plain.read(first - place))
        table = plain.read(layout.entry * min(count, _MOST_FIELDS))
        fields: dict[int, _Field] = {}
        for at in range(0, len(table) - layout.entry + 1, layout.entry):
            tag, kind, number = struct.unpack_from(layout.head, table, at)
            if kind not in _TYPE_SIZES or tag in fields:
                continue
            where = first + at + 4 + layout.width
            if _TYPE_SIZES[kind] * number > layout.width:
                (where,) = struct.unpack_from(f"{order}{layout.value}", table, at + 4 + layout.width)
            fields[tag] = _Field(table[at : at + layout.entry], kind, number, where)
        plain.seek(min(end, first + layout.entry * count))
        tail = plain.read(layout.width)
        following = struct.unpack(f"{order}{layout.value}", tail)[0] if len(tail) == layout.width else 0
        following = following if following not in visited and len(visited) < _MOST_PAGES else 0
        yield layout, place, fields, following
        place = following


def _take(found: Found, layout: _Layout, plain: io.BytesIO, fields: dict[int, _Field]) -> None:
    turn = fields.get(_ORIENTATION)
    found.orientation = _first_number(layout, plain, turn) if turn and turn.type in (3, 4) and turn.count else None
    found.icc_profile = _bytes(plain, fields, _ICC)
    found.xmp = _bytes(plain, fields, _XMP)
    found.iptc = _bytes(plain, fields, _IPTC)
    if found.iptc is None and (resources := _bytes(plain, fields, _PHOTOSHOP)):
        found.iptc = iptc_from_resources(resources)


def _bytes(plain: io.BytesIO, fields: dict[int, _Field], tag: int) -> bytes | None:
    field = fields.get(tag)
    # Some programs call IPTC's bytes LONG.
    if field is None or field.type not in (_BYTES | {4} if tag == _IPTC else _BYTES):
        return None
    plain.seek(field.place)
    data = plain.read(field.size)
    return data if len(data) == field.size and data else None


def _first_number(layout: _Layout, plain: io.BytesIO, field: _Field) -> int:
    plain.seek(field.place)
    return int.from_bytes(plain.read(_TYPE_SIZES[field.type]), "little" if layout.order == "<" else "big")


def _is_storage(tag: int, field: _Field, end: int) -> bool:
    """Whether a field is about samples.

    Raises:
        ValueError: if it is, and is damaged.
    """
    if tag not in _STORAGE:
        return False
    sound = field.type in _STORAGE[tag] and 0 < field.count <= _MOST_VALUES and field.place + field.size <= end
    sound = sound and (field.count == 1 or tag not in _SINGLE + _SINGLE_AND_SPARED)
    if not sound and tag in (*_SINGLE, *_SEVERAL, 0x015B):
        raise ValueError(f"the field {tag} of its directory is damaged")
    return sound


def _check_tiles(layout: _Layout, plain: io.BytesIO, fields: dict[int, _Field]) -> None:
    """Raise ValueError where a tile is far larger than the picture."""

    def value(tag: int) -> int:
        return _first_number(layout, plain, fields[tag]) if tag in fields else 0

    depth = max(1, value(0x0115)) * max(1, value(0x0102)) / 8
    tile, picture = (value(width) * value(height) * depth for width, height in ((0x0142, 0x0143), (0x0100, 0x0101)))
    if tile > picture + _LARGEST_TILE:
        raise ValueError("its tiles are far larger than the picture")
