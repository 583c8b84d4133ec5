"""One picture from its file to its result: read, restored, encoded, recorded.

The command line, a batch (here or on Ray) and the server all work this way; what they do in between, such as looking at the
picture first or judging the result, is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.core.stopwatch import Stopwatch
from likeness.errors import ImageTooLargeError, NoFaceError
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.encode import encode_image, find_format
from likeness.imaging.files import DEFAULT_MAX_PIXELS, PictureSource
from likeness.imaging.image import Box, Image, Size
from likeness.imaging.origin import Note
from likeness.messages.notice import Notice, notice_of
from likeness.restore.framing import Framing
from likeness.restore.outcome import ReferenceSource, Restoration
from likeness.restore.picture_options import PictureOptions
from likeness.restore.pipeline import Restorer
from likeness.restore.report import PictureRecord, face_record
from likeness.restore.selection import Selection

__all__ = ["RestoreJob", "read_damage"]

_LARGE = 24_000_000
"""Pixels over which a picture is worked on alone, as far as other such pictures go: 100 megapixels take gigabytes."""


def read_damage(
    decoder: DecoderPool, source: PictureSource | None, *, max_pixels: int, name: str | None = None
) -> NDArray[np.float32] | None:
    """A damage mask, H x W in [0, 1]; None if there is none.

    Raises:
        ImageReadError, ImageTooLargeError: if the file cannot be read.
    """
    if source is None:
        return None
    from likeness.repair.repair import damage_of  # here, as most pictures have none

    return damage_of(decoder.read(source, max_pixels=max_pixels, name=name))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What is kept of a picture that was read: a large one takes hundreds of megabytes, and its result as many."""

    size: Size
    notes: tuple[Note, ...]
    source_type: str | None


