"""Videos of a batch: in a group of the journal of their own, worked on one at a time, when no picture waits.

A video is read in processes apart (`likeness.video.apart`), so that one that breaks its decoder fails alone. Finished
segments wait in ``.unfinished`` of the output, and a run that was ended goes on behind them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from likeness.batch.groups import VIDEOS
from likeness.batch.journal import Item, Journal, Thumbnails
from likeness.batch.keeping import Keeping
from likeness.batch.network import NetworkPlan
from likeness.batch.references import OtherPhotographs
from likeness.batch.runner import Done, died, settle
from likeness.batch.sources import Source
from likeness.batch.storage import Storage
from likeness.batch.unfinished import Delivery, in_work, remove_unfinished
from likeness.batch.work import Result, failure, withdrawn
from likeness.core.hashing import sha256_of
from likeness.errors import ConfigError, ImageReadError, MissingExtraError, NoFaceError
from likeness.imaging.image import Image
from likeness.imaging.names import result_names
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice, reason_of
from likeness.reference.matching import FaceMatcher
from likeness.reference.references import References
from likeness.restore.config import Settings
from likeness.restore.options import OPTIONS, row_of
from likeness.restore.picture_options import parts_of
from likeness.restore.pipeline import Restorer
from likeness.video.apart import files_apart, renamed
from likeness.video.clip import Limits
from likeness.video.job import VideoJob, plan_video
from likeness.video.library import require_av
from likeness.video.options import PICTURES_ONLY, VideoOptions
from likeness.video.session import FrameResult, SteadySession
from likeness.video.tracks import Track

__all__ = [
    "VideoPlan",
    "VideoWork",
    "VideoWorker",
    "WatchedSession",
    "can_be_read",
    "run_videos",
    "video_record",
]

_SUFFIX = ".mkv"
"""Of the results of videos whose own kind of file is not written here: it holds whatever sound and subtitles they have."""

_OF_THE_RUN = ("fidelity", "max_pixels")
"""Options of a run on which a video's result depends."""
_KEYS = tuple(
    row.key for row in OPTIONS if row.key not in PICTURES_ONLY and (row.effect != "run" or row.key in _OF_THE_RUN)
)

_RENEW_SECONDS = 60.0
"""So often it is looked whether a video in work is still wanted as it was."""

_BETWEEN_SECONDS = 2.0
"""So often a run looks, between two frames, whether there is something else to do."""

_POSTER = 256


def can_be_read() -> bool:
    """Whether what reads videos is installed."""
    try:
        require_av()
    except MissingExtraError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class VideoPlan:
    """What is the same for all videos of a run; a `likeness.batch.runner.TaskPlan`.

    Attributes:
        model: the network's name with a digest of its weights.
        settings: of the command; what of them is for pictures alone does not count. A video's own are laid over them.
    """

    model: str
    settings: Settings = field(default_factory=Settings)
    group: str = VIDEOS

    def told(self, source: Source, others: OtherPhotographs) -> dict[str, Any]:
        """The options of one video, ready for JSON; ``others`` tells what its other photographs hold.

        Raises:
            ConfigError: if its own settings are for pictures alone, or a reference cannot be read; the message names it.
        """
        own = source.settings
        unused = [key for key in PICTURES_ONLY if own[key] not in (None, row_of(key).default)]
        if unused:
            why = Notice("video.with-pictures", {"names": ", ".join(unused)})
            raise ConfigError(Notice("batch.own", {"own": f"{source.url}: ", "why": why}))
        values = {key: value for key, value in own.over(self.settings).values.items() if key in _KEYS}
        told: dict[str, Any] = {"kind": "video", "settings": values}
        if values.get("references"):
            values["references"] = [str(place) for place in values["references"]]
            try:
                told["references_digest"] = others.of_references(values["references"])
            except ImageReadError as error:
                named = f"{source.url}: " if own != Settings() else ""
                raise ConfigError(Notice("batch.own", {"own": named, "why": error.notice})) from error
        return told

    def digest(self, source: Source) -> str:
        """Of a video's content; it may be larger than memory.

        Raises:
            ImageReadError: if it cannot be read.
        """
        try:
            return sha256_of(Path(source.url))
        except OSError as error:
            why = reason_of(error)
            raise ImageReadError(Notice("reference.file-unread", {"place": source.url, "why": why})) from error

    def names(self, names: Sequence[str], taken: Iterable[str]) -> list[str]:
        """Names of results for videos of these names."""
        return result_names(names, taken=taken, suffix=_result_suffix)


def _result_suffix(name: str) -> str:
    from likeness.video.container import SUFFIXES

    suffix = PurePosixPath(name).suffix
    return suffix if suffix.lower() in SUFFIXES else _SUFFIX


