"""The faces of a folder, with what tells whose they are: found once, kept in the album's own file, grouped by person.

The file holds embeddings, which describe a face as a fingerprint does a finger, and small pictures of the faces; whoever may
not have those must not have the file. Nothing of it is written into photographs.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from likeness.core.files import disk_failed, write_text_atomically
from likeness.core.hashing import sha256_of
from likeness.core.recent import Recent
from likeness.errors import ConfigError, ImageError, ImageReadError, NoFaceError
from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.detect import Detector
from likeness.faces.face import Face, reading_order
from likeness.imaging.colour import luma
from likeness.imaging.files import read_image
from likeness.imaging.image import Image, Pixels
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.reference.albums import Corrections, Person, group, read_corrections
from likeness.reference.matching import SAME_FROM, Embedding, FaceMatcher, likeness, verdict
from likeness.reference.photographs import Reference, prepare_reference
from likeness.reference.references import reference_files
from likeness.reference.serving import (
    MOST,
    Match,
    ServedFace,
    is_same_photograph,
    matched_views,
    served,
)
from likeness.restore.outcome import FaceProjection

__all__ = [
    "TOGETHER_FROM",
    "Album",
    "AlbumFace",
    "AlbumReferences",
    "NamedAlbum",
    "known_album",
    "read_album",
    "scan_album",
    "write_album",
]

_log = logging.getLogger(__name__)

_SCHEMA = 2
"""Of the file; 1 held embeddings of the network of before, which say nothing beside those of today."""
TOGETHER_FROM = 0.88
"""Mean likeness from which two groups of an album are one person. More than for a pair (`SAME_FROM`): among many faces a
stranger has many chances to look alike, and a group with a stranger in it does harm that two groups of one person do not.
The least at which 2% of the faces at most had a stranger in their group, on 25 persons of one studio (docs/reference.md)."""
_ITSELF = 0.999
"""Likeness of two embeddings from which they are of the very same crop."""
_KEPT = 24
"""References that are kept ready, 2 MB each at 512 px."""
_SHOWN = 112
"""Side of a face's small picture, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AlbumFace:
    """A face of an album.

    Attributes:
        file: the photograph's name inside the folder.
        number: of the face in the photograph, reading order, from 0.
        pixels: what the face holds, px (`EffectiveResolution.pixels`).
        embedding: whose face it is.
        shown: a small JPEG of it.
    """

    file: str
    number: int
    pixels: float
    embedding: Embedding
    shown: bytes = field(repr=False)

    @property
    def key(self) -> str:
        """Its name in corrections, such as "1987/beach.jpg#0"."""
        return f"{self.file}#{self.number}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Album:
    """The faces of a folder's photographs.

    Attributes:
        folder: where they lie.
        files: every photograph that was looked at, with the SHA-256 of its content.
        faces: by key, in the order of the files.
    """

    folder: Path
    files: Mapping[str, str]
    faces: Mapping[str, AlbumFace]

    def persons(self, corrections: Corrections | None = None) -> tuple[Person, ...]:
        """The faces by person, the largest group first (`likeness.reference.albums.group`)."""
        return group({key: face.embedding for key, face in self.faces.items()}, corrections, same_from=TOGETHER_FROM)


