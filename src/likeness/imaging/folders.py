"""Folders of pictures as people have them: with bins and thumbnails of desktops and network drives, pipes, links, and
subfolders that may not be read."""

from __future__ import annotations

import glob
import logging
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from likeness.core.opening import special_kind
from likeness.core.outputs import JOURNAL, RESULTS
from likeness.errors import ConfigError
from likeness.imaging.files import SUFFIXES_READ, is_picture
from likeness.messages.notice import Notice, reason_of

__all__ = [
    "Listing",
    "is_left_alone",
    "list_folder",
    "match_files",
    "pictures_in",
    "split_pattern",
]

_log = logging.getLogger(__name__)

_LEFT_ALONE = {
    # Synology, QNAP
    "@eadir",
    "@recently-snapshot",
    "@recycle",
    "@sharebin",
    "@tmp",
    "#recycle",
    "#snapshot",
    # Windows
    "$recycle.bin",
    "recycled",
    "recycler",
    "system volume information",
    # macOS and its ZIP files, AFP servers
    "__macosx",
    "network trash folder",
    "temporary items",
    "thevolumesettingsfolder",
    # Linux
    "lost+found",
}
"""Folders that hold thumbnails, deleted files or old states, in lower case. Those whose names begin with a dot are left
alone as well: .Trash-1000, .thumbnails, .@__thumb, .AppleDouble."""

_NAMED = 3
"""Names in a sentence at most."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a folder.

    Attributes:
        files: their names inside it, "/" between folders: those of a folder before those of its subfolders, sorted.
        remarks: what was left out, one sentence of each kind.
    """

    files: tuple[str, ...]
    remarks: Mapping[str, str]


def is_left_alone(name: str) -> bool:
    """Whether a file or a folder of this name is hidden, or a bin, or holds thumbnails."""
    return name.startswith(".") or name.casefold() in _LEFT_ALONE


def list_folder(folder: Path, *, without: Path | None = None) -> Listing:
    """The files of a folder and its subfolders. Links to files are followed, links to folders are not: they may lead in
    circles. Where the journal of ``likeness batch`` lies, so do results: its folders for them are left out.

    Args:
        folder: which.
        without: a folder inside it that is left out, as results lie there.

    Raises:
        OSError: if the folder itself cannot be read.
    """
    found: list[str] = []
    out = _LeftOut(folder)
    closed = None if without is None else _resolved(without)
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not inside:
                raise
            # One that is gone by now is not there.
            if not isinstance(error, FileNotFoundError):
                out.unreadable.append(f"{inside} ({reason_of(error)})")
            continue
        below: list[str] = []
        results = RESULTS if any(entry.name == JOURNAL for entry in listed) else frozenset[str]()
        for entry in listed:
            name = f"{inside}/{entry.name}" if inside else entry.name
            kind = _kind(entry)
            if kind == "folder":
                if is_left_alone(entry.name):
                    out.hide(name, _count(folder / name))
                elif closed is not None and _resolved(folder / name) == closed:
                    pass
                elif entry.name in results:
                    out.results.append(name)
                else:
                    below.append(name)
            elif kind == "file" and not is_left_alone(entry.name):
                found.append(name)
            elif _has_suffix(entry.name) or kind == "link to a folder":
                out.note(name, entry.name, kind)
        waiting += reversed(below)
    return Listing(files=tuple(found), remarks=out.sentences())


def pictures_in(folder: Path) -> list[str]:
    """The names of the pictures in a folder and its subfolders; what was left out is told in the log.

    Raises:
        ConfigError: if the folder cannot be read.
    """
    try:
        listing = list_folder(folder)
    except OSError as error:
        raise ConfigError(Notice("file.folder-unread", {"folder": str(folder), "why": reason_of(error)})) from error
    for sentence in listing.remarks.values():
        _log.warning("%s", sentence)
    return [name for name in listing.files if is_picture(name)]


