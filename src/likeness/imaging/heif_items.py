"""What HEIF containers say of their items, looked at before libheif does.

Sources: ISO/IEC 14496-12, 8.11.6 (the item information box); ISO/IEC 14496-15, 8.3.3.1 (hvcC); ITU-T H.265, 7.3.1 to 7.3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["check_heif_depths", "check_heif_items"]

# An entry of version 2 or 3: its number in two or four bytes, its protection, its type.
_ENTRY = re.compile(rb"infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2}(.{4})", re.DOTALL)

_SEQUENCE_SET = 33
_PROFILE, _LEVEL = 88, 8  # bits
_CHROMA_444 = 3
_HEAD = 256
"""Bytes of a set that are looked at: more than can stand before the depth; a damaged one may be of any length."""


def check_heif_items(data: bytes) -> None:
    """Refuse items whose kind is no text: the Python binding of libheif (1.4.0 and before) ends the process over them.

    Raises:
        ValueError: if there is one.
    """
    for start, end in _boxes_but_samples(data):
        for entry in _ENTRY.finditer(data, start, end):
            texts = [entry[1]]
            if entry[1] == b"mime":
                _, _, after_name = data[entry.end() : end].partition(b"\0")
                texts.append(after_name.partition(b"\0")[0])
            try:
                b"".join(texts).decode()
            except UnicodeDecodeError as error:
                raise ValueError("the kind of an item is no text") from error


def check_heif_depths(properties: Iterable[tuple[bytes, bytes]], coded: Iterable[bytes]) -> None:
    """Refuse a depth that is not the one which HEVC's own headers say.

    Where a picture is grey, the Python binding of libheif (1.4.0 and before) goes by the container: it reads on past the end
    of shorter samples, and shows noise for longer ones.

    Args:
        properties: kind and content of the property boxes.
        coded: the data of each picture, units of HEVC behind their lengths of four bytes.

    Raises:
        ValueError: if there is one, or nothing tells it.
    """
    boxes = [content for kind, content in properties if kind == b"hvcC" and len(content) > 22]
    told = {8 + (content[17] & 7) for content in boxes}
    sets = [list(_sequence_sets(content)) for content in boxes]
    # Among the data there may be others, which go before.
    found = [unit for units in (*sets, *map(_coded_sets, coded)) for unit in units]
    if not all(sets) or {_luma_depth(unit) for unit in found} != told:
        raise ValueError("its container and its coded data differ about the depth of its samples")


def _sequence_sets(content: bytes) -> Iterator[bytes]:
    """The sequence parameter sets of an hvcC box."""
    place = 23
    for _ in range(content[22]):
        if place + 3 > len(content):
            return
        kind, count = content[place] & 63, int.from_bytes(content[place + 1 : place + 3], "big")
        place += 3
        for _ in range(count):
            length = int.from_bytes(content[place : place + 2], "big")
            if kind == _SEQUENCE_SET:
                yield content[place + 2 : place + 2 + length]
            place += 2 + length


def _coded_sets(data: bytes) -> Iterator[bytes]:
    """The sequence parameter sets among coded data."""
    place = 0
    while place + 5 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4] >> 1 & 63 == _SEQUENCE_SET:
            yield data[place + 4 : place + 4 + length]
        place += 4 + length


def _luma_depth(unit: bytes) -> int:
    """The depth of luma by a sequence parameter set.

    Raises:
        ValueError: if it ends too early.
    """
    bits = _Bits(unit[2:_HEAD].replace(b"\0\0\3", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + _PROFILE + _LEVEL)
    told = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    bits.read(2 * (8 - layers) if layers else 0)
    for profile, level in told:
        bits.read(profile * _PROFILE + level * _LEVEL)
    bits.exponential()
    if bits.exponential() == _CHROMA_444:
        bits.read(1)
    bits.exponential()
    bits.exponential()
    if bits.read(1):
        for _ in range(4):  # what is cut off at the borders
            bits.exponential()
    return 8 + bits.exponential()


class _Bits:
    """Bits one after the other.

    Raises:
        ValueError: behind the end.
    """

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("its headers are cut short")
        return self._number >> self._left & ((1 << count) - 1)

    def exponential(self) -> int:
        """A number in exponential Golomb code (H.265, 9.2)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)


def _boxes_but_samples(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the outermost boxes begin and end, those of samples left out, whose bytes may look like anything."""
    place = 0
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if length == 1:
            length = int.from_bytes(data[place + 8 : place + 16], "big")
        end = len(data) if length < 8 else min(len(data), place + length)
        if kind != b"mdat":
            yield place, end
        place = end
