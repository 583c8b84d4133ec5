from __future__ import annotations

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.faces.face import Face, Landmarks, reading_order
from likeness.imaging.image import Box, Size
from likeness.restore.selection import Selection


def _face(left: float, top: float, side: float) -> Face:
    return Face(
        box=Box(left, top, left + side, top + side),
        score=1.0,
        landmarks=Landmarks(points=np.zeros((478, 2), np.float32), depth=np.zeros(478, np.float32)),
        five_points=np.zeros((5, 2)),
    )


FACES = (_face(10, 10, 40), _face(90, 80, 30), _face(150, 20, 90))
SIZE = Size(250, 200)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("all", [0, 1, 2]),
        ("largest", [2]),
        ("centre", [1]),
        ("center", [1]),
        ("1,3", [0, 2]),
        (" 2 ", [1]),
        ("0,2", [0, 2]),
    ],
)
def test_selection(text: str, chosen: list[int]) -> None:
    reasons = Selection.parse(text).refusals(FACES, SIZE)
    assert [index for index, reason in enumerate(reasons) if reason is None] == chosen


def test_sizes_come_before_the_choice() -> None:
    reasons = Selection.parse("largest", min_size=35, max_size=50).refusals(FACES, SIZE)
    assert reasons == [None, "narrower than 35 px", "wider than 50 px"]


@pytest.mark.parametrize("text", ["biggest", "", "1,x", "-1"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Selection.parse(text)


def test_reading_order() -> None:
    a, b, c, d = _face(100, 12, 40), _face(10, 0, 40), _face(10, 100, 30), _face(200, 20, 44)
    assert reading_order((c, a, d, b)) == (b, a, d, c)


def test_numbers_that_a_picture_does_not_have_are_told() -> None:
    assert Selection(which=(0, 1)).missing(2) == Selection().missing(2) == ()
    (warning,) = Selection(which=(0, 6, 7)).missing(2)
    assert warning == "faces found in the picture: 2, numbered from 1; there is no face 7, 8"
