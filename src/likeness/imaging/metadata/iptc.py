"""Photoshop's image resources, of which only the IPTC-IIM records are kept.

The others are previews of the picture as it was, positions in it, and what Photoshop alone reads.
Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks"; IPTC-NAA IIM 4.2.
"""

from __future__ import annotations

import struct

__all__ = ["iptc_from_resources", "resources_from_iptc", "sound_iptc"]

_IPTC = 0x0404

_PREVIEW = {(2, 200), (2, 201), (2, 202)}
"""Records with a small picture of how it was (IIM 4.2, ObjectData Preview): programs would show it instead of the result."""


def iptc_from_resources(data: bytes) -> bytes | None:
    """The IPTC records among image resources, or None."""
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        (kind,) = struct.unpack_from(">H", data, place + 4)
        place += 6 + (data[place + 6] + 2) // 2 * 2  # the name, a Pascal string padded to even
        if place + 4 > len(data):
            return None
        (size,) = struct.unpack_from(">I", data, place)
        place += 4
        if kind == _IPTC:
            return data[place : place + size] or None
        place += size + size % 2
    return None


def resources_from_iptc(records: bytes) -> bytes:
    """Image resources that hold nothing but these records."""
    return b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(records)) + records + bytes(len(records) % 2)


def sound_iptc(records: bytes) -> bytes | None:
    """The records up to the first that is damaged (the padding that TIFF adds is none), without previews; None for none."""
    place, kept = 0, list[bytes]()
    while place + 5 <= len(records) and records[place] == 0x1C:
        (size,) = struct.unpack_from(">H", records, place + 3)
        start = place + 5
        if size & 0x8000:  # an extended record: so many bytes say its size
            width = size & 0x7FFF
            if width > 4:
                break
            size = int.from_bytes(records[start : start + width], "big")
            start += width
        if start + size > len(records):
            break
        if (records[place + 1], records[place + 2]) not in _PREVIEW:
            kept.append(records[place : start + size])
        place = start + size
    return b"".join(kept) or None
