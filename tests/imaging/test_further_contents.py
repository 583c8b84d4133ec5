"""Files that hold more than one picture, or none that is developed: which is taken, and what is said."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from signals import png_chunk, saved, tiff, tiff_page, with_chunks

from likeness.errors import ImageReadError, RawImageError
from likeness.imaging.files import read_image
from likeness.imaging.image import Image, Size
from likeness.imaging.origin import Note

SMALL = np.full((20, 16, 3), 200, np.uint8)
LARGE = np.random.default_rng(2).integers(0, 256, (50, 40, 3), dtype=np.uint8)
OTHER = np.random.default_rng(3).integers(0, 256, (50, 40, 3), dtype=np.uint8)


def _is(image: Image, samples: np.ndarray) -> bool:
    return bool(np.array_equal(image.to_uint8(), samples))


def _codes(image: Image) -> list[tuple[str, int | str]]:
    return [(note.code, note.value) for note in image.notes]


# --- TIFF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (tiff(tiff_page(SMALL, kind=1), tiff_page(LARGE, kind=0)), 1),  # says that it is a thumbnail
        (tiff(tiff_page(SMALL, t255=(3, [2])), tiff_page(LARGE)), 1),  # as TIFF 5 said it
        (tiff(tiff_page(SMALL), tiff_page(LARGE)), 2),  # does not say so
        (tiff(tiff_page(LARGE), tiff_page(SMALL)), 2),
        (tiff(tiff_page(LARGE, kind=0), tiff_page(SMALL, kind=1), tiff_page(SMALL[::2, ::2], kind=1)), 1),  # a pyramid
        (tiff(tiff_page(LARGE), tiff_page(LARGE[..., 0], kind=4)), 1),  # a mask
        (
            tiff(tiff_page(SMALL, kind=1), tiff_page(LARGE, kind=0), inner={0: [1]}),
            1,
        ),  # the picture lies in the thumbnail
        (tiff(tiff_page(LARGE, kind=0), tiff_page(SMALL, kind=1), inner={0: [1]}), 1),
        (tiff(tiff_page(LARGE), tiff_page(OTHER), tiff_page(OTHER, kind=2)), 3),  # a document
    ],
)
def test_the_page_that_is_the_picture(data: bytes, pages: int) -> None:
    image = read_image(data)
    assert _is(image, LARGE)
    assert _codes(image) == ([("several-pages", pages)] if pages > 1 else [])


def test_16_bits_behind_a_thumbnail() -> None:
    raw = np.random.default_rng(4).integers(0, 65536, (50, 40, 3), dtype=np.uint16)
    page = tiff_page(LARGE) | {0: raw.astype("<u2").tobytes(), 258: (3, [16, 16, 16])}
    image = read_image(tiff(tiff_page(SMALL, kind=1), page))
    assert image.bit_depth == 16
    assert np.array_equal((image.pixels * 65535 + 0.5).astype(np.uint16), raw)


def test_a_single_page_that_calls_itself_a_thumbnail_is_all_there_is() -> None:
    assert _is(read_image(tiff(tiff_page(LARGE, kind=1))), LARGE)


@pytest.mark.parametrize("place", [2**63, 2**64 - 1])
def test_pages_beyond_any_file(place: int) -> None:
    """BigTIFF names places that no stream can be put at: that is damage, and no error of ours."""
    with pytest.raises(ImageReadError, match="damaged"):
        read_image(b"II+\0" + struct.pack("<HHQ", 8, 0, place) + bytes(64))
    # A picture's thumbnail that holds, it says, two more pages there.
    inner = struct.pack("<HHQQ", 330, 16, 2, place)
    with pytest.raises(ImageReadError, match="cannot be opened"):
        read_image(b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1) + inner + bytes(8))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
def test_boxes_longer_than_any_file(length: int) -> None:
    """What stands behind the picture may be damaged."""
    image = read_image(saved(LARGE, "AVIF", quality=100) + struct.pack(">I4sQ", 1, b"free", length))
    assert image.size == Size(40, 50)


def test_pages_that_point_back_end() -> None:
    data = bytearray(tiff(tiff_page(LARGE), tiff_page(OTHER)))
    first = struct.unpack_from("<I", data, 4)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * struct.unpack_from("<H", data, first)[0])[0]
    link = second + 2 + 12 * struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, link, first)
    image = read_image(bytes(data))
    assert _is(image, LARGE)
    assert _codes(image) == [("several-pages", 2)]


# --- raw files --------------------------------------------------------------------------------------------------------

_CFA = tiff_page(LARGE[..., 0]) | {262: (3, [32803])}


@pytest.mark.parametrize(
    "data",
    [
        tiff(tiff_page(SMALL, kind=1, t50706=(1, [1, 4, 0, 0])), _CFA, inner={0: [1]}),  # DNG
        tiff(tiff_page(LARGE, t50706=(1, [1, 4, 0, 0])) | {262: (3, [34892])}),  # linear DNG
        tiff(tiff_page(LARGE, t50706=(1, [1, 4, 0, 0]))),  # a DNG that could pass as a TIFF
        tiff(tiff_page(SMALL, kind=1), _CFA, inner={0: [1]}),  # NEF, ARW and others
        tiff(tiff_page(SMALL), _CFA, inner={0: [1]}),
        tiff(_CFA),  # PEF
        tiff(tiff_page(SMALL, kind=1), tiff_page(LARGE) | {259: (3, [34713])}),
        b"II*\0\x10\0\0\0CR\x02\0" + bytes(100),  # CR2
        b"IIRO" + bytes(100),  # ORF
        b"IIU\0" + bytes(100),  # RW2
        b"FUJIFILMCCD-RAW 0201" + bytes(100),  # RAF
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(100),  # CR3
    ],
)
def test_raw_files_are_refused_as_such(data: bytes) -> None:
    with pytest.raises(RawImageError, match=r"^a\.x is a camera's raw file, .*export it as TIFF or JPEG$"):
        read_image(data, name="a.x")


# --- animations, further pictures, gain maps --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "count"), [("GIF", ""), ("WebP", 3), ("AVIF", 3), ("PNG", 3)])
def test_animations(kind: str, count: int | str, caplog: pytest.LogCaptureFixture) -> None:
    frames = [PillowImage.fromarray(np.roll(LARGE, shift, 0)) for shift in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING, "likeness"):
        image = read_image(stream.getvalue(), name="a.x")
    assert _codes(image) == [("animated", count)]
    assert "a.x: it holds an animation" in caplog.text
    if kind == "PNG":
        assert _is(image, LARGE)


@pytest.mark.parametrize("kind", ["GIF", "WebP", "AVIF", "PNG", "JPEG"])
def test_one_frame_is_no_animation(kind: str) -> None:
    assert read_image(saved(LARGE, kind)).notes == ()


def _with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + jpeg[2:]


_XMP = b"http://ns.adobe.com/xap/1.0/\0"


@pytest.mark.parametrize(
    ("marker", "content", "expected"),
    [
        (0xE1, _XMP + b'<x hdrgm:Version="1.0"/>', [("gain-map", "")]),
        (0xE1, _XMP + b'<x Item:Semantic="GainMap"/>', [("gain-map", "")]),
        (0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4), [("gain-map", "")]),
        (0xE1, _XMP + b'<x GCamera:MotionPhoto="1"/>', [("animated", "")]),
        (0xE1, _XMP + b'<x GCamera:MicroVideo="1"/>', [("animated", "")]),
        (0xE1, _XMP + b'<x GCamera:MotionPhoto="0"/>', []),
        (0xFE, b'hdrgm:Version="1.0"', []),  # somebody's comment
    ],
)
def test_what_jpeg_segments_announce(marker: int, content: bytes, expected: list[tuple[str, int | str]]) -> None:
    assert _codes(read_image(_with_segment(saved(LARGE, "JPEG"), marker, content))) == expected


def _mpf(first: bytes, *others: tuple[int, bytes]) -> bytes:
    """Several JPEG pictures in one file (CIPA DC-007), each with its kind."""
    length = 4 + 8 + 2 + 12 + 4 + 16 * (1 + len(others))
    size, at = len(first) + length + 4, 6 + 4  # the block's own positions count from behind "MPF\0"
    entries, place = struct.pack("<IIIHH", 0x20030000, size, 0, 0, 0), size - at
    for kind, data in others:
        entries += struct.pack("<IIIHH", kind, len(data), place, 0, 0)
        place += len(data)
    table = struct.pack("<HHHII", 1, 0xB002, 7, len(entries), 26) + bytes(4)
    content = b"MPF\0II*\0" + struct.pack("<I", 8) + table + entries
    return _with_segment(first, 0xE2, content) + b"".join(data for _, data in others)


def test_several_pictures_in_one_jpeg() -> None:
    first, second, preview = saved(LARGE, "JPEG", quality=90), saved(OTHER, "JPEG"), saved(SMALL, "JPEG")
    image = read_image(_mpf(first, (0x020002, second)))
    assert _is(image, read_image(first).to_uint8())
    assert _codes(image) == [("several-pages", 2)]
    assert _codes(read_image(_mpf(first, (0x010001, preview)))) == []
    gain_map = _with_segment(preview, 0xE1, _XMP + b"urn:com:apple:photo:2020:aux:hdrgainmap")
    assert _codes(read_image(_mpf(first, (0, gain_map)))) == [("gain-map", "")]


def test_gain_maps_and_further_pictures_in_boxes() -> None:
    from likeness.imaging.heif_file import read_heif

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    def item(number: int, kind: bytes, flags: int = 0) -> bytes:
        return box(b"infe", bytes([2, 0, 0, flags]) + struct.pack(">HH4s", number, 0, kind) + b"\0")

    def heif(*items: bytes, references: bytes = b"", properties: bytes = b"") -> io.BytesIO:
        content = bytes(4) + box(b"pitm", bytes(4) + struct.pack(">H", 1))
        content += box(b"iinf", bytes(4) + struct.pack(">H", len(items)) + b"".join(items))
        content += box(b"iref", bytes(4) + references)
        content += box(b"iprp", box(b"ipco", properties))
        return io.BytesIO(box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", content))

    def reference(kind: bytes, source: int, *to: int) -> bytes:
        return box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to))

    one, two, tone = item(1, b"hvc1"), item(2, b"hvc1"), item(3, b"tmap")
    pages, gain = Note(code="several-pages", value=2), Note(code="gain-map")
    assert read_heif(heif(one)).notes == ()
    assert read_heif(heif(one, two)).notes == (pages,)
    assert read_heif(heif(one, item(2, b"hvc1", flags=1))).notes == ()
    assert read_heif(heif(one, two, references=reference(b"thmb", 2, 1))).notes == ()
    assert read_heif(heif(item(1, b"grid"), two, references=reference(b"dimg", 1, 2))).notes == ()
    apple = box(b"auxC", bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0")
    assert read_heif(heif(one, two, references=reference(b"auxl", 2, 1), properties=apple)).notes == (gain,)
    assert read_heif(heif(one, two, tone, references=reference(b"dimg", 3, 1, 2))).notes == (gain,)


def test_an_animated_png_of_one_frame() -> None:
    assert read_image(with_chunks(saved(LARGE, "PNG"), png_chunk(b"acTL", struct.pack(">II", 1, 0)))).notes == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("two-pages.tif", ("several-pages", 2)),
        ("animated.webp", ("animated", None)),
        ("ultrahdr.jpg", ("gain-map", "")),
        ("thumb-first.tif", None),
        ("raw.dng", "raw"),
    ],
)
def test_the_cases(shared: Path, name: str, expected: object) -> None:
    path = shared / "cases" / name
    if expected == "raw":
        with pytest.raises(ImageReadError, match="raw file"):
            read_image(path)
    elif expected is None:
        assert read_image(path).size == Size(320, 400)
    else:
        assert isinstance(expected, tuple)
        codes = dict(_codes(read_image(path)))
        assert list(codes) == [expected[0]]
        assert expected[1] is None or codes[expected[0]] == expected[1]
