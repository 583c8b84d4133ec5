"""Picture files whose metadata is damaged in ways that know its structure, from a seed.

The containers are put together by hand, with right lengths and checksums, around blocks whose tags, types, counts, offsets,
sizes and values were changed: that is where readers trust what they are told.
"""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image as PillowImage
from profiles import ADOBE, matrix_profile, s15

KINDS = ("JPEG", "PNG", "PNG16", "TIFF", "TIFF16", "WEBP", "AVIF")
"""The files that `mutated` makes."""

PARTS = ("exif", "icc", "xmp", "iptc")
"""The blocks in them."""

_SIZE = (24, 20)
_EDGES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    12,
    255,
    256,
    1000,
    0x7FFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFE,
    0xFFFFFFFF,
)
_TAGS = (
    *(
        0x00FE,
        0x0100,
        0x0101,
        0x0102,
        0x0103,
        0x0106,
        0x010A,
        0x010E,
        0x0111,
        0x0112,
        0x0115,
        0x0116,
        0x0117,
        0x011A,
        0x011B,
    ),
    *(
        0x011C,
        0x0128,
        0x0131,
        0x013D,
        0x0140,
        0x0142,
        0x0143,
        0x0144,
        0x0145,
        0x014A,
        0x0152,
        0x0153,
        0x015B,
        0x0201,
        0x0202,
    ),
    *(0x0211, 0x0212, 0x02BC, 0x8298, 0x83BB, 0x8649, 0x8769, 0x8773, 0x8825, 0xA002, 0xA003, 0xA005, 0x927C, 0xC612),
)
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" tiff:Orientation="6">'
    "<xmp:Rating>5</xmp:Rating><tiff:ImageWidth>24</tiff:ImageWidth></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
).encode()
_IPTC = b"".join(b"\x1c\x02" + struct.pack(">BH", kind, 9) + b"A caption" for kind in (5, 25, 80, 120))


def mutated(seed: int, kind: str) -> tuple[bytes, bool]:
    """A file of one of `KINDS` whose metadata is damaged; the same seed gives the same file.

    Returns:
        The file, and whether its container is whole: then nothing that its pixels are made from is damaged (TIFF, where
        both stand in one directory, is never called whole).
    """
    rng = random.Random(f"{seed} {kind}")
    parts = _parts()
    for _ in range(rng.choice((1, 1, 2, 4))):
        name = rng.choice(("exif", "exif", "icc", "icc", "xmp", "iptc"))
        parts[name] = _MUTATORS[name](rng, parts[name])
    data = _BUILDERS[kind](rng, parts)
    if rng.random() < 0.25:
        return _CONTAINER_MUTATORS[kind](rng, data), False
    return data, not kind.startswith("TIFF")


def with_part(kind: str, name: str, content: bytes) -> bytes:
    """A sound file of one of `KINDS` in which one of `PARTS` is replaced."""
    return _BUILDERS[kind](random.Random(0), _parts() | {name: content})


def sound_part(name: str) -> bytes:
    """One of `PARTS` as it should be."""
    return _parts()[name]


# --- sound blocks -----------------------------------------------------------------------------------------------------


