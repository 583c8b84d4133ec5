"""Why a result of a job is to be checked, or is worth a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from likeness.evidence.face_verdict import Level
from likeness.evidence.quality_gate import called
from likeness.messages.notice import Notice
from likeness.restore.report import drawn_anew

__all__ = ["doubts_of", "joined", "looked_at"]


def doubts_of(record: Mapping[str, Any]) -> list[Notice]:
    """Why a result must not go out before a person has seen it: faces that failed, or came out bad."""
    failed = [Notice.of(record["message"], record["notice"])] if record["message"] else []
    return [*failed, *(Notice("gate.bad", said) for said in _judged(record, "bad"))]


def looked_at(record: Mapping[str, Any]) -> list[Notice]:
    """What is worth a look at a result that may go out, and what of it is a guess."""
    faces = record["faces"]
    drawn = [{"who": called(index, len(faces)), "why": why} for index, why in drawn_anew(faces).items()]
    return [Notice("gate.look", said) for said in (*_judged(record, "look"), *drawn)]


def _judged(record: Mapping[str, Any], level: Level) -> list[dict[str, Notice]]:
    """Who of the faces came out so, and why."""
    faces = record["faces"]
    return [
        {"who": called(face["index"], len(faces)), "why": Notice.of("", face["verdict"]["notice"])}
        for face in faces
        if face["verdict"] and face["verdict"]["level"] == level
    ]


def joined(said: Sequence[Notice]) -> Notice | Literal[""]:
    """Several in one; "" for none."""
    return said[0] if len(said) == 1 else Notice("job.doubts", {"doubts": said}) if said else ""
