"""Without a quality a result is compressed as its file was: lossless stays lossless, JPEG keeps its tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from signals import saved

from likeness.imaging.av1 import base_quantiser
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.imaging.jpeg_file import standard_tables
from likeness.imaging.origin import Compression

PHOTO = np.asarray(PillowImage.open(Path(__file__).resolve().parents[2] / "examples" / "original" / "astronaut.jpg"))


def _tables(data: bytes) -> dict[int, list[int]]:
    return PillowImage.open(io.BytesIO(data)).quantization  # pyright: ignore[reportAttributeAccessIssue]


def _by_channel(data: bytes) -> list[list[int]]:
    picture: Any = PillowImage.open(io.BytesIO(data))
    return [picture.quantization[layer[3]] for layer in picture.layer]


def _layers(data: bytes) -> list[tuple[int, int]]:
    return [layer[1:3] for layer in PillowImage.open(io.BytesIO(data)).layer]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("alpha", [False, True])
def test_lossless_webp_stays_lossless(alpha: bool) -> None:
    samples = np.dstack([PHOTO, PHOTO[..., 1]]) if alpha else PHOTO
    image = read_image(saved(samples, "WebP", lossless=True, exact=True))
    assert image.compression == Compression(format="WEBP", lossless=True)
    data = encode_image(image, "webp")
    assert np.array_equal(np.asarray(PillowImage.open(io.BytesIO(data))), samples)
    assert np.array_equal(read_image(data).pixels, image.pixels)
    # A quality that is given rules.
    assert len(encode_image(image, "webp", quality=80)) < len(data) / 2


def test_lossy_webp_is_told_from_lossless() -> None:
    for options in ({"quality": 80}, {"quality": 100}):
        found = read_image(saved(PHOTO, "WebP", **options)).compression
        assert found == Compression(format="WEBP", lossless=False)
    frames = [PillowImage.fromarray(np.roll(PHOTO, shift, 0)) for shift in range(2)]
    stream = io.BytesIO()
    frames[0].save(stream, "WebP", save_all=True, append_images=frames[1:], lossless=True)
    found = read_image(stream.getvalue()).compression
    assert found is not None
    assert found.lossless


def test_other_formats_get_95(tmp_path: Path) -> None:
    plain, lossless = Image.from_uint8(PHOTO), read_image(saved(PHOTO, "WebP", lossless=True))
    rough = read_image(saved(PHOTO, "JPEG", quality=40))
    for kind in ("JPEG", "WEBP", "AVIF"):
        assert encode_image(plain, kind) == encode_image(plain, kind, quality=95)
    assert encode_image(lossless, "JPEG") == encode_image(lossless, "JPEG", quality=95)
    assert encode_image(rough, "WEBP") == encode_image(rough, "WEBP", quality=95)
    write_image(rough, tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == encode_image(rough, "JPEG")


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [85, 90, 95, 100])
def test_jpeg_keeps_its_tables_and_its_colour(quality: int, subsampling: str) -> None:
    data = saved(PHOTO, "JPEG", quality=quality, subsampling=subsampling)
    image = read_image(data)
    assert image.compression is not None
    assert image.compression.quality == quality
    again = encode_image(image, "jpg")
    assert _by_channel(again) == _by_channel(data)
    assert _layers(again) == _layers(data)
    assert abs(len(again) / len(data) - 1) < 0.04
    # Closer than at a higher quality of other tables.
    moved = np.abs(read_image(again).pixels - image.pixels).mean() * 255
    elsewhere = np.abs(read_image(encode_image(image, "jpg", quality=93)).pixels - image.pixels).mean() * 255
    assert moved < {"4:4:4": 0.07, "4:2:2": 0.4, "4:2:0": 0.5}[subsampling]
    assert moved < elsewhere


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 84])
def test_what_a_face_needs_is_not_undercut(quality: int) -> None:
    data = saved(PHOTO, "JPEG", quality=quality)
    image = read_image(data)
    again = encode_image(image, "jpg")
    for place, table in _tables(again).items():
        limit = standard_tables(85)[place]
        before = _tables(data)[place]
        assert all(now <= most for now, most in zip(table, limit, strict=True))
        # Steps that fit into those of the file leave most of what it holds as it is.
        off = [min(old % now, now - old % now) / now for old, now in zip(before, table, strict=True)]
        assert np.mean(off) < 0.13
    assert np.abs(read_image(again).pixels - image.pixels).mean() * 255 < 0.7


def test_jpeg_of_own_tables_and_kinds() -> None:
    three = [[3] * 64, [4] * 64, [5] * 64]
    for options, tables in (
        ({"qtables": three, "subsampling": "4:4:4"}, three),
        ({"qtables": three[:1]}, three[:1]),
        ({"quality": 90, "progressive": True}, None),
    ):
        data = saved(PHOTO, "JPEG", **options)
        again = encode_image(read_image(data), "jpg")
        assert list(_tables(again).values()) == (tables or list(_tables(data).values()))
        assert PillowImage.open(io.BytesIO(again)).info.get("progressive") == PillowImage.open(
            io.BytesIO(data)
        ).info.get("progressive")


def test_grey_and_cmyk_jpeg() -> None:
    grey = read_image(saved(PHOTO[..., 1], "JPEG", quality=88))
    again = encode_image(grey, "jpg")
    assert PillowImage.open(io.BytesIO(again)).mode == "L"
    assert np.abs(read_image(again).pixels - grey.pixels).mean() * 255 < 0.05
    # What was given colour since has tables for it.
    coloured = grey.with_pixels(PHOTO.astype(np.float32) / np.float32(255))
    assert PillowImage.open(io.BytesIO(encode_image(coloured, "jpg"))).mode == "RGB"
    stream = io.BytesIO()
    PillowImage.fromarray(PHOTO).convert("CMYK").save(stream, "JPEG", quality=60)
    cmyk = read_image(stream.getvalue())
    assert cmyk.compression is None
    assert encode_image(cmyk, "jpg") == encode_image(cmyk, "jpg", quality=95)


def test_the_standard_tables_are_the_encoder_s() -> None:
    for quality in (1, 25, 49, 50, 75, 90, 100):
        tables = _tables(saved(PHOTO[:16, :16], "JPEG", quality=quality, subsampling="4:4:4"))
        expected: list[Any] = [list(table) for table in standard_tables(quality)]
        assert [tables[place] for place in sorted(tables)] == expected[: len(tables)]


@pytest.mark.parametrize("name", ["lossless.webp"])
def test_the_cases(shared: Path, name: str) -> None:
    image = read_image(shared / "cases" / name)
    assert np.array_equal(read_image(encode_image(image, "webp")).pixels, image.pixels)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [100, 99, 95, 90, 60])
@pytest.mark.parametrize("size", [(512, 512), (61, 45)])
def test_avif_keeps_its_quality(quality: int, subsampling: str, size: tuple[int, int]) -> None:
    picture = PillowImage.fromarray(PHOTO).resize(size)
    data = saved(np.asarray(picture), "AVIF", quality=quality, subsampling=subsampling, speed=8)
    image = read_image(data)
    assert image.compression is not None
    assert image.compression.subsampling == subsampling
    assert image.compression.quality == pytest.approx(quality, abs=1)
    again = read_image(encode_image(image, "avif"))
    assert again.compression is not None
    assert again.compression.quality == pytest.approx(max(quality, 85), abs=1)
    assert again.compression.subsampling == subsampling
    if (quality, subsampling) == (100, "4:4:4"):
        assert np.abs(again.pixels - image.pixels).max() * 255 < 2.5


def test_av1_headers_that_are_damaged_say_nothing() -> None:
    data = saved(PHOTO[:64, :64], "AVIF")
    start = data.index(b"mdat") + 4
    assert base_quantiser(data[start:]) is not None
    assert base_quantiser(b"") is None
    assert base_quantiser(data[start : start + 12]) is None
    random = np.random.default_rng(6)
    for _ in range(300):
        broken = bytearray(data[start : start + 60])
        for place in random.integers(0, 60, 4):
            broken[place] = random.integers(0, 256)
        found = base_quantiser(bytes(broken))
        assert found is None or 0 <= found <= 255
