"""What is unfinished of a batch's videos, in a folder of the output, and the way of a finished one out of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from likeness.batch.groups import VIDEOS
from likeness.batch.journal import Item, Journal
from likeness.batch.results import set_aside
from likeness.batch.storage import Storage
from likeness.core.files import make_folder
from likeness.core.hashing import sha256_of
from likeness.core.outputs import FINAL
from likeness.video.job import segments_folder

__all__ = ["Delivery", "in_work", "remove_unfinished", "sweep_unfinished"]

_UNFINISHED = ".unfinished"
"""Folder of the output for what is in work."""


def in_work(output: Path, target: str) -> Path:
    """Beside which the finished segments of a result wait; there is no such file."""
    return output / _UNFINISHED / target


class Delivery:
    """Puts a finished video in its place.

    Args:
        output: the folder of results.
        item: as it was claimed.
    """

    def __init__(self, output: Path, item: Item) -> None:
        self._output = output
        self._item = item
        self.name = f"{FINAL}/{item.target}"
        self.digest = ""
        self.nbytes = 0
        self.replaced: tuple[str, ...] = ()

    def take(self, made: Path) -> None:
        """Move it there.

        Raises:
            FileWriteError, OSError: if that cannot be done.
        """
        self.digest, self.nbytes = sha256_of(made), made.stat().st_size
        self.replaced = set_aside(Storage(str(self._output)), self._item, self.digest)
        make_folder((self._output / self.name).parent)
        made.replace(self._output / self.name)


def sweep_unfinished(journal: Journal, output: Path) -> int:
    """Remove what is unfinished of videos that nobody goes on with: they failed, as their process died, or are no longer
    wanted; of how many. Not while another process is at work."""
    if not journal.alone:
        return 0
    waiting = {item.target for item in journal.items(group=VIDEOS, states=("queued", "running"))}
    kept = {segments_folder(in_work(output, target)) for target in waiting}
    left = [note.parent for note in (output / _UNFINISHED).rglob("job.json") if note.parent not in kept]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(folder.parent, output)
    return len(left)


def remove_unfinished(output: Path, target: str) -> None:
    """Remove the finished segments of a result."""
    shutil.rmtree(segments_folder(in_work(output, target)), ignore_errors=True)
    _remove_empty(in_work(output, target).parent, output)


def _remove_empty(folder: Path, output: Path) -> None:
    """Remove a folder below the output, and those around it, as far as they are empty."""
    while folder != output and folder.is_dir() and not any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        folder = folder.parent
