"""Other photographs and albums of a batch's pictures, as the journal knows them: by a digest of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.core.home import expanded
from likeness.errors import ImageReadError
from likeness.messages.notice import Notice, notice_of
from likeness.reference.people import NamedAlbum
from likeness.reference.references import reference_files

__all__ = ["digest_of_album", "digest_of_references"]


def digest_of_references(places: Sequence[Path | str]) -> str:
    """Of the names and contents of all files; "" without any. A run of many pictures reads each file once.

    Raises:
        ImageReadError: if one is missing or cannot be read.
    """
    return _digest([file for place in places for file in reference_files(place)])


def digest_of_album(place: Path | str | None) -> str:
    """Of an album's file and its corrections, or of a folder's photographs; "" without any.

    Raises:
        ConfigError: if the file is no album.
        ImageReadError: if there is none, or a file cannot be read.
    """
    if place is None:
        return ""
    path = expanded(place)
    if path.is_dir():
        return _digest(reference_files(path))
    if not path.exists():
        raise ImageReadError(Notice("batch.no-album", {"path": str(path)}))
    _check_album(path, path.stat().st_mtime_ns)
    return _digest([file for file in (path, NamedAlbum.corrections_of(path)) if file.exists()])


def _digest(files: Sequence[Path]) -> str:
    try:
        told = [(file.name, _digest_of_file(file, file.stat().st_mtime_ns)) for file in files]
    except OSError as error:
        raise ImageReadError(Notice("reference.unread", {"why": notice_of(error)})) from error
    return sha256_of_bytes(repr(told).encode()) if told else ""


@lru_cache(maxsize=4096)
def _digest_of_file(file: Path, changed: int) -> str:
    del changed  # another time is another content
    return sha256_of(file)


@lru_cache(maxsize=64)
def _check_album(file: Path, changed: int) -> None:
    """Refuse it now, and not for each picture."""
    del changed
    NamedAlbum.at(file)
