"""What a command line has written before: that it may write again. Any other file stays, unless ``--overwrite`` is given."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from likeness.core.files import make_folder, write_text_atomically
from likeness.core.home import state_folder
from likeness.errors import ConfigError, LikenessError
from likeness.messages.notice import Notice

__all__ = ["Ledger", "Stamp", "stamp_of"]

_log = logging.getLogger(__name__)

_KEPT = 500
"""Command lines whose files are known; the oldest are forgotten."""

_NO_MATTER = frozenset({"--overwrite", "-v", "-vv", "-vvv", "--verbose", "-q", "--quiet"})
"""Flags that change nothing of what is written."""

Stamp: TypeAlias = "tuple[int, int]"
"""Size and time of a file's last change, in nanoseconds: others once it was changed by anybody else."""


class Ledger:
    """The files of one command line, in one folder; kept in the user's state folder from one run to the next.

    Where that folder cannot be used, nothing is known, and every file that is there wants ``--overwrite``.

    Args:
        arguments: the command line; None where a program calls, which may replace what it likes.
    """

    def __init__(self, arguments: Sequence[str] | None) -> None:
        import hashlib  # here, as every start of the command line would pay for it

        self._free = arguments is None
        named = [os.getcwd(), *(text for text in arguments or () if text not in _NO_MATTER)]  # noqa: PTH109 - as typed
        self._key = hashlib.sha256("\0".join(named).encode(errors="surrogateescape")).hexdigest()
        self._before: dict[Path, Stamp | None] = {}
        self._ours: set[Path] = set()

    def claim(self, outputs: Iterable[Path], *, overwrite: bool) -> None:
        """Before any work: that these files may be written.

        Raises:
            ConfigError: if one is there that this command line did not write, or that was changed since.
        """
        if self._free:
            return
        known: dict[str, Stamp] | None = None
        taken: list[Path] = []
        for path in outputs:
            stamp = stamp_of(path)
            self._before[path] = stamp
            if stamp is None:
                continue
            if known is None:
                known = self._read()
            if known.get(_name(path)) == stamp:
                self._ours.add(path)
            elif not overwrite:
                taken.append(path)
        if taken:
            named = {"file": str(taken[0]), "more": len(taken) - 1}
            raise ConfigError(Notice("cli.several-there" if len(taken) > 1 else "cli.one-there", named))

    def is_from_before(self, path: Path) -> bool:
        """Whether a file that was claimed is still as it was then, so none of this run's."""
        stamp = stamp_of(path)
        return stamp is not None and stamp == self._before.get(path)

    def add(self, path: Path) -> None:
        """A file whose name was not known before, and that was written now."""
        self._ours.add(path)

    def save(self) -> None:
        """After the work: remember what was written."""
        if self._free or not (self._before or self._ours):
            return
        files = {
            _name(path): stamp
            for path in {*self._before, *self._ours}
            if (stamp := stamp_of(path)) is not None and (path in self._ours or stamp != self._before.get(path))
        }
        try:
            folder = _folder()
            make_folder(folder)
            # What this run did not come to, an earlier one may have written.
            write_text_atomically(json.dumps({**self._read(), **files}), folder / f"{self._key}.json")
            for old in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)[:-_KEPT]:
                old.unlink(missing_ok=True)
        except (LikenessError, OSError) as error:
            _log.info("what was written is not remembered, and can be replaced with --overwrite only: %s", error)

    def _read(self) -> dict[str, Stamp]:
        try:
            held: object = json.loads((_folder() / f"{self._key}.json").read_text(encoding="utf-8"))
        except (LikenessError, OSError, ValueError):
            return {}
        if not isinstance(held, dict):
            return {}
        return {
            str(name): (int(stamp[0]), int(stamp[1]))
            for name, stamp in cast("dict[object, list[int]]", held).items()
            if isinstance(stamp, list) and len(stamp) == 2  # pyright: ignore[reportUnnecessaryIsInstance]
        }


def _folder() -> Path:
    return state_folder() / "written"


def stamp_of(path: Path) -> Stamp | None:
    """Of a file; None if there is none, or it is no file (a device takes anything, and keeps nothing)."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns) if path.is_file() else None


def _name(path: Path) -> str:
    return str(path.absolute())
