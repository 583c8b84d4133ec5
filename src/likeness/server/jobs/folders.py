"""Where the files of jobs lie, under numbers of ours."""

from __future__ import annotations

import re
from pathlib import Path

from likeness.batch.journal import Item, Journal
from likeness.batch.journal_file import damaged
from likeness.errors import JournalError
from likeness.messages.notice import Notice

__all__ = ["JobFolders", "name_of", "number_of"]

_JOB = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{4,9}", re.ASCII)


class JobFolders:
    """The folders of a server's jobs.

    Args:
        root: the server's private folder.
        journal: that holds the jobs.
    """

    def __init__(self, root: Path, journal: Journal) -> None:
        self._root = root
        self._journal = journal

    def of(self, job: str) -> Path:
        """A job's own."""
        # Also of what stands in the journal: folders are removed by this name.
        if not self.is_name(job):
            raise damaged(self._journal.path, f"{job!r} is no name of a job")
        return self._root / "jobs" / job

    @staticmethod
    def is_name(text: str) -> bool:
        """Whether a job may be called this; nothing else in the data folder is ours."""
        return _JOB.fullmatch(text) is not None

    def input(self, job: str, number: int) -> Path:
        """One of its pictures as it came."""
        return self.of(job) / "in" / name_of(number)

    def output(self, job: str, number: int) -> Path:
        """The result of one of them."""
        return self.of(job) / "out" / name_of(number)

    def others(self, job: str) -> Path:
        """The folder of other photographs."""
        return self.of(job) / "ref"

    def person(self, job: str) -> Path:
        """The photograph of the one person in a video who is restored; it need not be there."""
        return self.of(job) / "person" / name_of(0)


def name_of(number: int) -> str:
    """What a picture is called in the journal and on the disk, as `likeness.server.http.uploads` wrote it."""
    return f"{number:04d}"


def number_of(item: Item) -> int:
    """A picture's number in its job.

    Raises:
        JournalError: if the journal holds something else.
    """
    if not _NUMBER.fullmatch(item.source):
        raise JournalError(Notice("job.journal-damaged", {"id": item.id, "source": repr(item.source)}))
    return int(item.source)
