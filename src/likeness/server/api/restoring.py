"""Restoring one picture for a request or a job: bytes in, bytes and a record out. Runs in a thread of the pool."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from likeness.compute.cancellation import WorkCancelled, checkpoint
from likeness.core.stopwatch import Stopwatch
from likeness.errors import ConfigError, NoFaceError
from likeness.evidence.records import face_records
from likeness.imaging.encode import encode_image, find_format
from likeness.imaging.image import Image
from likeness.imaging.sniff import HEAD_BYTES
from likeness.repair.repair import damage_of
from likeness.restore.report import PictureRecord
from likeness.server.api.requests import RestoreRequest
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState

__all__ = ["THE_PICTURE", "Restored", "restore_bytes"]

THE_PICTURE = "the picture"
"""What sentences call an upload: a client's own name for it belongs in no log."""


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
    def faces_restored(self) -> int:
        return sum(face["status"] == "restored" for face in self.record["faces"])


def restore_bytes(
    state: ServerState, data: bytes, request: RestoreRequest, *, damage: bytes | None = None, name: str = THE_PICTURE
) -> Restored:
    """Read, restore and write a picture, in memory.

    Args:
        state: the application's.
        data: the picture file.
        request: what is to be done.
        damage: a picture file that is white where the picture holds nothing.
        name: what sentences call the picture.

    Raises:
        ImageReadError, ImageTooLargeError: if a file cannot be read.
        NoFaceError: if there is no face to restore.
        ControlError: if there are more than the server restores at a time, or the damage mask does not fit.
        ProblemError: if each of them failed.
        ImageWriteError, ConfigError: if the result cannot be written in the format asked for.
    """
    clock = Stopwatch()
    try:
        restored = _restore(state, data, request, damage, name, clock)
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
    state: ServerState, data: bytes, request: RestoreRequest, damage: bytes | None, name: str, clock: Stopwatch
) -> Restored:
    limit = state.settings.max_pixels
    image = state.decoder.read(data, max_pixels=limit, name=name)
    clock.lap("read")
    checkpoint()
    file_format = request.result_format(data[:HEAD_BYTES])
    if request.bit_depth not in (None, *file_format.depths):
        # Known before the work, and so said before it.
        raise ConfigError(
            f"{file_format.name} holds 8 bits per sample only; write PNG or TIFF to keep {request.bit_depth} bits"
        )
    restoration = state.restorer.restore(
        image,
        request.controls,
        selection=replace(request.selection, most=state.settings.max_faces),
        aligned=request.aligned,
        repairs=request.repairs,
        damage=None
        if damage is None
        else damage_of(state.decoder.read(damage, max_pixels=limit, name="the damage mask")),
    )
    clock.laps.update(restoration.milliseconds)
    clock.skip()
    if not restoration.restored:
        raise ProblemError("faces-failed", restoration.failure)
    checkpoint()
    encoded = encode_image(restoration.image, file_format.name, bit_depth=request.bit_depth, quality=request.quality)
    clock.lap("write")
    faces = face_records(image, restoration, state.inspector if request.evidence else None)
    clock.lap("inspect" if request.evidence else "report")
    failed = len(restoration.failed)
    record = PictureRecord(
        input=name,
        status="partly restored" if failed else "restored",
        message=f"{failed} face{'' if failed == 1 else 's'} could not be restored" if failed else "",
        size=image.size,
        faces=faces,
        repairs=restoration.repaired.to_dict() if restoration.repaired else None,
        notes=image.notes,
        milliseconds={**clock.laps, "total": clock.seconds * 1e3},
    ).to_dict()
    # Files are a command line's matter.
    for key in ("input", "output", "copied", "compare", "face_files"):
        del record[key]
    record |= {
        "model": state.model,
        "preset": request.preset,
        "controls": asdict(request.controls),
        "warnings": list(request.controls.warnings),
    }
    return Restored(
        data=encoded,
        file_format=file_format.name,
        before=image,
        after=restoration.image,
        record=record,
    )