def _parts() -> dict[str, bytes]:
    order = "<"
    photo = [
        (0x9003, 2, b"2004:01:02 03:04:05\0"),
        (0xA001, 3, b"\1\0"),
        (0xA002, 3, b"\x18\0"),
        (0xA003, 3, b"\x14\0"),
    ]
    photo += [(0x927C, 7, b"private notes of a camera"), (0xA005, 4, [(1, 2, b"R98\0")])]
    place = [(1, 2, b"N\0"), (2, 5, struct.pack("<6I", 48, 1, 51, 1, 29, 1))]
    first = [(0x010F, 2, b"Likeness Camera Works\0"), (0x0112, 3, b"\6\0"), (0x011A, 5, struct.pack("<II", 300, 1))]
    first += [(0x011B, 5, struct.pack("<II", 300, 1)), (0x0128, 3, b"\2\0"), (0x8769, 4, photo), (0x8825, 4, place)]
    curve = b"para" + bytes(4) + struct.pack(">Hxx", 3) + s15(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return {
        "exif": b"II*\0" + struct.pack("<I", 8) + _directory(first, order, 8),
        "icc": matrix_profile(ADOBE, curve),
        "xmp": _XMP,
        "iptc": _IPTC,
    }


def _directory(fields: list, order: str, offset: int) -> bytes:  # type: ignore[type-arg]
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
    table, body, start = struct.pack(f"{order}H", len(fields)), b"", offset + 2 + 12 * len(fields) + 4
    for tag, kind, value in sorted(fields, key=lambda field: field[0]):
        position = start + len(body)
        if isinstance(value, list):
            body += _directory(value, order, position)
            table += struct.pack(f"{order}HHII", tag, 4, 1, position)
            continue
        count = len(value) // sizes[kind]
        if len(value) <= 4:
            table += struct.pack(f"{order}HHI4s", tag, kind, count, value)
        else:
            table += struct.pack(f"{order}HHII", tag, kind, count, position)
            body += value + bytes(len(value) % 2)
    return table + bytes(4) + body


# --- damage -----------------------------------------------------------------------------------------------------------


def _mutate_directory(rng: random.Random, block: bytes, first: int) -> bytes:
    """One entry of a directory, or of one inside it, or its count or end, changed."""
    data = bytearray(block)
    order = "<" if data[:2] == b"II" else ">"
    if first + 2 > len(data):
        return bytes(data)
    count = min(struct.unpack_from(f"{order}H", data, first)[0], (len(data) - first - 2) // 12)
    entries = [first + 2 + 12 * index for index in range(count)]
    inner = [at for at in entries if struct.unpack_from(f"{order}H", data, at)[0] in (0x8769, 0x8825, 0xA005)]
    if inner and rng.random() < 0.4:
        return _mutate_directory(rng, block, struct.unpack_from(f"{order}I", data, rng.choice(inner) + 8)[0])
    number = rng.choice((rng.choice(_EDGES), rng.randrange(len(data)), first, rng.getrandbits(32)))
    if not entries or rng.random() < 0.15:
        struct.pack_into(f"{order}H", data, first, rng.choice((0, 1, count + 1, 5000, 65535)))
        return bytes(data)
    at, what = rng.choice(entries), rng.randrange(6)
    if what == 0:
        struct.pack_into(f"{order}H", data, at, rng.choice(_TAGS))
    elif what == 1:
        struct.pack_into(f"{order}H", data, at + 2, rng.choice((0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 16, 18, 99)))
    elif what == 2:
        struct.pack_into(f"{order}I", data, at + 4, number)
    elif what == 3:
        struct.pack_into(f"{order}I", data, at + 8, number)
    elif what == 4:
        other = rng.choice(entries)
        data[at : at + 12] = data[other : other + 12]
    elif at + 16 <= len(data):
        struct.pack_into(f"{order}I", data, entries[-1] + 12 if entries[-1] + 16 <= len(data) else at + 8, number)
    return bytes(data)


def _mutate_exif(rng: random.Random, block: bytes) -> bytes:
    what = rng.random()
    if what < 0.08:
        return block[: rng.randrange(len(block) + 1)]
    if what < 0.16:
        return _flipped(rng, block)
    if what < 0.2:  # a bomb: many fields that share one value
        entries = b"".join(struct.pack("<HHII", 40000 + index, 7, len(block), 0) for index in range(400))
        return b"II*\0" + struct.pack("<IH", 8, 400) + entries + bytes(4) + block
    if len(block) < 16:
        return block
    order = "<" if block[:2] == b"II" else ">"
    return _mutate_directory(rng, block, struct.unpack_from(f"{order}I", block, 4)[0])


def _mutate_icc(rng: random.Random, block: bytes) -> bytes:
    data, what = bytearray(block), rng.randrange(8)
    count = struct.unpack_from(">I", data, 128)[0] if len(data) > 132 else 0
    entries = [132 + 12 * index for index in range(min(count, (len(data) - 132) // 12))]
    if what == 0 or not entries:
        return block[: rng.randrange(len(block) + 1)]
    if what == 1:
        return _flipped(rng, block)
    number = rng.choice((rng.choice(_EDGES), rng.randrange(len(data))))
    at = rng.choice(entries)
    if what == 2:
        struct.pack_into(">I", data, rng.choice((0, 128, at + 4, at + 8)), number)
    elif what == 3:
        data[at : at + 4] = rng.choice((b"rTRC", b"rXYZ", b"A2B0", b"B2A0", b"kTRC", b"cicp", b"desc", b"\xff\0\1\2"))
    elif what == 4:
        data[16:20] = rng.choice((b"GRAY", b"CMYK", b"Lab ", b"RGB ", b"\0\0\0\0"))
    else:  # a value: a curve's kind, count or numbers, or a colour
        start = struct.unpack_from(">I", data, at + 4)[0]
        if start + 16 <= len(data):
            what = rng.randrange(3)
            if what == 0:
                data[start : start + 4] = rng.choice((b"curv", b"para", b"XYZ ", b"mft2", b"mAB ", b"cicp"))
            elif what == 1:
                struct.pack_into(">I", data, start + 8, number)
            else:
                struct.pack_into(">I", data, start + 12, rng.choice((number, 0x80000000, 0xFFFF0000)))
    return bytes(data)


def _mutate_xmp(rng: random.Random, block: bytes) -> bytes:
    what = rng.randrange(6)
    if what == 0:
        return block[: rng.randrange(len(block) + 1)]
    if what == 1:
        return _flipped(rng, block)
    if what == 2:
        return block.replace(b"6", rng.choice((b"-1", b"99999999999999999999", b"", b"&#54;", b"'")))
    if what == 3:
        return b"<!DOCTYPE a [<!ENTITY b 'ccccccccc'>]>" + block
    if what == 4:
        return block.decode(errors="replace").encode(rng.choice(("utf-16-le", "utf-16-be", "utf-16")))
    return b"<a>" * rng.choice((1, 300, 5000)) + block


def _mutate_iptc(rng: random.Random, block: bytes) -> bytes:
    if rng.random() < 0.3:
        return block[: rng.randrange(len(block) + 1)]
    return _flipped(rng, block)


def _flipped(rng: random.Random, data: bytes) -> bytes:
    result = bytearray(data)
    for _ in range(rng.choice((1, 2, 8))):
        if result:
            result[rng.randrange(len(result))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(result)


_MUTATORS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "exif": _mutate_exif,
    "icc": _mutate_icc,
    "xmp": _mutate_xmp,
    "iptc": _mutate_iptc,
}

# --- containers -------------------------------------------------------------------------------------------------------


@functools.cache
def _plain(kind: str) -> bytes:
    """A small picture without metadata."""
    picture = PillowImage.fromarray((np.indices(_SIZE[::-1]).sum(axis=0)[..., None] * [5, 4, 3]).astype(np.uint8))
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def _jpeg(rng: random.Random, parts: dict[str, bytes]) -> bytes:
    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, min(65535, len(content) + 2)) + content[:65533]

    resources = b"8BIM" + struct.pack(">HHI", rng.choice((0x0404, 0x040C)), 0, len(parts["iptc"])) + parts["iptc"]
    pieces = rng.choice((1, 1, 1, 2, 0))
    segments = [
        segment(0xE1, b"Exif\0\0" + parts["exif"]),
        segment(0xE2, b"ICC_PROFILE\0" + bytes((1, pieces)) + parts["icc"]),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + parts["xmp"]),
        segment(0xED, b"Photoshop 3.0\0" + _flipped(rng, resources[:12]) + resources[12:]),
        segment(0xFE, rng.choice((b"", b"a comment", bytes(range(256))))),
        segment(0xEE, (b"Adobe\0d\0\0\0\0" + bytes((1,)))[: rng.choice((4, 9, 12))]),
        segment(0xE0, b"JFIF\0\1\1\1"[: rng.randrange(9)]),
    ]
    if rng.random() < 0.5:
        rng.shuffle(segments)
    plain = _plain("JPEG")
    density = rng.choice((b"\1\1\x2c\1\x2c", b"\0\0\1\0\1", b"\2\xff\xff\0\0", b"\7\0\0\0\0"))
    plain = plain[:13] + density + plain[18:]
    return (
        plain[:2] + b"".join(segments) + plain[2:]
        if rng.random() < 0.5
        else plain[:20] + b"".join(segments) + plain[20:]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(rng: random.Random, parts: dict[str, bytes], wide: bool = False) -> bytes:
    numbers = [rng.choice(_EDGES) for _ in range(10)]
    chunks = [
        _chunk(
            b"iCCP", b"x\0" + bytes((rng.choice((0, 0, 0, 1)),)) + _flipped_sometimes(rng, zlib.compress(parts["icc"]))
        ),
        _chunk(b"eXIf", parts["exif"]),
        _chunk(
            b"pHYs", struct.pack(">IIB", numbers[0], numbers[1], rng.choice((0, 1, 1, 9)))[: rng.choice((9, 9, 9, 3))]
        ),
        _chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + parts["xmp"]),
        _chunk(b"tEXt", _flipped_sometimes(rng, b"parameters\0a portrait, Steps: 20, Seed: 1")),
        _chunk(b"zTXt", _flipped_sometimes(rng, b"workflow\0\0" + zlib.compress(b'{"nodes": []}' * 20))),
        _chunk(
            b"tEXt",
            b"Raw profile type iptc\0\niptc\n      50\n" + _flipped_sometimes(rng, parts["iptc"].hex().encode()),
        ),
        _chunk(b"tIME", bytes(numbers[2] % 9)),
    ]
    if rng.random() < 0.2:
        chunks.append(_chunk(b"gAMA", struct.pack(">I", numbers[3])))
    if rng.random() < 0.2:
        chunks.append(_chunk(b"cHRM", struct.pack(">8I", *[rng.choice((*numbers, 31270, 32900)) for _ in range(8)])))
    if rng.random() < 0.2:
        chunks.append(
            _chunk(b"cICP", bytes((rng.randrange(20), rng.randrange(20), rng.randrange(3), rng.randrange(3))))
        )
    rng.shuffle(chunks)
    plain = _wide_png() if wide else _plain("PNG")
    place = 33 if rng.random() < 0.8 else plain.index(b"IEND") - 4
    return plain[:place] + b"".join(chunks) + plain[place:]


@functools.cache
def _wide_png() -> bytes:
    width, height = _SIZE
    rows = np.zeros((height, 1 + width * 6), np.uint8)
    rows[:, 1:] = np.arange(width * 6)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + _chunk(b"IEND", b"")
    )


def _tiff(rng: random.Random, parts: dict[str, bytes], bits: int = 8) -> bytes:
    """The picture's directory holds the fields of the EXIF block as they are, however damaged."""
    width, height = _SIZE
    samples = bytes(width * height * 3 * bits // 8)
    exif = parts["exif"]
    order = ">" if exif[:2] == b"MM" else "<"
    storage = [(0x0100, 4, [width]), (0x0101, 4, [height]), (0x0102, 3, [bits] * 3), (0x0103, 3, [1]), (0x0106, 3, [2])]
    storage += [(0x0111, 4, [8]), (0x0115, 3, [3]), (0x0116, 4, [height]), (0x0117, 4, [len(samples)])]
    body = b""
    start = 8 + len(samples)
    entries = []
    for tag, kind, values in storage:
        data = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        value = data.ljust(4, b"\0")
        if len(data) > 4:
            value = struct.pack(f"{order}I", start + len(body))
            body += data
        entries.append(struct.pack(f"{order}HHI", tag, kind, len(values)) + value)
    for tag, kind, data in (
        (0x02BC, 1, parts["xmp"]),
        (0x83BB, rng.choice((4, 7)), parts["iptc"]),
        (0x8773, 7, parts["icc"]),
    ):
        count = len(data) // (4 if kind == 4 else 1)
        entries.append(struct.pack(f"{order}HHII", tag, rng.choice((kind, kind, kind, 4)), count, start + len(body)))
        body += data
    base = start + len(body)
    if len(exif) >= 10:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        count = struct.unpack_from(f"{order}H", exif, first)[0] if first + 2 <= len(exif) else 0
        for at in range(first + 2, min(first + 2 + 12 * count, len(exif) - 11), 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHII", exif, at)
            # Values that stand elsewhere in the block stand there still, behind the samples.
            inline = number * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}.get(kind, 1) <= 4 and tag not in (0x8769, 0x8825)
            moved = exif[at + 8 : at + 12] if inline else struct.pack(f"{order}I", (value + base) & 0xFFFFFFFF)
            entries.append(struct.pack(f"{order}HHI", tag, kind, number) + moved)
    body += exif
    position = start + len(body)
    table = struct.pack(f"{order}H", len(entries)) + b"".join(sorted(entries)) + bytes(4)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", position)
    return head + samples + body + table


def _webp(_: random.Random, parts: dict[str, bytes]) -> bytes:
    plain = _plain("WEBP")
    canvas = struct.pack("<I", 0x2C)[:4] + struct.pack("<I", _SIZE[0] - 1)[:3] + struct.pack("<I", _SIZE[1] - 1)[:3]
    chunks = [
        (b"VP8X", canvas),
        (b"ICCP", parts["icc"]),
        (b"", plain[12:]),
        (b"EXIF", parts["exif"]),
        (b"XMP ", parts["xmp"]),
    ]
    body = b"WEBP"
    for kind, content in chunks:
        body += kind + (struct.pack("<I", len(content)) if kind else b"") + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _avif(_: random.Random, parts: dict[str, bytes]) -> bytes:
    """A sound file in which blocks of the same length stand in the place of its own."""
    data = _whole_avif()
    sound = _parts()
    for name in ("exif", "icc", "xmp"):
        place = data.find(sound[name])
        content = parts[name][: len(sound[name])].ljust(len(sound[name]), b"\0")
        if place >= 0:
            data = data[:place] + content + data[place + len(content) :]
    return data


@functools.cache
def _whole_avif() -> bytes:
    parts = _parts()
    # Its writer takes a block with an orientation apart.
    parts["exif"] = parts["exif"].replace(b"\x12\1\3\0\1\0\0\0\6\0", b"\x13\1\3\0\1\0\0\0\6\0")
    stream = io.BytesIO()
    picture = PillowImage.open(io.BytesIO(_plain("PNG")))
    picture.save(stream, "AVIF", speed=10, icc_profile=parts["icc"], exif=parts["exif"], xmp=parts["xmp"])
    return stream.getvalue().replace(parts["exif"], _parts()["exif"])


def _flipped_sometimes(rng: random.Random, data: bytes) -> bytes:
    return _flipped(rng, data) if rng.random() < 0.3 else data


_BUILDERS: dict[str, Callable[[random.Random, dict[str, bytes]], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "PNG16": functools.partial(_png, wide=True),
    "TIFF": _tiff,
    "TIFF16": functools.partial(_tiff, bits=16),
    "WEBP": _webp,
    "AVIF": _avif,
}

# --- damage to the containers themselves ------------------------------------------------------------------------------


def _damage_lengths(rng: random.Random, data: bytes) -> bytes:
    """A few bytes of the first kilobytes: lengths, kinds and versions stand there."""
    reach = min(len(data), 4096)
    return _flipped(rng, data[:reach]) + data[reach:]


def _damage_boxes(rng: random.Random, data: bytes) -> bytes:
    """A number in the boxes that say which items there are, where they lie and what they describe."""
    kind = rng.choice((b"iloc", b"iinf", b"infe", b"iref", b"cdsc", b"pitm", b"iprp", b"ipma", b"colr", b"meta"))
    place = data.find(kind)
    if place < 0:
        return data
    at = place + rng.randrange(-4, 40)
    width = rng.choice((1, 2, 4))
    number = rng.choice(_EDGES) & ((1 << 8 * width) - 1)
    return data[:at] + number.to_bytes(width, "big") + data[at + width :]


def _damage_tiff(rng: random.Random, data: bytes) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    return _mutate_directory(rng, data, struct.unpack_from(f"{order}I", data, 4)[0])


_CONTAINER_MUTATORS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    **dict.fromkeys(("JPEG", "PNG", "PNG16", "WEBP"), _damage_lengths),
    "AVIF": _damage_boxes,
    **dict.fromkeys(("TIFF", "TIFF16"), _damage_tiff),
}
