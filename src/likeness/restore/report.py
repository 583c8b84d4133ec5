"""The report of a run as JSON: what was done to each face of each picture, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np

from likeness.core.files import write_text_atomically
from likeness.evidence.face_verdict import LEVELS, Level
from likeness.faces.align import FFHQ_TEMPLATE, align
from likeness.imaging.image import Size
from likeness.imaging.origin import Note
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.outcome import DRAWN_ANEW, FaceOutcome
from likeness.restore.selection import Selection
from likeness.runtimes.base import Runtime

__all__ = [
    "SCHEMA",
    "PictureRecord",
    "RunRecord",
    "done_to_picture",
    "drawn_anew",
    "face_record",
    "level_of",
    "write_report",
]

SCHEMA = 1
"""Number of the report's structure; raised when a key changes its meaning or goes away."""


def done_to_picture(picture: Mapping[str, Any] | None) -> str:
    """What a network for whole pictures did, such as "coloured", from `PictureRecord.picture`; "" if it changed nothing."""
    if picture is None or not picture["area"]:
        return ""
    return "coloured" if picture["task"] == "colourise" else f"{picture['area']:.1%} of the picture drawn in"


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What became of one picture.

    Attributes:
        input: the picture, as it was named; "-" for standard input.
        status: "restored"; "partly restored" if some of the selected faces failed; "no face" if there was none or none was
            selected; "failed".
        message: why, where it was not restored.
        output: the result's file, None where nothing was written.
        copied: whether ``output`` is the unrestored picture, on request.
        compare: the before/after sheet's file.
        face_files: crops that were saved.
        size: the picture's size, None where it could not be read.
        result_size: the result's, None where nothing was restored; ``upscale`` times as wide and high.
        suggested_upscale: what ``upscale="auto"`` comes to, where most of what the network drew does not show; else None.
        chosen: what was chosen for it and why, as `likeness.restore.automatic.Choice.to_dict` makes it; None where controls
            were given.
        faces: the outcome of each face, as `face_record` makes it.
        framing: how the picture was turned (`turn`, `straighten`, degrees) and what of the upright picture was kept (`crop`:
            left, top, right, bottom; None for all of it); None if nothing of that was asked for. Sizes and faces are told
            in the upright picture.
        repairs: what was found and repaired, as `RepairResult.to_dict` makes it; None if nothing was asked for.
        picture: what a network for whole pictures did, as `PictureChange.to_dict` makes it; None if it did nothing.
        notes: what the file held that the result does not, and damage that did not matter.
        milliseconds: time of each step.
    """

    input: str
    status: Literal["restored", "partly restored", "no face", "failed"]
    message: str = ""
    output: str | None = None
    copied: bool = False
    compare: str | None = None
    face_files: tuple[str, ...] = ()
    size: Size | None = None
    result_size: Size | None = None
    upscale: float = 1.0
    suggested_upscale: float | None = None
    chosen: dict[str, Any] | None = None
    faces: tuple[dict[str, Any], ...] = ()
    repairs: dict[str, object] | None = None
    framing: dict[str, Any] | None = None
    picture: dict[str, Any] | None = None
    notes: tuple[Note, ...] = ()
    milliseconds: dict[str, float] = field(default_factory=dict[str, float])

    def count(self, status: str) -> int:
        """How many faces have a status ("restored", "skipped", "failed")."""
        return sum(face["status"] == status for face in self.faces)

    @property
    def level(self) -> Level | None:
        """The worst verdict on its faces; None if there is none."""
        return level_of(self.faces)

    def to_dict(self) -> dict[str, Any]:
        size, result_size = self.size, self.result_size
        return {
            "input": self.input,
            "status": self.status,
            "message": self.message,
            "notice": _coded(self.message),
            "verdict": self.level,
            "output": self.output,
            "copied": self.copied,
            "compare": self.compare,
            "face_files": list(self.face_files),
            "width": size.width if size else None,
            "height": size.height if size else None,
            "result_width": result_size.width if result_size else None,
            "result_height": result_size.height if result_size else None,
            "upscale": self.upscale,
            "suggested_upscale": self.suggested_upscale,
            "chosen": self.chosen,
            "faces": list(self.faces),
            "repairs": self.repairs,
            "framing": self.framing,
            "picture": self.picture,
            "notes": [asdict(note) for note in self.notes],
            "milliseconds": _rounded(self.milliseconds),
        }


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run's report, all but its pictures.

    Attributes:
        model: the model's name or file.
        runtime: what ran it.
        preset: name of the preset that the controls started from.
        controls: as they were in force.
        selection: which faces.
        aligned: whether the pictures were taken as aligned crops.
        interrupted: whether the run was broken off; pictures that it did not reach are not listed then.
    """

    model: str
    runtime: Runtime
    preset: str
    controls: Controls
    selection: Selection
    aligned: bool = False
    interrupted: bool = False

    def to_dict(self, pictures: Sequence[PictureRecord]) -> dict[str, Any]:
        """The whole report, ready for JSON; positions in pixels, (0, 0) being the centre of the top left one."""
        # Not at the top: it brings a parser of mails, and most runs write no report.
        from importlib.metadata import version

        return {
            "schema": SCHEMA,
            "likeness": version("likeness"),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "interrupted": self.interrupted,
            "model": {
                "name": self.model,
                **self.runtime.spec.numbers,
                "runtime": self.runtime.description,
            },
            "preset": self.preset,
            "controls": asdict(self.controls),
            "selection": {**asdict(self.selection), "aligned": self.aligned},
            "warnings": list(self.controls.warnings),
            "notices": [warning.to_dict() for warning in self.controls.warnings],
            "summary": {
                "pictures": len(pictures),
                **{
                    status.replace(" ", "_"): sum(picture.status == status for picture in pictures)
                    for status in ("restored", "partly restored", "no face", "failed")
                },
                "faces": sum(len(picture.faces) for picture in pictures),
                "faces_restored": sum(picture.count("restored") for picture in pictures),
                "faces_failed": sum(picture.count("failed") for picture in pictures),
                "verdicts": {level: sum(picture.level == level for picture in pictures) for level in LEVELS},
            },
            "pictures": [picture.to_dict() for picture in pictures],
        }


