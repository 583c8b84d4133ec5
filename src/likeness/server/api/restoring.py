"""Restoring one picture for a request or a job: bytes in, bytes and a record out. Runs in a thread of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from likeness.compute.cancellation import WorkCancelled
from likeness.errors import ConfigError, NoFaceError
from likeness.imaging.encode import find_format
from likeness.imaging.files import PictureSource
from likeness.imaging.image import Image
from likeness.imaging.sniff import HEAD_BYTES
from likeness.messages.notice import Notice, notice_of
from likeness.reference.references import Photograph, References
from likeness.restore.job import RestoreJob, read_damage
from likeness.restore.records import face_records
from likeness.server.api.requests import RestoreRequest
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState

__all__ = ["MOST_REFERENCES", "THE_PICTURE", "Restored", "make_references", "ready", "restore_bytes"]

THE_PICTURE = "the picture"
"""What sentences call an upload: a client's own name for it belongs in no log."""

MOST_REFERENCES = 8
"""Other photographs that a request may bring."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored:
    """A restored picture as a file.

    Attributes:
        data: the file's bytes.
        file_format: what they are, a name of `likeness.imaging.encode.FORMATS`.
        before, after: the pictures themselves.
        record: what was done, ready for JSON: the picture's record as in a report, with controls and warnings.
    """

    data: bytes = field(repr=False)
    file_format: str
    before: Image
    after: Image
    record: dict[str, Any]

    @property
    def media_type(self) -> str:
        return find_format(self.file_format).media_type

    @property
    def faces(self) -> int:
        return len(self.record["faces"])

    @property
    def verdict(self) -> str:
        """The worst verdict on its faces; "" if there is none."""
        return self.record["verdict"] or ""

    @property
    def faces_restored(self) -> int:
        return sum(face["status"] == "restored" for face in self.record["faces"])


def restore_bytes(
    state: ServerState,
    data: bytes,
    request: RestoreRequest,
    *,
    damage: bytes | None = None,
    references: References | None = None,
    name: str = THE_PICTURE,
) -> Restored:
    """Read, restore and write a picture, in memory.

    Args:
        state: the application's.
        data: the picture file.
        request: what is to be done.
        damage: a picture file that is white where the picture holds nothing.
        references: other photographs of the same persons (`make_references`).
        name: what sentences call the picture.

    Raises:
        ImageReadError, ImageTooLargeError: if a file cannot be read.
        NoFaceError: if there is no face to restore.
        ControlError: if there are more than the server restores at a time, or the damage mask does not fit.
        ProblemError: if each of them failed, or a reference shows none.
        ImageWriteError, ConfigError: if the result cannot be written in the format asked for.
    """
    try:
        restored = _restore(state, data, request, damage, references, name)
    except NoFaceError:
        state.metrics.pictures.labels("no face").inc()
        raise
    except WorkCancelled:
        state.metrics.pictures.labels("cancelled").inc()
        raise
    except BaseException:
        state.metrics.pictures.labels("failed").inc()
        raise
    state.metrics.pictures.labels(restored.record["status"]).inc()
    for face in restored.record["faces"]:
        state.metrics.faces.labels(face["status"]).inc()
    return restored


def _restore(
    state: ServerState,
    data: bytes,
    request: RestoreRequest,
    damage: bytes | None,
    references: References | None,
    name: str,
) -> Restored:
    limit = state.settings.max_pixels
    job = RestoreJob(state.restorer, state.decoder, name=name, max_pixels=limit)
    image = job.read(data, request.framing)
    file_format = request.result_format(data[:HEAD_BYTES])
    if request.bit_depth is not None and request.bit_depth not in file_format.depths:
        # Known before the work, and so said before it.
        raise ConfigError(Notice("image.eight-bits", {"format": file_format.name, "bits": request.bit_depth}))
    if references is not None:
        ready(state, references)
    restoration = job.restore(
        image,
        request.within(limit),
        selection=replace(request.selection, most=state.settings.max_faces),
        file_format=file_format.name,
        damage=read_damage(state.decoder, damage, max_pixels=limit, name="the damage mask"),
        references=references,
    )
    if not restoration.done:
        raise ProblemError("faces-failed", restoration.failure)
    encoded = job.encode(restoration.image, request, file_format.name)
    faces = face_records(image, restoration, state.inspector if request.evidence else None)
    job.clock.lap("inspect" if request.evidence else "report")
    job.clock.add("total", job.clock.seconds * 1e3)
    record = job.record(faces).to_dict()
    # Files are a command line's matter.
    for key in ("input", "output", "copied", "compare", "face_files"):
        del record[key]
    warnings = (*request.controls.warnings, *request.selection.missing(len(restoration.faces)))
    record |= {
        "model": state.model,
        "preset": request.preset,
        "controls": asdict(restoration.controls),
        "warnings": list(warnings),
        "notices": [warning.to_dict() for warning in warnings],
    }
    return Restored(
        data=encoded,
        file_format=file_format.name,
        before=job.cropped(image),
        after=job.cropped(restoration.image),
        record=record,
    )


def make_references(state: ServerState, files: Sequence[PictureSource], *, trusted: bool) -> References | None:
    """Other photographs, which are read when they first serve; None without any.

    Sentences and records call them "reference 1" and so on.
    """
    if not files:
        return None
    photographs = [
        Photograph(
            name=f"reference {number}",
            read=partial(state.decoder.read, file, max_pixels=state.settings.max_pixels, name=f"reference {number}"),
            file=file if isinstance(file, Path) else None,
        )
        for number, file in enumerate(files, start=1)
    ]
    return References(photographs, trusted=trusted, matcher=state.matcher)


def ready(state: ServerState, references: References) -> None:
    """Have photographs read and their faces found.

    Raises:
        ImageReadError, ImageTooLargeError: if one cannot be read.
        ProblemError: if one shows no face.
    """
    try:
        references.prepare(state.restorer.detector, state.restorer.runtime.spec.side)
    except NoFaceError as error:
        raise ProblemError("reference-unusable", notice_of(error)) from error
