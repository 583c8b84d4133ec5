"""Other photographs and albums of a batch's pictures, as the journal knows them: by a digest of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from likeness.batch.journal import Journal
from likeness.batch.storage import stamp_of_file
from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.core.home import expanded
from likeness.errors import ImageReadError
from likeness.messages.notice import Notice, notice_of
from likeness.reference.people import NamedAlbum
from likeness.reference.references import reference_files

__all__ = ["OtherPhotographs"]

_GONE = "gone"
"""In place of the digest of a photograph that is no more."""


class OtherPhotographs:
    """Digests of the other photographs of a run's pictures. Each file is looked at once in the life of this object, however
    many pictures have it; a new one sees what has changed since.

    Args:
        journal: remembers what files hold, so that one whose size and time are as they were is not read; None reads all.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._digests: dict[Path, str] = {}
        self._fresh: list[tuple[str, str, str]] = []
        self._albums: dict[Path, str] = {}

    def of_references(self, places: Sequence[Path | str]) -> str:
        """Of the names and contents of all files; "" without any.

        Raises:
            ImageReadError: if one is missing or cannot be read.
        """
        return self._remembered(self._told([file for place in places for file in reference_files(place)]))

    def of_album(self, place: Path | str | None) -> str:
        """Of an album's file, its corrections, and those of its photographs that are not as they were when it was made; of a
        folder its photographs; "" without any.

        Raises:
            ConfigError: if the file is no album.
            ImageReadError: if there is none, or a file cannot be read.
        """
        if place is None:
            return ""
        path = expanded(place)
        if path not in self._albums:
            self._albums[path] = self.of_references([path]) if path.is_dir() else self._of_album(path)
        return self._albums[path]

    def _of_album(self, path: Path) -> str:
        if not path.exists():
            raise ImageReadError(Notice("batch.no-album", {"path": str(path)}))
        folder, photographs = _photographs_of(path, path.stat().st_mtime_ns)
        told = self._told([file for file in (path, NamedAlbum.corrections_of(path)) if file.exists()])
        return self._remembered([*told, *self._changed(folder, photographs)])

    def _changed(self, folder: Path, photographs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """What photographs hold that hold something else than the album says, and which are gone. One that cannot be read
        now counts as it last did, and so do all if none is there: a disk that is away has nothing done again."""
        now = {name: self._now(folder / name) for name, _ in photographs}
        away = not set(now.values()) - {_GONE, ""}
        changed: list[tuple[str, str]] = []
        for name, then in photographs:
            source = str((folder / name).absolute())
            if not now[name] or away:
                known = self._journal.known_content(source, None) if self._journal else None
                now[name] = known or then
            elif now[name] == _GONE:
                self._fresh.append((source, "", _GONE))
            if now[name] != then:
                changed.append((name, now[name]))
        return changed

    def _now(self, file: Path) -> str:
        """What a photograph holds; "" of one of which that cannot be told."""
        try:
            return self._digest_of(file)
        except FileNotFoundError:
            return _GONE
        except OSError:
            return ""

    def _told(self, files: Sequence[Path]) -> list[tuple[str, str]]:
        try:
            return [(file.name, self._digest_of(file)) for file in files]
        except OSError as error:
            raise ImageReadError(Notice("reference.unread", {"why": notice_of(error)})) from error

    def _digest_of(self, file: Path) -> str:
        """
        Raises:
            OSError: if it cannot be read.
        """
        if (found := self._digests.get(file)) is None:
            source, stamp = str(file.absolute()), stamp_of_file(file)
            known = self._journal.known_content(source, stamp) if self._journal and stamp else None
            found = known or sha256_of(file)
            self._digests[file] = found
            if self._journal and stamp and known is None:
                self._fresh.append((source, stamp, found))
        return found

    def _remembered(self, told: Sequence[tuple[str, str]]) -> str:
        """The digest of it all; what was read for it need not be read by the next run."""
        if self._journal and self._fresh:
            self._journal.remember_content(self._fresh)
        self._fresh.clear()
        return sha256_of_bytes(repr(told).encode()) if told else ""


@lru_cache(maxsize=16)
def _photographs_of(album: Path, changed: int) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """The folder of an album's file, and its photographs that may serve, with what they held; refused now if it is none, and
    not for each picture."""
    del changed  # another time is another content
    found = NamedAlbum.at(album).found
    assert found is not None  # of a file
    names = dict.fromkeys(face.file for face in found.faces.values())
    return found.folder, tuple((name, found.files.get(name, "")) for name in names)
