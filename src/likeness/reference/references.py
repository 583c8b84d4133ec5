"""Other photographs, as they are handed to a restoration: read, their faces found and embedded, once."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from likeness.core.files import disk_failed
from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.core.home import expanded
from likeness.errors import ArgumentError, ImageError, ImageReadError, NoFaceError
from likeness.faces.detect import Detector
from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.files import is_picture, read_image
from likeness.imaging.folders import list_folder
from likeness.imaging.image import Image
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.reference.matching import SAME_FROM, Embedding, FaceMatcher
from likeness.reference.photographs import Reference, references_in
from likeness.reference.serving import Match, ServedFace, assigned, embed_face, matches, matches_of, served
from likeness.restore.outcome import FaceProjection

__all__ = ["Choice", "Photograph", "References", "photographs_at", "reference_files"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """Another photograph, which is read when it first has to serve.

    Attributes:
        name: what to call it in a report.
        read: reads it.
        optional: whether it is passed over where it cannot be read or shows no face: it was found in a folder, say.
        file: where it lies; None of one that is no file.
    """

    name: str
    read: Callable[[], Image]
    optional: bool = False
    file: Path | None = None

    def digest(self) -> str:
        """Of its file, or its pixels.

        Raises:
            ImageReadError: if it cannot be read.
        """
        if self.file is None:
            return sha256_of_bytes(np.ascontiguousarray(self.read().pixels).tobytes())
        try:
            return sha256_of(self.file)
        except OSError as error:
            raise ImageReadError(Notice("reference.unread", {"why": notice_of(error)})) from error


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which references serve one of several faces.

    Attributes:
        found: all, the most alike first.
        chosen: those that serve.
        warnings: why none does, where nobody has one.
    """

    found: tuple[Match, ...]
    chosen: tuple[Match, ...]
    warnings: tuple[Notice, ...]


class References:
    """Other photographs of the persons in a picture, for `Restorer.restore`; thread-safe, and good for many pictures.

    Files are read when they first have to serve, and of each face only an aligned crop and its embedding are kept, in
    memory. Which face a photograph serves is decided by likeness (`FaceMatcher`): one that shows likely another person, or
    is in doubt, serves none.

    Args:
        photographs: images as `Restorer.restore` takes them, and names of folders, whose pictures are taken with those of
            their subfolders.
        trusted: they show the persons of the picture, whatever the matcher says.
        matcher: tells who is who; one for several saves memory.

    Raises:
        ArgumentError: if there is none, or one is neither an image nor a name.
        ImageReadError: if a file or a folder does not exist, or a folder holds no picture.
    """

    def __init__(
        self,
        photographs: Iterable[Photograph | ImageInput],
        *,
        trusted: bool = False,
        matcher: FaceMatcher | None = None,
    ) -> None:
        if isinstance(photographs, (str, bytes, Path, Image)):
            raise ArgumentError(f"photographs must be a list, not {type(photographs).__name__}")
        self._photographs = [found for number, one in enumerate(photographs) for found in _named(one, number)]
        if not self._photographs:
            raise ArgumentError("references need at least one photograph")
        self._trusted = trusted
        self._matcher = matcher or FaceMatcher()
        self._prepared: dict[tuple[int, int], tuple[Reference, ...]] = {}
        """By the network's side and the photograph's number."""
        self._lock = threading.Lock()

    def prepare(self, detector: Detector, side: int) -> tuple[Reference, ...]:
        """Read the photographs and find their faces, unless that has been done; all of them, in their order.

        A file of a folder that cannot be read or shows no face is passed over, and the log says so; one that the disk holds
        back is tried again the next time.

        Args:
            detector: finds the faces.
            side: of the restoring network (`Spec.side`), px.

        Raises:
            NoFaceError: if a photograph that was named shows no face, or none in a folder does.
            ImageReadError, ImageTooLargeError: if a file that was named cannot be read.
        """
        return tuple(self._references(detector, side))

    def serve(self, faces: Sequence[FaceProjection], detector: Detector) -> tuple[ServedFace, ...]:
        """See `likeness.restore.outcome.ReferenceSource`."""
        if not faces:
            return ()
        photographs = self._references(detector, faces[0].crop.shape[0])
        found = matches_of(faces, list(photographs), self._matcher)
        return tuple(
            served(item, one.found, one.chosen, detector, one.warnings)
            for item, one in zip(faces, self._choices(found, photographs), strict=True)
        )

    def who(self, face: FaceProjection) -> Embedding:
        """Whose face it is, for `choose`."""
        return embed_face(face, self._matcher)

    def choose(self, people: Sequence[Embedding], detector: Detector, side: int) -> tuple[Choice, ...]:
        """Which photographs serve each of the people in one picture, whose faces are known already.

        Raises:
            NoFaceError, ImageReadError, ImageTooLargeError: as `prepare`.
        """
        photographs = self._references(detector, side)
        return self._choices([matches(who, list(photographs)) for who in people], photographs)

    def identity(self) -> tuple[Any, ...]:
        """What a result depends on: the photographs, by name and digest, and whether they are trusted.

        Raises:
            ImageReadError: if one cannot be read.
        """
        return (*((one.name, one.digest()) for one in self._photographs), self._trusted)

    def _choices(self, found: Sequence[tuple[Match, ...]], photographs: Mapping[Reference, int]) -> tuple[Choice, ...]:
        chosen = assigned(found, photographs, trusted=set(photographs.values()) if self._trusted else ())
        # Of a group one or two may have a reference: only where nobody has it is told why.
        nearest = None if any(chosen) else max(found, key=lambda row: row[0].likeness if row else -1, default=None)
        if not any(found):
            # What is left out of the matches is the picture itself.
            name = next(iter(photographs)).name
            itself = Choice(found=(), chosen=(), warnings=(Notice("reference.itself", {"name": name}),))
            return (itself, *(Choice(found=(), chosen=(), warnings=()) for _ in found[1:]))
        return tuple(
            Choice(found=row, chosen=own, warnings=_refused(row) if row is nearest else ())
            for row, own in zip(found, chosen, strict=True)
        )

    def _references(self, detector: Detector, side: int) -> dict[Reference, int]:
        """Every reference with the number of its photograph."""
        found: dict[Reference, int] = {}
        with self._lock:
            for number, photograph in enumerate(self._photographs):
                if (side, number) not in self._prepared:
                    made = self._prepare(photograph, detector, side)
                    if made is None:
                        continue
                    self._prepared[side, number] = made
                found |= dict.fromkeys(self._prepared[side, number], number)
        if not found:
            raise NoFaceError(Notice("reference.none"))
        return found

    def _prepare(self, photograph: Photograph, detector: Detector, side: int) -> tuple[Reference, ...] | None:
        """The faces of a photograph; None of one that the disk holds back, and that may be there the next time."""
        try:
            image = photograph.read()
            made = references_in(image, detector, matcher=self._matcher, side=side, name=photograph.name)
        except (ImageError, NoFaceError) as error:
            if not photograph.optional:
                raise
            _log.info("passed over as a reference: %s", error)
            return None if disk_failed(error) else ()
        return tuple(reference for _, reference in made)


