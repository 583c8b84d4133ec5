"""How large a result becomes, and what is refused before any work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.errors import ConfigError, ImageTooLargeError
from likeness.faces.align import FFHQ_TEMPLATE, align
from likeness.faces.face import Face, Landmarks
from likeness.imaging.image import Box, Size
from likeness.restore.canvas import plan_canvas, suggested_upscale
from likeness.restore.enlargement import Enlargement


def face(native_side: float) -> Face:
    """A face whose crop is so wide in the picture."""
    scale = native_side / 512
    return Face(
        box=Box(0.0, 0.0, 0.5 * native_side, 0.5 * native_side),
        score=1.0,
        landmarks=Landmarks(points=np.zeros((478, 2), np.float32), depth=np.zeros(478, np.float32)),
        five_points=FFHQ_TEMPLATE * scale,
    )


@pytest.mark.parametrize(
    ("factor", "size"), [(1, (120, 90)), (1.5, (180, 135)), (2, (240, 180)), (3.3, (396, 297)), (8, (960, 720))]
)
def test_a_factor_is_the_size(factor: float, size: tuple[int, int]) -> None:
    plan = plan_canvas(Size(120, 90), (), Enlargement(upscale=factor))
    assert (plan.size, plan.upscale) == (Size(*size), factor)


@pytest.mark.parametrize(
    ("sides", "factor"), [((600,), 1), ((470,), 1), ((260,), 2), ((180,), 3), ((150,), 4), ((40,), 4), ((600, 240), 2)]
)
def test_auto_is_the_smallest_factor_that_shows_what_was_drawn(sides: tuple[float, ...], factor: float) -> None:
    faces = [face(side) for side in sides]
    assert plan_canvas(Size(800, 600), faces, Enlargement(upscale="auto")).upscale == factor


def test_auto_goes_by_the_network_and_keeps_to_the_limit() -> None:
    auto = Enlargement(upscale="auto")
    assert plan_canvas(Size(800, 600), [face(300)], auto, side=1024).upscale == 4
    assert plan_canvas(Size(800, 600), [face(300)], auto, side=256).upscale == 1
    limited = replace(auto, max_output_pixels=800 * 600 * 9)
    assert plan_canvas(Size(800, 600), [face(60)], limited).upscale == 3
    assert plan_canvas(Size(800, 600), [face(60)], replace(auto, largest_side=1700)).upscale == 2
    assert plan_canvas(Size(800, 600), [face(60)], replace(auto, max_output_pixels=100)).upscale == 1
    assert plan_canvas(Size(800, 600), [], auto).upscale == 1


def test_a_long_side() -> None:
    plan = plan_canvas(Size(120, 90), (), Enlargement(long_side=512))
    assert plan.size == Size(512, 384)
    assert plan.upscale == pytest.approx(512 / 120)
    assert plan_canvas(Size(90, 121), (), Enlargement(long_side=512)).size.height == 512
    larger = plan_canvas(Size(700, 500), (), Enlargement(long_side=512))
    assert (larger.size, larger.upscale) == (Size(700, 500), 1)
    with pytest.raises(ConfigError, match=r"10\.7 times, and 8 times is the most; ask for 384 px"):
        plan_canvas(Size(48, 30), (), Enlargement(long_side=512))


def test_too_large_is_refused_with_the_largest_factor_that_fits() -> None:
    with pytest.raises(
        ImageTooLargeError, match=r"4000x3000 would have 16000x12000.*: 2\.88 is the largest factor"
    ) as told:
        plan_canvas(Size(4000, 3000), (), Enlargement(upscale=4))
    assert told.value.pixels == 16000 * 12000
    plan_canvas(Size(4000, 3000), (), Enlargement(upscale=2.88))
    with pytest.raises(ImageTooLargeError):
        plan_canvas(Size(4000, 3000), (), Enlargement(upscale=2.89))
    with pytest.raises(ImageTooLargeError, match=r"16383 pixels a side.*: 4\.09 is the largest"):
        plan_canvas(Size(4000, 100), (), Enlargement(upscale=5, largest_side=16383))
    with pytest.raises(ImageTooLargeError, match="cannot be enlarged"):
        plan_canvas(Size(4000, 3000), (), Enlargement(upscale=2, max_output_pixels=10_000_000))
    # What is not enlarged is not refused.
    assert plan_canvas(Size(4000, 3000), (), Enlargement(max_output_pixels=1)).upscale == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"upscale": 0.5},
        {"upscale": 8.1},
        {"upscale": "twice"},
        {"long_side": 8},
        {"long_side": 100.5},
        {"long_side": 512, "upscale": 2},
        {"max_output_pixels": 0},
        {"upscale": True},
        {"upscale": float("nan")},
        {"background": 2},
        {"match_sharpness": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        Enlargement(**wrong)


def test_a_small_face_is_told_what_auto_would_do() -> None:
    size, plain = Size(800, 600), Enlargement()
    assert suggested_upscale(size, [face(120), face(900)], 1.0, plain, side=512) == 4
    assert suggested_upscale(size, [face(120)], 2.0, plain, side=512) == 4
    assert suggested_upscale(size, [face(120)], 4.0, plain, side=512) is None
    assert suggested_upscale(size, [face(600)], 1.0, plain, side=512) is None
    assert suggested_upscale(size, [], 1.0, plain, side=512) is None
    assert suggested_upscale(size, [face(120)], 1.0, replace(plain, max_output_pixels=100), side=512) is None


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4])
def test_an_alignment_moves_with_the_picture(factor: float) -> None:
    """A point of the photograph and the same point of the enlarged one lie at the same place of the crop."""
    size = Size(101, 67)
    larger = plan_canvas(size, (), Enlargement(upscale=factor)).size
    alignment = align(FFHQ_TEMPLATE * 0.1, size, 256)
    points = np.array([[0.0, 0.0], [50.3, 20.7], [100.0, 66.0]])
    factors = np.array([larger.width / size.width, larger.height / size.height])
    moved = (points + 0.5) * factors - 0.5
    scaled = alignment.scaled(larger)
    assert scaled.to_crop(moved) == pytest.approx(alignment.to_crop(points))
    assert scaled.picture_size == larger
    finer = scaled.resized(1024)
    assert finer.to_crop(moved) == pytest.approx((alignment.to_crop(points) + 0.5) * 4 - 0.5)
    assert finer.native_side == pytest.approx(scaled.native_side)


def test_an_alignment_at_the_same_size_is_the_same_to_the_last_bit() -> None:
    alignment = align(FFHQ_TEMPLATE * 0.37, Size(101, 67), 256)
    assert np.array_equal(alignment.scaled(Size(101, 67)).matrix, alignment.matrix)
