"""Files that are damaged beside their picture are read, with a word; where the picture itself is cut they are refused."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from profiles import ADOBE, gamma_curve, matrix_profile
from signals import png_chunk, saved, tiff, tiff_page, with_chunks

from likeness.errors import ImageReadError
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.png_file import read_png

SAMPLES = np.random.default_rng(8).integers(0, 256, (60, 80, 3), dtype=np.uint8)
PHOTO = cv2.GaussianBlur(SAMPLES, (0, 0), 1)


def _png(depth: int = 8) -> bytes:
    if depth == 8:
        return saved(SAMPLES, "PNG")
    return cv2.imencode(".png", SAMPLES.astype(np.uint16)[..., ::-1] * 257)[1].tobytes()


def _equal(image: Image) -> bool:
    return bool(np.array_equal(image.to_uint8(), SAMPLES))


def _told(image: Image) -> list[str]:
    return [note.code for note in image.notes]


# --- PNG --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"gAMA", b"pHYs", b"eXIf", b"iCCP", b"sBIT", b"prVt"])
def test_png_with_a_wrong_checksum_beside_its_picture(
    kind: bytes, depth: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "likeness"):
        image = read_image(with_chunks(_png(depth), png_chunk(kind, b"Comment\0what", wrong=True)), name="a.png")
    assert _equal(image)
    assert _told(image) == ["file-damaged"]
    assert f"a.png: it is damaged (the checksum of its chunk {kind.decode()} is wrong)" in caplog.text


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "content",
    [
        b"prompt\0" + b"x" * (3 << 20),
        b"prompt\0\0" + zlib.compress(b"x" * (200 << 20), 9),
        b"prompt\0\0" + b"no zlib",
        b"",
        b"\xff" * 90,
    ],
)
def test_png_with_long_or_broken_text(content: bytes, depth: int) -> None:
    for kind in (b"tEXt", b"zTXt", b"iTXt"):
        image = read_image(with_chunks(_png(depth), png_chunk(kind, content)))
        assert _equal(image)
        assert image.notes == ()


@pytest.mark.parametrize("depth", [8, 16])
def test_png_with_a_long_profile(depth: int) -> None:
    adobe = matrix_profile(ADOBE, gamma_curve(563 / 256))
    long = adobe + bytes((3 << 20) - len(adobe))
    image = read_image(with_chunks(_png(depth), png_chunk(b"iCCP", b"a\0\0" + zlib.compress(long))))
    assert image.icc_profile == long
    assert image.native is not None
    assert np.array_equal(image.native[..., 0] & 255, SAMPLES[..., 0])


def test_png_whose_profile_has_a_wrong_adler_checksum() -> None:
    adobe = matrix_profile(ADOBE, gamma_curve(563 / 256))
    image = read_image(with_chunks(_png(), png_chunk(b"iCCP", b"a\0\0" + zlib.compress(adobe)[:-4] + b"abcd")))
    assert image.icc_profile == adobe
    none = read_image(with_chunks(_png(), png_chunk(b"iCCP", b"a\0\0nothing")))
    assert _equal(none)
    assert "no ICC profile" in none.profile_fault


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("missing", [12, 8, 5, 16])
def test_png_without_its_end(depth: int, missing: int) -> None:
    """IEND is missing, or part of it, or the checksum of the data too: no pixel is."""
    image = read_image(_png(depth)[:-missing])
    assert _equal(image)
    assert _told(image) == ["file-damaged"]


@pytest.mark.parametrize("depth", [8, 16])
def test_png_with_something_behind_its_end(depth: int) -> None:
    image = read_image(_png(depth) + b"trailing garbage" * 100)
    assert _equal(image)
    assert image.notes == ()


@pytest.mark.parametrize("depth", [8, 16])
def test_png_with_a_wrong_checksum_of_whole_data(depth: int) -> None:
    data = bytearray(_png(depth))
    data[-14] ^= 0xFF
    image = read_image(bytes(data))
    assert _equal(image)
    assert _told(image) == ["file-damaged"]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("missing", [30, 100, 3000])
def test_png_that_is_really_cut_is_refused(depth: int, missing: int) -> None:
    with pytest.raises(ImageReadError, match="cut short or damaged"):
        read_image(_png(depth)[:-missing])


@pytest.mark.parametrize("depth", [8, 16])
def test_png_whose_data_are_damaged_is_refused(depth: int) -> None:
    data = bytearray(_png(depth))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageReadError, match="cut short or damaged"):
        read_image(bytes(data))


def test_png_of_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ImageReadError, match="CgBI"):
        read_image(with_chunks(_png(), png_chunk(b"CgBI", b"\0\0\0\0")))


@pytest.mark.parametrize("width", [1, 3, 8, 13])
@pytest.mark.parametrize("colour_type", [0, 2, 6])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_how_much_data_a_png_needs(width: int, colour_type: int, interlaced: int) -> None:
    """What is one byte short is refused, what is whole is not, for each kind of picture."""
    channels = {0: 1, 2: 3, 6: 4}[colour_type]
    height, raw = 7, 0
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for x, y, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = len(range(x, width, dx)), len(range(y, height, dy))
        raw += rows * (1 + columns * channels) if columns else 0

    def made(length: int) -> io.BytesIO:
        head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, interlaced)
        data = png_chunk(b"IDAT", zlib.compress(bytes(length)))
        return io.BytesIO(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + data)

    assert read_png(made(raw)).faults
    with pytest.raises(ValueError, match="part of its picture is missing"):
        read_png(made(raw - 1))


# --- JPEG -------------------------------------------------------------------------------------------------------------

_JPEGS = [
    {"quality": 90},
    {"quality": 75, "subsampling": "4:2:0"},
    {"quality": 90, "progressive": True},
    {"quality": 90, "restart_marker_blocks": 4},
]


@pytest.mark.parametrize("options", _JPEGS)
@pytest.mark.parametrize("tail", [b"", b"\xff", b"\xff\xff"])
def test_jpeg_without_its_end_mark(options: dict[str, object], tail: bytes, caplog: pytest.LogCaptureFixture) -> None:
    whole = saved(PHOTO, "JPEG", **options)
    with caplog.at_level(logging.WARNING, "likeness"):
        image = read_image(whole[:-2] + tail, name="a.jpg")
    assert np.array_equal(image.pixels, read_image(whole).pixels)
    assert _told(image) == ["file-damaged"]
    assert "a.jpg: it is damaged (its end mark is missing)" in caplog.text


def test_jpeg_whose_end_mark_is_something_else() -> None:
    whole = saved(PHOTO, "JPEG", quality=90)
    assert np.array_equal(read_image(whole[:-2] + bytes(20)).pixels, read_image(whole).pixels)


@pytest.mark.parametrize("options", _JPEGS)
@pytest.mark.parametrize("missing", [8, 40, 400])
def test_jpeg_that_is_really_cut_is_refused(options: dict[str, object], missing: int) -> None:
    with pytest.raises(ImageReadError, match="cut short or damaged"):
        read_image(saved(PHOTO, "JPEG", **options)[:-missing])


def test_jpeg_that_lacks_whole_passes_is_refused() -> None:
    data = saved(PHOTO, "JPEG", quality=90, progressive=True)
    last = data.rindex(b"\xff\xda")
    table = data.rindex(b"\xff\xc4", 0, last)
    for cut in (last, table):
        with pytest.raises(ImageReadError, match="cut short or damaged"):
            read_image(data[:cut])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("before", [b"\r\n", b"\xef\xbb\xbf", b"\n\n\n"])
def test_line_breaks_before_the_picture(kind: str, before: bytes) -> None:
    data = saved(SAMPLES, kind)
    image = read_image(before + data)
    assert np.array_equal(image.pixels, read_image(data).pixels)
    assert _told(image) == ["file-damaged"]


# --- others -----------------------------------------------------------------------------------------------------------


def test_tiff_of_plain_samples_with_wrong_lengths() -> None:
    page = tiff_page(SAMPLES)
    data = bytearray(tiff(page))
    first = struct.unpack_from("<I", data, 4)[0]
    for place in range(first + 2, len(data) - 12, 12):
        if struct.unpack_from("<H", data, place)[0] == 279:
            for wrong in (0, 1, len(data) * 3):
                struct.pack_into("<I", data, place + 8, wrong)
                image = read_image(bytes(data))
                assert _equal(image)
                assert _told(image) == ["file-damaged"]
            return
    raise AssertionError("no lengths")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_whose_last_length_goes_past_the_end(compression: str) -> None:
    data = bytearray(saved(SAMPLES, "TIFF", compression=compression))
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}H", data, first)[0]
    table = {struct.unpack_from(f"{order}H", data, first + 2 + 12 * n)[0]: first + 2 + 12 * n for n in range(count)}
    start, length = (struct.unpack_from(f"{order}I", data, table[tag] + 8)[0] for tag in (273, 279))
    # The strip goes to the file's end, and its length past it.
    moved = data + data[start : start + length]
    struct.pack_into(f"{order}I", moved, table[273] + 8, len(data))
    struct.pack_into(f"{order}I", moved, table[279] + 8, length + 1000)
    image = read_image(bytes(moved))
    assert _equal(image)
    assert _told(image) == ["file-damaged"]
    for missing in (20, 1000):
        with pytest.raises(ImageReadError, match="cut short or damaged"):
            read_image(bytes(moved[:-missing]))


def test_webp_whose_length_is_wrong() -> None:
    data = bytearray(saved(SAMPLES, "WebP", lossless=True))
    for wrong in (len(data) + 1000, len(data) - 8 + 1):
        struct.pack_into("<I", data, 4, wrong)
        image = read_image(bytes(data))
        assert _equal(image)
        assert _told(image) == ["file-damaged"]
    with pytest.raises(ImageReadError):
        read_image(bytes(data[:-200]))


@pytest.mark.parametrize("name", ["png-long-ztxt.png", "png-ancillary-crc.png", "jpeg-without-eoi.jpg"])
def test_the_cases(shared: Path, name: str) -> None:
    cases = shared / "cases"
    truth = np.asarray(PillowImage.open(cases / "colour-reference.png").convert("RGB"), np.float64)
    image = read_image(cases / name)
    assert np.abs(image.to_uint8() - truth).mean() < 6
    assert _told(image) == ([] if "ztxt" in name else ["file-damaged"])
