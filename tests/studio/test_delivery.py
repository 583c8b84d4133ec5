from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms
from profiles import ADOBE, gamma_curve, matrix_profile

from likeness.errors import ConfigError, ImageTooLargeError, ResolutionError
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.icc import is_srgb_profile, srgb_profile
from likeness.imaging.image import Image, Size
from likeness.imaging.metadata_fields import Metadata
from likeness.studio.deliver import PrintOptions, WebOptions, checked_profile, drawn_upscale, for_print, for_web

ADOBE_PROFILE = matrix_profile(ADOBE, gamma_curve(563 / 256))


def tagged(image: Image) -> Image:
    """With everything that a camera and its owner write."""
    exif = PillowImage.Exif()
    exif[0x010F] = "Camera maker"
    exif[0x013B] = "Ada Author"
    exif[0x8298] = "(c) Studio Lumen"
    exif[0x0132] = "2024:05:06 07:08:09"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    exif.get_ifd(0x8769).update({0xA431: "serial 12345", 0x9003: "2024:05:06 07:08:09"})
    metadata = Metadata(
        xmp=b"<a>Berlin</a>", iptc=b"\x1c\x02\x5a\0\6Berlin", comment=b"Berlin", text=(("parameters", "x"),)
    )
    return replace(image, exif=exif.tobytes()[6:], metadata=metadata)


def opened(data: bytes) -> PillowImage.Image:
    picture = PillowImage.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
def test_web_is_small_srgb_and_says_nothing(astronaut: Image, file_format: str) -> None:
    image = replace(tagged(astronaut), icc_profile=ADOBE_PROFILE)
    version = for_web(image, WebOptions(side=128))
    picture = opened(encode_image(version, file_format, quality=90))
    assert picture.size == (128, 128)
    assert picture.mode == "RGB"
    assert is_srgb_profile(picture.info["icc_profile"])
    assert not picture.getexif()
    assert not set(picture.info) & {"exif", "xmp", "comment", "photoshop"}
    assert "xmp" not in picture.info


