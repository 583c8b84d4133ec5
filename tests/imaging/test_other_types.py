"""Pictures from and to Pillow, NumPy and notebooks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps

from likeness.errors import ArgumentError, ImageReadError
from likeness.imaging.accepting import any_picture
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image, Size

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, (20, 30, 3), np.uint8)
ALPHA = RNG.integers(0, 256, (20, 30), np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, ">u2", np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_arrays_of_every_kind_and_layout_mean_the_same_picture(kind: str, channels: int) -> None:
    eight = {0: RGB[..., 0], 1: RGB[..., :1], 3: RGB, 4: np.dstack([RGB, ALPHA])}[channels]
    if np.dtype(kind).kind == "u":
        given = eight.astype(kind) * (1 if kind == np.uint8 else 257)
    else:
        given = (eight.astype(np.float64) / 255).astype(kind)
    image = Image.from_array(given)
    assert image.size == Size(30, 20)
    assert image.grey == (channels < 3)
    assert image.bit_depth == (16 if given.dtype.kind == "u" and given.dtype.itemsize == 2 else 8)
    expected = np.broadcast_to(RGB[..., :1], RGB.shape) if channels < 3 else RGB
    assert np.array_equal(image.to_uint8(), expected)
    assert (image.alpha is None) == (channels < 4)
    if image.alpha is not None:
        assert np.array_equal((image.alpha * 255 + 0.5).astype(np.uint8), ALPHA)


def test_an_array_handed_over_may_be_changed_afterwards() -> None:
    for mine in (RGB.copy(), (RGB / 255).astype(np.float32)):
        image = Image.from_array(mine)
        before = image.pixels.copy()
        mine[...] = 0
        assert np.array_equal(image.pixels, before)


def test_opencv_views_are_taken_as_they_are() -> None:
    assert np.array_equal(Image.from_array(RGB[..., ::-1]).to_uint8(), RGB[..., ::-1])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (np.zeros((3, 20, 30), np.uint8), "move the channels last"),
        (np.zeros((20, 30, 2), np.uint8), "height x width x 3 or 4, not 20 x 30 x 2"),
        (np.zeros(5, np.uint8), "not 5"),
        (np.zeros((0, 5, 3), np.uint8), "not 0 x 5 x 3"),
        (np.zeros((20, 30, 3), np.int64), "uint8, uint16 or floating-point, not int64"),
        (np.zeros((20, 30), bool), "not bool"),
        (np.full((20, 30, 3), 255.0), "in 0 to 1, not 255 to 255"),
        (np.full((20, 30), np.nan), "not nan"),
        ([[0.5]], "must be a NumPy array, not list"),
    ],
)
def test_arrays_that_are_no_picture(given: Any, why: str) -> None:
    with pytest.raises(ArgumentError, match=why):
        Image.from_array(given)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_and_back_without_loss(mode: str) -> None:
    before = PillowImage.fromarray(np.dstack([RGB, ALPHA]), "RGBA").convert(mode)
    image = Image.from_pil(before)
    assert image.grey == mode.startswith("L")
    after = image.to_pil()
    assert after.mode == mode
    assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV", "I;16"])
def test_pillow_s_other_modes(mode: str) -> None:
    if mode == "I;16":
        image = Image.from_pil(PillowImage.fromarray(RGB[..., 0].astype(np.uint16) * 257))
        assert image.bit_depth == 16
        expected = np.broadcast_to(RGB[..., :1], RGB.shape)
    else:
        picture = PillowImage.fromarray(RGB).convert(mode)
        image = Image.from_pil(picture)
        expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(image.to_uint8(), expected)


def test_pillow_without_a_picture() -> None:
    with pytest.raises(ImageReadError, match="F"):
        Image.from_pil(PillowImage.new("F", (4, 4)))
    with pytest.raises(ArgumentError, match="not str"):
        Image.from_pil("a.jpg")  # type: ignore[arg-type]


def test_a_file_opened_by_pillow_is_the_picture_that_we_read(tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "turned.jpg"
    PillowImage.fromarray(RGB).save(path, exif=exif, icc_profile=profile)
    ours = read_image(path)
    with PillowImage.open(path) as picture:
        taken = Image.from_pil(picture)
        upright = ImageOps.exif_transpose(picture)
    assert taken.size == Size(20, 30)
    assert np.array_equal(taken.pixels, ours.pixels)
    assert (taken.exif, taken.icc_profile) == (ours.exif, ours.icc_profile)
    back = taken.to_pil()
    assert np.array_equal(np.asarray(back), np.asarray(upright))
    assert back.getexif()[0x010F] == "Maker"
    assert back.getexif().get(0x0112, 1) == 1


def test_a_file_cut_short_that_pillow_has_only_opened(tmp_path: Path) -> None:
    path = tmp_path / "short.png"
    PillowImage.fromarray(RGB).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with PillowImage.open(path) as picture, pytest.raises(ImageReadError):
        Image.from_pil(picture)


def test_numpy_takes_a_picture() -> None:
    image = Image.from_array(RGB)
    assert np.asarray(image) is image.pixels
    assert np.array_equal(np.asarray(image, dtype=np.uint8), RGB)
    assert np.array_equal(np.asarray(image, dtype=np.uint16), RGB.astype(np.uint16) * 257)
    assert np.asarray(image, dtype=np.float64).dtype == np.float64
    assert np.array(image).flags.writeable
    assert np.asarray(Image(pixels=np.full((1, 1, 3), 0.99999, np.float32)), dtype=np.uint8)[0, 0, 0] == 255
    with pytest.raises(ArgumentError, match="int64"):
        np.asarray(image, dtype=np.int64)
    with pytest.raises(ValueError, match="copied"):
        image.__array__(np.uint8, copy=False)


def test_what_a_notebook_shows() -> None:
    image = Image.from_array(np.dstack([np.zeros((40, 3000, 3), np.uint8), np.full((40, 3000), 128, np.uint8)]))
    with PillowImage.open(io.BytesIO(image._repr_png_())) as shown:  # pyright: ignore[reportPrivateUsage]
        assert (shown.format, shown.mode, shown.size) == ("PNG", "RGBA", (1024, 14))
    assert repr(image) == "Image(3000x40, 8 bits, alpha)"


def test_everything_a_picture_may_come_in(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(Image.from_array(RGB), path)
    data = path.read_bytes()
    with path.open("rb") as stream, PillowImage.open(path) as opened:
        given = [path, str(path), data, bytearray(data), memoryview(data), stream, opened, RGB, RGB / 255]
        for one in (*given, Image.from_array(RGB)):
            assert np.array_equal(any_picture("image", one).to_uint8(), RGB), type(one)
    for wrong in (None, 3, [RGB], {"image": RGB}):
        with pytest.raises(ArgumentError, match="image must be a path, the bytes of a file, a PIL image"):
            any_picture("image", wrong)
    with pytest.raises(ImageReadError, match="does not exist"):
        any_picture("image", "missing.jpg")


def test_arrays_can_be_written(tmp_path: Path) -> None:
    write_image(RGB, tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").to_uint8(), RGB)