def photographs_at(place: Path | str, read: Callable[[Path], Image] = read_image) -> tuple[Photograph, ...]:
    """The photograph in a file, or those in a folder and its subfolders.

    Args:
        place: the file or the folder.
        read: reads a file; files of strangers are better read in another process (`DecoderPool.read`).

    Raises:
        ImageReadError: as `reference_files`.
    """
    files = reference_files(place)
    optional = expanded(place).is_dir()
    return tuple(Photograph(name=file.name, read=partial(read, file), optional=optional, file=file) for file in files)


def reference_files(place: Path | str) -> tuple[Path, ...]:
    """The file itself, or the pictures of a folder and its subfolders.

    Raises:
        ImageReadError: if it does not exist, or a folder holds no picture or may not be read.
    """
    place = expanded(place)
    try:
        place.stat()
    except (OSError, ValueError) as error:
        raise ImageReadError(Notice("reference.missing", {"name": str(place)})) from error
    if not place.is_dir():
        return (place,)
    try:
        names = [name for name in list_folder(place).files if is_picture(name)]
    except OSError as error:
        raise ImageReadError(Notice("reference.file-unread", {"place": str(place), "why": reason_of(error)})) from error
    if not names:
        raise ImageReadError(Notice("reference.empty", {"name": str(place)}))
    return tuple(place / name for name in names)


def _named(one: object, number: int) -> tuple[Photograph, ...]:
    if isinstance(one, Photograph):
        return (one,)
    if isinstance(one, (str, os.PathLike)):
        return photographs_at(Path(one))
    image = any_picture("each reference", one)
    return (Photograph(name=f"photograph {number + 1}", read=lambda: image),)


def _refused(found: Sequence[Match]) -> tuple[Notice, ...]:
    """Why not even the most alike reference serves."""
    if not found:
        return ()
    best = found[0]
    code = "reference.other" if best.verdict == "other" else "reference.doubt"
    values = {"name": best.reference.name, "likeness": best.likeness, "limit": SAME_FROM}
    return (Notice(code, values),)
