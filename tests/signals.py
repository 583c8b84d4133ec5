"""Files whose colours, damage and further contents tests know: made here, chunk by chunk and field by field."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.imaging.colour import linear_to_srgb, srgb_to_linear

Samples = NDArray[Any]

# Linear sRGB to the linear light of other primaries of the same white (ITU-R BT.2087-0, table 2; SMPTE EG 432-1).
TO_P3 = np.array([[0.822462, 0.177538, 0.0], [0.033194, 0.966806, 0.0], [0.017083, 0.072397, 0.91052]])
TO_2020 = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.91954, 0.011362], [0.016391, 0.088013, 0.895595]])


def png_chunk(kind: bytes, content: bytes, *, wrong: bool = False) -> bytes:
    check = zlib.crc32(kind + content) ^ (0xFFFF if wrong else 0)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG file with chunks right behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def saved(pixels: Samples, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def pq(linear: Samples) -> Samples:
    """Light over white to PQ, white being 203 cd/m2 (BT.2100-2)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.asarray(linear, np.float64) * 203 / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg(linear: Samples, luma: tuple[float, float, float]) -> Samples:
    """Light over white, H x W x 3, to HLG as a screen of 1000 cd/m2 shows it (BT.2100-2, BT.2408-7)."""
    shown = np.asarray(linear, np.float64) * 203 / 1000
    light = np.maximum(shown @ luma, 1e-9)[..., None]
    scene = shown * light ** (1 / 1.2 - 1)
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def bt709(linear: Samples) -> Samples:
    """Light to samples by BT.709's and BT.2020's function."""
    return np.where(linear < 0.018, 4.5 * linear, 1.099 * np.maximum(linear, 0) ** 0.45 - 0.099)


def srgb(linear: Samples) -> Samples:
    return linear_to_srgb(np.asarray(linear, np.float32)).astype(np.float64)


def moved(pixels: Samples, matrix: Samples | None) -> Samples:
    """uint8 sRGB, H x W x 3, to linear light, of other primaries if there is a matrix to them."""
    linear = srgb_to_linear(pixels.astype(np.float32) / np.float32(255)).astype(np.float64)
    return linear if matrix is None else np.clip(linear @ matrix.T, 0, 1)


def codes(values: Samples, top: int = 255) -> Samples:
    return (np.clip(values, 0, 1) * top + 0.5).astype(np.uint8 if top == 255 else np.uint16)


def tiff(*pages: dict[int, tuple[int, list[int]] | bytes], inner: dict[int, list[int]] | None = None) -> bytes:
    """A little-endian TIFF file of pages of fields, tag to type and values; bytes are the page's one strip.

    ``inner``: by page, which pages lie inside it instead of behind one another.
    """
    inner = inner or {}
    hidden = {page for pages_in in inner.values() for page in pages_in}
    out = bytearray(b"II*\0\0\0\0\0")
    places: dict[int, int] = {}
    links: dict[int, int] = {}
    order = [*sorted(hidden), *(page for page in range(len(pages)) if page not in hidden)]
    for index in order:
        fields = dict(pages[index])
        strip = fields.pop(0)
        assert isinstance(strip, bytes)
        fields[273] = (4, [len(out)])
        fields[279] = (4, [len(strip)])
        if index in inner:
            fields[330] = (4, [places[page] for page in inner[index]])
        out += strip + bytes(len(strip) % 2)
        places[index] = len(out)
        table, extra = struct.pack("<H", len(fields)), bytearray()
        start = len(out) + 2 + 12 * len(fields) + 4
        for tag, field in sorted(fields.items()):
            assert isinstance(field, tuple)
            kind, values = field
            data = struct.pack(f"<{len(values)}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", *values)
            if len(data) <= 4:
                table += struct.pack("<HHI4s", tag, kind, len(values), data)
            else:
                table += struct.pack("<HHII", tag, kind, len(values), start + len(extra))
                extra += data
        links[index] = len(out) + len(table)
        out += table + bytes(4) + extra
    shown = [page for page in range(len(pages)) if page not in hidden]
    for place, page in enumerate(shown):
        struct.pack_into("<I", out, 4 if place == 0 else links[shown[place - 1]], places[page])
    return bytes(out)


def tiff_page(pixels: Samples, *, kind: int | None = None, **more: tuple[int, list[int]]) -> Any:
    """A page of uint8 samples without compression, for `tiff`; ``more``: fields named t and their tag."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    page: dict[int, Any] = {
        0: pixels.tobytes(),
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8] * channels),
        259: (3, [1]),
        262: (3, [1 if channels == 1 else 2]),
        277: (3, [channels]),
        278: (4, [height]),
    }
    if kind is not None:
        page[254] = (4, [kind])
    return page | {int(name[1:]): field for name, field in more.items()}
