"""PNG files as chunks: what can be read of a damaged one, and the colour space and metadata in it.

Source: PNG (W3C Recommendation, third edition, 2025).
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

from likeness.imaging.colour_signal import SRGB_PRIMARIES, ColourSignal, Primaries, cicp_signal

__all__ = ["PngFile", "inflate", "read_png", "write_chunk"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
"""What the decoder needs to see; all else is read here, or not at all."""

_MOST_CHUNKS = 1_000_000
_MOST_PROFILE = 16 << 20
_MOST_KEPT = 64 << 20
"""Bytes of chunks beside the picture that are kept; what comes after is passed over."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SRGB_GAMMA = 0.45455


@dataclass(frozen=True, kw_only=True, eq=False)
class PngFile:
    """What a PNG file holds.

    Attributes:
        width, height: in pixels.
        depth: bits per sample.
        colour_type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        picture: a whole PNG file of the picture alone: IHDR, PLTE, tRNS, IDAT and IEND, with right checksums.
        chunks: type and content of the others, in their order, with damaged ones left out.
        faults: what is damaged in the file without being part of the picture.
    """

    width: int
    height: int
    depth: int
    colour_type: int
    picture: bytes
    chunks: tuple[tuple[bytes, bytes], ...]
    faults: tuple[str, ...]

    def chunk(self, kind: bytes) -> bytes | None:
        """The content of the first chunk of a type, or None."""
        return next((content for name, content in self.chunks if name == kind), None)

    @property
    def icc_profile(self) -> bytes | None:
        """The profile of the iCCP chunk; what comes out of a damaged one may be no profile."""
        content = self.chunk(b"iCCP")
        if content is None or self.chunk(b"cICP") is not None:  # cICP goes before (section 4.3)
            return None
        # Nothing that can be unpacked is no profile either, which is said where profiles are looked at.
        return inflate(content.partition(b"\0")[2][1:], _MOST_PROFILE) or b"\0"

    @property
    def signal(self) -> ColourSignal | None:
        """The colour space by cICP, sRGB, gAMA and cHRM, in that order (section 4.3); None for sRGB.

        Raises:
            ValueError: if it is one that is not read.
        """
        cicp = self.chunk(b"cICP")
        if cicp is not None and len(cicp) >= 4:
            return cicp_signal(cicp[0], cicp[1])
        if self.chunk(b"sRGB") is not None:
            return None
        gamma, chromaticities = self.chunk(b"gAMA"), self.chunk(b"cHRM")
        primaries = SRGB_PRIMARIES
        if chromaticities is not None and len(chromaticities) >= 32:
            found = [value / 100000 for value in struct.unpack(">8I", chromaticities[:32])]
            primaries = cast("Primaries", (*found[2:], *found[:2]))
            if all(abs(one - other) < 0.002 for one, other in zip(primaries, SRGB_PRIMARIES, strict=True)):
                primaries = SRGB_PRIMARIES
        if gamma is None or len(gamma) < 4 or not (value := struct.unpack(">I", gamma[:4])[0]):
            return None if primaries is SRGB_PRIMARIES else ColourSignal(primaries=primaries)
        # What writes gAMA 1/2.2 means sRGB, which this is the nearest power to.
        if primaries is SRGB_PRIMARIES and abs(value / 100000 - _SRGB_GAMMA) < 0.01:
            return None
        return ColourSignal(primaries=primaries, transfer=100000 / value)

    @property
    def narrow_range(self) -> bool:
        """Whether samples go from 16 to 235 (of 255), as video has them."""
        cicp = self.chunk(b"cICP")
        return cicp is not None and len(cicp) >= 4 and cicp[3] == 0


