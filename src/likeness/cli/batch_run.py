"""A run of ``likeness batch``, and what a person sees of it."""

from __future__ import annotations

import shlex
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from likeness.batch.executors import Executor, LocalExecutor
from likeness.batch.groups import VIDEOS, counts_of
from likeness.batch.journal import Item, Journal, PutCount, State
from likeness.batch.lanes import lanes_for
from likeness.batch.network import NetworkPlan
from likeness.batch.results import note_approved, withdraw_given_up
from likeness.batch.runner import Done, Plan, TaskPlan, make_tasks, redo, sweep
from likeness.batch.sources import Source, find_sources, is_video
from likeness.batch.storage import Storage, is_url
from likeness.batch.summary import RunFigures, without_a_face, write_summary
from likeness.batch.unfinished import sweep_unfinished
from likeness.batch.video_process import VideosApart
from likeness.batch.videos import VideoPlan, VideoWorker, can_be_read, run_videos
from likeness.batch.watch import Settling
from likeness.cli.console import Console
from likeness.cli.desktop import show_on_desktop
from likeness.cli.stopping import stopping
from likeness.cli.table import counted
from likeness.cli.verdict_line import verdict_line
from likeness.core.memory import collect_from_now_on
from likeness.errors import (
    BatchError,
    ConfigError,
    FileWriteError,
    ImageReadError,
    JournalError,
    LikenessError,
)
from likeness.messages.notice import Notice
from likeness.restore.config import Settings
from likeness.restore.report import done_to_picture

__all__ = ["BatchOptions", "run"]

_PROJECTIONS = ".projections"
"""Name of the folder of kept projections, beside the journal."""

_SAID_EVERY = 60.0
"""Seconds between lines on rate and time left, where no bar is shown."""

