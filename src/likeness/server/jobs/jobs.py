"""Jobs: many pictures at a time, kept in the batch's journal, so that a restart of the server loses none.

::

    <data>/journal.sqlite         every picture of every job; a job is a group of it
    <data>/jobs/<job>/in/0000     the pictures as they came, under numbers of ours
    <data>/jobs/<job>/ref/0000    other photographs of the persons in them
    <data>/jobs/<job>/person/0000 a photograph of the one person in a video who is restored
    <data>/jobs/<job>/out/0000    the results
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.batch.groups import PICTURES, VIDEOS
from likeness.batch.journal import Item, Journal, State, Task, Thumbnails
from likeness.core.hashing import sha256_of
from likeness.errors import ConfigError
from likeness.imaging.encode import find_format
from likeness.imaging.sniff import HEAD_BYTES, sniff_format
from likeness.messages.notice import Notice, reason_of
from likeness.reference.references import References
from likeness.server.api.requests import RestoreRequest
from likeness.server.api.restoring import ready
from likeness.server.api.video_requests import VideoRequest
from likeness.server.http.names import safe_names, safe_suffix
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState
from likeness.server.http.uploads import Upload
from likeness.server.jobs.folders import JobFolders, name_of, number_of
from likeness.server.jobs.references import JobReferences, put_apart
from likeness.server.jobs.stored import bytes_under, storage_full
from likeness.server.jobs.videos import is_video, video_options
from likeness.server.jobs.work import JobWork
from likeness.video.container import MEDIA_TYPES

__all__ = ["Jobs", "Progress"]

_log = logging.getLogger(__name__)

_LEASE = 7 * 86400.0
"""So long an item of a job stays claimed, s. Who claims is a thread of this server, and a server that died is noticed
without it: what takes long, as a video does and waiting for one's turn, must not look like death."""

_JOURNAL = "journal.sqlite"

_ORPHAN_SECONDS = 3600.0
"""A job's folder that the journal does not know is one whose upload broke off; after so long nobody is sending it."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes:
        counts: pictures by state.
        created: seconds since 1970.
        ended: when the last picture was done; None while there is work.
        seconds_left: a guess from the pictures that are done; None without any.
    """

    counts: Mapping[State, int]
    created: float
    ended: float | None
    seconds_left: float | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - self.counts["queued"] - self.counts["running"]


