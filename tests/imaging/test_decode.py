"""Every format, depth and colour model, as files of other programs hold them."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps
from signals import png_chunk

from likeness.errors import ImageError, ImageReadError, ImageTooLargeError
from likeness.imaging.files import read_image
from likeness.imaging.heif_items import check_heif_depths
from likeness.imaging.image import Size

DATA = Path(__file__).resolve().parents[1] / "data"


def _photo(height: int = 48, width: int = 64) -> np.ndarray:
    """Smooth and colourful, so that lossy formats stay close; no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 / width, y * 255 / height, 255 - (x + y) * 255 / (width + height)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _noise16(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 65536, shape, dtype=np.uint16)


def _saved(picture: PillowImage.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


def _codes(values: np.ndarray, top: int = 255) -> np.ndarray:
    return np.rint(values * top).astype(np.int64)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_8_bit_colour(kind: str) -> None:
    photo = _photo()
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
    image = read_image(_saved(PillowImage.fromarray(photo), kind, **options))
    assert (image.size, image.bit_depth, image.grey, image.alpha) == (Size(64, 48), 8, False, None)
    assert image.pixels.dtype == np.float32
    difference = np.abs(_codes(image.pixels) - photo)
    assert difference.max() == 0 if kind not in ("JPEG", "AVIF") else difference.mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "GIF"])
def test_8_bit_grey(kind: str) -> None:
    grey = _photo()[..., 0]
    image = read_image(_saved(PillowImage.fromarray(grey), kind))
    assert image.grey
    assert np.array_equal(image.pixels[..., 0], image.pixels[..., 2])
    assert np.abs(_codes(image.pixels[..., 1]) - grey).max() <= (2 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_1_bit(kind: str) -> None:
    bits = _photo()[..., 0] > 100
    image = read_image(_saved(PillowImage.fromarray(bits), kind))
    assert (image.grey, image.bit_depth) == (True, 8)
    assert np.array_equal(_codes(image.pixels[..., 0]), bits * 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha(kind: str) -> None:
    rgba = np.dstack([_photo(), _photo()[..., 1]])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = read_image(_saved(PillowImage.fromarray(rgba), kind, **options))
    assert image.alpha is not None
    assert np.array_equal(_codes(np.dstack([image.pixels, image.alpha])), rgba)


def test_grey_with_alpha() -> None:
    both = _photo()[..., :2]
    image = read_image(_saved(PillowImage.fromarray(both, "LA"), "PNG"))
    assert image.grey
    assert image.alpha is not None
    assert np.array_equal(_codes(np.dstack([image.pixels[..., 0], image.alpha])), both)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_transparency(kind: str) -> None:
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    picture = PillowImage.fromarray(indices).convert("P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image = read_image(_saved(picture, kind, transparency=1))
    assert image.alpha is not None
    assert image.alpha.tolist() == [[1, 0], [1, 0]]
    assert image.pixels[0, 0].tolist() == [1, 0, 0]
    assert image.pixels[1, 0].tolist() == [0, 0, 1]


def test_palette_with_degrees_of_transparency() -> None:
    picture = PillowImage.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image = read_image(_saved(picture, "PNG", transparency=bytes([0, 128, 255])))
    assert image.alpha is not None
    assert _codes(image.alpha).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (7, 8, 9)), ("1", 0)])
def test_one_transparent_colour(mode: str, colour: Any) -> None:
    picture = PillowImage.new(mode, (4, 3), "white")
    picture.putpixel((1, 1), colour)
    image = read_image(_saved(picture, "PNG", transparency=colour))
    assert image.alpha is not None
    assert image.alpha[1, 1] == 0
    assert image.alpha.sum() == 11
    assert image.grey == (mode != "RGB")


