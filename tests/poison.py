"""Files that end, or would end, the process that decodes them, made from pictures of the tests' own."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

DATA = Path(__file__).resolve().parent / "data"


def poison_heic(item: bytes = b"Exi\xe6") -> bytes:
    """A HEIC whose metadata item has a kind that is no text: pi_heif 1.4.0 uses a null pointer over it."""
    data = (DATA / "quadrants-turned.heic").read_bytes()
    assert data.count(b"Exif\0\0\0\0\x0epitm") == 1
    return data.replace(b"Exif\0\0\0\0\x0epitm", item + b"\0\0\0\0\x0epitm")


def poison_heic_content() -> bytes:
    """The same, but it is the kind of an item of kind "mime" that is no text; everything behind it is moved."""
    data = (DATA / "quadrants-turned.heic").read_bytes()
    kind = b"a/\xe6\0"
    old = struct.pack(">I", 21) + b"infe\2\0\0\1\0\2\0\0Exif\0"
    assert data.count(old) == 1
    data = data.replace(old, struct.pack(">I", 21 + len(kind)) + b"infe\2\0\0\1\0\2\0\0mime\0" + kind)
    for box in (b"meta", b"iinf"):
        place = data.index(box) - 4
        (size,) = struct.unpack_from(">I", data, place)
        data = data[:place] + struct.pack(">I", size + len(kind)) + data[place + 4 :]
    for offset in (0x1EC, 0x313):  # in the item location box
        found = struct.pack(">I", offset)
        assert data.count(found) == 1
        data = data.replace(found, struct.pack(">I", offset + len(kind)))
    return data


def many_passes(side: int, passes: int) -> bytes:
    """A progressive JPEG of so many passes, of a few bytes each, over a grey square."""
    stream = io.BytesIO()
    PillowImage.new("L", (side, side), 99).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (passes - data.count(b"\xff\xda") + 1) + data[-2:]


def huge_tile() -> bytes:
    """A TIFF of 110 x 100 pixels in one tile of 32 x 8388640."""
    fields = {
        256: 110,
        257: 100,
        258: 8,
        259: 8,
        262: 1,
        277: 1,
        322: 32,
        323: 8388640,
        324: 200,
        325: 400,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    return head.ljust(200, b"\0") + bytes(np.random.default_rng(0).integers(0, 256, 400, np.uint8))


def webp_of(width: int, height: int) -> bytes:
    """A WebP whose first chunk promises a canvas of this size."""
    stream = io.BytesIO()
    PillowImage.new("RGBA", (16, 16), (9, 9, 9, 9)).save(stream, "WEBP", exif=b"Exif\0\0")
    data = stream.getvalue()
    assert data[12:16] == b"VP8X"
    return data[:24] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + data[30:]
