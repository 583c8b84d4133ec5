"""What a picture's line says of its faces."""

from __future__ import annotations

from typing import Any

from likeness.cli.verdict_line import verdict_line
from likeness.messages.notice import Notice


def _face(index: int, level: str) -> dict[str, Any]:
    verdict = {"level": level, "sentence": f"why {index}"}
    return {"index": index, "verdict": verdict, "reason": "", "notice": None, "warnings": [], "notices": []}


def test_faces_count_from_1_and_the_worst_comes_first() -> None:
    faces = [_face(0, "look"), _face(1, "good"), _face(2, "bad")]
    assert verdict_line(faces) == "; face 3 bad (why 2); face 1 to be looked at (why 0)"
    assert verdict_line([_face(0, "bad")]) == "; bad (why 0)"
    assert verdict_line([_face(0, "good")]) == ""


def test_a_face_that_was_drawn_anew_is_told_however_well_it_came_out() -> None:
    told = Notice("outcome.drawn-anew")
    drawn = [_face(0, "good"), {**_face(1, "good"), "warnings": [str(told)], "notices": [told.to_dict()]}]
    assert verdict_line(drawn) == f"; face 2 {told}"
    assert verdict_line([{**drawn[1], "verdict": _face(1, "bad")["verdict"]}]) == f"; bad (why 1), {told}"


def test_of_many_faces_three_are_named() -> None:
    line = verdict_line([_face(index, "bad") for index in range(9)])
    assert line == "; face 1 bad (why 0); face 2 bad (why 1); face 3 bad (why 2); and 6 more"
