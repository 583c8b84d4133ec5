"""The segments of JPEG files (ITU-T T.81, annex B; JFIF 1.02; XMP part 3, 1.1.3; ICC.1:2022, B.4)."""

from __future__ import annotations

import io
import struct

from likeness.imaging.metadata.iptc import iptc_from_resources, resources_from_iptc
from likeness.imaging.metadata_fields import Found, Metadata

__all__ = ["LONGEST_SEGMENT", "LONGEST_XMP", "jpeg_segments", "take_from_jpeg"]

LONGEST_SEGMENT = 65533
"""Bytes of content: two say the length."""

_EXIF, _ICC, _IPTC = b"Exif\0\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_XMP, _MORE_XMP = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_BLOCKS = (b"II*\0", b"MM\0*")
LONGEST_XMP = LONGEST_SEGMENT - len(_XMP)
_APP0, _APP1, _APP2, _APP13, _APP14, _COMMENT, _SCAN, _RESERVED = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDA, 0xC8


def take_from_jpeg(data: bytes) -> tuple[Found, io.BytesIO]:
    """What the segments say, and the file without them: decoders get only those of which pixels are made."""
    found = Found()
    plain = io.BytesIO()
    plain.write(data[:2])
    exif: list[bytes] = []
    icc: dict[int, bytes] = {}
    resources: list[bytes] = []
    comments: list[bytes] = []
    counts: set[int] = set()
    place = 2
    view = memoryview(data)
    while (place := data.find(b"\xff", place)) >= 0 and place + 4 <= len(data):
        marker, end = data[place + 1], place + 2
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == 0x00:
            place += 2
            continue
        if 0xD0 <= marker <= 0xD9:
            plain.write(view[place:end])
            place = end
            continue
        end += max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
        if marker < 0xC0 or marker == _SCAN or end > len(data):
            break
        content = data[place + 4 : end]
        if marker == _APP1 and content.startswith(_EXIF):
            # A block may go on in the next segment; one that begins anew is a second, which programs do not look at.
            if not exif or not content.startswith(_BLOCKS, 6):
                exif.append(content[6:])
        elif marker == _APP1 and content.startswith(_XMP):
            found.xmp = found.xmp or content[len(_XMP) :]
        elif marker == _APP1 and content.startswith(_MORE_XMP):
            if not found.lost:
                found.lost.append("XMP beyond its first 64 KB")
        elif marker == _APP2 and content.startswith(_ICC) and len(content) > 14:
            counts.add(content[13])
            icc.setdefault(content[12], content[14:])
        elif marker == _APP13 and content.startswith(_IPTC):
            resources.append(content[len(_IPTC) :])
        elif marker == _COMMENT:
            comments.append(content)
        elif (0xC0 <= marker < 0xE0 and marker != _RESERVED) or (
            marker == _APP14 and content.startswith(b"Adobe") and len(content) >= 12
        ):
            plain.write(view[place:end])
        elif marker == _APP0 and content.startswith(b"JFIF\0") and len(content) >= 12:
            plain.write(view[place:end])
            found.resolution = found.resolution or _density(content)
        place = end
    else:
        place = len(data)
    plain.write(view[place:])
    found.exif = b"".join(exif) or None
    found.iptc = iptc_from_resources(b"".join(resources))
    found.comment = b"\n".join(comments) or None
    if icc:
        if counts == {len(icc)} and sorted(icc) == list(range(1, len(icc) + 1)):
            found.icc_profile = b"".join(icc[number] for number in sorted(icc))
        else:
            found.icc_profile = b"in pieces that do not fit together"
    plain.seek(0)
    return found, plain


def jpeg_segments(metadata: Metadata) -> bytes:
    """XMP, IPTC and comment as segments, none of them too long. EXIF and profile are the encoder's to write."""
    segments = b""
    if metadata.xmp is not None:
        segments += _packed(_APP1, _XMP + metadata.xmp)
    if metadata.iptc is not None:
        resources = resources_from_iptc(metadata.iptc)
        step = LONGEST_SEGMENT - len(_IPTC)
        for at in range(0, len(resources), step):
            segments += _packed(_APP13, _IPTC + resources[at : at + step])
    if metadata.comment is not None:
        segments += _packed(_COMMENT, metadata.comment)
    return segments


def _packed(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _density(content: bytes) -> tuple[float, float] | None:
    unit, x, y = struct.unpack_from(">BHH", content, 7)
    factor = {1: 1.0, 2: 2.54}.get(unit, 0.0)
    return (x * factor, y * factor) if min(x, y) * factor > 0 and max(x, y) * factor <= 65535 else None
