"""HEIC and AVIF files as boxes: the colours, the compression and the further pictures that they name.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF), AV1 Codec ISO Media File Format Binding (av1C), ISO 21496-1.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from likeness.imaging.colour_signal import ColourSignal, cicp_signal
from likeness.imaging.origin import Note, Subsampling

__all__ = ["HeifFile", "read_heif"]

_MOST_META = 16 << 20
_MOST_BOXES = 4096
_PICTURES = frozenset(
    {b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"j2k1", b"vvc1", b"unci", b"grid", b"iovl", b"iden"}
)
_HIDDEN = 1


@dataclass(kw_only=True, eq=False)
class HeifFile:
    """What the boxes of a file say; empty where they are damaged.

    Attributes:
        primary: the number of the picture that is shown.
        kinds: four letters by item.
        hidden: items that are not to be shown by themselves.
        references: kind, from which item, to which items.
        boxes: the property boxes, kind and content, in their order.
        properties: by item, places in ``boxes``.
        places: by item, where its data begin in the file, and how many bytes are there at most.
        moving: whether there is a film or an animation besides the picture.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict[int, bytes])
    hidden: set[int] = field(default_factory=set[int])
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(
        default_factory=list[tuple[bytes, int, tuple[int, ...]]]
    )
    boxes: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    properties: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    places: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    moving: bool = False

    @property
    def signal(self) -> ColourSignal | None:
        """The colour space of the picture by its nclx box; None for sRGB, or where there is none.

        Raises:
            ValueError: if it is one that is not read.
        """
        for content in self._of_primary(b"colr"):
            if content.startswith(b"nclx") and len(content) >= 10:
                return cicp_signal(*struct.unpack_from(">HH", content, 4))
        return None

    @property
    def subsampling(self) -> Subsampling:
        """How far the resolution of colour is reduced, of AV1."""
        for content in self._of_primary(b"av1C"):
            if len(content) >= 3 and content[2] & 0x08:
                return "4:2:0" if content[2] & 0x04 else "4:2:2"
        return "4:4:4"

    @property
    def notes(self) -> tuple[Note, ...]:
        """Further pictures, and a gain map. Thumbnails, depth and masks are nothing."""
        parts = {item for kind, _, to in self.references if kind == b"dimg" for item in to}
        reduced = {source for kind, source, _ in self.references if kind in (b"auxl", b"thmb")}
        shown = {item for item, kind in self.kinds.items() if kind in _PICTURES} - parts - reduced - self.hidden
        shown.add(self.primary)  # a tone-mapped picture is made of it and its gain map
        gain_map = b"tmap" in self.kinds.values() or any(
            kind == b"auxC" and b"hdrgainmap" in content for kind, content in self.boxes
        )
        notes: list[Note] = []
        if len(shown) > 1:
            notes.append(Note(code="several-pages", value=len(shown)))
        if gain_map:
            notes.append(Note(code="gain-map"))
        return tuple(notes)

    @property
    def coded(self) -> int:
        """The item that holds the picture's data, or those of its first tile."""
        tiles = [to[0] for name, source, to in self.references if name == b"dimg" and source == self.primary and to]
        return self.primary if self.primary in self.places or not tiles else tiles[0]

    def _of_primary(self, kind: bytes) -> Iterator[bytes]:
        """The contents of the picture's boxes of a kind; where it is put together from tiles, also the first tile's."""
        tiles = [to[0] for name, source, to in self.references if name == b"dimg" and source == self.primary and to]
        for item in (self.primary, *tiles[:1]):
            for place in self.properties.get(item, ()):
                if 0 < place <= len(self.boxes) and self.boxes[place - 1][0] == kind:
                    yield self.boxes[place - 1][1]


def read_heif(stream: BinaryIO) -> HeifFile:
    """What the boxes say. Damage is the decoder's to tell: here it only ends the reading."""
    result = HeifFile()
    end = stream.seek(0, io.SEEK_END)
    place = 0
    for _ in range(_MOST_BOXES):
        stream.seek(place)
        head = stream.read(16)
        if len(head) < 8:
            break
        size, kind = struct.unpack_from(">I4s", head)
        start = 8
        if size == 1 and len(head) == 16:
            (size,), start = struct.unpack_from(">Q", head, 8), 16
        size = size or end - place
        if size < start:
            break
        if kind == b"moov":
            result.moving = True
        elif kind == b"meta" and size <= _MOST_META:
            stream.seek(place + start)
            try:
                _read_meta(stream.read(size - start)[4:], result)
            except (struct.error, IndexError):
                break
        place += size
        if place >= end:  # a length past the end may be more than any place in a stream
            break
    return result


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        size = size or len(data) - place
        if size < 8:
            return
        yield kind, data[place + 8 : place + size]
        place += size


def _read_meta(data: bytes, result: HeifFile) -> None:
    for kind, content in _children(data):
        if kind == b"pitm":
            (result.primary,) = struct.unpack_from(">I" if content[0] else ">H", content, 4)
        elif kind == b"iloc":
            _read_places(content, result)
        elif kind == b"iinf":
            for name, entry in _children(content[8 if content[0] else 6 :]):
                if name == b"infe" and entry[0] >= 2:
                    (item,) = struct.unpack_from(">I" if entry[0] > 2 else ">H", entry, 4)
                    place = (8 if entry[0] > 2 else 6) + 2
                    result.kinds[item] = entry[place : place + 4]
                    if entry[3] & _HIDDEN:
                        result.hidden.add(item)
        elif kind == b"iref":
            code = "I" if content[0] else "H"
            for name, entry in _children(content[4:]):
                source, count = struct.unpack_from(f">{code}H", entry)
                to = struct.unpack_from(f">{count}{code}", entry, struct.calcsize(f">{code}H"))
                result.references.append((name, source, to))
        elif kind == b"iprp":
            for name, part in _children(content):
                if name == b"ipco":
                    result.boxes.extend(_children(part))
                elif name == b"ipma":
                    _read_associations(part, result)


def _read_associations(data: bytes, result: HeifFile) -> None:
    wide, large = data[0] >= 1, data[3] & 1
    (count,) = struct.unpack_from(">I", data, 4)
    place = 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if wide else ">H", data, place)
        place += 4 if wide else 2
        number = data[place]
        found = struct.unpack_from(f">{number}{'H' if large else 'B'}", data, place + 1)
        result.properties[item] = [value & (0x7FFF if large else 0x7F) for value in found]
        place += 1 + number * (2 if large else 1)


def _read_places(data: bytes, result: HeifFile) -> None:
    """The first extent of each item that lies in the file itself (ISO/IEC 14496-12, 8.11.3)."""
    version, sizes = data[0], struct.unpack_from(">H", data, 4)[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    place = 6
    count = int.from_bytes(data[place : place + (4 if version == 2 else 2)], "big")
    place += 4 if version == 2 else 2
    for _ in range(min(count, _MOST_BOXES)):
        wide = 4 if version == 2 else 2
        item = int.from_bytes(data[place : place + wide], "big")
        place += wide
        within = int.from_bytes(data[place : place + 2], "big") & 15 if version else 0
        place += (2 if version else 0) + 2
        base = int.from_bytes(data[place : place + base_size], "big")
        place += base_size
        (extents,) = struct.unpack_from(">H", data, place)
        place += 2
        if extents and not within:
            at = place + index_size
            offset = int.from_bytes(data[at : at + offset_size], "big")
            length = int.from_bytes(data[at + offset_size : at + offset_size + length_size], "big")
            result.places[item] = (base + offset, length)
        place += extents * (index_size + offset_size + length_size)