class WatchedSession:
    """A session that keeps small pictures of the frame with the most restored faces.

    Args:
        session: does the work.
        side: the pictures' longer side, px.
    """

    def __init__(self, session: SteadySession, *, side: int) -> None:
        self._session = session
        self._side = side
        self._most = 0
        self.thumbnails: Thumbnails | None = None

    @property
    def memory(self) -> int:
        return self._session.memory

    @property
    def people(self) -> tuple[Track, ...]:
        """Everybody seen so far."""
        return self._session.people

    @property
    def notices(self) -> tuple[Notice, ...]:
        """See `SteadySession.notices`."""
        return self._session.notices

    def skip(self, image: Image) -> None:
        self._session.skip(image)

    def restore(self, image: Image) -> FrameResult:
        result = self._session.restore(image)
        if result.restored > self._most:
            self._most = result.restored
            after = thumbnail(Image(pixels=result.pixels), side=self._side)
            self.thumbnails = Thumbnails(before=thumbnail(image, side=self._side), after=after)
        return result


def video_record(job: VideoJob, session: WatchedSession, *, frames: int, restored: int, failed: int) -> dict[str, Any]:
    """What was done to a video, ready for JSON.

    Args:
        job: the work.
        session: that did it.
        frames: of the result.
        restored, failed: faces of all frames together.
    """
    notes = (*job.notes, *session.notices)
    rate = float(job.clip.rate)
    return {
        "kind": "video",
        "width": job.size.width,
        "height": job.size.height,
        "frames": frames,
        "faces_restored": restored,
        "faces_failed": failed,
        "people": [
            {
                "number": person.number + 1,
                "from": round(person.first / rate + job.options.begin, 3),
                "to": round(person.last / rate + job.options.begin, 3),
                "width": round(person.width, 1),
            }
            for person in session.people
        ],
        "codec": None if job.encoding is None else job.encoding.codec,
        "notices": [note.to_dict() for note in notes],
        "warnings": [str(note) for note in notes],
        "verdict": None,
    }


class VideoWork(Protocol):
    """Does the work of `run_videos`."""

    @property
    def watched(self) -> bool:
        """Whether that is done in another process, so that the death of this one says nothing about a video."""
        ...

    def work(self, item: Item, step: Callable[[float, bool], bool]) -> Result | None:
        """Do an item; None if it was broken off, or the process that it was done in died. Whatever goes wrong with the
        video is told in the result.

        Args:
            item: what to do.
            step: called after each frame with the share of the video that is done, and whether this run has finished a
                segment, which no later one has to make again; False breaks off.

        Raises:
            CheckpointError, ConfigError: if the network cannot be had, which is no video's fault.
        """
        ...


class VideoWorker:
    """Works on one video after the other in this process; for one thread. A `VideoWork`.

    Args:
        network: loaded with the first video. Its answers are not kept: those of a video would take the place of all others.
        output: the folder of results, on this machine.
        thumbnails: whether they are made.
    """

    def __init__(self, network: NetworkPlan, output: Path, *, thumbnails: bool = True) -> None:
        self._network = network
        self._output = output
        self._thumbnails = thumbnails
        self._restorer: Restorer | None = None
        self._matcher = FaceMatcher()

    @property
    def watched(self) -> bool:
        return False

    def work(self, item: Item, step: Callable[[float, bool], bool]) -> Result | None:
        """See `VideoWork`."""
        restorer = self.load()
        try:
            result = self._work(item, restorer, step)
        except NoFaceError as error:
            result = Result(state="skipped", reason=renamed(error.notice, item.source), outcome=_outcome({}))
        except Exception as error:
            result = replace(failure(item, error, lambda notice: renamed(notice, item.source)), outcome=_outcome({}))
            busy = isinstance(error, ConfigError) and error.notice.code == "video.busy"
            # A disk that is away for the moment says nothing about the video.
            result = replace(result, retry=result.retry or busy or not Path(item.source).is_file())
        if result is None:
            return None
        if not result.retry:
            # Of what has failed, or was left alone, no later run goes on.
            remove_unfinished(self._output, item.target)
        return withdrawn(Storage(str(self._output)), item, result)

    def load(self) -> Restorer:
        """Load the network now rather than with the first video; see `VideoWork.work` for what that raises."""
        if self._restorer is None:
            self._restorer = Restorer(runtime=self._network.load())
        return self._restorer

    def _work(self, item: Item, restorer: Restorer, step: Callable[[float, bool], bool]) -> Result | None:
        began = time.perf_counter()
        settings = Settings(item.options["settings"])
        limits = Limits(pixels=settings["max_pixels"] or Limits.pixels)
        files = files_apart(item.source, pixels=limits.pixels)
        source = Path(item.source)
        clip = files.open(source, limits)
        if sha256_of(source) != item.content:
            return Result(state="failed", reason=Notice("batch.changed", {"name": item.source}), retry=True)
        target = in_work(self._output, item.target)
        job = plan_video(clip, self._options(settings), target=target, side=restorer.runtime.spec.side, files=files)
        session = WatchedSession(SteadySession(restorer, job.options), side=_POSTER)
        frames = restored = failed = 0
        network = f"{item.model} {settings['fidelity']} {restorer.runtime.description}"
        # What this batch began with other settings is of no use: the folder is its own.
        delivered = Delivery(self._output, item)
        with closing(job.run(session, network=network, limits=limits, anew=True, deliver=delivered.take)) as steps:
            for done in steps:
                frames += 1
                restored += done.restored
                failed += done.failed
                if not step(min(frames / (job.frames or 1), 1.0), done.written > 0):
                    return None
        record = video_record(job, session, frames=frames, restored=restored, failed=failed)
        outcome = {
            **_outcome(record),
            "output": delivered.name,
            "bytes": delivered.nbytes,
            "digest": delivered.digest,
            "replaced": list(delivered.replaced),
            "milliseconds": {"video": 1e3 * (time.perf_counter() - began)},
        }
        return Result(state="final", outcome=outcome, thumbnails=session.thumbnails if self._thumbnails else None)

    def _options(self, settings: Settings) -> VideoOptions:
        parts = parts_of(settings)
        if parts["by_hand"] is not None:
            raise ConfigError(Notice("video.auto-preset"))
        references: References | None = None
        if settings["references"]:
            trusted = bool(settings["trust_references"])
            references = References(settings["references"], trusted=trusted, matcher=self._matcher)
        return VideoOptions(
            controls=parts["controls"],
            selection=parts["selection"],
            enlargement=parts["enlargement"],
            references=references,
        )


