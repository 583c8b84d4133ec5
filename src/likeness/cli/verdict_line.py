"""What a picture's line says of faces that did not come out well, were held back for it, or were drawn anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from likeness.evidence.face_verdict import LEVELS
from likeness.restore.outcome import DRAWN_ANEW

__all__ = ["IN_LINE", "verdict_line"]

_FACES_NAMED = 3
"""How many faces are named; a group photograph may have dozens."""

IN_LINE = ("outcome.lowered", "outcome.bad-left", *DRAWN_ANEW)
"""Codes that the line tells of a face: what became of one that came out bad, and that one was drawn anew."""

_WORDS = {"look": "to be looked at", "bad": "bad"}


def verdict_line(faces: Sequence[Mapping[str, Any]]) -> str:
    """Which faces are not good, worst first, and why, then which were drawn anew, to follow the count of faces; "" for none.

    Args:
        faces: records of a picture's faces (`likeness.restore.report.face_record`).
    """
    told: list[tuple[int, int, str]] = []
    for face in faces:
        verdict = face.get("verdict")
        said = [f"{_WORDS[verdict['level']]} ({verdict['sentence']})"] if verdict and verdict["level"] != "good" else []
        said += [text for text, notice in _spoken(face) if notice["code"] in IN_LINE]
        if said:
            level = -LEVELS.index(verdict["level"]) if verdict else 0
            told.append((level, face["index"] + 1, ", ".join(said)))
    named = [said if len(faces) == 1 else f"face {number} {said}" for _, number, said in sorted(told)]
    if len(named) > _FACES_NAMED + 1:
        named = [*named[:_FACES_NAMED], f"and {len(named) - _FACES_NAMED} more"]
    return "".join(f"; {said}" for said in named)


def _spoken(face: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """A face's reason and warnings with their codes."""
    reason = [(face["reason"], face["notice"])] if face["notice"] else []
    return [*reason, *zip(face["warnings"], face["notices"], strict=True)]
