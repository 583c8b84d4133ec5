"""From what was typed to what will be done: which pictures are read, and which files are written."""

from __future__ import annotations

import glob
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from likeness.core.home import expanded
from likeness.errors import ConfigError, FileWriteError
from likeness.imaging.encode import find_format
from likeness.imaging.files import is_picture
from likeness.imaging.folders import Listing, list_folder, match_files, split_pattern
from likeness.imaging.names import as_spelt, result_names
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.studio.pairs import short_names

__all__ = ["Job", "Targets", "find_inputs", "plan", "refuse_collisions", "refuse_keyboard"]

_log = logging.getLogger(__name__)

_STANDARD = "-"


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Where results go, as typed; None where nothing was typed.

    Attributes:
        output: a file, a folder, or "-" for standard output.
        compare: whether before/after sheets are written.
        compare_to: a file or a folder for them; None puts each beside its result.
        save_faces: folder for aligned crops.
        report: file of the report.
        overwrite: whether files that are there may be replaced, whoever wrote them.
        bit_depth: of the results; checked against their formats.
    """

    output: str | None = None
    compare: bool = False
    compare_to: str | None = None
    save_faces: Path | None = None
    report: Path | None = None
    overwrite: bool = False
    bit_depth: Literal[8, 16] | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture to restore.

    Attributes:
        source: the picture, None for standard input.
        target: the result, None for standard output.
        compare: the before/after sheet.
        faces: aligned crops are saved as this path and ``_face1_before.png``, ``_face1_after.png`` and so on.
    """

    source: Path | None
    target: Path | None
    compare: Path | None = None
    faces: Path | None = None

    @property
    def name(self) -> str:
        """What messages call the picture."""
        return "standard input" if self.source is None else str(self.source)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A picture and the names its results may get.

    Attributes:
        source: the picture, None for standard input.
        inside: name of its result under a folder given with ``-o``.
        default: its result if there is no ``-o``, None for standard output.
        by_pattern: whether a pattern of ours found it.
        alone: whether it was named or found by itself, not with the folders that it is in.
    """

    source: Path | None
    inside: Path
    default: Path | None
    by_pattern: bool = False
    alone: bool = False


def plan(inputs: Sequence[str], targets: Targets) -> tuple[Job, ...]:
    """What to do with the inputs, in order. Nothing is read or written yet.

    An input is a file; a folder, whose pictures are taken with those of its subfolders (`list_folder`); a pattern with
    ``*``, ``?`` or ``[``, also ``**``, if there is no file of that name; or "-". What is left out of folders is told in the
    log.

    Results: one picture goes to the file given with ``-o``; into a folder (one that exists, or a name without a suffix or
    with a slash at its end) go all under their own names; without ``-o`` a file ``photo.jpg`` becomes
    ``output_photo.jpg`` and a folder ``family`` the folder ``output_family``, both in the current directory. Pictures of
    one folder whose results would have the same name get names that differ (`result_names`).

    Raises:
        ConfigError: if an input holds no picture, ``-o`` does not fit, inputs of two folders would write the same file, or
            a file that is an input would be written.
    """
    found = _find(inputs, targets)
    single = len(found) == 1 and not expanded(inputs[0]).is_dir()
    jobs = [
        Job(
            source=item.source,
            target=_target(item, single, targets),
            compare=_compare(item, single, targets),
            faces=targets.save_faces / label if targets.save_faces else None,
        )
        for item, label in zip(found, short_names([item.inside for item in found]), strict=True)
    ]
    _check(jobs, targets)
    return tuple(jobs)


def find_inputs(inputs: Sequence[str]) -> tuple[Path | None, ...]:
    """The pictures that `plan` would take for these inputs if nothing else is typed, in order; None is standard input.

    Raises:
        ConfigError: if an input holds no picture, or "-" is not alone.
    """
    return tuple(item.source for item in _find(inputs, Targets()))


def refuse_collisions(inputs: Iterable[Path], outputs: Iterable[tuple[Path, str]]) -> None:
    """See that no output is an input, or another's output.

    Args:
        inputs: files that are read.
        outputs: files that are written, each with what it is written for.

    Raises:
        ConfigError: naming the file.
    """
    read = {_key(path) for path in inputs}
    written: dict[str, str] = {}
    for path, origin in outputs:
        key = _key(path)
        if key in read:
            raise ConfigError(Notice("cli.overwrites-input", {"path": str(path)}))
        if key in written:
            raise ConfigError(Notice("cli.both-write", {"one": written[key], "other": origin, "path": str(path)}))
        written[key] = origin


def refuse_keyboard(sources: Iterable[Path | None], command: str) -> None:
    """See that a picture from standard input is one.

    Args:
        sources: None is standard input.
        command: what to type before "- < FILE".

    Raises:
        ConfigError: if it would come from the keyboard.
    """
    if None in sources and sys.stdin.isatty():
        raise ConfigError(Notice("cli.keyboard", {"command": command}))


def _find(inputs: Sequence[str], targets: Targets) -> list[_Found]:
    if _STANDARD in inputs and len(inputs) > 1:
        raise ConfigError(Notice("cli.stdin-alone"))
    found: list[_Found] = []
    for text in inputs:
        path = as_spelt(expanded(text))
        if text == _STANDARD:
            found.append(_Found(source=None, inside=Path("stdin"), default=None))
        elif path.is_dir():
            found += _in_folder(path, targets)
        elif not path.exists() and glob.has_magic(text):
            found += _matching(text)
        else:
            found.append(_single(path))
    if any(item.by_pattern for item in found) and targets.output is None:
        # Results of an earlier run lie where the pattern looks.
        results = {_key(item.default) for item in found if item.default}
        found = [item for item in found if not (item.by_pattern and item.source and _key(item.source) in results)]
    # A picture that was named twice is restored once.
    unique: dict[tuple[str | None, Path], _Found] = {}
    for item in found:
        unique.setdefault((item.source and _key(item.source), item.inside), item)
    return _apart(list(unique.values()))


def _single(path: Path, *, by_pattern: bool = False) -> _Found:
    name = result_names([path.name])[0] if path.name else "picture"
    return _Found(source=path, inside=Path(name), default=Path(f"output_{name}"), by_pattern=by_pattern, alone=True)


def _matching(text: str) -> list[_Found]:
    folder, pattern = split_pattern(str(expanded(text)))
    try:
        listing = match_files(Path(folder), pattern)
    except OSError as error:
        raise ConfigError(Notice("cli.pattern-unread", {"text": text, "why": reason_of(error)})) from error
    _tell(listing)
    pictures = [Path(folder, name) for name in listing.files if is_picture(name)]
    if not pictures:
        raise ConfigError(Notice("cli.no-match", {"text": text}))
    return [_single(picture, by_pattern=True) for picture in pictures]


def _apart(found: list[_Found]) -> list[_Found]:
    """Pictures of one folder whose results would have one name, such as IMG_1.HEIC and IMG_1.JPG, get names that differ."""
    beside: dict[Path, list[int]] = {}
    for number, item in enumerate(found):
        if item.alone and item.source is not None:
            beside.setdefault(item.source.parent, []).append(number)
    for numbers in beside.values():
        names = result_names([cast("Path", found[number].source).name or "picture" for number in numbers])
        for number, name in zip(numbers, names, strict=True):
            found[number] = replace(found[number], inside=Path(name), default=Path(f"output_{name}"))
    return found


def _in_folder(folder: Path, targets: Targets) -> list[_Found]:
    home = Path(f"output_{folder.resolve().name or 'pictures'}")
    # Not into our own results, which may lie inside the folder.
    ours = home if targets.output is None else Path(targets.output)
    try:
        listing = list_folder(folder, without=ours)
    except OSError as error:
        raise ConfigError(Notice("file.folder-unread", {"folder": str(folder), "why": reason_of(error)})) from error
    _tell(listing)
    pictures = [name for name in listing.files if is_picture(name)]
    if not pictures:
        raise ConfigError(Notice("file.empty-folder", {"folder": str(folder)}))
    return [
        _Found(source=folder / picture, inside=Path(inside), default=home / inside)
        for picture, inside in zip(pictures, result_names(pictures), strict=True)
    ]


def _tell(listing: Listing) -> None:
    for sentence in listing.remarks.values():
        _log.warning("%s", sentence)


def _target(item: _Found, single: bool, targets: Targets) -> Path | None:
    output = targets.output
    if output is None:
        return item.default
    if output == _STANDARD:
        if not single:
            raise ConfigError(Notice("cli.stdout-one"))
        return None
    if not _is_folder(output):
        return _single_file(output, "-o", single)
    if item.source is None:
        raise ConfigError(Notice("cli.stdin-needs-name", {"output": str(output)}))
    return expanded(output) / item.inside


def _compare(item: _Found, single: bool, targets: Targets) -> Path | None:
    name = item.inside.with_name(f"compare_{item.inside.name}")
    if targets.compare_to is not None:
        if not _is_folder(targets.compare_to):
            return _single_file(targets.compare_to, "--compare-to", single)
        if item.source is None:
            raise ConfigError(Notice("cli.compare-folder", {"compare_to": targets.compare_to}))
        return expanded(targets.compare_to) / name
    if not targets.compare:
        return None
    target = _target(item, single, targets)
    if target is None:
        raise ConfigError(Notice("cli.compare-needs-name"))
    return target.with_name(f"compare_{target.name}" if item.source is None else name.name)


def _is_folder(text: str) -> bool:
    path = expanded(text)
    if path.is_file():
        return False
    return path.is_dir() or text.endswith(("/", os.sep)) or not path.suffix


def _single_file(text: str, flag: str, single: bool) -> Path:
    """The path of the one picture's result, checked as far as that goes before any work."""
    if not single:
        raise ConfigError(Notice("cli.file-for-several", {"flag": flag, "text": text}))
    path = expanded(text)
    try:
        find_format(path.suffix)
    except FileWriteError as error:
        raise ConfigError(Notice("cli.flag-refused", {"flag": flag, "text": text, "why": notice_of(error)})) from error
    if not path.parent.is_dir():
        raise ConfigError(Notice("cli.no-parent", {"flag": flag, "text": text, "parent": str(path.parent)}))
    return path


def _check(jobs: Sequence[Job], targets: Targets) -> None:
    outputs = [(path, job.name) for job in jobs for path in (job.target, job.compare) if path is not None]
    if targets.report is not None:
        outputs.append((targets.report, "--report"))
    refuse_collisions((job.source for job in jobs if job.source is not None), outputs)
    labels = [str(job.faces) for job in jobs if job.faces is not None]
    if len(set(labels)) < len(labels):
        raise ConfigError(Notice("cli.same-faces"))
    for job in jobs:
        if targets.bit_depth == 16 and job.target is not None and 16 not in find_format(job.target.suffix).depths:
            raise ConfigError(Notice("cli.no-sixteen-bits", {"target": str(job.target)}))


def _key(path: Path) -> str:
    """The same for two names of one file: hard links, symbolic links, and letter case where the disk ignores it."""
    try:
        found = path.stat()
    except OSError:
        return str(path.absolute().parent.resolve() / path.name)
    return f"{found.st_dev}:{found.st_ino}"