def read_png(stream: BinaryIO) -> PngFile:
    """The chunks of a PNG file, up to IEND.

    What is not part of the picture may be damaged or missing. The picture's data may have wrong checksums, and the file may
    end after them, if they prove to be whole.

    Raises:
        ValueError: if the picture is damaged or cut short, or the file holds a part that is needed to show it and not known.
    """
    stream.seek(len(_SIGNATURE))
    picture, faults, data = io.BytesIO(), [], io.BytesIO()
    picture.write(_SIGNATURE)
    chunks: list[tuple[bytes, bytes]] = []
    header, doubtful, kept = None, False, 0
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
        if len(head) < 8 or not kind.isalpha():
            faults.append(
                "the file goes on with what is no chunk" if len(head) == 8 else "it ends before its last chunk"
            )
            doubtful = True
            break
        content = stream.read(length)
        check = stream.read(4)
        cut = len(content) < length or len(check) < 4
        wrong = not cut and zlib.crc32(content, zlib.crc32(kind)) != struct.unpack(">I", check)[0]
        if wrong:
            faults.append(f"the checksum of its chunk {kind.decode('latin-1')} is wrong")
        if kind == b"IEND":
            break
        if cut:
            faults.append("it ends in the middle of a chunk")
        if kind in _PICTURE:
            doubtful = doubtful or cut or (wrong and kind == b"IDAT")
            if kind == b"IDAT":
                data.write(content)
            elif cut or (wrong and kind != b"tRNS"):
                raise ValueError(faults[-1])
            else:
                write_chunk(picture, kind, content)
                header = content if kind == b"IHDR" and header is None else header
        elif not kind[0] & 0x20:
            raise ValueError(f"it holds a part that is not known, {kind.decode('latin-1')}")
        elif not (cut or wrong):
            kept += length
            if kept <= _MOST_KEPT:
                chunks.append((kind, content))
        if cut:
            break
    if header is None or len(header) != 13:
        raise ValueError("it has no header")
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour_type not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or not width or not height:
        raise ValueError("its header is damaged")
    if doubtful:
        wanted = _raw_length(width, height, depth * _CHANNELS[colour_type], bool(interlaced))
        _prove_whole(data.getvalue(), wanted, faults[-1])
    write_chunk(picture, b"IDAT", data.getvalue())
    write_chunk(picture, b"IEND", b"")
    return PngFile(
        width=width,
        height=height,
        depth=depth,
        colour_type=colour_type,
        picture=picture.getvalue(),
        chunks=tuple(chunks),
        faults=tuple(dict.fromkeys(faults)),
    )


def inflate(data: bytes, most: int) -> bytes:
    """What zlib-compressed bytes hold, up to ``most`` bytes; of damaged ones what comes out before the damage."""
    unpacker, result = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    with contextlib.suppress(zlib.error):
        # Without the two bytes before and the checksum behind (RFC 1950), which may be wrong; in pieces, so that damage
        # loses only its own.
        for place in range(2, len(data), 1024):
            result += unpacker.decompress(data[place : place + 1024], most - len(result))
            if unpacker.eof or len(result) >= most:
                break
    return bytes(result)


def write_chunk(out: io.BytesIO, kind: bytes, content: bytes) -> None:
    """Write a chunk with its length and checksum."""
    out.write(struct.pack(">I", len(content)) + kind)
    out.write(content)
    out.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _raw_length(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of the picture's rows before compression, each led by its filter byte (sections 7.2 and 8)."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


def _prove_whole(data: bytes, wanted: int, fault: str) -> None:
    """Raise ValueError unless these bytes unpack without error to all of the picture."""
    unpacker, count = zlib.decompressobj(), 0
    try:
        while data and count < wanted:
            count += len(unpacker.decompress(data, 1 << 20))
            data = unpacker.unconsumed_tail
        if not unpacker.eof:
            unpacker.decompress(data, 1 << 20)  # the checksum over all of it, if it is there
    except zlib.error as error:
        raise ValueError(f"{fault}, and its picture is damaged") from error
    if count < wanted:
        raise ValueError(f"{fault}, and part of its picture is missing")