def test_the_first_frame_of_an_animation() -> None:
    frames = [PillowImage.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    image = read_image(_saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert image.pixels[5, 5].tolist() == [1, 0, 0]


# --- 16 bits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png(channels: int) -> None:
    raw = _noise16(40, 50, channels)
    encoded = cv2.imencode(".png", raw[..., [2, 1, 0, 3][:channels]] if channels > 1 else raw)[1].tobytes()
    image = read_image(encoded)
    assert (image.bit_depth, image.grey) == (16, channels == 1)
    assert np.array_equal(_codes(image.pixels, 65535), raw[..., :3] if channels > 1 else np.repeat(raw, 3, axis=2))
    assert (image.alpha is None) == (channels < 4)
    if image.alpha is not None:
        assert np.array_equal(_codes(image.alpha, 65535), raw[..., 3])


def _png(colour_type: int, samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG by hand, unfiltered."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    data = zlib.compress(np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes())
    result = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    for kind, content in ((b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")):
        result += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return result


def test_16_bit_png_of_grey_and_alpha() -> None:
    raw = _noise16(20, 30, 2)
    image = read_image(_png(4, raw))
    assert image.grey
    assert image.alpha is not None
    assert np.array_equal(_codes(np.dstack([image.pixels[..., 2], image.alpha]), 65535), raw)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_of_few_greys_with_one_transparent(depth: int) -> None:
    """As programs that make small files write them: the transparent grey is in the file's own levels."""
    top = (1 << depth) - 1
    width, row = {1: (8, b"\x35"), 2: (4, b"\x1b"), 4: (4, b"\x0f\x10"), 8: (3, b"\x00\x01\xff")}[depth]
    key = struct.pack(">H", 1)
    data = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, 1, depth, 0, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")):
        data += png_chunk(kind, content)
    image = read_image(data)
    assert image.alpha is not None
    grey = _codes(image.pixels[..., 0])
    assert np.array_equal(image.alpha == 0, grey == 255 // top)
    assert (image.alpha == 0).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_png_with_one_transparent_colour(channels: int) -> None:
    raw = _noise16(20, 30, channels)
    key = raw[4, 5].astype(">u2").tobytes()
    image = read_image(_png(0 if channels == 1 else 2, raw, (b"tRNS", key)))
    assert image.alpha is not None
    assert image.alpha[4, 5] == 0
    assert image.alpha.sum() == 20 * 30 - 1
    assert np.array_equal(_codes(image.pixels, 65535), np.broadcast_to(raw, (20, 30, 3)))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((40, 50), {"photometric": "minisblack"}),
        ((40, 50, 3), {"photometric": "rgb"}),
        ((40, 50, 3), {"photometric": "rgb", "byteorder": ">"}),
        ((40, 50, 3), {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        ((40, 50, 3), {"photometric": "rgb", "tile": (16, 16)}),
        ((40, 50, 3), {"photometric": "rgb", "bigtiff": True}),
        ((40, 50, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        ((40, 50, 2), {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}),
        ((3, 40, 50), {"photometric": "rgb", "planarconfig": "separate"}),
    ],
)
def test_16_bit_tiff(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    raw = _noise16(*shape)
    image = read_image(_tiff(raw, **options))
    samples = np.moveaxis(raw, 0, -1) if shape[0] == 3 else raw if raw.ndim == 3 else raw[..., None]
    assert image.bit_depth == 16
    assert image.grey == (samples.shape[2] < 3)
    colour = samples[..., :1] if image.grey else samples[..., :3]
    assert np.array_equal(_codes(image.pixels, 65535), np.broadcast_to(colour, (40, 50, 3)))
    assert (image.alpha is None) == (samples.shape[2] in (1, 3))
    if image.alpha is not None:
        assert np.array_equal(_codes(image.alpha, 65535), samples[..., -1])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff_with_lzw(channels: int) -> None:
    """What Photoshop and scanners write; tifffile alone could not read it."""
    raw = _noise16(40, 50, channels)
    bgr = raw[..., [2, 1, 0, 3][:channels]] if channels > 1 else raw
    encoded = cv2.imencode(".tif", bgr, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
    assert tifffile.TiffFile(io.BytesIO(encoded)).pages[0].compression == 5  # type: ignore[union-attr]
    image = read_image(encoded)
    assert np.array_equal(_codes(image.pixels, 65535), np.broadcast_to(raw[..., :3], (40, 50, 3)))


def test_tiff_white_is_zero() -> None:
    raw = _noise16(40, 50)
    assert np.array_equal(
        _codes(read_image(_tiff(raw, photometric="miniswhite")).pixels[..., 0], 65535), 65535 - raw.astype(int)
    )
    low = (raw >> 8).astype(np.uint8)
    assert np.array_equal(
        _codes(read_image(_tiff(low, photometric="miniswhite")).pixels[..., 0]), 255 - low.astype(int)
    )


def test_tiff_premultiplied_alpha_is_undone() -> None:
    raw = np.array([[[30000, 10000, 0, 32768], [0, 0, 0, 0], [65535, 1, 2, 65535]]], np.uint16)
    image = read_image(_tiff(raw, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(_codes(image.pixels, 65535)[0, 0] - [59999, 20000, 0]).max() <= 1
    assert _codes(image.pixels, 65535)[0, 2].tolist() == [65535, 1, 2]


def test_tiff_extra_channel_that_is_no_alpha() -> None:
    raw = _noise16(20, 30, 4)
    image = read_image(_tiff(raw, photometric="rgb", extrasamples=["unspecified"]))
    assert image.alpha is None
    assert np.array_equal(_codes(image.pixels, 65535), raw[..., :3])


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32])
def test_tiff_of_other_sample_kinds_is_refused(kind: type[np.generic]) -> None:
    with pytest.raises(ImageReadError, match=r"scan\.tif holds .*8 or 16 bits"):
        read_image(_tiff(np.zeros((4, 5), kind), photometric="minisblack"), name="scan.tif")


# --- orientation ------------------------------------------------------------------------------------------------------


def _exif(turn: int) -> bytes:
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x0112] = "Maker", turn
    return exif.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_and_reset(kind: str, turn: int) -> None:
    stored = PillowImage.fromarray(_photo())
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
    image = read_image(_saved(stored, kind, exif=_exif(turn), **options))
    stored.getexif()[0x0112] = turn
    upright = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    assert image.pixels.shape == upright.shape
    assert np.abs(_codes(image.pixels) - upright).mean() < 2
    assert image.exif is not None
    kept = PillowImage.Exif()
    kept.load(image.exif)
    assert (kept[0x010F], kept.get(0x0112, 1)) == ("Maker", 1)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_of_16_bit_files(turn: int) -> None:
    raw = _noise16(20, 30, 3)
    reference = PillowImage.fromarray(np.arange(600, dtype=np.int32).reshape(20, 30))  # positions
    reference.getexif()[0x0112] = turn
    where = np.asarray(ImageOps.exif_transpose(reference))
    expected = raw.reshape(600, 3)[where.ravel()].reshape(*where.shape, 3)
    as_tiff = _tiff(raw, photometric="rgb", extratags=[(274, 3, 1, turn, True)])
    as_png = _png(2, raw, (b"eXIf", _exif(turn)[6:]))
    for data in (as_tiff, as_png):
        assert np.array_equal(_codes(read_image(data).pixels, 65535), expected)


def test_alpha_turns_with_the_picture() -> None:
    rgba = np.dstack([_photo(), _photo()[..., 0]])
    image = read_image(_saved(PillowImage.fromarray(rgba), "PNG", exif=_exif(6)))
    assert image.alpha is not None
    assert np.array_equal(_codes(image.alpha), np.rot90(rgba[..., 3], -1))


# --- colour -----------------------------------------------------------------------------------------------------------


def test_cmyk_with_its_profile(cmyk_profile: bytes) -> None:
    sheet = PillowImage.new("CMYK", (16, 16), (255, 0, 0, 0))
    for data in (
        _saved(sheet, "JPEG", quality=95, icc_profile=cmyk_profile),
        _saved(sheet, "TIFF", icc_profile=cmyk_profile),
    ):
        image = read_image(data)
        assert np.abs(_codes(image.pixels)[8, 8] - [0, 158, 224]).max() < 14
        assert (image.icc_profile, image.native, image.bit_depth) == (None, None, 8)


def test_cmyk_without_a_profile() -> None:
    """Pillow writes CMYK JPEGs as Adobe does, inverted: paper must come out white, not black."""
    sheet = PillowImage.new("CMYK", (32, 16), (0, 0, 0, 0))
    sheet.paste((0, 255, 255, 0), (16, 0, 32, 16))
    data = _saved(sheet, "JPEG", quality=100, subsampling=0)
    assert b"Adobe" in data
    image = read_image(data)
    assert _codes(image.pixels)[8, 4].min() >= 253
    assert image.pixels[8, 28, 0] > 0.9
    assert image.pixels[8, 28, 1:].max() < 0.1


def test_cmyk_with_a_damaged_profile_warns(cmyk_profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    sheet = PillowImage.new("CMYK", (16, 16), (255, 0, 0, 0))
    image = read_image(_saved(sheet, "TIFF", icc_profile=cmyk_profile[:200]), name="press.tif")
    assert image.pixels[8, 8].tolist() == [0, 1, 1]
    assert "press.tif" in caplog.text


def test_lab_tiff() -> None:
    lab = np.zeros((4, 4, 3), np.uint8)
    lab[..., 0] = 255  # white; Pillow's a and b are signed around 0
    image = read_image(_saved(PillowImage.fromarray(lab, "LAB"), "TIFF"))
    assert _codes(image.pixels).min() >= 254


def test_ycbcr_tiff() -> None:
    photo = PillowImage.fromarray(_photo())
    image = read_image(_saved(photo.convert("YCbCr"), "TIFF"))
    assert np.abs(_codes(image.pixels) - _photo()).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_wider_profile_is_converted_and_kept(kind: str, adobe_profile: bytes) -> None:
    green = PillowImage.new("RGB", (16, 16), (150, 180, 150))
    image = read_image(_saved(green, kind, icc_profile=adobe_profile))
    assert image.icc_profile == adobe_profile
    assert image.native is not None
    assert np.abs(image.native[8, 8].astype(int) - [150, 180, 150]).max() <= 2
    assert np.abs(_codes(image.pixels)[8, 8] - [137, 181, 150]).max() <= 4  # more saturated as sRGB numbers


def test_an_srgb_profile_converts_nothing(srgb_like_profile: bytes) -> None:
    photo = PillowImage.fromarray(_photo())
    standard = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (standard, srgb_like_profile):
        image = read_image(_saved(photo, "PNG", icc_profile=profile))
        assert image.icc_profile == profile
        assert image.native is None
        assert np.array_equal(_codes(image.pixels), _photo())


def test_a_profile_of_the_wrong_kind_is_left_out(cmyk_profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    image = read_image(_saved(PillowImage.fromarray(_photo()), "PNG", icc_profile=cmyk_profile), name="odd.png")
    assert image.icc_profile is None
    assert np.array_equal(_codes(image.pixels), _photo())
    assert "odd.png" in caplog.text


def test_grey_with_a_grey_or_rgb_profile(grey_profile: bytes, adobe_profile: bytes) -> None:
    grey = PillowImage.fromarray(_photo()[..., 0])
    for profile in (grey_profile, adobe_profile):
        image = read_image(_saved(grey, "PNG", icc_profile=profile))
        assert image.grey
        assert image.native is not None
        assert np.array_equal(image.native[..., 2], _photo()[..., 0])
        assert np.array_equal(image.pixels[..., 0], image.pixels[..., 1])
        assert np.abs(_codes(image.pixels[..., 0]) - _photo()[..., 0]).max() > 1


def test_a_scanner_profile_is_applied_and_given_up(scanner_profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    image = read_image(_saved(PillowImage.new("RGB", (8, 8), (200, 100, 50)), "TIFF", icc_profile=scanner_profile))
    assert (image.icc_profile, image.native) == (None, None)
    assert np.abs(_codes(image.pixels)[4, 4] - [50, 100, 200]).max() < 6
    assert "no way back" in caplog.text


# --- HEIC -------------------------------------------------------------------------------------------------------------


def test_heic_is_upright() -> None:
    """Made by libheif: a red, green, blue and white quadrant, stored lying down with the turn in both places."""
    image = read_image(DATA / "quadrants-turned.heic")
    assert image.size == Size(48, 64)
    corners = _codes(image.pixels)[[16, 16, 48, 48], [12, 36, 12, 36]]
    assert np.abs(corners - [[30, 40, 200], [200, 30, 30], [240, 240, 240], [30, 160, 40]]).max() <= 3
    assert image.exif is not None
    assert b"Likeness" in image.exif
    kept = PillowImage.Exif()
    kept.load(image.exif)
    assert kept.get(0x0112, 1) == 1


def test_grey_heic() -> None:
    image = read_image(DATA / "grey.heic")
    assert (image.size, image.grey, image.bit_depth) == (Size(24, 16), True, 8)
    assert np.abs(_codes(image.pixels[3, :, 0]) - np.linspace(0, 255, 24)).max() <= 2


@pytest.mark.parametrize("damage", ["deeper", "deeper-inside", "none"])
def test_grey_heic_whose_depth_is_told_in_two_ways(damage: str) -> None:
    """The binding of libheif believes the container, and reads past the samples: noise, or the end of the process."""
    data = bytearray((DATA / "grey.heic").read_bytes())
    box = data.index(b"hvcC") + 4
    if damage == "deeper":
        data[box + 17] |= 2
    elif damage == "none":
        data[box + 22] = 0  # no headers of HEVC
    else:
        # Another bit_depth_luma_minus8 in the sequence parameter set.
        data[data.index(b"\x42\x01", box) + 17] ^= 0x10
    with pytest.raises(ImageReadError, match="the depth of its samples"):
        read_image(bytes(data))


def test_a_long_header_of_a_heic_costs_no_time() -> None:
    """Each bit was looked for in all of it: 200 kB of zeros took minutes."""
    unit = b"\x42\x01" + bytes(1_000_000)
    with pytest.raises(ValueError, match="cut short"):
        check_heif_depths([], [len(unit).to_bytes(4, "big") + unit])


def test_heic_pixels_outlive_the_decoder() -> None:
    """libheif hands out its own memory: whatever is not copied changes once the container is gone."""
    images = [read_image(DATA / "quadrants-turned.heic") for _ in range(5)]
    junk = [np.full((64, 48, 3), 77, np.uint8) for _ in range(50)]
    assert all(np.array_equal(image.pixels, images[0].pixels) for image in images)
    assert len(np.unique(images[0].pixels)) < 40
    assert len(junk) == 50


def test_10_bit_heic_keeps_its_depth() -> None:
    image = read_image(DATA / "ramp-10bit.heic")
    assert image.bit_depth == 16
    assert (image.pixels[0, 0, 0], image.pixels[0, -1, 0]) == (0.0, 1.0)
    expected = np.linspace(0, 1, 64, dtype=np.float32)
    assert np.abs(image.pixels[20, :, 1] - expected).max() < 1.5 / 1023


def test_heic_over_the_limit() -> None:
    with pytest.raises(ImageTooLargeError, match="48x64 = 3,072 pixels"):
        read_image(DATA / "quadrants-turned.heic", max_pixels=3071)


# --- damage -----------------------------------------------------------------------------------------------------------

_KINDS = [
    "JPEG",
    "progressive JPEG",
    "PNG",
    "PNG 16",
    "TIFF",
    "TIFF LZW",
    "TIFF 16",
    "WebP",
    "BMP",
    "GIF",
    "AVIF",
    "HEIC",
]


def _sample(kind: str) -> bytes:
    noisy = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    if kind == "HEIC":
        return (DATA / "ramp-10bit.heic").read_bytes()
    if kind == "PNG 16":
        return cv2.imencode(".png", _noise16(40, 50, 3))[1].tobytes()
    if kind == "TIFF 16":
        return _tiff(_noise16(40, 50, 3), photometric="rgb", compression="zlib")
    picture = PillowImage.fromarray(noisy)
    if kind == "TIFF LZW":
        return _saved(picture, "TIFF", compression="tiff_lzw", exif=_exif(1))
    if kind == "progressive JPEG":
        return _saved(picture, "JPEG", progressive=True)
    return _saved(picture, kind, **({} if kind in ("BMP", "GIF", "AVIF") else {"exif": _exif(1)}))


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow says more about damaged tags on the way
def test_a_truncated_file_never_gives_half_a_picture(kind: str, share: float) -> None:
    data = _sample(kind)
    read_image(data)
    with pytest.raises(ImageReadError, match=r"^old\.jpg .*(cut short|cannot be opened|damaged)") as caught:
        read_image(data[: int(len(data) * share)], name="old.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_bytes_give_a_picture_or_one_sentence(kind: str) -> None:
    data = _sample(kind)
    random = np.random.default_rng(11)
    sentences: list[str] = []
    for _ in range(60):
        broken = bytearray(data)
        # Headers matter most: half of the damage goes to the first 200 bytes.
        for place in random.integers(0, random.choice([200, len(data)]), 4):
            broken[place % len(data)] = random.integers(0, 256)
        try:
            image = read_image(bytes(broken), max_pixels=1_000_000)
        except ImageError as error:
            sentences.append(str(error))
        else:
            assert np.isfinite(image.pixels).all()
    assert sentences
    assert all("\n" not in sentence for sentence in sentences)