def scan_album(
    folder: Path,
    detector: Detector,
    matcher: FaceMatcher,
    *,
    read: Callable[[Path], Image] = read_image,
    known: Album | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Album:
    """Find and embed the faces of a folder's photographs and those of its subfolders.

    Photographs that cannot be read, and faces without a mesh, are left out, and the log says so.

    Args:
        folder: which.
        detector: finds faces.
        matcher: embeds them.
        read: reads a file.
        known: the album as it was: photographs whose content has not changed are not read again.
        told: called with the name of each photograph that is read.

    Raises:
        ImageReadError: if there is no such folder, or it holds no picture.
    """
    if not folder.is_dir():
        raise ImageReadError(Notice("album.no-folder", {"folder": str(folder)}))
    files: dict[str, str] = {}
    faces: dict[str, AlbumFace] = {}
    for path in reference_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            digest = sha256_of(path)
            if known is not None and known.files.get(name) == digest:
                found = [face for face in known.faces.values() if face.file == name]
            else:
                told(name)
                found = _faces_of(path, name, detector, matcher, read)
        except OSError as error:
            _log.warning("left out of the album: %s could not be read (%s)", path, reason_of(error))
            continue  # and not remembered: the next time it may be there
        files[name] = digest
        faces |= {face.key: face for face in found}
    return Album(folder=folder, files=files, faces=faces)


def read_album(path: Path) -> Album:
    """Read what `write_album` wrote.

    Raises:
        ConfigError: if it cannot be read, is no such file, or is one of another version.
    """
    found, schema = _content(path)
    if schema != _SCHEMA:
        raise ConfigError(Notice("album.other-version", {"path": str(path), "schema": schema, "schema2": _SCHEMA}))
    try:
        faces = [_face_of(row) for row in found["faces"]]
        files = {str(name): str(digest) for name, digest in found["files"].items()}
        return Album(folder=Path(found["folder"]), files=files, faces={face.key: face for face in faces})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _no_album(path, error) from error


def known_album(path: Path) -> Album | None:
    """The album that `scan_album` can go on from: None if there is none yet, or if it was made with an earlier matcher.

    Raises:
        ConfigError: as `read_album`, of a later version too.
    """
    if not path.exists():
        return None
    _, schema = _content(path)
    if schema < _SCHEMA:
        _log.warning("%s was made with an earlier matcher: all photographs are read again", path)
        return None
    return read_album(path)


def write_album(path: Path, album: Album, persons: Sequence[Person]) -> None:
    """Write an album and its groups as JSON; the file appears whole or not at all.

    Raises:
        FileWriteError: if it cannot be written.
    """
    content = {
        "schema": _SCHEMA,
        "folder": str(album.folder.resolve()),
        "persons": [{"faces": list(person.faces)} for person in persons],
        "files": dict(album.files),
        "faces": [
            {
                "file": face.file,
                "number": face.number,
                "pixels": round(face.pixels, 1),
                "embedding": base64.b64encode(face.embedding.astype("<f2").tobytes()).decode(),
                "shown": base64.b64encode(face.shown).decode(),
            }
            for face in album.faces.values()
        ],
    }
    write_text_atomically(json.dumps(content, indent=1, ensure_ascii=False), path)


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedAlbum:
    """What somebody named as an album: a folder, whose faces are yet to be found, or an album's file and its corrections."""

    place: Path
    found: Album | None = None
    corrections: Corrections | None = None

    @staticmethod
    def at(place: Path) -> NamedAlbum:
        """Read the file, if it is one: what cannot be used shall cost no time.

        Raises:
            ConfigError: if it is no album, or its corrections cannot be used.
        """
        if place.is_dir():
            return NamedAlbum(place=place)
        corrections = read_corrections(NamedAlbum.corrections_of(place))
        return NamedAlbum(place=place, found=read_album(place), corrections=corrections)

    @staticmethod
    def corrections_of(place: Path) -> Path:
        """The file that corrects an album's file."""
        return place.with_name("corrections.json")

    def references(
        self,
        detector: Detector,
        matcher: FaceMatcher,
        *,
        read: Callable[[Path], Image] = read_image,
        told: Callable[[str], None] = lambda _: None,
    ) -> AlbumReferences:
        """What it gives to faces; a folder is looked through first (`scan_album`).

        Raises:
            ImageReadError: if the folder holds no picture.
        """
        found = self.found or scan_album(self.place, detector, matcher, read=read, told=told)
        return AlbumReferences(found, self.corrections, matcher=matcher, read=read)


class AlbumReferences:
    """Serves each face with the best photographs of the same person in an album: for `Restorer.restore`. Thread-safe.

    Whose face it is: that of the album's face that it is itself, with all that was corrected, or else of the person whose
    faces are most alike on average. Photographs are read when they have to serve. One that has changed since the album was
    made serves with the face that is still the same person's, or not at all.

    Args:
        album: the faces.
        corrections: what a person said about who is who.
        matcher: the one that made the album's embeddings.
        read: reads a file.
    """

    def __init__(
        self,
        album: Album,
        corrections: Corrections | None = None,
        *,
        matcher: FaceMatcher | None = None,
        read: Callable[[Path], Image] = read_image,
    ) -> None:
        self._album, self._corrections = album, corrections or Corrections()
        self._matcher, self._read = matcher or FaceMatcher(), read
        self._persons = album.persons(self._corrections)
        self._ready: Recent[tuple[str, int], Reference | None] = Recent(_KEPT)
        self._held_back: set[str] = set()

    @property
    def count(self) -> int:
        """Faces in the album."""
        return len(self._album.faces)

    def serve(self, faces: Sequence[FaceProjection], detector: Detector) -> tuple[ServedFace, ...]:
        """See `likeness.restore.outcome.ReferenceSource`."""
        found = [self._matches(item, detector) for item in faces]
        return tuple(served(item, row, row, detector) for item, row in zip(faces, found, strict=True))

    def _matches(self, item: FaceProjection, detector: Detector) -> tuple[Match, ...]:
        crop, answer = matched_views(item)
        embedding = self._matcher.embed(crop, answer)
        own, person = self._whose(crop, embedding)
        if person is None:
            return ()
        together = [row for row in self._corrections.merge if own in row]
        likely: list[tuple[float, str]] = []
        for key in person.faces:
            alike = float(embedding @ self._album.faces[key].embedding)
            # Two faces of a group may be alike by a third alone: then only somebody's word makes one serve the other.
            said = any(key in row for row in together)
            if key != own and key not in self._corrections.never and (said or verdict(alike) != "other"):
                likely.append((alike, key))
        # More than can serve are made ready, as only then it is seen how they look.
        likely.sort(key=lambda pair: -pair[0] * self._album.faces[pair[1]].pixels)
        side = item.crop.shape[0]
        made = [(alike, self._reference(key, side, detector)) for alike, key in likely[: 2 * MOST]]
        light = luma(crop)
        found = [
            Match(reference=one, likeness=alike, verdict=verdict(alike))
            for alike, one in made
            # By its embedding alone a small network's crop of the very picture may miss `_ITSELF`.
            if one is not None and not is_same_photograph(light, one)
        ]
        found = [match.on_somebodys_word() if match.verdict == "other" else match for match in found]
        return tuple(sorted(found, key=lambda match: -match.likeness))

    def _whose(self, crop: Pixels, embedding: Embedding) -> tuple[str | None, Person | None]:
        """The album's face that this is itself, and the person; None for neither. ``embedding`` is of crop and answer."""
        if not self._album.faces:
            return None, None
        keys = list(self._album.faces)
        vectors = np.stack([self._album.faces[key].embedding for key in keys])
        alike = vectors @ self._matcher.embed(crop)
        best = int(alike.argmax())
        if alike[best] >= _ITSELF:
            return keys[best], next(person for person in self._persons if keys[best] in person.faces)
        both = vectors @ embedding
        place = {key: number for number, key in enumerate(keys)}
        means = [float(both[[place[key] for key in person.faces]].mean()) for person in self._persons]
        nearest = int(np.argmax(means))
        return None, self._persons[nearest] if means[nearest] >= TOGETHER_FROM else None

    def _reference(self, key: str, side: int, detector: Detector) -> Reference | None:
        """A face made ready; None of one that cannot serve. One that the disk holds back is tried again the next time."""
        try:
            return self._ready.get((key, side), lambda: self._prepared(key, side, detector))
        except OSError as error:
            # Said once of each, as a file that is gone for good is held back from every picture.
            _log.log(logging.INFO if key in self._held_back else logging.WARNING, "%s cannot serve now: %s", key, error)
            self._held_back.add(key)
            return None

    def _prepared(self, key: str, side: int, detector: Detector) -> Reference | None:
        """
        Raises:
            OSError: if it is the disk that fails.
        """
        kept = self._album.faces[key]
        path = self._album.folder / kept.file
        try:
            image = self._read(path)
            faces = reading_order(detector.detect(image))
            unchanged = sha256_of(path) == self._album.files.get(kept.file)
            face = faces[kept.number] if unchanged else self._found_again(kept, image, faces)
            return prepare_reference(image, face, matcher=self._matcher, side=side, name=kept.file)
        except (ImageError, NoFaceError, IndexError, ValueError) as error:
            if disk_failed(error):
                raise OSError(str(error)) from error
            _log.warning("%s cannot serve any more: %s", key, error)
            return None

    def _found_again(self, kept: AlbumFace, image: Image, faces: Sequence[Face]) -> Face:
        """The face in its photograph, which is another file now: its number may be somebody else's there.

        Raises:
            NoFaceError: if no face is surely the same person's.
        """
        best, most = None, SAME_FROM
        for face in faces:
            try:
                crop = warp(image.pixels, align(face.five_points, image.size, TEMPLATE_SIZE))
            except ValueError:  # points that allow no crop
                continue
            alike = likeness(self._matcher.embed(crop), kept.embedding)
            if alike >= most:
                best, most = face, alike
        if best is None:
            raise NoFaceError(Notice("album.face-gone", {"name": kept.file}))
        return best


def _faces_of(
    path: Path, name: str, detector: Detector, matcher: FaceMatcher, read: Callable[[Path], Image]
) -> list[AlbumFace]:
    """The faces of a photograph; none of one that is damaged.

    Raises:
        OSError: if it was the disk that failed.
    """
    try:
        image = read(path)
    except ImageError as error:
        if disk_failed(error):
            raise OSError(str(error)) from error
        _log.warning("left out of the album: %s", error)
        return []
    made = [
        _album_face(image, face, number, name, matcher)
        for number, face in enumerate(reading_order(detector.detect(image)))
        if face.landmarks.source == "mesh"
    ]
    return [face for face in made if face is not None]


def _album_face(image: Image, face: Face, number: int, name: str, matcher: FaceMatcher) -> AlbumFace | None:
    try:
        reference = prepare_reference(image, face, matcher=matcher, side=TEMPLATE_SIZE, name=name)
    except ValueError as error:
        _log.info("face %d of %s is left out of the album: %s", number + 1, name, error)
        return None
    crop = warp(image.pixels, align(face.five_points, image.size, TEMPLATE_SIZE))
    return AlbumFace(
        file=name,
        number=number,
        pixels=reference.resolution,
        embedding=reference.embedding,
        shown=thumbnail(Image(pixels=np.clip(crop, 0, 1)), side=_SHOWN),
    )


def _content(path: Path) -> tuple[Any, int]:
    """What an album's file holds, and its schema."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return found, int(found["schema"])
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Notice("album.unread", {"path": str(path), "why": reason_of(error)})) from error
    except (ValueError, TypeError, KeyError) as error:
        raise _no_album(path, error) from error


def _no_album(path: Path, error: Exception) -> ConfigError:
    return ConfigError(Notice("album.none", {"path": str(path), "why": notice_of(error)}))


def _face_of(row: Any) -> AlbumFace:
    embedding = np.frombuffer(base64.b64decode(row["embedding"]), "<f2").astype(np.float32)
    return AlbumFace(
        file=str(row["file"]),
        number=int(row["number"]),
        pixels=float(row["pixels"]),
        embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-12),
        shown=base64.b64decode(row["shown"]),
    )