def level_of(faces: Iterable[Mapping[str, Any]]) -> Level | None:
    """The worst verdict among faces' records; None if there is none. Records of before there were verdicts have none."""
    found = [LEVELS.index(face["verdict"]["level"]) for face in faces if face.get("verdict")]
    return LEVELS[max(found)] if found else None


def drawn_anew(faces: Iterable[Mapping[str, Any]]) -> dict[int, Notice]:
    """What says that a face was drawn anew, by the face's index, from faces' records; of others there is none."""
    return {
        face["index"]: Notice.of(told, coded)
        for face in faces
        if face.get("drawn_anew")  # records of before there was such a thing have none
        for told, coded in zip(face["warnings"], face["notices"], strict=True)
        if coded["code"] in DRAWN_ANEW
    }


def face_record(outcome: FaceOutcome, picture_size: Size, *, evidence: dict[str, Any] | None = None) -> dict[str, Any]:
    """One face's outcome, ready for JSON.

    ``native_side`` is the side of the aligned crop in the picture's pixels; None where the face's points allow no
    alignment. ``mesh.source`` is "template" where no mesh was found and an average face took its place, and ``mesh.misfit``
    the root mean square distance of the five points from the FFHQ template after alignment, in pixels of a 512 crop:
    about 5 to 10 for a frontal face, more for a turned one, and much more where the points are wrong. ``controls`` are the
    face's own, None where it has the picture's; ``strength`` is that which the face was restored with, ``region_gains`` are
    shares of the way to the network's result, 0 to 1, and ``filled`` the share of the face that held no pixels.
    ``drawn_anew`` says how far what the photograph is too blurred to show was drawn anew, a guess: 0 to 1 with ``strength``.
    ``verdict`` is what to say of the face: a level ("good", "look" or "bad"), the reason, and what was measured; None where
    it was not restored. ``notice`` and ``notices`` are the codes and values of ``reason`` and of each of the ``warnings``.
    ``references`` are the other photographs that were looked at, and which region got how much from which; None where none
    were asked for.
    ``index`` counts from 0, ``number``, which people see and options take, from 1.
    ``evidence`` is what was measured of the face before and after, as `likeness.evidence` puts it; None where nothing was.
    """
    face = outcome.face
    fit = _fit(outcome, picture_size)
    return {
        "index": outcome.index,
        "number": outcome.index + 1,
        "status": outcome.status,
        "reason": outcome.reason,
        "notice": _coded(outcome.reason),
        "box": asdict(face.box.rounded()),
        "score": round(float(face.score), 4),
        "native_side": fit[0] if fit else None,
        "mesh": {"source": face.landmarks.source, "misfit": fit[1] if fit else None},
        "filled": round(float(outcome.filled), 4),
        "drawn_anew": round(float(outcome.drawn_anew), 4),
        "controls": None if outcome.own_controls is None else asdict(outcome.own_controls),
        "strength": round(float(outcome.strength), 4),
        "region_gains": {region: round(float(gain), 4) for region, gain in outcome.gains.items()},
        "verdict": None if outcome.verdict is None else outcome.verdict.to_dict(),
        "warnings": list(outcome.warnings),
        "notices": [warning.to_dict() for warning in outcome.warnings],
        "milliseconds": _rounded(outcome.milliseconds),
        "references": None if outcome.references is None else outcome.references.to_dict(),
        "evidence": evidence,
    }


def write_report(path: Path, run: RunRecord, pictures: Sequence[PictureRecord]) -> None:
    """Write the report as JSON in UTF-8; the file appears complete or not at all.

    Raises:
        FileWriteError: if the folder is missing or may not be written to, or the disk is full.
    """
    text = json.dumps(run.to_dict(pictures), indent=2, ensure_ascii=False, allow_nan=False)
    write_text_atomically(text, path)


def _fit(outcome: FaceOutcome, picture_size: Size) -> tuple[float, float] | None:
    """Native side of the crop and misfit of the five points; None for points that allow no alignment."""
    points = outcome.face.five_points
    try:
        alignment = align(points, picture_size, 512)
    except ValueError:
        return None
    moved = alignment.to_crop(points)
    misfit = float(np.sqrt(((moved - FFHQ_TEMPLATE) ** 2).sum(axis=1).mean()))
    return round(alignment.native_side, 1), round(misfit, 2)


def _coded(text: str) -> dict[str, Any] | None:
    """Code and values of a sentence; None where there is none."""
    return Notice.of(text).to_dict() if text else None


def _rounded(milliseconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in milliseconds.items()}