class RestoreJob:
    """The work on one picture, step by step: `read`, `restore`, `encode`, `record`. For one thread.

    It is a context: leaving it lets other large pictures go on.

    Args:
        restorer: finds and restores faces.
        decoder: reads the picture, so that a file may crash what decodes it and nothing else.
        name: what sentences and the record call the picture.
        max_pixels: larger pictures are not read.
        large: keeps other large pictures away while this one is worked on, if it is one; None for nothing of the kind.
    """

    def __init__(
        self,
        restorer: Restorer,
        decoder: DecoderPool,
        *,
        name: str,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        large: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._restorer = restorer
        self._decoder = decoder
        self._max_pixels = max_pixels
        self._large = large
        self._held = ExitStack()
        self._seen: _Seen | None = None
        self._framing = Framing()
        self._restoration: Restoration | None = None
        self._no_face: str = ""
        self.name = name
        self.clock = Stopwatch()
        """Its laps are the record's ``milliseconds``."""

    def __enter__(self) -> RestoreJob:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._held.close()

    def read(self, source: PictureSource, framing: Framing | None = None) -> Image:
        """The picture, turned and straightened; `cropped` is for when all is done.

        Raises:
            ImageReadError, ImageTooLargeError: if it cannot be read.
            ControlError: if what is to be kept of it does not lie in it.
        """
        self._framing = framing or Framing()
        image = self._framing.upright(self._read(source))
        self._framing.box(image.size)
        self._seen = _Seen(size=image.size, notes=image.notes, source_type=image.metadata.source_type)
        self.clock.lap("read")
        checkpoint()
        return image

    @property
    def large(self) -> bool:
        """Whether the picture that was read is one that is worked on alone."""
        return self._seen is not None and self._seen.size.pixels > _LARGE

    def _read(self, source: PictureSource) -> Image:
        if self._large is not None and self._max_pixels > _LARGE:
            try:
                # The size is looked at before anything is decoded.
                return self._decoder.read(source, max_pixels=_LARGE, name=self.name)
            except ImageTooLargeError:
                self._held.enter_context(self._large)
        return self._decoder.read(source, max_pixels=self._max_pixels, name=self.name)

    def restore(
        self,
        image: Image,
        options: PictureOptions,
        *,
        selection: Selection | None = None,
        damage: NDArray[np.float32] | None = None,
        references: ReferenceSource | None = None,
        file_format: str | None = None,
        keep_scenes: bool = False,
    ) -> Restoration:
        """Restore what was read; also returns if no face could be restored, and says so in `Restoration.failure`.

        Args:
            image: what `read` returned.
            options: how.
            selection: which faces, if not those of the options.
            damage: see `read_damage`.
            references: other photographs of the persons.
            file_format: what the result will be written as: an enlarged one must fit into it.
            keep_scenes: see `Restorer.restore`.

        Raises:
            NoFaceError, ControlError, ImageTooLargeError: see `Restorer.restore`.
        """
        if damage is not None:
            damage = self._framing.upright_map(damage)
        enlargement = options.enlargement
        if file_format is not None:
            enlargement = replace(enlargement, largest_side=find_format(file_format).largest_side)
        try:
            restoration = self._restorer.restore(
                image,
                options.asked,
                face_controls=options.face_controls,
                selection=selection or options.selection,
                aligned=options.aligned,
                repairs=options.repairs,
                damage=damage,
                references=references,
                enlargement=enlargement,
                on_bad=options.on_bad or "keep",
                keep_scenes=keep_scenes,
            )
        except NoFaceError as error:
            self.clock.lap("detect")
            self._no_face = notice_of(error)
            raise
        self._restoration = restoration
        self.clock.laps.update(restoration.milliseconds)
        self.clock.skip()
        checkpoint()
        return restoration

    def cropped(self, image: Image) -> Image:
        """What is kept of a result, or of the picture that was read."""
        size = image.size if self._seen is None else self._seen.size
        return self._framing.cropped(image, size, self._faces)

    @property
    def _faces(self) -> list[Box]:
        """Faces that the crop goes around."""
        restoration = self._restoration
        return [] if restoration is None else [face.face.box for face in restoration.restored or restoration.faces]

    def encode(self, image: Image, options: PictureOptions, file_format: str) -> bytes:
        """The result as a file, cropped.

        Raises:
            ImageWriteError: if the format cannot hold the picture.
        """
        image = self.cropped(image)
        if not options.provenance:
            before = None if self._seen is None else self._seen.source_type
            image = replace(image, metadata=replace(image.metadata, source_type=before))
        data = encode_image(image, file_format, bit_depth=options.bit_depth, quality=options.quality)
        self.clock.lap("write")
        return data

    def record(self, faces: Sequence[dict[str, Any]] | None = None) -> PictureRecord:
        """What became of the picture so far, ready for a report; files are for whoever wrote them to add.

        Args:
            faces: the faces' records, if they hold more than `face_record` knows.
        """
        seen, restoration = self._seen, self._restoration
        record = PictureRecord(
            input=self.name,
            status="no face",
            message=self._no_face,
            size=seen.size if seen else None,
            notes=seen.notes if seen else (),
            milliseconds=self.clock.laps,
        )
        if restoration is None or seen is None:
            return record
        failed = len(restoration.failed)
        status: Literal["restored", "partly restored"] = "partly restored" if failed else "restored"
        record = replace(
            record,
            status=status if restoration.done else "failed",
            message=_failed(failed),
            faces=tuple(faces or [face_record(outcome, seen.size) for outcome in restoration.faces]),
            repairs=restoration.repaired.to_dict() if restoration.repaired else None,
            framing=self._framed(seen.size),
            result_size=self.cropped(restoration.image).size,
            picture=restoration.picture.to_dict() if restoration.picture else None,
            chosen=None if restoration.chosen is None else restoration.chosen.to_dict(),
            upscale=restoration.upscale,
            suggested_upscale=restoration.suggested_upscale,
        )
        return record if restoration.done else replace(record, message=restoration.failure)

    def _framed(self, size: Size) -> dict[str, Any] | None:
        """How the picture was turned, straightened and cut, ready for JSON; None where it was not."""
        framing = self._framing
        if not framing.any:
            return None
        kept = asdict(framing.box(size, self._faces))
        return {"turn": framing.turn, "straighten": framing.straighten, "crop": kept if framing.crop else None}


def _failed(count: int) -> str:
    if count == 0:
        return ""
    return Notice("outcome.one-failed") if count == 1 else Notice("outcome.some-failed", {"count": count})