def split_pattern(text: str) -> tuple[str, str]:
    """A pattern such as ``scans/**/*.tif`` as the folder in front of its first wild card, and the rest."""
    parts = text.split("/")
    first = next((index for index, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    return "/".join(parts[:first]) or ("/" if text.startswith("/") else "."), "/".join(parts[first:])


def match_files(folder: Path, pattern: str) -> Listing:
    """The files in a folder that match a pattern with ``*``, ``**``, ``?`` or ``[``, sorted. Bins and thumbnails are left
    alone unless the pattern names them."""
    wanted = [part for part in pattern.split("/") if part not in ("", ".")]
    remarks: dict[str, str] = {}
    if "**" in wanted:
        # Not by glob, which follows links to folders in circles.
        first = wanted.index("**")
        names: list[str] = []
        for head in _glob(folder, wanted[:first]) if first else [""]:
            if not (folder / head).is_dir():
                continue
            listing = list_folder(folder / head)
            remarks |= listing.remarks
            names += [
                f"{head}/{name}" if head else name
                for name in listing.files
                if _matches(name.split("/"), wanted[first:])
            ]
    else:
        names = [name for name in _glob(folder, wanted) if _is_file(folder / name)]
    return Listing(
        files=tuple(
            sorted({name for name in names if all(part in wanted or not _is_bin(part) for part in name.split("/"))})
        ),
        remarks=remarks,
    )


class _LeftOut:
    """What is left out of a listing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hidden: list[str] = []
        self._pictures = 0
        self._special: list[str] = []
        self._links: list[str] = []
        self.unreadable: list[str] = []
        self.results: list[str] = []

    def hide(self, name: str, pictures: int) -> None:
        if pictures:
            self._hidden.append(name)
            self._pictures += pictures

    def note(self, name: str, last: str, kind: str) -> None:
        if is_left_alone(last):
            self.hide(name, int(kind == "file"))
        elif kind == "link to a folder":
            self._links.append(name)
        elif kind:
            self._special.append(f"{name} is a {kind}")

    def sentences(self) -> dict[str, str]:
        place, found = self._folder, dict[str, str]()
        if self.unreadable:
            found["unreadable"] = f"{place}: left out, as they cannot be read: {_some(self.unreadable)}"
        if self._special:
            found["special"] = f"{place}: left out, as they are no files: {_some(self._special)}"
        if self._links:
            found["links"] = (
                f"{place}: links to folders are not followed: {_some(self._links)}; name such a folder itself"
            )
        if self.results:
            found["results"] = (
                f"{place}: left out, as they are results of likeness batch: {_some(self.results)}; name such a folder itself"
            )
        if self._pictures:
            pictures = "1 picture was" if self._pictures == 1 else f"{self._pictures} pictures were"
            found["hidden"] = (
                f"{place}: {pictures} left alone in bins, thumbnail folders and hidden places: {_some(self._hidden)}"
            )
        return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _kind(entry: os.DirEntry[str]) -> str:
    """ "file", "folder", or what else it is; "" if it is gone by now."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        mode = entry.stat().st_mode
    except OSError as error:
        link = entry.is_symlink()
        if isinstance(error, FileNotFoundError) and not link:
            return ""
        # What cannot be looked at is told when it is read.
        return "link that leads nowhere" if link and not isinstance(error, PermissionError) else "file"
    if stat.S_ISREG(mode):
        return "file"
    return "link to a folder" if stat.S_ISDIR(mode) else special_kind(mode)


def _count(folder: Path) -> int:
    """Pictures in a folder that is left alone, as far as it can be read."""
    return sum(_has_suffix(name) for _, _, names in os.walk(folder) for name in names)


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES_READ  # noqa: PTH122 - a hundred thousand names


def _is_bin(part: str) -> bool:
    return part.casefold() in _LEFT_ALONE


def _glob(folder: Path, parts: Sequence[str]) -> list[str]:
    return [Path(name).as_posix() for name in glob.glob("/".join(parts), root_dir=folder)]  # noqa: PTH207 - relative


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[start:], wanted[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # links in a circle, on Python before 3.12
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return path.absolute()
