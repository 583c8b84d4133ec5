"""EXIF and XMP in the boxes of AVIF and HEIC files (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, annex A).

They are items of their own, tied to their picture by a reference of kind "cdsc" (content describes). Decoders that see no
such reference do not touch these items, which they do not read with care.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from likeness.imaging.metadata_fields import Found

__all__ = ["take_from_boxes"]

_MOST_ITEMS = 10_000


def take_from_boxes(data: bytes) -> tuple[Found, io.BytesIO]:
    """What the items say about the first picture, and the file without the references to them."""
    found = Found(upright=True)
    plain = io.BytesIO(data)
    for place in _directories(data, 0, len(data), depth=2):
        boxes: dict[bytes, tuple[int, int]] = {}
        for kind, span in _boxes(data, place[0] + 4, place[1]):
            boxes.setdefault(kind, span)
        try:
            _take(data, boxes, found, plain)
        except struct.error:
            found.lost.append("metadata in boxes that are damaged")
    plain.seek(0)
    return found, plain


def _take(data: bytes, boxes: dict[bytes, tuple[int, int]], found: Found, plain: io.BytesIO) -> None:
    described = _described(data, boxes, plain)
    items = _items(data, boxes, plain)
    wanted = [number for number in items if number in described]
    places = _places(data, boxes, set(wanted))
    for number in wanted:
        content = b"".join(data[begin:end] for begin, end in places.get(number, ()))
        if items[number] == b"Exif" and found.exif is None and len(content) > 4:
            # Four bytes say how far behind them the block begins.
            start = 4 + int.from_bytes(content[:4], "big")
            found.exif = content[start:] if start < len(content) else content[4:]
        elif items[number] == b"mime" and found.xmp is None:
            found.xmp = content


def _directories(data: bytes, place: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
    """The boxes of kind "meta", the file's own and those of tracks."""
    for kind, span in _boxes(data, place, end):
        if kind == b"meta":
            yield span
        elif kind in (b"moov", b"trak") and depth:
            yield from _directories(data, *span, depth=depth - 1)


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Type, and begin and end of the content, of the boxes between two places."""
    while place + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, place)
        begin = place + 8
        if size == 1 and begin + 8 <= end:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        stop = end if size == 0 else place + size
        if stop > end or stop < begin:
            return
        yield kind, (begin, stop)
        place = stop


def _described(data: bytes, boxes: dict[bytes, tuple[int, int]], plain: io.BytesIO) -> set[int]:
    """Items that describe the first picture. Every reference of that kind is renamed in ``plain``."""
    begin, end = boxes.get(b"iref", (0, 0))
    code = "H" if data[begin : begin + 1] == b"\0" else "I"
    width = struct.calcsize(f">{code}")
    primary = _primary(data, boxes)
    result: set[int] = set()
    for kind, (start, stop) in _boxes(data, begin + 4, end):
        if kind != b"cdsc":
            continue
        plain.seek(start - 4)
        plain.write(b"skip")
        if stop - start >= width + 2:
            item, count = struct.unpack_from(f">{code}H", data, start)
            count = min(count, (stop - start - width - 2) // width)
            if primary in struct.unpack_from(f">{count}{code}", data, start + width + 2):
                result.add(item)
    return result


def _primary(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> int:
    begin, end = boxes.get(b"pitm", (0, 0))
    width = 2 if data[begin : begin + 1] == b"\0" else 4
    return int.from_bytes(data[begin + 4 : min(end, begin + 4 + width)], "big")


def _items(data: bytes, boxes: dict[bytes, tuple[int, int]], plain: io.BytesIO) -> dict[int, bytes]:
    """Number and kind of the items that hold EXIF, which are renamed in ``plain``, and of those that hold XMP."""
    begin, end = boxes.get(b"iinf", (0, 0))
    result: dict[int, bytes] = {}
    start = begin + 4 + (2 if data[begin : begin + 1] == b"\0" else 4)
    for kind, (place, stop) in _boxes(data, start, end):
        if kind != b"infe" or stop - place < 12 or data[place] not in (2, 3):
            continue
        width = 2 if data[place] == 2 else 4
        number = int.from_bytes(data[place + 4 : place + 4 + width], "big")
        at = place + 6 + width
        what = data[at : at + 4]
        if what == b"Exif":
            plain.seek(at)
            plain.write(b"skip")
        elif what != b"mime" or b"application/rdf+xml\0" not in data[at + 4 : stop]:
            continue
        if len(result) < _MOST_ITEMS:
            result[number] = what
    return result


def _places(data: bytes, boxes: dict[bytes, tuple[int, int]], wanted: set[int]) -> dict[int, list[tuple[int, int]]]:
    """Where the content of the wanted items lies; all of it together is no longer than the file."""
    begin, end = boxes.get(b"iloc", (0, 0))
    if end - begin < 8:
        return {}
    version, sizes, more = data[begin], data[begin + 4], data[begin + 5]
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version in (1, 2) else 0
    if version > 2 or not {offset_size, length_size, base_size, index_size} <= {0, 4, 8}:
        return {}
    reader = _Reader(data, begin + 6, end)
    left, extents = len(data), 0
    result: dict[int, list[tuple[int, int]]] = {}
    for _ in range(min(reader.number(4 if version == 2 else 2), _MOST_ITEMS)):
        item = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)  # where the data are: in this file
        base = reader.number(base_size)
        if method == 1:
            base += boxes.get(b"idat", (len(data), 0))[0]
        spans: list[tuple[int, int]] = []
        for _ in range(reader.number(2)):
            extents += 1
            if extents > _MOST_ITEMS:
                raise struct.error("too many extents")
            reader.number(index_size)
            start = base + reader.number(offset_size)
            length = reader.number(length_size) or len(data) - start
            if item in wanted and method < 2 and 0 < length <= min(left, len(data) - start):
                left -= length
                spans.append((start, start + length))
        if item in wanted:
            result.setdefault(item, spans)
    return result


class _Reader:
    """Numbers one after the other.

    Raises:
        struct.error: behind the end.
    """

    def __init__(self, data: bytes, place: int, end: int) -> None:
        self._data, self._place, self._end = data, place, end

    def number(self, size: int) -> int:
        if self._place + size > self._end:
            raise struct.error("the box ends too early")
        value = int.from_bytes(self._data[self._place : self._place + size], "big")
        self._place += size
        return value
