"""What HEIF containers say of their items, looked at before libheif does.

Source: ISO/IEC 14496-12, 8.11.6 (the item information box).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["check_heif_items"]

# An entry of version 2 or 3: its number in two or four bytes, its protection, its type.
_ENTRY = re.compile(rb"infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2}(.{4})", re.DOTALL)


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
