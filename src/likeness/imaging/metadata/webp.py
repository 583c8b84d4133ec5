"""The chunks of WebP files (RFC 9649). The decoder looks at none of these, so the file may stay as it is."""

from __future__ import annotations

import struct

from likeness.imaging.metadata_fields import Found

__all__ = ["take_from_webp"]


def take_from_webp(data: bytes) -> Found:
    """What the chunks say."""
    found = Found()
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        place += 8
        if place + length > len(data):
            break
        if kind == b"EXIF":
            found.exif = found.exif or data[place : place + length]
        elif kind == b"XMP ":
            found.xmp = found.xmp or data[place : place + length]
        elif kind == b"ICCP":
            found.icc_profile = found.icc_profile or data[place : place + length]
        place += length + length % 2
    return found