def run_videos(
    journal: Journal,
    worker: VideoWork,
    *,
    stop: threading.Event,
    between: Callable[[Item, float], None] | None = None,
) -> Generator[Done]:
    """Work through the videos of the queue, one at a time; each result stands in the journal before it is yielded.

    Setting ``stop`` breaks off between two frames, and the video waits again; what is finished of it is kept.

    Args:
        journal: the queue.
        worker: does the work.
        stop: ends the run when it is set.
        between: called every few seconds with the video in work and the share of it that is done, to do something else.

    Raises:
        CheckpointError, ConfigError: see `VideoWork.work`.
        JournalError: if the journal fails.
    """
    while not stop.is_set():
        item = journal.claim(group=VIDEOS, watched=worker.watched)
        if item is None:
            return
        held = _Held(journal, item, stop, between)
        try:
            with Keeping(journal) as keeping:
                keeping.keep(item)
                result = worker.work(item, held.step(keeping))
        except BaseException:
            journal.release(item)
            raise
        if result is not None:
            yield Done(item=item, result=result, counted=settle(journal, item, result))
        elif held.broken_off:
            journal.release(item)
            if not held.lost:
                return
        elif (done := died(journal, item)) is not None:
            yield done


class _Held:
    """A video in work is held in the journal, and something else may be done between two frames."""

    def __init__(
        self,
        journal: Journal,
        item: Item,
        stop: threading.Event,
        between: Callable[[Item, float], None] | None,
    ) -> None:
        self._journal = journal
        self._item = item
        self._stop = stop
        self._between = between
        self._renewed = self._looked = time.monotonic()
        self.lost = False
        """Whether it is wanted otherwise by now, or another process has it."""
        self.broken_off = False
        """Whether the work was told to end."""

    def step(self, keeping: Keeping) -> Callable[[float, bool], bool]:
        """Between two frames; whether it goes on."""

        def stepped(share: float, advanced: bool) -> bool:
            keeping.keep(self._item)
            self.broken_off = not self._goes_on(share, advanced)
            return not self.broken_off

        return stepped

    def _goes_on(self, share: float, advanced: bool) -> bool:
        now = time.monotonic()
        if now - self._renewed >= _RENEW_SECONDS:
            self._renewed = now
            # With a segment that no later run has to make again it gets on, however often the run is ended.
            if not self._journal.renew(self._item, trusted=advanced):
                self.lost = True
                return False
        if self._between is not None and now - self._looked >= _BETWEEN_SECONDS:
            self._between(self._item, share)
            self._looked = time.monotonic()
        return not self._stop.is_set()


def _outcome(record: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome as it is kept: what one of a picture has, and what was done to the video."""
    return {
        "output": None,
        "bytes": None,
        "digest": None,
        "replaced": [],
        "width": record.get("width"),
        "height": record.get("height"),
        "findings": [],
        "fixes": [],
        "faces": [],
        "picture": None,
        "guard": None,
        "warnings": record.get("warnings", []),
        "milliseconds": {},
        "video": dict(record) or None,
    }
