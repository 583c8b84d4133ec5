from __future__ import annotations

import numpy as np
import pytest

from likeness.imaging.image import Box, Image, Point, Size


def test_a_size_cannot_be_empty() -> None:
    with pytest.raises(ValueError, match="0 x 5"):
        Size(0, 5)
    assert Size(1328, 568).pixels == 754_304
    assert str(Size(1328, 568)) == "1328x568"
    assert Size(1328, 568).times(0.5) == Size(664, 284)
    assert Size(1328, 3).within(256) == Size(256, 1)
    assert Size(200, 100).within(256) == Size(200, 100)


def test_boxes_overlap_and_grow() -> None:
    left, right = Box(0, 0, 10, 10), Box(5, 5, 15, 15)
    assert left.intersection(right) == 25
    assert left.iou(right) == pytest.approx(25 / 175)
    assert left.iou(Box(10, 0, 20, 10)) == 0  # they touch
    assert left.expanded(0.5) == Box(-5, -5, 15, 15)
    assert left.expanded(0.5).clipped(Size(12, 8)) == Box(0, 0, 12, 8)
    assert left.centre == Point(5, 5)


def test_a_box_cuts_whole_pixels_outward() -> None:
    rows, columns = Box(1.2, 2.8, 4.1, 5.0).to_slices()
    assert (columns.start, columns.stop) == (1, 5)
    assert (rows.start, rows.stop) == (2, 5)


def test_pixels_are_checked_and_read_only() -> None:
    with pytest.raises(ValueError, match="float32"):
        Image(pixels=np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="alpha"):
        Image(pixels=np.zeros((4, 4, 3), np.float32), alpha=np.zeros((4, 5), np.float32))
    mine = np.zeros((4, 4, 3), np.float32)
    image = Image(pixels=mine)
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1
    mine[0, 0, 0] = 1  # whoever made the array may still write to it


def test_8_bit_samples_come_back_exactly_and_rounded() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.from_uint8(codes)
    assert image.grey
    assert image.size == Size(16, 16)
    assert np.array_equal(image.to_uint8(), np.stack([codes] * 3, axis=-1))
    almost = Image(pixels=np.full((1, 1, 3), 0.99999, np.float32))
    assert almost.to_uint8()[0, 0, 0] == 255  # truncation would give 254
    outside = Image(pixels=np.array([[[-0.5, 1.5, 0.5]]], np.float32))
    assert outside.to_uint8().tolist() == [[[0, 255, 128]]]


def test_other_pixels_keep_what_the_file_said() -> None:
    native = np.zeros((4, 4, 3), np.uint8)
    image = Image(
        pixels=np.zeros((4, 4, 3), np.float32),
        alpha=np.ones((4, 4), np.float32),
        bit_depth=16,
        icc_profile=b"profile",
        exif=b"exif",
        native=native,
    )
    changed = image.with_pixels(np.ones((4, 4, 3), np.float32))
    assert changed.native is native
    assert (changed.bit_depth, changed.icc_profile, changed.exif) == (16, b"profile", b"exif")
    with pytest.raises(ValueError, match="alpha"):
        image.with_pixels(np.ones((8, 8, 3), np.float32))
    larger = Image(pixels=image.pixels, native=native).with_pixels(np.ones((8, 8, 3), np.float32))
    assert larger.native is None
