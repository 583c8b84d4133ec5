"""JPEG files beyond their pixels: how they were compressed, what else they hold, and whether one without its end is whole.

Sources: ITU-T T.81, annexes B and G; CIPA DC-007 (MPF); Ultra HDR image format 1.1 and ISO 21496-1 (gain maps).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from likeness.imaging.origin import Compression, Note, Subsampling

__all__ = ["jpeg_compression", "jpeg_notes", "passes_are_complete", "standard_tables"]

_NO_CONTENT = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN, _END, _APP1, _APP2 = 0xDA, 0xD9, 0xE1, 0xE2
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_XMP = b"http://ns.adobe.com/x"  # xap/1.0/ and xmp/extension/
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_GAIN_MAP_WORDS = (b"hdrgm:Version", b"hdrgainmap", b'Semantic="GainMap"')
_MOTION_WORDS = (b'MotionPhoto="1"', b'MicroVideo="1"', b"MotionPhoto>1<", b"MicroVideo>1<")
_MPF_ENTRIES = 0xB002
_LOOKED_AT = 1 << 16  # bytes of a further picture that are searched for what it is

_SAMPLINGS: dict[tuple[tuple[int, int], ...], Subsampling] = {
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((4, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
}

# T.81, tables K.1 and K.2, row by row: luma, and both kinds of chroma.
_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99, 47, 66, *[99] * 38),
)


@lru_cache(maxsize=100)
def standard_tables(quality: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The quantisation tables, luma and chroma, that a quality of 1 to 100 means to most encoders (libjpeg)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return (
        tuple(min(255, max(1, (value * scale + 50) // 100)) for value in _LUMA),
        tuple(min(255, max(1, (value * scale + 50) // 100)) for value in _CHROMA),
    )


def jpeg_compression(picture: JpegImagePlugin.JpegImageFile) -> Compression | None:
    """How an opened file was compressed; None for CMYK, whose samples do not stay what they were."""
    layers = picture.layer
    found = picture.quantization
    if len(layers) not in (1, 3) or any(layer[3] not in found for layer in layers):
        return None
    tables = [tuple(found[layer[3]]) for layer in layers]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    sampling = tuple((layer[1], layer[2]) for layer in layers)
    total = sum(tables[0])
    return Compression(
        format="JPEG",
        quality=min(range(1, 101), key=lambda quality: abs(sum(standard_tables(quality)[0]) - total)),
        tables=tuple(tables),
        subsampling=_SAMPLINGS.get(sampling, "4:4:4"),
        progressive=bool(picture.info.get("progressive")),
    )


def jpeg_notes(data: bytes) -> tuple[Note, ...]:
    """What a file holds besides its picture: a gain map, further pictures, a short film; thumbnails do not count."""
    notes: list[Note] = []
    gain_map = motion = False
    pictures = 1
    for kind, start, end in _segments(data):
        if kind == _APP1 and data.startswith(_XMP, start):
            text = data[start:end]
            gain_map = gain_map or any(word in text for word in _GAIN_MAP_WORDS)
            motion = motion or any(word in text for word in _MOTION_WORDS)
        elif kind == _APP2 and data.startswith(_ISO_GAIN_MAP, start):
            gain_map = True
        elif kind == _APP2 and data.startswith(b"MPF\0", start):
            for place in _further_pictures(data[start + 4 : end]):
                head = data[start + 4 + place : start + 4 + place + _LOOKED_AT]
                if any(word in head for word in (*_GAIN_MAP_WORDS, _ISO_GAIN_MAP)):
                    gain_map = True
                elif head.startswith(b"\xff\xd8"):
                    pictures += 1
    if pictures > 1:
        notes.append(Note(code="several-pages", value=pictures))
    if motion:
        notes.append(Note(code="animated"))
    if gain_map:
        notes.append(Note(code="gain-map"))
    return tuple(notes)


def passes_are_complete(data: bytes) -> bool:
    """Whether the passes of a progressive file reach the last bit of each coefficient; true for files of another kind."""
    progressive, components = False, 0
    # By component and coefficient: how many low bits are still missing; 14 before the first pass.
    missing: dict[int, NDArray[np.int_]] = {}
    for kind, start, end in _segments(data, through=True):
        if kind in _PROGRESSIVE and end - start >= 6:
            progressive, components = True, data[start + 5]
        elif kind == _SCAN and progressive and end - start >= 4 + 2 * data[start]:
            count = data[start]
            first, last, bits = data[start + 1 + 2 * count : start + 4 + 2 * count]
            for place in range(count):
                left = missing.setdefault(data[start + 1 + 2 * place], np.full(64, 14))
                left[first : last + 1] = bits & 15
    if not progressive:
        return True
    return len(missing) >= components and not any(left.any() for left in missing.values())


def _segments(data: bytes, *, through: bool = False) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each segment's content, up to the first pass; with ``through``, of all passes."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 4 <= len(data):
        kind = data[place + 1]
        if kind in (0x00, 0xFF) or kind in _NO_CONTENT:
            place += 1 if kind == 0xFF else 2
            continue
        if kind == _END:
            return
        end = place + 2 + max(2, struct.unpack_from(">H", data, place + 2)[0])
        yield kind, place + 4, end
        if kind == _SCAN and not through:
            return
        place = end


def _further_pictures(block: bytes) -> list[int]:
    """Where, from the block's start on, the pictures after the first begin (MPF), thumbnails and previews left out."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return []
    try:
        (offset,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, offset)
        for index in range(min(count, 32)):
            tag, _, size, place = struct.unpack_from(f"{order}HHII", block, offset + 2 + 12 * index)
            if tag == _MPF_ENTRIES:
                entries = [
                    struct.unpack_from(f"{order}III", block, place + at) for at in range(16, min(size, 1600), 16)
                ]
                # A kind of 0x01.... is a reduced copy of the first picture.
                return [where for attributes, _, where in entries if (attributes >> 16) & 0xFF != 1]
    except struct.error:
        return []
    return []
