"""What is written: depth, channels, profile, EXIF; read again with other programs' eyes wherever that is possible."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms

from likeness.errors import ConfigError, ImageWriteError
from likeness.imaging.encode import FORMATS, encode_image, find_format
from likeness.imaging.files import read_image
from likeness.imaging.icc import to_srgb
from likeness.imaging.image import Image
from likeness.imaging.samples import change_depth, to_samples, to_unit


def _noise(kind: type[np.unsignedinteger], *shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)


def _image(samples: np.ndarray, **options: Any) -> Image:
    """An image of grey (2 dimensions), RGB or RGBA samples."""
    alpha = to_unit(samples[..., 3]) if samples.ndim == 3 and samples.shape[2] == 4 else None
    values = to_unit(samples[..., :3] if samples.ndim == 3 else np.stack([samples] * 3, axis=-1))
    depth = samples.dtype.itemsize * 8
    return Image(pixels=values, alpha=alpha, bit_depth=depth, grey=samples.ndim == 2, **options)  # type: ignore[arg-type]


def _exif() -> bytes:
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x011A], exif[0x011B], exif[0x0128] = "Likeness Camera Works", 300.0, 300.0, 2
    exif[0x8769] = {0x9003: "1972:05:04 03:02:01", 0xA002: 9, 0xA003: 9}
    return exif.tobytes()[6:]


def _opened(data: bytes) -> PillowImage.Image:
    picture = PillowImage.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        *((kind, channels) for kind in ("PNG", "TIFF", "WebP") for channels in ("grey", "rgb", "rgba")),
        *(("BMP", channels) for channels in ("grey", "rgb")),
    ],
)
def test_8_bit_in_is_8_bit_out_exactly(kind: str, channels: str) -> None:
    samples = _noise(np.uint8, *{"grey": (50, 70), "rgb": (50, 70, 3), "rgba": (50, 70, 4)}[channels])
    data = encode_image(_image(samples), kind, quality=100)
    mode = {"grey": "L" if kind != "WebP" else "RGB", "rgb": "RGB", "rgba": "RGBA"}[channels]
    opened = _opened(data)
    assert opened.mode == mode
    expected = np.stack([samples] * 3, axis=-1) if mode == "RGB" and channels == "grey" else samples
    assert np.array_equal(np.asarray(opened), expected)
    again = read_image(data)
    assert np.array_equal(again.pixels, _image(samples).pixels)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("shape", [(50, 70), (50, 70, 3), (50, 70, 4)])
def test_16_bits_round_trip(kind: str, shape: tuple[int, ...]) -> None:
    samples = _noise(np.uint16, *shape)
    image = _image(samples)
    data = encode_image(image, kind)
    again = read_image(data)
    assert (again.bit_depth, again.grey) == (16, len(shape) == 2)
    assert np.array_equal(again.pixels, image.pixels)
    assert (again.alpha is None) == (image.alpha is None)
    if image.alpha is not None and again.alpha is not None:
        assert np.array_equal(again.alpha, image.alpha)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    ours = samples if samples.ndim == 2 else samples[..., [2, 1, 0, 3][: shape[2]]]
    assert np.array_equal(theirs, ours)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_with_alpha(kind: str) -> None:
    samples = _noise(np.uint16, 20, 30)
    image = Image(
        pixels=to_unit(np.stack([samples] * 3, axis=-1)), alpha=to_unit(samples[::-1]), bit_depth=16, grey=True
    )
    data = encode_image(image, kind)
    again = read_image(data)
    assert again.grey
    assert again.alpha is not None
    assert np.array_equal(again.pixels, image.pixels)
    assert np.array_equal(again.alpha, image.alpha)


def test_16_bit_files_larger_than_one_strip() -> None:
    """Strips follow each other without a seam: PNG predicts each row from the one above."""
    rows = np.cumsum(_noise(np.uint16, 1400, 900, 3) % 7, axis=0, dtype=np.uint16)
    image = _image(rows)
    for kind in ("PNG", "TIFF"):
        data = encode_image(image, kind)
        assert np.array_equal(read_image(data).pixels, image.pixels)
        assert len(data) < rows.nbytes * 0.75


def test_tiff_is_read_by_tifffile_as_well() -> None:
    samples = _noise(np.uint16, 33, 21, 4)
    page = tifffile.TiffFile(io.BytesIO(encode_image(_image(samples), "TIFF"))).pages[0]
    assert np.array_equal(page.asarray(), samples)
    assert tuple(page.extrasamples) == (2,)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "WebP"])
def test_lossy_formats_stay_close(kind: str) -> None:
    y, x = np.mgrid[0:80, 0:120]
    samples = np.stack([x * 2, y * 3, 255 - x - y], axis=-1).astype(np.uint8)
    again = read_image(encode_image(_image(samples), kind, quality=90))
    assert np.abs(again.pixels * 255 - samples).mean() < 2


def test_jpeg_keeps_colour_at_full_resolution_from_90_on() -> None:
    """A red and blue chequerboard of single pixels averages to mud when colour is stored at half resolution."""
    board = np.zeros((64, 64, 3), np.uint8)
    board[::2, ::2, 0] = board[1::2, 1::2, 0] = 255
    board[1::2, ::2, 2] = board[::2, 1::2, 2] = 255
    fine, coarse = (read_image(encode_image(_image(board), "JPEG", quality=quality)) for quality in (90, 89))
    assert np.abs(fine.pixels * 255 - board).mean() < 12
    assert np.abs(coarse.pixels * 255 - board).mean() > 40


def test_webp_is_lossless_at_100_only() -> None:
    image = _image(_noise(np.uint8, 40, 40, 3))
    assert np.array_equal(read_image(encode_image(image, "WebP", quality=100)).pixels, image.pixels)
    assert len(encode_image(image, "WebP", quality=80)) < len(encode_image(image, "WebP", quality=100)) / 2


def test_depth_can_be_chosen() -> None:
    eight, sixteen = _image(_noise(np.uint8, 9, 9, 3)), _image(_noise(np.uint16, 9, 9, 3))
    widened = read_image(encode_image(eight, "PNG", bit_depth=16))
    assert widened.bit_depth == 16
    assert np.array_equal(to_samples(widened.pixels, 8), to_samples(eight.pixels, 8))
    assert read_image(encode_image(sixteen, "TIFF", bit_depth=8)).bit_depth == 8
    assert read_image(encode_image(sixteen, "BMP")).bit_depth == 8
    with pytest.raises(ImageWriteError, match="JPEG holds 8 bits"):
        encode_image(sixteen, "JPEG", bit_depth=16)


def test_rounding_not_truncation() -> None:
    image = Image(pixels=np.full((2, 2, 3), np.float32(99.6 / 255)))
    assert read_image(encode_image(image, "PNG")).pixels[0, 0, 0] == np.float32(100) / np.float32(255)
    outside = Image(pixels=np.array([[[-1.0, 2.0, 0.5]]], np.float32))
    assert np.asarray(_opened(encode_image(outside, "PNG"))).tolist() == [[[0, 255, 128]]]


def test_depth_changes_are_exact_both_ways() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(change_depth(change_depth(codes, 16), 8), codes)
    assert change_depth(np.array([0, 128, 129, 65406, 65407], np.uint16), 8).tolist() == [0, 0, 1, 254, 255]


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("JPEG", 8), ("PNG", 8), ("PNG", 16), ("TIFF", 8), ("TIFF", 16), ("WebP", 8), ("AVIF", 8)],
)
def test_exif_and_profile_are_kept(kind: str, bits: int, adobe_profile: bytes, srgb_like_profile: bytes) -> None:
    for profile in (adobe_profile, srgb_like_profile):
        image = _image(_noise(np.uint8, 20, 30, 3), exif=_exif(), icc_profile=profile)
        data = encode_image(image, kind, bit_depth=bits)  # type: ignore[arg-type]
        again = read_image(data)
        assert again.icc_profile == profile
        assert _opened(data).info["icc_profile"] == profile
        exif = _opened(data).getexif()
        assert exif[0x010F] == "Likeness Camera Works"
        photo = exif.get_ifd(0x8769)
        assert photo[0x9003] == "1972:05:04 03:02:01"
        assert (photo[0xA002], photo[0xA003]) == (30, 20)
        assert again.bit_depth == bits


@pytest.mark.parametrize(("kind", "bits"), [("JPEG", 8), ("PNG", 8), ("PNG", 16), ("TIFF", 16)])
def test_resolution_is_kept_for_printing(kind: str, bits: int) -> None:
    data = encode_image(_image(_noise(np.uint8, 20, 30, 3), exif=_exif()), kind, bit_depth=bits)  # type: ignore[arg-type]
    assert [round(value) for value in _opened(data).info["dpi"]] == [300, 300]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_resolution_without_exif_is_kept(kind: str) -> None:
    """A flatbed scan: 600 dpi in the header and no EXIF."""
    stream = io.BytesIO()
    PillowImage.new("RGB", (20, 10)).save(stream, kind, dpi=(600, 600))
    assert [round(value) for value in _opened(encode_image(read_image(stream.getvalue()), kind)).info["dpi"]] == [
        600,
        600,
    ]


def test_exif_survives_a_chain_of_formats() -> None:
    image = _image(_noise(np.uint8, 20, 30, 3), exif=_exif())
    for kind in ("TIFF", "PNG", "WebP", "AVIF", "TIFF", "JPEG"):
        image = read_image(encode_image(image, kind))
    assert image.exif is not None
    exif = PillowImage.Exif()
    exif.load(image.exif)
    assert exif[0x010F] == "Likeness Camera Works"
    assert exif.get_ifd(0x8769)[0x9003] == "1972:05:04 03:02:01"


def test_an_exif_block_too_long_for_jpeg_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    exif = PillowImage.Exif()
    exif[0x010E] = "x" * 70000
    image = _image(_noise(np.uint8, 8, 8, 3), exif=exif.tobytes()[6:])
    assert "exif" not in _opened(encode_image(image, "JPEG")).info
    assert "too long" in caplog.text
    assert read_image(encode_image(image, "PNG")).exif == image.exif


# --- colour profiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("name", ["adobe_profile", "table_profile"])
def test_what_was_not_changed_keeps_every_bit(bits: int, kind: str, name: str, request: pytest.FixtureRequest) -> None:
    profile: bytes = request.getfixturevalue(name)
    samples = _noise(np.uint8 if bits == 8 else np.uint16, 60, 80, 3)
    original = _image(samples, icc_profile=profile, native=samples)
    source = encode_image(replace(original, pixels=to_srgb(samples, profile)), kind)
    image = read_image(source)
    assert image.native is not None
    assert np.array_equal(image.native, samples)
    pixels = image.pixels.copy()
    pixels[10:30, 20:50] = (0.7, 0.5, 0.4)
    result = read_image(encode_image(image.with_pixels(pixels), kind))
    assert result.native is not None
    outside = np.ones((60, 80), bool)
    outside[10:30, 20:50] = False
    assert np.array_equal(result.native[outside], samples[outside])
    assert np.abs(result.pixels[~outside] - [0.7, 0.5, 0.4]).max() < 3 / 255


def test_other_programs_see_the_same_colours(adobe_profile: bytes) -> None:
    """A picture that was enlarged has no native samples left; its profile must still be true."""
    wanted = np.tile(np.array([[[0.7, 0.5, 0.4]]], np.float32), (8, 8, 1))
    opened = _opened(encode_image(Image(pixels=wanted, icc_profile=adobe_profile), "PNG"))
    assert np.abs(np.asarray(opened)[4, 4] - np.array([178.5, 127.5, 102])).max() > 3  # other numbers in the file
    srgb = ImageCms.createProfile("sRGB")
    source = ImageCms.getOpenProfile(io.BytesIO(opened.info["icc_profile"]))
    shown = ImageCms.applyTransform(opened, ImageCms.buildTransform(source, srgb, "RGB", "RGB", 1))
    assert np.abs(np.asarray(shown)[4, 4] - np.array([178.5, 127.5, 102])).max() < 2


def test_bmp_holds_no_profile_so_it_gets_srgb(adobe_profile: bytes) -> None:
    wanted = np.tile(np.array([[[0.7, 0.5, 0.4]]], np.float32), (8, 8, 1))
    data = encode_image(Image(pixels=wanted, icc_profile=adobe_profile), "BMP")
    assert np.abs(np.asarray(_opened(data))[4, 4] - np.array([178.5, 127.5, 102])).max() < 1


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_a_grey_profile(bits: int, grey_profile: bytes) -> None:
    samples = _noise(np.uint8 if bits == 8 else np.uint16, 30, 40)
    stream = io.BytesIO()
    PillowImage.fromarray(samples).save(stream, "PNG", icc_profile=grey_profile)
    image = read_image(stream.getvalue())
    data = encode_image(image, "PNG")
    opened = _opened(data)
    assert opened.mode == ("L" if bits == 8 else "I;16")
    assert opened.info["icc_profile"] == grey_profile
    assert np.array_equal(np.asarray(opened), samples)
    # A restoration that brings colour in cannot keep a grey profile.
    pixels = image.pixels.copy()
    pixels[5:10, 5:10] = (0.8, 0.5, 0.4)
    coloured = read_image(encode_image(image.with_pixels(pixels), "PNG"))
    assert (coloured.grey, coloured.icc_profile) == (False, None)
    assert np.abs(coloured.pixels - pixels).max() < 0.51 / 255
    # WebP has no grey.
    webp = read_image(encode_image(image, "WebP", quality=100))
    assert webp.icc_profile is None
    assert np.abs(webp.pixels - image.pixels).max() < 0.51 / 255


# --- transparency and limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_transparency_is_laid_over_white_where_there_is_none(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    samples = np.zeros((16, 48, 4), np.uint8)
    samples[:, 16:32, 3] = 128
    samples[:, 32:, 3] = 255
    result = read_image(encode_image(_image(samples), kind, quality=100))
    assert result.alpha is None
    assert np.abs(result.pixels[8, [4, 24, 44], 0] * 255 - [255, 127, 0]).max() <= 2
    assert "laid over white" in caplog.text


def test_an_opaque_picture_with_alpha_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    samples = _noise(np.uint8, 16, 16, 4)
    samples[..., 3] = 255
    assert np.array_equal(np.asarray(_opened(encode_image(_image(samples), "BMP"))), samples[..., :3])
    assert caplog.text == ""


def test_transparent_colour_survives() -> None:
    samples = np.full((8, 8, 4), 90, np.uint8)
    samples[..., 3] = 0
    for kind in ("PNG", "TIFF", "WebP"):
        assert np.array_equal(np.asarray(_opened(encode_image(_image(samples), kind, quality=100))), samples)


@pytest.mark.parametrize(("kind", "side"), [("WebP", 16384), ("JPEG", 65501), ("AVIF", 32769)])
def test_a_side_too_long_is_refused(kind: str, side: int) -> None:
    wide = Image(pixels=np.zeros((16, side, 3), np.float32))
    with pytest.raises(ImageWriteError, match=f"{side}x16 .*write PNG or TIFF"):
        encode_image(wide, kind)
    longest = Image(pixels=wide.pixels[:, 1:])
    assert read_image(encode_image(longest, kind)).size == longest.size


def test_numbers_that_are_none_are_refused(adobe_profile: bytes) -> None:
    pixels = np.zeros((8, 8, 3), np.float32)
    pixels[3, 3, 1] = np.nan
    for image in (Image(pixels=pixels), Image(pixels=pixels, icc_profile=adobe_profile)):
        with pytest.raises(ImageWriteError, match="NaN"):
            encode_image(image, "PNG")


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_quality_has_a_range(quality: int) -> None:
    with pytest.raises(ConfigError, match=f"1 to 100, not {quality}"):
        encode_image(_image(_noise(np.uint8, 4, 4, 3)), "JPEG", quality=quality)


def test_bit_depth_is_8_or_16() -> None:
    with pytest.raises(ConfigError, match="8 or 16, not 12"):
        encode_image(_image(_noise(np.uint8, 4, 4, 3)), "PNG", bit_depth=12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"), [("jpg", "JPEG"), (".JPEG", "JPEG"), ("WebP", "WEBP"), (".tif", "TIFF"), ("TIFF", "TIFF")]
)
def test_formats_by_name_or_suffix(name: str, expected: str) -> None:
    assert find_format(name).name == expected


@pytest.mark.parametrize("name", [".heic", "gif", "", ".txt"])
def test_formats_that_cannot_be_written(name: str) -> None:
    with pytest.raises(ImageWriteError, match=r"cannot be written; use one of \.jpg"):
        find_format(name)


def test_each_suffix_belongs_to_one_format() -> None:
    suffixes = [suffix for file_format in FORMATS for suffix in file_format.suffixes]
    assert len(suffixes) == len(set(suffixes))
