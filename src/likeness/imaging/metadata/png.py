"""The chunks of PNG files (W3C Recommendation, third edition; ImageMagick's "Raw profile type" texts)."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterable

from likeness.imaging.metadata.iptc import iptc_from_resources, resources_from_iptc
from likeness.imaging.metadata_fields import MOST_INFLATED, Found, Metadata
from likeness.imaging.png_file import inflate, write_chunk

__all__ = ["HEADER_END", "png_chunks_of", "take_from_png"]

HEADER_END = 33
"""Where the first chunk behind the header begins."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP, _RAW = "XML:com.adobe.xmp", "Raw profile type "
_MOST_TEXTS = 1000
_LONG_TEXT = 1 << 16
_INCH = 0.0254  # metres


def take_from_png(chunks: Iterable[tuple[bytes, bytes]]) -> Found:
    """What chunks, type and content, say. Their profile is not looked at here."""
    found, budget = Found(), _Budget()
    for kind, content in chunks:
        if kind == b"eXIf":
            found.exif = found.exif or content
        elif kind == b"pHYs" and len(content) == 9:
            x, y, unit = struct.unpack(">IIB", content)
            if unit == 1 and min(x, y) > 0 and max(x, y) * _INCH <= 65535:
                found.resolution = (x * _INCH, y * _INCH)
        elif kind in _TEXTS:
            _take_text(found, kind, content, budget)
    if budget.exceeded:
        found.lost.append(f"compressed texts of more than {MOST_INFLATED >> 20} MB")
    return found


def png_chunks_of(metadata: Metadata, *, icc_profile: bytes | None, exif: bytes | None) -> bytes:
    """The chunks that stand behind the header."""
    out = io.BytesIO()
    if icc_profile is not None:
        write_chunk(out, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
    if metadata.resolution is not None:
        x, y = (round(value / _INCH) for value in metadata.resolution)
        write_chunk(out, b"pHYs", struct.pack(">IIB", x, y, 1))
    if exif is not None:
        write_chunk(out, b"eXIf", exif)
    if metadata.xmp is not None:
        write_chunk(out, b"iTXt", _XMP.encode() + bytes(5) + metadata.xmp)
    for keyword, text in metadata.text:
        _write_text(out, keyword, text)
    if metadata.iptc is not None:
        resources = resources_from_iptc(metadata.iptc)
        lines = "\n".join(resources[at : at + 36].hex() for at in range(0, len(resources), 36))
        _write_text(out, f"{_RAW}iptc", f"\niptc\n{len(resources):8d}\n{lines}\n")
    if metadata.comment is not None and not any(keyword == "Comment" for keyword, _ in metadata.text):
        _write_text(out, "Comment", _decoded(metadata.comment))
    return out.getvalue()


class _Budget:
    """What the compressed parts of one file may still become."""

    def __init__(self) -> None:
        self.left = MOST_INFLATED
        self.exceeded = False

    def inflate(self, data: bytes) -> bytes:
        """The data unpacked, as far as they are sound; b"" if they are too long."""
        result = inflate(data, self.left + 1)
        if len(result) > self.left:
            self.exceeded = True
            return b""
        self.left -= len(result)
        return result


def _take_text(found: Found, kind: bytes, content: bytes, budget: _Budget) -> None:
    head, _, rest = content.partition(b"\0")
    keyword, encoding = head.decode("latin-1"), "latin-1"
    if kind == b"zTXt":
        rest = budget.inflate(rest[1:])
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # language, and the keyword in it
        rest = budget.inflate(rest) if packed else rest
        encoding = "utf-8"
    if keyword == _XMP:
        found.xmp = found.xmp or rest
        return
    text = rest.decode(encoding, errors="replace")
    if keyword.startswith(_RAW):
        _take_raw(found, keyword[len(_RAW) :], text)
    elif keyword.startswith("Thumb::"):
        return  # thumbnail managers note here which file a thumbnail shows
    elif 1 <= len(head) <= 79 and keyword.isprintable() and text and "\0" not in text and len(found.text) < _MOST_TEXTS:
        found.text.append((keyword, text))


def _take_raw(found: Found, what: str, text: str) -> None:
    """Blocks that ImageMagick writes as hexadecimal text behind a name and a length."""
    data = b""
    with contextlib.suppress(ValueError):
        data = bytes.fromhex("".join(text.split("\n")[3:]))
    if what in ("exif", "APP1") and data.startswith(b"Exif\0\0"):
        found.exif = found.exif or data
    elif what == "xmp":
        found.xmp = found.xmp or data
    elif what in ("iptc", "8bim"):
        found.iptc = found.iptc or (iptc_from_resources(data) if data.startswith(b"8BIM") else data)


def _write_text(out: io.BytesIO, keyword: str, text: str) -> None:
    # Short ones are not compressed: the programs that look for their settings there read only these two kinds.
    packed = len(text) > _LONG_TEXT
    try:
        key, body = keyword.encode("latin-1") + b"\0", text.encode("latin-1")
        kind, key = (b"zTXt", key + b"\0") if packed else (b"tEXt", key)
    except UnicodeEncodeError:
        kind, body = b"iTXt", text.encode("utf-8", "replace")
        key = keyword.encode("latin-1", "replace") + b"\0" + bytes((packed, 0)) + b"\0\0"
    write_chunk(out, kind, key + (zlib.compress(body) if packed else body))


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode("utf-8").replace("\0", "")
    except UnicodeDecodeError:
        return comment.decode("latin-1").replace("\0", "")