_BECAME: dict[State, str] = {
    "final": "delivered",
    "review": "to review",
    "skipped": "left alone",
    "failed": "failed",
}
"""What became of a picture, by its state, in words."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """Everything that one run needs to know."""

    inputs: tuple[str, ...]
    output: str
    journal: Path
    plan: Plan
    videos: VideoPlan | None
    settings: Settings
    workers: int | None
    ray: bool
    address: str | None
    shared: bool
    keep: int
    watch: float | None
    desktop_notices: bool
    retry_failed: bool
    redo_missing: bool
    thumbnails: bool


def run(options: BatchOptions, console: Console) -> int:
    """Work through what the options name.

    Returns:
        the exit status, as ``likeness batch --help`` says.

    Raises:
        LikenessError: if the work cannot begin.
    """
    collect_from_now_on()
    return _Run(options, console).run()


class _Run:
    """One run of the command, from the inputs to the summary."""

    def __init__(self, options: BatchOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._output = Storage(options.output)
        self._settling = Settling()
        self._stop = threading.Event()
        self._executor: Executor | None = None
        self._films: VideosApart | None = None
        self._done = 0
        self._seconds = 0.0
        self._told: set[str] = set()
        self._unlisted = ""

    def run(self) -> int:
        options = self._options
        with Journal(options.journal) as journal, stopping(self._stop, self._console, at_once=self._end):
            if approved := note_approved(journal, self._output):
                self._console.say(f"{counted(approved, 'picture')} moved from review to final by hand: delivered")
            self._list(journal)
            written = True
            try:
                try:
                    sweep(journal, self._output)
                    if self._output.path is not None:
                        sweep_unfinished(journal, self._output.path)
                    self._queue_again(journal)
                    self._work(journal)
                    self._work_on_videos(journal)
                    while options.watch is not None and not self._stop.wait(options.watch):
                        if self._list_again(journal):
                            self._work(journal)
                            self._work_on_videos(journal)
                            self._withdraw(journal)
                finally:
                    if self._executor is not None:
                        self._executor.close()
                    self._withdraw(journal)
                    # Also of a run that was broken off.
                    written = self._summary(journal)
                self._next(journal)
                return self._status(journal, written)
            except JournalError as error:
                # The journal's disk, in the middle of the work: that is another matter than a run that cannot begin.
                self._console.error(str(error))
                return 1

    def _end(self) -> None:
        if self._executor is not None:
            self._executor.end()

    def _status(self, journal: Journal, written: bool) -> int:
        counts = counts_of(journal)
        waiting = counts["queued"] + counts["running"]
        if self._stop.is_set() and (waiting or self._options.watch is None):
            self._console.notice(f"interrupted; {_files(waiting, journal)} left. Run the same command again to go on")
            return 130
        if waiting:
            minutes = f"{journal.lease / 60:.0f} minutes"
            self._console.notice(
                f"{_files(waiting, journal)} left to another run. If there is none any more, as its machine or container is "
                f"gone, run the same command again in {minutes}"
            )
        if counts["failed"] or not written:
            return 1
        return 3 if counts["review"] + counts["skipped"] + waiting else 0

    def _list(self, journal: Journal) -> int:
        """Look at the inputs and queue what is new or wanted otherwise; how many pictures that were."""
        options = self._options
        watching = options.watch is not None
        sources = find_sources(
            options.inputs,
            without=options.output,
            allow_none=watching,
            videos=True,
            tell=self._left_out,
            leave_out=watching,
        )
        if watching:
            sources = self._settling.ready(sources)
        pictures = [source for source in sources if not is_video(source.name)]
        films = self._taken([source for source in sources if is_video(source.name)])
        puts = self._put(pictures, journal, options.plan)
        if films and options.videos is not None:
            puts += self._put(films, journal, options.videos)
        added, changed, kept = (sum(getattr(put, name) for put in puts) for name in ("added", "changed", "kept"))
        if not watching:
            counts = counts_of(journal)
            left = counts["queued"] + counts["running"] - added - changed
            parts = [
                counted(len(pictures), "picture") if pictures or not films else "",
                counted(len(films), "video") if films else "",
            ]
            parts = [*filter(None, parts), f"{added} new"]
            if changed:
                parts.append(f"{changed} to be done again, as something changed")
            if kept:
                parts.append(f"{kept} known")
            if left > 0:
                parts.append(f"{left} left from before")
            self._console.say(", ".join(parts))
        return added + changed

    def _list_again(self, journal: Journal) -> int:
        """`_list` for a run that goes on looking: what cannot be read now, such as a folder of the network or a list that is
        being written, may be the next time. It is told, and ends nothing."""
        try:
            found = self._list(journal)
        except JournalError:
            raise
        except LikenessError as error:
            if str(error) != self._unlisted:
                self._unlisted = str(error)
                self._console.error(f"{error}; looking again")
            return 0
        self._unlisted = ""
        return found

    def _put(self, sources: Sequence[Source], journal: Journal, plan: TaskPlan) -> list[PutCount]:
        """Queue pictures or videos. In a run that goes on looking, one with settings of its own that cannot be used holds
        up no other, and is looked at again."""
        try:
            return [make_tasks(sources, journal, plan, stop=self._stop)]
        except (ConfigError, ImageReadError):
            if self._options.watch is None:
                raise
        done: list[PutCount] = []
        for source in sources:
            try:
                done.append(make_tasks([source], journal, plan, stop=self._stop))
            except (ConfigError, ImageReadError) as error:  # noqa: PERF203 - one must not cost the others
                self._settling.take_back(source)
                self._left_out(str(error), str(error))
        return done

    def _taken(self, films: Sequence[Source]) -> list[Source]:
        """Those of the videos that can be worked on here; why not the others is told once."""
        why: Notice | None = None
        found: list[Source] = []
        if self._options.videos is None:
            why = Notice("batch.no-videos")
        elif self._options.ray:
            why = Notice("batch.videos-ray")
        elif not can_be_read():
            why = Notice("video.no-av")
        elif self._output.path is None:
            why = Notice("batch.videos-here")
        else:
            found = [source for source in films if not is_url(source.url)]
            why = None if len(found) == len(films) else Notice("batch.videos-here")
        if why is not None and len(films) > len(found):
            left = Notice("batch.videos-left", {"count": len(films) - len(found), "why": why})
            self._left_out(f"videos: {why}", left)
        return found

    def _left_out(self, place: str, sentence: str) -> None:
        """What folders hold that is not taken; said once, as a hot folder is looked at every two seconds."""
        if place not in self._told:
            self._told.add(place)
            self._console.warn(sentence)

    def _queue_again(self, journal: Journal) -> None:
        options = self._options
        if options.retry_failed or options.redo_missing:
            count = redo(journal, self._output, failed=options.retry_failed, missing=options.redo_missing)
            self._console.say(f"{counted(count, 'picture')} queued again")

    def _work_on_videos(self, journal: Journal) -> None:
        """Through the videos; where the run goes on looking at its inputs, pictures that come meanwhile have their turn."""
        counts = journal.counts(group=VIDEOS)
        total = counts["queued"] + counts["running"]
        path, options = self._output.path, self._options
        if not total or self._stop.is_set() or options.videos is None or options.ray or path is None:
            return
        films = self._films = self._films or VideosApart(
            lambda: VideoWorker(self._network(), path, thumbnails=options.thumbnails)
        )
        before = self._seconds
        began = said = time.perf_counter()
        looked = time.monotonic()

        def between(item: Item, share: float) -> None:
            nonlocal said, looked
            now = time.perf_counter()
            if now - said >= _SAID_EVERY:
                said = now
                self._console.say(f"{item.source}: {share:.0%}")
            if options.watch is not None and time.monotonic() - looked >= options.watch:
                if self._list_again(journal):
                    self._work(journal)
                looked = time.monotonic()

        states: Counter[State] = Counter()
        try:
            with closing(films):
                for done, one in enumerate(run_videos(journal, films, stop=self._stop, between=between), start=1):
                    self._tell(one, f"[{done}/{total}] " if total > 1 else "")
                    states[one.result.state] += 1
        finally:
            self._done += states.total()
            # With the seconds of the pictures that were done in between.
            self._seconds = before + time.perf_counter() - began
        if options.desktop_notices and states and not self._stop.is_set():
            self._show(states, counted(states.total(), "video"))

    def _work(self, journal: Journal) -> None:
        """Through the pictures, until none waits or the run is broken off."""
        counts = journal.counts(group="")
        total = counts["queued"] + counts["running"]
        if not total or self._stop.is_set():
            return
        executor = self._loaded()
        began = said = time.perf_counter()
        states: Counter[State] = Counter()
        results = executor.run(journal, group="", stop=self._stop)
        try:
            with self._console.progress(results, unit="picture", total=total) as pending:
                for done, one in enumerate(pending, start=1):
                    self._tell(one, f"[{done}/{total}] " if total > 1 else "")
                    states[one.result.state] += 1
                    now = time.perf_counter()
                    if now - said >= _SAID_EVERY:
                        said = now
                        self._console.say(_rate(done, total, now - began))
        finally:
            # Also of a run that was broken off, by the journal's disk for one.
            self._done += states.total()
            self._seconds += time.perf_counter() - began
        if self._options.desktop_notices and states and not self._stop.is_set():
            self._show(states, counted(states.total(), "picture"))

    def _withdraw(self, journal: Journal) -> None:
        """Earlier results of what ended its process: they must not be taken for what it came to now."""
        try:
            for source, kept in withdraw_given_up(journal, self._output).items():
                for name in kept:
                    self._console.warn(Notice("batch.replaced", {"name": self._output.locate(name), "source": source}))
        except (FileWriteError, ImageReadError) as error:
            self._console.error(str(error))

    def _show(self, states: Counter[State], what: str) -> None:
        """Say on the desktop what became of pictures or videos; why that cannot be done is said once."""
        parts = [f"{states[state]} {words}" for state, words in _BECAME.items() if states[state]]
        failed = show_on_desktop("Likeness", f"{what}: {', '.join(parts)}")
        if failed and "desktop" not in self._told:
            self._told.add("desktop")
            self._console.warn(f"no notice could be shown on the desktop: {failed}")

    def _loaded(self) -> Executor:
        """Who does the work; the network is loaded when the first picture needs it."""
        if self._executor is None:
            options = self._options
            network = self._network(kept=options.journal.parent / _PROJECTIONS)
            if options.ray:
                from likeness.batch.ray_ import picture_executor

                self._executor = picture_executor(
                    network,
                    self._output,
                    address=options.address,
                    workers=options.workers,
                    shared=options.shared,
                    thumbnails=options.thumbnails,
                )
            else:
                self._executor = LocalExecutor(
                    network,
                    self._output,
                    workers=options.workers or 2,
                    lanes=lanes_for(options.settings, options.workers),
                    thumbnails=options.thumbnails,
                )
        return self._executor

    def _network(self, kept: Path | None = None) -> NetworkPlan:
        options = self._options
        return NetworkPlan(
            settings=options.settings,
            model=options.plan.model,
            picture_model=options.plan.picture_model,
            kept=kept,
            limit=options.keep,
        )

    def _tell(self, done: Done, count: str) -> None:
        item, result, console = done.item, done.result, self._console
        if result.retry:
            self._settling.later(item.source)
        if result.bug is not None:
            console.unexpected(result.bug, subject=f"{count}{item.source}")
        elif result.state == "failed":
            console.error(f"{count}{result.reason}")
        elif result.state == "skipped":
            console.warn(f"{count}{item.source} was left alone: {result.reason}")
        elif result.state == "review":
            console.warn(f"{count}{item.source} -> {result.outcome['output']}: look at it: {result.reason}")
        elif (video := result.outcome.get("video")) is not None:
            seconds = sum(result.outcome["milliseconds"].values()) / 1e3
            words = f"{video['frames']} frames, {video['faces_restored']} faces restored"
            console.say(f"{count}{item.source} -> {result.outcome['output']}: {words} ({seconds:.0f} s)")
            for warning in video["warnings"]:
                console.warn(f"{item.source}: {warning}")
        else:
            outcome = result.outcome
            seconds = sum(outcome["milliseconds"].values()) / 1e3
            restored = sum(face["status"] == "restored" for face in outcome["faces"])
            codes = sorted({finding["code"] for finding in outcome["findings"] if finding["level"] == "warn"})
            found = f" ({', '.join(codes)})" if codes else ""
            parts = [words] if (words := done_to_picture(outcome["picture"])) else []
            if outcome["faces"] or not parts:
                parts.append(f"{counted(restored, 'face')} restored{verdict_line(outcome['faces'])}")
            console.say(f"{count}{item.source} -> {outcome['output']}: {', '.join(parts)}{found} ({seconds:.1f} s)")
        for name in result.outcome.get("replaced", []):
            console.warn(Notice("batch.replaced", {"name": self._output.locate(name), "source": item.source}))
        for fix in result.outcome.get("fixes", []):
            console.detail(f"{item.source}: {fix}")

    def _summary(self, journal: Journal) -> bool:
        """Write it; whether that could be done: the pictures are done by now, and must not be lost in an exception."""
        asked, kept = (0, 0) if self._executor is None else self._executor.counts
        run = RunFigures(
            model=", ".join(filter(None, (self._options.plan.picture_model, self._options.plan.model))),
            seconds=self._seconds,
            done=self._done,
            asked=asked,
            kept=kept,
            interrupted=self._stop.is_set() and self._options.watch is None,
            notes=() if self._executor is None else self._executor.notes,
        )
        try:
            if self._options.watch is not None:
                # What a person has moved to final since this run began, which may be weeks ago.
                note_approved(journal, self._output)
            *_, page = write_summary(journal, self._output, run)
        except (BatchError, FileWriteError, ImageReadError) as error:
            self._console.error(str(error))
            return False
        counts = counts_of(journal)
        told = dict(_BECAME)
        if faceless := without_a_face(journal):
            told["skipped"] += f" ({faceless} without a face)"
        parts = [f"{counts[state]} {words}" for state, words in told.items() if counts[state]]
        rate = f"; {self._done / self._seconds:.1f} a second" if self._done > 1 else ""
        self._console.say(f"{', '.join(parts) or 'nothing done'}{rate}; {page}")
        return True

    def _next(self, journal: Journal) -> None:
        """Say what a person does now."""
        options = self._options
        if self._stop.is_set() or is_url(options.output):
            return
        counts, only = journal.counts(group=""), options.inputs[0] if len(options.inputs) == 1 else ""
        output, typed = shlex.quote(options.output.rstrip("/")), shlex.quote(only)
        if counts["review"]:
            self._console.say(f"next: look at {output}/review; what may go out is moved to {output}/final")
        if any(item.email for item in journal.items(group="", states=("skipped", "failed"))):
            clients = f" --clients {typed}" if only.lower().endswith(".csv") else ""
            self._console.say(
                f"next: likeness notify {output}{clients} --mail FILE.toml tells clients what cannot be done"
            )
        if counts["final"] and only and not is_url(only):
            self._console.say(f"next: likeness proof {typed} {output}")


def _rate(done: int, total: int, seconds: float) -> str:
    left = (total - done) * seconds / done
    time_left = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f"{done} of {total} pictures, {done / seconds:.1f} a second, {time_left} left"


def _files(count: int, journal: Journal) -> str:
    """How much waits, in words."""
    films = journal.counts(group=VIDEOS)
    waiting = films["queued"] + films["running"]
    parts = [counted(number, noun) for number, noun in ((count - waiting, "picture"), (waiting, "video")) if number]
    return " and ".join(parts) or counted(0, "picture")
