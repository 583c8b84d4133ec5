from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.framing import cut, straightened, straightened_map, straightened_size, turned
from likeness.imaging.image import Box, Image, Size


@pytest.fixture(scope="module")
def picture() -> Image:
    """60 x 40, with alpha and samples of a colour space of its own."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 1, (40, 60, 3)).astype(np.float32)
    return Image(
        pixels=pixels,
        alpha=rng.uniform(0, 1, (40, 60)).astype(np.float32),
        bit_depth=16,
        native=rng.integers(0, 65535, (40, 60, 3)).astype(np.uint16),
        exif=b"MM\0*",
    )


def test_a_quarter_turn_moves_samples_and_changes_none(picture: Image) -> None:
    right = turned(picture, 90)
    assert right.size == Size(40, 60)
    # What was top left is top right.
    assert np.array_equal(right.pixels[0, -1], picture.pixels[0, 0])
    assert picture.alpha is not None
    assert picture.native is not None
    assert right.alpha is not None
    assert right.native is not None
    assert right.alpha[0, -1] == picture.alpha[0, 0]
    assert np.array_equal(right.native[0, -1], picture.native[0, 0])
    assert (right.bit_depth, right.exif) == (picture.bit_depth, picture.exif)
    back = turned(turned(right, 180), 90)
    assert np.array_equal(back.pixels, picture.pixels)
    assert turned(picture, 0) is picture


def test_a_cut_keeps_what_is_inside_to_the_last_bit(picture: Image) -> None:
    part = cut(picture, Box(10, 5, 30, 25))
    assert part.size == Size(20, 20)
    assert np.array_equal(part.pixels, picture.pixels[5:25, 10:30])
    assert part.alpha is not None
    assert part.native is not None
    assert picture.native is not None
    assert np.array_equal(part.native, picture.native[5:25, 10:30])


@pytest.mark.parametrize("degrees", [-15.0, -4.0, 0.5, 7.0])
def test_what_leans_stands_upright_and_no_corner_is_empty(degrees: float) -> None:
    """A bright line that leans by so many degrees to the left; what is outside of the picture would be black."""
    height, width = 300, 400
    down, across = np.mgrid[:height, :width].astype(np.float64)
    turn = np.deg2rad(degrees)
    aside = (across - (width - 1) / 2) * np.cos(turn) - (down - (height - 1) / 2) * np.sin(turn)
    grey = (0.5 + 0.4 * np.exp(-np.square(aside) / 8)).astype(np.float32)
    image = Image(pixels=np.repeat(grey[:, :, None], 3, axis=2))
    made = straightened(image, degrees)
    assert made.size == straightened_size(image.size, degrees)
    assert made.size.width / made.size.height == pytest.approx(4 / 3, rel=0.02)
    ridge = made.pixels[:, :, 0].argmax(axis=1)
    assert np.ptp(ridge) <= 1
    assert abs(float(ridge.mean()) - (made.size.width - 1) / 2) < 1
    assert made.pixels.min() > 0.45


def test_straightening_by_nothing_is_nothing_and_a_map_goes_the_same_way(picture: Image) -> None:
    assert straightened(picture, 0.0) is picture
    soft = gaussian_blur(picture.pixels, 3.0)
    opaque = replace(picture, pixels=soft, alpha=None, native=None)
    made = straightened(opaque, 5.0)
    assert made.native is None
    plane = straightened_map(np.ascontiguousarray(soft[:, :, 1]), 5.0)
    assert np.abs(plane - made.pixels[:, :, 1]).max() < 0.02


def test_a_long_panorama_is_straightened_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV turns no side of 32767 px and more: such a picture ended as by a bug of Likeness."""
    wave = np.sin(np.linspace(0, 60, 777))[None, :, None] * np.cos(np.linspace(0, 20, 301))[:, None, None]
    image = Image(pixels=np.float32(0.5 + 0.3 * np.repeat(wave, 3, axis=2)), alpha=np.float32(0.5 + 0.4 * wave[..., 0]))
    whole = straightened(image, 4.0)
    monkeypatch.setattr("likeness.imaging.framing._LONGEST", 100)
    monkeypatch.setattr("likeness.imaging.framing._PART", 128)
    parts = straightened(image, 4.0)
    # OpenCV rounds places to 1/32 px.
    assert np.abs(parts.pixels - whole.pixels).max() < 0.003
    assert parts.alpha is not None
    assert whole.alpha is not None
    assert np.abs(parts.alpha - whole.alpha).max() < 0.003
    monkeypatch.undo()
    long = straightened(Image(pixels=np.full((400, 32800, 3), 0.25, np.float32)), 0.5)
    assert long.size == straightened_size(Size(32800, 400), 0.5)
    assert long.pixels.max() - long.pixels.min() < 1e-5
