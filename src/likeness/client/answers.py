"""What goes to a server of Likeness and comes from it, as the library's own types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from likeness.core.files import write_bytes_atomically
from likeness.errors import ConfigError
from likeness.evidence.face_verdict import Level
from likeness.evidence.figures import Figure, Verdict
from likeness.faces.findings import Finding
from likeness.imaging.accepting import ImageInput
from likeness.imaging.arguments import of_type
from likeness.imaging.files import read_image
from likeness.imaging.image import Box, Image, Size
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.picture_options import PictureOptions

__all__ = [
    "CheckedPicture",
    "InspectedFace",
    "Job",
    "JobPicture",
    "Picture",
    "RemoteInspection",
    "RequestOptions",
    "RestoredPicture",
]

Picture: TypeAlias = ImageInput
"""A file by its path, its bytes or a stream of them, or a picture in memory, which travels as PNG of its own depth."""


@dataclass(frozen=True, kw_only=True)
class RequestOptions(PictureOptions):
    """What may be asked for; what is as the server has it anyway is not sent.

    Attributes:
        controls, repairs, selection, aligned, quality, bit_depth: see `likeness.restore.picture_options.PictureOptions`.
        preset: a preset's name, instead of controls.
        file_format: the result's, such as "png"; the picture's own if None.
        evidence: whether the report holds what was measured of each face before and after.
    """

    preset: str | None = None
    file_format: str | None = None
    evidence: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("preset", "file_format"):
            if getattr(self, name) is not None:
                of_type(name, getattr(self, name), str)
        of_type("evidence", self.evidence, bool)

    def fields(self, controls: Controls | str | None = None) -> dict[str, str]:
        """The form's text fields; ``controls``, or the preset of that name, replace those that are held here.

        Raises:
            ConfigError: if there is a preset and controls as well.
        """
        if isinstance(controls, str) and self.preset is None:
            return replace(self, preset=controls).fields()
        if self.preset is not None and (
            controls is not None or self.controls != Controls() or self.by_hand is not None
        ):
            raise ConfigError(Notice("client.both"))
        options = self if controls is None else replace(self, controls=Controls.of(controls))
        own = {"format": self.file_format, "evidence": self.evidence or None}
        values = {"preset": self.preset, **options.to_settings().values, **own}
        given = {name: value for name, value in values.items() if value is not None}
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class RestoredPicture:
    """What a server made of a picture.

    Attributes:
        data: the file's bytes.
        media_type: what they are, such as "image/jpeg".
        report: as a picture of ``likeness restore --report``.
    """

    data: bytes = field(repr=False)
    media_type: str
    report: dict[str, Any]

    @property
    def image(self) -> Image:
        """The picture, decoded."""
        return read_image(self.data, name="the restored picture")

    @property
    def verdict(self) -> Level | None:
        """The worst verdict on its faces; None where there is none. The report has that on each."""
        return self.report["verdict"]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, of the controls and of each face."""
        faces = (f"face {face['index'] + 1}: {text}" for face in self.report["faces"] for text in face["warnings"])
        return (*self.report["warnings"], *faces)

    def save(self, path: Path | str) -> None:
        """Write the file, as it came.

        Raises:
            FileWriteError: if it cannot be written; nothing is left behind.
        """
        write_bytes_atomically(self.data, Path(path))


@dataclass(frozen=True, kw_only=True)
class CheckedPicture:
    """What is the matter with a picture.

    Attributes:
        status: the gravest finding's level, notes aside.
        size: None where the picture could not be read.
        faces: boxes in reading order.
        findings: as `likeness.preflight` gives them.
    """

    status: Literal["refuse", "warn", "fine"]
    size: Size | None
    faces: tuple[Box, ...]
    findings: tuple[Finding, ...]

    @staticmethod
    def of(answer: Mapping[str, Any]) -> CheckedPicture:
        """From the server's JSON."""
        width, height = answer["width"], answer["height"]
        return CheckedPicture(
            status=answer["status"],
            size=None if width is None else Size(width, height),
            faces=tuple(Box(**face["box"]) for face in answer["faces"]),
            findings=tuple(Finding.of(finding) for finding in answer["findings"]),
        )


@dataclass(frozen=True, kw_only=True)
class InspectedFace:
    """The figures of one face, without the crops that they were measured on; see `likeness.FaceEvidence`."""

    index: int
    box: Box
    native_side: float
    verdict: Verdict
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    @staticmethod
    def of(face: Mapping[str, Any]) -> InspectedFace:
        """From the server's JSON."""
        return InspectedFace(
            index=face["index"],
            box=Box(*face["box"]),
            native_side=face["native_side"],
            verdict=face["verdict"],
            figures=tuple(_figure(figure) for figure in face["figures"]),
            notes=tuple(face["notes"]),
        )


def _figure(answer: Mapping[str, Any]) -> Figure:
    values: dict[str, Any] = dict(answer)
    values["boxes"] = tuple(Box(*box) for box in values["boxes"])
    values["sentence"] = Notice.of(values["sentence"], values.pop("notice", None))
    return Figure(**values)


@dataclass(frozen=True, kw_only=True)
class RemoteInspection:
    """What a restoration did; see `likeness.Inspection`."""

    verdict: Verdict
    scale: float
    faces: tuple[InspectedFace, ...]
    notes: tuple[str, ...]

    @staticmethod
    def of(answer: Mapping[str, Any]) -> RemoteInspection:
        """From the server's JSON."""
        return RemoteInspection(
            verdict=answer["verdict"],
            scale=answer["scale"],
            faces=tuple(InspectedFace.of(face) for face in answer["faces"]),
            notes=tuple(answer["notes"]),
        )


@dataclass(frozen=True, kw_only=True)
class JobPicture:
    """One picture of a job, or its video; ``state`` is one of `likeness.batch.journal.STATES`, ``verdict`` the worst on its
    faces, and ``share`` how much of a video in work is done, 0 to 1."""

    number: int
    name: str
    state: str
    reason: str
    verdict: Level | None = None
    share: float | None = None

    @staticmethod
    def of(answer: Mapping[str, Any]) -> JobPicture:
        """From the server's JSON; the reason is a `Notice` where the server says its code."""
        reason, notice = answer["reason"], answer.get("notice")
        return JobPicture(
            number=answer["number"],
            name=answer["name"],
            state=answer["state"],
            reason=Notice.of(reason, notice) if notice else reason,
            verdict=answer.get("verdict"),
            share=answer.get("share"),
        )


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it was when it was asked for.

    Attributes:
        id: its name; whoever knows it can see its pictures.
        done: whether there is no more work.
        counts: pictures by state.
        created, ended, deleted_at: when it began, when the last picture was done, and when the server deletes it.
        seconds_left: the server's guess; None without any.
        pictures: in the order in which they were sent.
    """

    id: str
    done: bool
    counts: Mapping[str, int]
    created: datetime
    ended: datetime | None
    deleted_at: datetime | None
    seconds_left: float | None
    pictures: tuple[JobPicture, ...]

    @staticmethod
    def of(answer: Mapping[str, Any]) -> Job:
        """From the server's JSON."""
        ended, deleted = answer["ended"], answer["deleted_at"]
        return Job(
            id=answer["id"],
            done=answer["state"] == "done",
            counts=answer["counts"],
            created=_moment(answer["created"]),
            ended=None if ended is None else _moment(ended),
            deleted_at=None if deleted is None else _moment(deleted),
            seconds_left=answer["seconds_left"],
            pictures=tuple(JobPicture.of(picture) for picture in answer["pictures"]),
        )


def _moment(text: str) -> datetime:
    # Python 3.10 does not know the "Z".
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