def test_web_converts_colours_and_does_not_just_relabel_them() -> None:
    # A file in Adobe RGB whose samples are one green: read, reduced and written, its colour must be the same.
    samples = np.full((64, 64, 3), (120, 180, 110), np.uint8)
    stream = io.BytesIO()
    PillowImage.fromarray(samples).save(stream, "PNG", icc_profile=ADOBE_PROFILE)
    version = for_web(read_image(stream.getvalue()), WebOptions(side=32))
    colour = np.asarray(opened(encode_image(version, "png")))[16, 16]
    transform = ImageCms.buildTransform(
        ImageCms.getOpenProfile(io.BytesIO(ADOBE_PROFILE)), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    wanted = np.asarray(ImageCms.applyTransform(PillowImage.fromarray(samples), transform))[0, 0]
    assert np.abs(colour.astype(int) - wanted).max() <= 1
    assert np.abs(colour.astype(int) - samples[0, 0]).max() > 5


def test_web_does_not_enlarge(astronaut: Image) -> None:
    assert for_web(astronaut, WebOptions(side=2000)).size == astronaut.size
    wide = Image(pixels=astronaut.pixels[:100])
    assert for_web(wide, WebOptions(side=128)).size == Size(128, 50)


def test_print_is_half_as_large_again_and_keeps_profile_and_credits(astronaut: Image) -> None:
    version = for_print(replace(tagged(astronaut), icc_profile=ADOBE_PROFILE), PrintOptions())
    assert version.image.size == Size(384, 384)
    assert version.ppi == pytest.approx(200)
    assert version.warnings == ()
    data = encode_image(version.image, "tif", bit_depth=16)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages[0]
        assert page.bitspersample == 16
        assert page.tags["XResolution"].value == (30000, 100)
        assert page.tags["ResolutionUnit"].value == 2
        assert page.tags["Artist"].value == "Ada Author"
        assert page.tags["Copyright"].value == "(c) Studio Lumen"
        assert page.tags["InterColorProfile"].value == ADOBE_PROFILE
        assert not {"GPSTag", "ExifTag", "Make", "DateTime"} & {tag.name for tag in page.tags}


def test_print_as_jpeg_keeps_colour_at_full_resolution(astronaut: Image) -> None:
    version = for_print(tagged(astronaut), PrintOptions(dpi=254, file_format="jpg"))
    picture = opened(encode_image(version.image, "jpg", quality=95))
    assert picture.info["dpi"] == pytest.approx((254, 254))
    assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3
    assert is_srgb_profile(picture.info["icc_profile"])
    exif = picture.getexif()
    assert exif[0x8298] == "(c) Studio Lumen"
    assert not exif.get_ifd(0x8825)
    assert 0x010F not in exif
    assert not set(picture.info) & {"xmp", "comment", "photoshop"}
    assert b"serial" not in encode_image(version.image, "jpg", quality=95)


def test_a_profile_to_convert_into_keeps_the_colour(astronaut: Image) -> None:
    options = PrintOptions(scale=1.0, profile=checked_profile(ADOBE_PROFILE, name="adobe.icc"))
    data = encode_image(for_print(astronaut, options).image, "tif")
    again = read_image(data)
    assert again.icc_profile == ADOBE_PROFILE
    samples = np.asarray(opened(data))
    assert np.abs(samples / 255 - astronaut.pixels).max() > 0.02  # other numbers
    assert np.abs(again.pixels - astronaut.pixels).mean() < 1 / 255  # for the same colours


def test_size_in_millimetres(astronaut: Image) -> None:
    tall = Image(pixels=astronaut.pixels[:, :128])
    for sides in ((20.0, 60.0), (60.0, 20.0)):
        version = for_print(tall, PrintOptions(millimetres=sides, dpi=300))
        # 128 x 256 in 20 x 60 mm: the width fills it.
        assert version.image.size == Size(236, 472)
        assert version.millimetres == pytest.approx((20, 40), abs=0.1)
        assert version.ppi == pytest.approx(128 / 20 * 25.4, abs=0.5)
        assert len(version.warnings) == 1
        assert "163 pixels per inch" in version.warnings[0]
        assert "16 x 32 mm would be sharp" in version.warnings[0]


def test_too_few_pixels_are_refused(astronaut: Image) -> None:
    with pytest.raises(ResolutionError, match=r"43 per inch, under the 100 .* no larger than 65 x 65 mm"):
        for_print(astronaut, PrintOptions(millimetres=(150, 200)))
    assert for_print(astronaut, PrintOptions(millimetres=(150, 200), min_ppi=40)).image.size.width == 1772


def test_only_enlarging_is_sharpened(astronaut: Image) -> None:
    assert for_print(astronaut, PrintOptions(scale=1.0)).sharpening.amount == 0
    assert for_print(astronaut, PrintOptions(scale=0.5)).sharpening.amount == 0
    assert for_print(astronaut, PrintOptions(sharpen=False)).sharpening.amount == 0
    done = for_print(astronaut, PrintOptions()).sharpening
    assert done.amount > 0
    assert done.overshoot is not None
    assert done.overshoot < 0.01
    same = for_print(astronaut, PrintOptions(scale=1.0)).image
    assert same.pixels is astronaut.pixels or np.array_equal(same.pixels, astronaut.pixels)


def test_black_and_white(astronaut: Image) -> None:
    grey = replace(Image.from_uint8(astronaut.to_uint8()[..., 1]), bit_depth=16)
    picture = opened(encode_image(for_print(grey, PrintOptions()).image, "jpg", quality=95))
    # An RGB profile wants three channels.
    assert picture.mode == "RGB"
    samples = np.asarray(picture).astype(int)
    assert np.ptp(samples, axis=2).max() <= 2
    assert opened(encode_image(for_web(grey, WebOptions()), "jpg")).mode == "RGB"


def test_transparency_is_scaled_with_the_picture(astronaut: Image) -> None:
    alpha = np.zeros((256, 256), np.float32)
    alpha[64:192, 64:192] = 1
    version = for_print(replace(astronaut, alpha=alpha), PrintOptions(scale=0.5)).image
    assert version.alpha is not None
    assert version.alpha.shape == (128, 128)
    assert version.alpha[64, 64] == pytest.approx(1, abs=1e-3)


def test_the_srgb_profile_is_the_same_every_time_and_lcms_agrees() -> None:
    assert len(srgb_profile()) < 1000
    assert is_srgb_profile(srgb_profile())
    assert "sRGB".encode("utf-16-be") in srgb_profile()
    ImageCms.getOpenProfile(io.BytesIO(srgb_profile()))
    srgb_profile.cache_clear()
    first = srgb_profile()
    srgb_profile.cache_clear()
    assert first == srgb_profile()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: WebOptions(side=8), "16 px or more"),
        (lambda: WebOptions(quality=0), "quality"),
        (lambda: PrintOptions(scale=9), "between 0.1 and 8"),
        (lambda: PrintOptions(millimetres=(1, 100)), "between 10 and 5000 mm"),
        (lambda: PrintOptions(dpi=10), "dpi"),
        (lambda: PrintOptions(quality=60), "90 to 100"),
        (lambda: PrintOptions(bit_depth=16, file_format="jpg"), "8 bits per sample only"),
        (lambda: checked_profile(b"nothing", name="x.icc"), "x.icc cannot be used"),
        (lambda: checked_profile(b"\0" * 16 + b"CMYK" + b"\0" * 16 + b"acsp" + b"\0" * 100, name="x.icc"), "CMYK"),
    ],
)
def test_what_cannot_be_is_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make()  # type: ignore[operator]


def test_a_print_too_large_for_any_memory_is_refused() -> None:
    image = Image(pixels=np.zeros((3000, 3000, 3), np.float32))
    with pytest.raises(ImageTooLargeError, match="576 million pixels"):
        for_print(image, PrintOptions(scale=8))


def test_a_version_takes_the_pixels_that_a_restoration_drew(astronaut: Image) -> None:
    small = Size(120, 90)
    assert drawn_upscale(small, WebOptions(side=512)) == pytest.approx(512 / 120)
    assert drawn_upscale(small, WebOptions(side=64)) == 1
    assert drawn_upscale(small, PrintOptions(scale=3)) == 3
    assert drawn_upscale(small, PrintOptions(millimetres=(150, 100), dpi=300)) == 8
    drawn = Image(pixels=resize(astronaut.pixels, Size(512, 512), "cubic").clip(0, 1))  # enlarged by a restoration
    for options in (PrintOptions(scale=2), PrintOptions(millimetres=(512 / 300 * 25.4, 512 / 300 * 25.4))):
        version = for_print(drawn, options, drawn=2.0)
        assert version.image.size == Size(512, 512)
        assert np.array_equal(version.image.pixels, drawn.pixels)  # neither resampled nor sharpened
    assert for_print(drawn, PrintOptions(scale=3), drawn=2.0).image.size == Size(768, 768)
    assert max(for_web(drawn, WebOptions(side=512)).size.width, 1) == 512
