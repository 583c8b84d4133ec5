"""The summary of a batch: every picture with what became of it, as CSV, as JSON, and as one HTML page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from likeness.batch.groups import items_of
from likeness.batch.journal import STATES, Item, Journal
from likeness.batch.storage import Storage
from likeness.batch.summary_page import summary_page
from likeness.core.tables import write_csv
from likeness.evidence.face_verdict import LEVELS
from likeness.restore.report import level_of

__all__ = ["SCHEMA", "SUMMARY", "RunFigures", "without_a_face", "write_summary"]

SCHEMA = 1
"""Number of the JSON file's structure; raised when a key changes its meaning or goes away."""

SUMMARY = "summary"
"""Name of the files, without their suffixes."""

_COLUMNS = (
    "source",
    "state",
    "output",
    "reason",
    "client",
    "email",
    "width",
    "height",
    "faces",
    "restored",
    "frames",
    "verdict",
    "drawn_anew",
    "findings",
    "fixes",
    "doubts",
    "identity",
    "colour",
    "blotch",
    "seconds",
    "begun",
)


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """What is told of the run itself.

    Attributes:
        model: as in the journal.
        seconds: how long this run took.
        done: how many pictures it worked on.
        asked, kept: faces that the network was asked about, and faces whose projection had been kept.
        interrupted: whether it was broken off.
        notes: what else the reader should know.
    """

    model: str
    seconds: float
    done: int
    asked: int = 0
    kept: int = 0
    interrupted: bool = False
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 1),
            "pictures": self.done,
            "faces_through_the_network": self.asked,
            "faces_kept_from_before": self.kept,
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }


def write_summary(journal: Journal, output: Storage, run: RunFigures) -> tuple[str, ...]:
    """Write ``summary.csv``, ``summary.json`` and ``summary.html`` into the output, each complete or not at all.

    Returns:
        their paths or URLs.

    Raises:
        FileWriteError: if the output cannot be written.
    """
    written: list[str] = []
    # Excel takes UTF-8 for what it is only if a byte order mark says so.
    for suffix, made in (
        (".csv", lambda: _encoded(_csv(journal), "utf-8-sig")),
        (".json", lambda: _json(journal, run)),
        (".html", lambda: _encoded(summary_page(journal, run.to_dict(), model=run.model))),
    ):
        output.write(made(), f"{SUMMARY}{suffix}")
        written.append(output.locate(f"{SUMMARY}{suffix}"))
    return tuple(written)


def without_a_face(journal: Journal) -> int:
    """How many of the pictures that were left alone hold no face."""
    return sum(map(_is_faceless, items_of(journal, ("skipped",))))


def _is_faceless(item: Item) -> bool:
    return item.state == "skipped" and any(f["code"] == "no-face" for f in item.outcome.get("findings", []))


def _csv(journal: Journal) -> str:
    rows = (_row(item) for item in items_of(journal))
    return write_csv(_COLUMNS, ([row[column] for column in _COLUMNS] for row in rows))


def _row(item: Item) -> dict[str, Any]:
    outcome = item.outcome
    faces = outcome.get("faces") or []
    guard, video = outcome.get("guard") or {}, outcome.get("video")
    measured = guard.get("faces") or []

    def largest(name: str) -> float | None:
        return max((face[name] for face in measured if face[name] is not None), default=None)

    return {
        "source": item.source,
        "state": item.state,
        "output": outcome.get("output"),
        "reason": item.reason,
        "client": item.client,
        "email": item.email,
        "width": outcome.get("width"),
        "height": outcome.get("height"),
        "faces": len(video["people"]) if video else len(faces),
        "restored": video["faces_restored"] if video else sum(face["status"] == "restored" for face in faces),
        "frames": video["frames"] if video else None,
        "verdict": level_of(faces) or "",
        "drawn_anew": max((face.get("drawn_anew", 0.0) for face in faces), default=None),
        "findings": " ".join(dict.fromkeys(finding["code"] for finding in outcome.get("findings", []))),
        "fixes": "; ".join(outcome.get("fixes", [])),
        "doubts": " ".join(dict.fromkeys(doubt["check"] for doubt in guard.get("doubts", []))),
        "identity": largest("identity"),
        "colour": largest("colour"),
        "blotch": largest("blotch"),
        "seconds": round(sum(outcome.get("milliseconds", {}).values()) / 1e3, 2),
        "begun": item.attempts,
    }


def _json(journal: Journal, run: RunFigures) -> bytes:
    # Each picture becomes text at once: of ten thousand, that is 40 MB, and what they are read into ten times as much.
    pictures: list[bytes] = []
    states: Counter[str] = Counter()
    levels: Counter[str | None] = Counter()
    findings: Counter[str] = Counter()
    doubts: Counter[str] = Counter()
    faceless = 0
    for item in items_of(journal):
        outcome = item.outcome
        states[item.state] += 1
        faceless += _is_faceless(item)
        levels[level_of(outcome.get("faces") or [])] += 1
        findings.update({finding["code"] for finding in outcome.get("findings", [])})
        doubts.update({doubt["check"] for doubt in (outcome.get("guard") or {}).get("doubts", [])})
        pictures.append(_encoded("    " + _dumped(_picture(item)).replace("\n", "\n    ")))
    told = _dumped(
        {
            "schema": SCHEMA,
            "likeness": version("likeness"),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "model": run.model,
            "run": run.to_dict(),
            "summary": {
                "pictures": len(pictures),
                **{state: states[state] for state in STATES},
                "without_a_face": faceless,
                "verdicts": {level: levels[level] for level in LEVELS},
                "findings": dict(sorted(findings.items())),
                "doubts": dict(sorted(doubts.items())),
            },
            "pictures": [],
        }
    )
    if not pictures:
        return _encoded(told)
    return _encoded(told.removesuffix("]\n}")) + b"\n" + b",\n".join(pictures) + b"\n  ]\n}"


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _encoded(text: str, encoding: str = "utf-8") -> bytes:
    """File names that are no UTF-8 reach a program with lone surrogates."""
    return text.encode(encoding, errors="backslashreplace")


def _picture(item: Item) -> dict[str, Any]:
    return {
        "source": item.source,
        "target": item.target,
        "state": item.state,
        "reason": item.reason,
        "client": item.client,
        "email": item.email,
        "content": item.content,
        "key": item.key,
        "begun": item.attempts,
        "changed": datetime.fromtimestamp(item.changed, timezone.utc).isoformat(timespec="seconds"),
        "options": item.options,
        "outcome": item.outcome,
    }