class Jobs:
    """All jobs of a server. Safe to use from several threads; methods block, and belong into one.

    Args:
        state: the application's.

    Raises:
        JournalError: if the journal cannot be opened.
        ConfigError: if the data folder cannot be made, is not this user's, or is the output of a batch.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._root = state.settings.data
        # Jobs whose pictures are still coming, which may take hours on a slow line: the journal does not know them yet.
        self._coming: set[str] = set()
        self._references = JobReferences(state)
        _refuse_batch(self._root)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            # Pictures of clients: for this user only, also where the folder was there before.
            self._root.chmod(0o700)
            (self._root / "jobs").mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigError(Notice("job.folder", {"root": str(self._root), "why": reason_of(error)})) from error
        self._journal = Journal(self._root / _JOURNAL, lease=_LEASE)
        self._folders = JobFolders(self._root, self._journal)
        self._work = JobWork(state, self._journal, self._folders, self._references)

    def close(self) -> None:
        """Give back what was not finished; the pool's work must have ended."""
        self._work.close()
        self._journal.close()

    # Taking jobs on

    def reserve(self) -> tuple[str, Path]:
        """A name for a new job, and the folder for its pictures.

        Raises:
            ProblemError: if there are as many unfinished jobs as there may be, or the data folder holds as much as it may.
        """
        settings = self._state.settings
        unfinished = len(self._coming) + sum(1 for job in self._journal.groups() if self._work.unfinished(job))
        if unfinished >= settings.max_jobs:
            raise ProblemError(
                "too-many-jobs",
                f"{unfinished} jobs are not finished, and no more are taken; try again later",
                headers={"Retry-After": "60"},
            )
        if bytes_under(self._root) + max(settings.max_upload, settings.max_video) > settings.max_stored:
            raise storage_full()
        job = secrets.token_hex(16)
        folder = self._folders.of(job) / "in"
        self._coming.add(job)
        try:
            folder.mkdir(parents=True)
        except OSError:
            self._coming.discard(job)
            raise
        return job, folder

    def sort(self, job: str, uploads: Sequence[Upload]) -> list[Upload]:
        """Put the files of a form where they belong; its pictures or videos, in their order."""
        apart = {"references": self._folders.others(job), "person": self._folders.person(job).parent}
        return put_apart(uploads, apart=apart, pictures=self._folders.of(job) / "in", name=name_of)

    def references(self, job: str, *, trusted: bool) -> References | None:
        """The other photographs of a job; None if it has none."""
        return self._references.of(job, self._folders.others(job), trusted=trusted)

    def begin(self, job: str, uploads: Sequence[Upload], requests: Sequence[RestoreRequest]) -> None:
        """Put a job's pictures in the queue, each with what is to be done to it, and start."""
        suffixes: list[str] = []
        digests: list[str] = []
        for number, (upload, request) in enumerate(zip(uploads, requests, strict=True)):
            with self._folders.input(job, number).open("rb") as stream:
                head = stream.read(HEAD_BYTES)
            # What cannot be read has no result, and is told by the name that it came with.
            known = sniff_format(head) not in (None, "raw")
            suffixes.append(request.result_format(head).suffixes[0] if known else safe_suffix(upload.name))
            digests.append(sha256_of(self._folders.input(job, number)))
        names = safe_names([upload.name for upload in uploads], suffixes)
        self._journal.put(
            Task(
                target=name,
                source=name_of(number),
                content=digest,
                model=self._state.model,
                options=request.values,
                group=job,
            )
            for number, (name, digest, request) in enumerate(zip(names, digests, requests, strict=True))
        )
        self._coming.discard(job)
        self._work.start(job)

    def look_at(self, job: str, upload: Upload, request: VideoRequest) -> str:
        """Refuse all that can be refused of a video before any work; the end of its result's name.

        Raises:
            LikenessError: see `likeness.server.jobs.videos.plan`.
            ProblemError: if one of the other photographs shows no face.
        """
        planned = self._work.planned(job, 0, request, upload.name, "")
        if planned.options.references is not None:
            ready(self._state, planned.options.references)
        assert planned.target is not None
        return planned.target.suffix

    def begin_video(self, job: str, upload: Upload, request: VideoRequest, suffix: str) -> None:
        """Put a video in the queue, and start."""
        (name,) = safe_names([upload.name], [suffix])
        content = sha256_of(self._folders.input(job, 0))
        options = video_options(request)
        self._journal.put(
            [Task(target=name, source=name_of(0), content=content, model=self._state.model, options=options, group=job)]
        )
        self._coming.discard(job)
        self._work.start(job)

    def discard(self, job: str) -> None:
        """Remove a job that nobody was told of."""
        self._coming.discard(job)
        try:
            # It may have begun just before whoever sent it went away.
            if self._journal.remove(job):
                self._work.cancel(job)
        finally:
            self._forget(job)

    def again(self, job: str, number: int, request: RestoreRequest | VideoRequest) -> Item:
        """Restore one picture of a job once more, in another way; what it was before is replaced when that is done. Of a
        video it takes a video's request.

        Raises:
            ProblemError: if there is no such picture.
        """
        item = self.item(job, number)
        was = item.key
        self._journal.put(
            [
                Task(
                    target=item.target,
                    source=item.source,
                    content=item.content,
                    model=item.model,
                    options=video_options(request) if isinstance(request, VideoRequest) else request.values,
                    group=job,
                )
            ]
        )
        self._work.start(job)
        item = self.item(job, number)
        if item.key != was:
            self._work.cancel(job, item.source)
        return item

    # Looking

    def items(self, job: str) -> list[Item]:
        """A job's pictures in their order.

        Raises:
            ProblemError: if there is no such job.
        """
        found = list(self._journal.items(group=job))
        if not found:
            raise ProblemError("job-unknown", "there is no such job; it was deleted, or kept as long as jobs are")
        return found

    def item(self, job: str, number: int) -> Item:
        """One picture of a job.

        Raises:
            ProblemError: if there is no such job or picture.
        """
        found = list(self._journal.items(group=job, source=name_of(number)))
        if not found:
            count = len(self.items(job))
            raise ProblemError("picture-unknown", f"the job has {count} pictures, numbered from 0")
        return found[0]

    def progress(self, items: Sequence[Item]) -> Progress:
        """How far a job is."""
        counts: dict[State, int] = dict.fromkeys(("queued", "running", "final", "review", "skipped", "failed"), 0)
        for item in items:
            counts[item.state] += 1
        left = counts["queued"] + counts["running"]
        films = [work.seconds_left for item in items if (work := self._work.video(item)) is not None]
        seconds = [taken for item in items if isinstance(taken := item.outcome.get("seconds"), float)]
        return Progress(
            counts=counts,
            created=min(item.created for item in items),
            ended=None if left else max(item.changed for item in items),
            seconds_left=films[0]
            if films
            else float(np.mean(seconds)) * left / self._state.pool.workers
            if seconds and left
            else None,
        )

    def share(self, item: Item) -> float | None:
        """How much of a video is done, in hundredths; None of one that nobody works on, and of a picture."""
        work = self._work.video(item)
        return None if work is None else round(work.share, 2)

    def result(self, item: Item) -> tuple[Path, str]:
        """The file of a picture's result, and its media type.

        Raises:
            ProblemError: if there is none.
        """
        path = self._folders.output(item.group, number_of(item))
        if item.state not in ("final", "review") or not path.is_file():
            why = item.reason or f"it is {item.state}"
            raise ProblemError("no-result", f"picture {number_of(item)} has no result: {why}")
        kind = str(item.outcome.get("format"))
        return path, MEDIA_TYPES[kind] if is_video(item) else find_format(kind).media_type

    def original(self, item: Item) -> Path:
        """The file of a picture as it came.

        Raises:
            ProblemError: if it is gone.
        """
        path = self._folders.input(item.group, number_of(item))
        if not path.is_file():
            raise ProblemError("picture-unknown", "the picture was deleted with its job")
        return path

    def thumbnails(self, item: Item) -> Thumbnails:
        """Small JPEGs of a picture before and after.

        Raises:
            ProblemError: if there are none.
        """
        found = self._journal.thumbnails(item)
        if found is None:
            raise ProblemError("no-result", f"picture {number_of(item)} has no thumbnails: it is {item.state}")
        return found

    # Ending

    def delete(self, job: str) -> None:
        """Forget a job and its pictures at once; work on them ends at its next step, without a trace.

        Raises:
            ProblemError: if there is no such job.
        """
        if not self._journal.remove(job):
            self.items(job)
        self._work.cancel(job)
        self._forget(job)

    def sweep(self) -> None:
        """Delete what was kept long enough, and go on with what waits; called at the start and now and then."""
        now = time.time()
        coming = set(self._coming)  # before the journal, which knows then what has begun since
        for job in coming:
            with suppress(OSError):  # so that another server on these files takes it for none either
                os.utime(self._folders.of(job))
        known = self._journal.groups()
        for job in known:
            if self._work.unfinished(job):
                self._work.start(job)
                continue
            if self._journal.last_change(job) + self._state.settings.keep_hours * 3600 < now:
                count = self._journal.remove(job)
                self._forget(job)
                _log.info("a job of %d pictures was deleted: its time is over", count)
        for folder in (self._root / "jobs").iterdir():
            if not self._folders.is_name(folder.name):  # somebody else's, in a folder that was there before
                continue
            with suppress(OSError):
                if folder.name not in (*known, *coming) and folder.stat().st_mtime + _ORPHAN_SECONDS < now:
                    shutil.rmtree(folder)

    def _forget(self, job: str) -> None:
        self._references.forget(job)
        shutil.rmtree(self._folders.of(job), ignore_errors=True)


def _refuse_batch(root: Path) -> None:
    """See that a data folder is not the output of a batch, before anything in it is touched."""
    path = root / _JOURNAL
    if path.is_file():
        with Journal(path) as journal:
            if {PICTURES, VIDEOS} & {*journal.groups()}:
                raise ConfigError(Notice("job.of-a-batch", {"root": str(root)}))
