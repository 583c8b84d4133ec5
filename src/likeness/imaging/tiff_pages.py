"""TIFF files as pages: which of them is the picture, and whether it is a raw file.

Sources: TIFF 6.0, BigTIFF, TIFF/EP (ISO 12234-2) and Adobe's DNG specification 1.7.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["TiffPages", "read_tiff_pages", "with_first_page"]

_MOST_PAGES = 10_000
_MOST_FIELDS = 4096
_MOST_INNER = 64

_SUBFILE, _OLD_SUBFILE, _WIDTH, _LENGTH, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 259, 262
_INNER, _DNG_VERSION, _SONY_RAW = 330, 50706, 0xC634
_WANTED = frozenset({_SUBFILE, _OLD_SUBFILE, _WIDTH, _LENGTH, _COMPRESSION, _PHOTOMETRIC})
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2
_FURTHEST = (1 << 63) - 1
"""Where a stream can be put at most: BigTIFF has numbers for twice as much."""
_RAW_PHOTOMETRIC = frozenset({32803, 34892})  # colour filter array, linear raw
_RAW_COMPRESSION = frozenset({32767, 32769, 32770, 34713, 65000, 65535})  # Sony, Epson, Samsung, Nikon, Kodak, Pentax
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, kw_only=True)
class _Page:
    """One page: where it stands, what it says of itself (0 where it does not), what lies in it and what comes next."""

    offset: int
    reduced: bool
    width: int
    height: int
    raw: bool
    inner: tuple[int, ...]
    following: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def is_reduced_of(self, other: _Page) -> bool:
        """Whether this is the same picture at half the size or less, without saying so."""
        if not self.pixels or 2 * self.width > other.width or 2 * self.height > other.height:
            return False
        # Each side was rounded by itself.
        slack = 1 / min(self.width, self.height)
        return abs(self.width * other.height / (self.height * other.width) - 1) <= slack


@dataclass(frozen=True, kw_only=True)
class TiffPages:
    """What the pages of a file are.

    Attributes:
        first: where the picture's page stands in the file; None for the file's first page.
        count: how many pages there are that do not say they are thumbnails, levels of a pyramid, or masks.
        is_raw: whether it is a camera's raw file.
    """

    first: int | None = None
    count: int = 1
    is_raw: bool = False


def read_tiff_pages(stream: BinaryIO) -> TiffPages:
    """Which page is the picture. Damage is the decoder's to tell: here it only ends the reading."""
    head = _head(stream)
    if head is None:
        return TiffPages()
    pages: list[_Page] = []
    for page in _chain(stream, head):
        pages.append(page)
        # What lies inside a page counts only where the page itself is a reduced copy, as in raw files.
        inside = [found for offset in page.inner if (found := _page(stream, head, offset)) is not None]
        pages += [found for found in inside if page.reduced or found.raw]
    if not pages:
        return TiffPages()
    whole = [page for page in pages if not page.reduced]
    largest = max(whole or pages, key=lambda page: page.pixels)
    chosen = next((page for page in whole if not page.is_reduced_of(largest)), largest)
    return TiffPages(
        first=None if chosen is pages[0] else chosen.offset,
        count=max(1, len(whole)),
        is_raw=any(page.raw for page in pages),
    )


def with_first_page(stream: BinaryIO, offset: int) -> BinaryIO:
    """The file in memory, with another page as its first: decoders take that one."""
    head = _head(stream)
    assert head is not None
    stream.seek(0)
    data = bytearray(stream.read())
    struct.pack_into(f"{head.order}{'Q' if head.big else 'I'}", data, 8 if head.big else 4, offset)
    return io.BytesIO(bytes(data))


@dataclass(frozen=True, kw_only=True)
class _Head:
    order: str
    big: bool
    first: int


def _head(stream: BinaryIO) -> _Head | None:
    stream.seek(0)
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return None
    (version,) = struct.unpack_from(f"{order}H", head, 2)
    if version == 43:
        return _Head(order=order, big=True, first=struct.unpack_from(f"{order}Q", head, 8)[0])
    return _Head(order=order, big=False, first=struct.unpack_from(f"{order}I", head, 4)[0])


def _chain(stream: BinaryIO, head: _Head) -> Iterator[_Page]:
    """The pages that follow one another, each once, even where the last points back."""
    offset, seen = head.first, set[int]()
    while offset and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        if (page := _page(stream, head, offset)) is None:
            return
        yield page
        offset = page.following


def _page(stream: BinaryIO, head: _Head, offset: int) -> _Page | None:
    """A page by its fields; only the few that are wanted are looked at. None for a place where none can be."""
    count_code, step, code = ("Q", 20, "Q") if head.big else ("H", 12, "I")
    if offset > _FURTHEST:
        return None
    stream.seek(offset)
    counted = stream.read(struct.calcsize(count_code))
    if len(counted) < struct.calcsize(count_code):
        return None
    count = struct.unpack(f"{head.order}{count_code}", counted)[0]
    if not 1 <= count <= _MOST_FIELDS:
        return None
    table = stream.read(step * count + struct.calcsize(code))
    values: dict[int, int] = {}
    inner: tuple[int, ...] = ()
    for place in range(0, min(len(table), step * count) - step + 1, step):
        tag, kind = struct.unpack_from(f"{head.order}HH", table, place)
        number = struct.unpack_from(f"{head.order}{code}", table, place + 4)[0]
        if tag in _WANTED and kind in _CODES and number >= 1:
            values[tag] = struct.unpack_from(
                f"{head.order}{_CODES[kind]}", table, place + step - (8 if head.big else 4)
            )[0]
        elif tag == _INNER and kind in _CODES and number >= 1:
            inner = _inner(stream, head, table[place : place + step], min(number, _MOST_INNER))
        elif tag in (_DNG_VERSION, _SONY_RAW):
            values[tag] = 1
    (following,) = struct.unpack_from(f"{head.order}{code}", table, step * count) if len(table) > step * count else (0,)
    kind = values.get(_SUBFILE, 0)
    photometric, compression = values.get(_PHOTOMETRIC, 0), values.get(_COMPRESSION, 1)
    return _Page(
        offset=offset,
        reduced=bool(kind & (_REDUCED | _MASK))
        or (_SUBFILE not in values and values.get(_OLD_SUBFILE) == _OLD_REDUCED),
        width=values.get(_WIDTH, 0),
        height=values.get(_LENGTH, 0),
        raw=photometric in _RAW_PHOTOMETRIC
        or compression in _RAW_COMPRESSION
        or _DNG_VERSION in values
        or _SONY_RAW in values,
        inner=inner,
        following=following,
    )


def _inner(stream: BinaryIO, head: _Head, entry: bytes, count: int) -> tuple[int, ...]:
    """Where the pages inside a page stand."""
    kind = struct.unpack_from(f"{head.order}H", entry, 2)[0]
    size, room = struct.calcsize(_CODES[kind]), 8 if head.big else 4
    data = entry[-room:]
    if size * count > room:
        (place,) = struct.unpack(f"{head.order}{'Q' if head.big else 'I'}", data)
        if place > _FURTHEST:
            return ()
        stream.seek(place)
        data = stream.read(size * count)
    count = min(count, len(data) // size)
    return struct.unpack_from(f"{head.order}{count}{_CODES[kind]}", data)
