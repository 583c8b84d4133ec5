"""``likeness batch``: its flags, and what a person sees while it works. The work itself is `likeness.batch`."""

from __future__ import annotations

import argparse
import shlex
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.restore import (
    AMOUNTS,
    HelpLayout,
    Parser,
    add_controls,
    add_faces,
    add_repairs,
    add_technical,
    add_verbosity,
    check_ranges,
    checked_settings,
    typed_settings,
    verbosity,
    with_amounts,
)
from likeness.cli.stopping import stopping
from likeness.errors import ConfigError, ImageWriteError, LikenessError
from likeness.restore.config import Settings

if TYPE_CHECKING:
    from likeness.batch.executors import Executor
    from likeness.batch.journal import Journal, State
    from likeness.batch.runner import Done, Plan

__all__ = ["batch"]

_DESCRIPTION = """\
Restore many pictures, unwatched. What was done stands in a journal: run the same command again after anything, and it goes
on where it was; nothing is lost, nothing done twice, and no file in OUT is ever half written.

INPUT is a folder (with its subfolders), a quoted pattern such as "scans/*.tif", a CSV list, a picture, or a URL of these
(s3://bucket/folder). Results go to OUT/final; those that the guard doubts go to OUT/review, with the reason. What preflight
refuses is left alone. OUT/summary.html shows every picture, summary.csv and summary.json hold every figure."""

_EPILOG = """\
a picture's own settings:
  in a CSV list with the columns file, client, email, and any of preset, strength, latent_step_decay, eye, hair and so on;
  or in photo.jpg.toml or photo.jpg.json beside photo.jpg. They win over the flags.

exit status:
  0    every picture was delivered to OUT/final
  1    at least one picture failed; the others were done
  2    nothing was begun: a flag, a value, a file name or the model cannot be used
  3    no picture failed, but at least one is in OUT/review or was left alone
  130  interrupted; run the same command again to go on

examples:
  likeness batch monday/ monday-out/ --preset natural
  likeness batch clients.csv out/ --on-finding fix
  likeness batch "scans/**/*.tif" out/ --preset film-scan --balance --workers 4
  likeness batch inbox/ out/ --watch
  likeness batch s3://studio/monday s3://studio/done --journal monday.sqlite
  likeness batch s3://studio/monday s3://studio/done --journal monday.sqlite --executor ray --address auto"""

_PROJECTIONS = ".projections"
"""Name of the folder of kept projections, beside the journal."""

_SAID_EVERY = 60.0
"""Seconds between lines on rate and time left, where no bar is shown."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Everything that one run needs to know."""

    inputs: tuple[str, ...]
    output: str
    journal: Path
    plan: Plan
    settings: Settings
    workers: int | None
    ray: bool
    address: str | None
    shared: bool
    keep: int
    watch: float | None
    retry_failed: bool
    redo_missing: bool
    thumbnails: bool


def batch(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status (see ``--help``).

    Raises:
        SystemExit: for ``--help``, and for flags that cannot be parsed.
        ConfigError, ControlError: for a value that cannot be used.
    """
    flags = _parser().parse_intermixed_args(with_amounts(argv, dict.fromkeys(AMOUNTS, 1.0)))
    console.verbosity = verbosity(flags)
    try:
        options = _options(flags)
        return _Run(options, console).run()
    except LikenessError as error:
        console.error(str(error))
        return 2


class _Run:
    """One run of the command, from the inputs to the summary."""

    def __init__(self, options: _Options, console: Console) -> None:
        from likeness.batch.places import Place
        from likeness.batch.watch import Settling

        self._options = options
        self._console = console
        self._output = Place(options.output)
        self._settling = Settling()
        self._stop = threading.Event()
        self._executor: Executor | None = None
        self._done = 0
        self._seconds = 0.0

    def run(self) -> int:
        from likeness.batch.journal import Journal
        from likeness.batch.runner import sweep

        options = self._options
        with Journal(options.journal) as journal, stopping(self._stop, self._console):
            begun, written = False, True
            try:
                self._list(journal)
                begun = True
                sweep(journal, self._output)
                self._queue_again(journal)
                self._work(journal)
                while options.watch is not None and not self._stop.wait(options.watch):
                    if self._list(journal):
                        self._work(journal)
            finally:
                if self._executor is not None:
                    self._executor.close()
                # Also of a run that was broken off; not of one that could not begin.
                if begun:
                    written = self._summary(journal)
            self._next(journal)
            return self._status(journal, written)

    def _status(self, journal: Journal, written: bool) -> int:
        counts = journal.counts(group="")
        waiting = counts["queued"] + counts["running"]
        if self._stop.is_set() and (waiting or self._options.watch is None):
            self._console.notice(f"interrupted; {_pictures(waiting)} left. Run the same command again to go on")
            return 130
        if counts["failed"] or not written:
            return 1
        return 3 if counts["review"] + counts["skipped"] else 0

    def _list(self, journal: Journal) -> int:
        """Look at the inputs and queue what is new or wanted otherwise; how many pictures that were."""
        from likeness.batch.runner import make_tasks
        from likeness.batch.sources import find_sources

        options = self._options
        watching = options.watch is not None
        sources = find_sources(options.inputs, without=options.output, allow_none=watching)
        if watching:
            sources = self._settling.ready(sources)
        put = make_tasks(sources, journal, options.plan, stop=self._stop)
        if not watching:
            counts = journal.counts(group="")
            left = counts["queued"] + counts["running"] - put.added - put.changed
            parts = [_pictures(len(sources)), f"{put.added} new"]
            if put.changed:
                parts.append(f"{put.changed} to be done again, as something changed")
            if put.kept:
                parts.append(f"{put.kept} known")
            if left > 0:
                parts.append(f"{left} left from before")
            self._console.say(", ".join(parts))
        return put.added + put.changed

    def _queue_again(self, journal: Journal) -> None:
        from likeness.batch.runner import redo

        options = self._options
        if options.retry_failed or options.redo_missing:
            count = redo(journal, self._output, failed=options.retry_failed, missing=options.redo_missing)
            self._console.say(f"{_pictures(count)} queued again")

    def _work(self, journal: Journal) -> None:
        """Through the queue, until it is empty or the run is broken off."""
        counts = journal.counts(group="")
        total = counts["queued"] + counts["running"]
        if not total or self._stop.is_set():
            return
        executor = self._loaded()
        began = said = time.perf_counter()
        done = 0
        results = executor.run(journal, group="", stop=self._stop)
        with self._console.progress(results, unit="picture", total=total) as pending:
            for done, one in enumerate(pending, start=1):
                self._tell(one, f"[{done}/{total}] " if total > 1 else "")
                now = time.perf_counter()
                if now - said >= _SAID_EVERY:
                    said = now
                    self._console.say(_rate(done, total, now - began))
        self._done += done
        self._seconds += time.perf_counter() - began

    def _loaded(self) -> Executor:
        """Who does the work; the network is loaded when the first picture needs it."""
        if self._executor is None:
            from likeness.batch.executors import LocalExecutor, NetworkPlan

            options = self._options
            network = NetworkPlan(
                settings=options.settings,
                model=options.plan.model,
                kept=options.journal.parent / _PROJECTIONS,
                limit=options.keep,
            )
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
                    network, self._output, workers=options.workers or 2, thumbnails=options.thumbnails
                )
        return self._executor

    def _tell(self, done: Done, count: str) -> None:
        item, result, console = done.item, done.result, self._console
        if result.bug is not None:
            console.unexpected(result.bug, subject=f"{count}{item.source}")
        elif result.state == "failed":
            console.error(f"{count}{result.reason}")
        elif result.state == "skipped":
            console.warn(f"{count}{item.source} was left alone: {result.reason}")
        elif result.state == "review":
            console.warn(f"{count}{item.source} -> {result.outcome['output']}: look at it: {result.reason}")
        else:
            outcome = result.outcome
            seconds = sum(outcome["milliseconds"].values()) / 1e3
            restored = sum(face["status"] == "restored" for face in outcome["faces"])
            codes = sorted({finding["code"] for finding in outcome["findings"] if finding["level"] == "warn"})
            found = f" ({', '.join(codes)})" if codes else ""
            faces = f"{restored} face{'' if restored == 1 else 's'} restored"
            console.say(f"{count}{item.source} -> {outcome['output']}: {faces}{found} ({seconds:.1f} s)")
        for fix in result.outcome.get("fixes", []):
            console.detail(f"{item.source}: {fix}")

    def _summary(self, journal: Journal) -> bool:
        """Write it; whether that could be done: the pictures are done by now, and must not be lost in an exception."""
        from likeness.batch.summary import RunFigures, write_summary

        asked, kept = (0, 0) if self._executor is None else self._executor.counts
        run = RunFigures(
            model=self._options.plan.model,
            seconds=self._seconds,
            done=self._done,
            asked=asked,
            kept=kept,
            interrupted=self._stop.is_set() and self._options.watch is None,
            notes=() if self._executor is None else self._executor.notes,
        )
        try:
            *_, page = write_summary(journal, self._output, run)
        except ImageWriteError as error:
            self._console.error(str(error))
            return False
        counts = journal.counts(group="")
        told: dict[State, str] = {
            "final": "delivered",
            "review": "to review",
            "skipped": "left alone",
            "failed": "failed",
        }
        parts = [f"{counts[state]} {words}" for state, words in told.items() if counts[state]]
        rate = f"; {self._done / self._seconds:.1f} a second" if self._done > 1 else ""
        self._console.say(f"{', '.join(parts) or 'nothing done'}{rate}; {page}")
        return True

    def _next(self, journal: Journal) -> None:
        """Say what a person does now."""
        from likeness.batch.places import is_url

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


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _options(flags: argparse.Namespace) -> _Options:
    typed = typed_settings(flags, faces=flags.faces)
    settings = typed.over(Settings() if flags.config is None else checked_settings(flags.config))
    check_ranges(settings)
    from likeness.batch.guard import GuardLimits
    from likeness.batch.journal import JOURNAL
    from likeness.batch.places import is_url
    from likeness.batch.runner import Plan
    from likeness.checkpoints.catalog import DEFAULT_MODEL
    from likeness.checkpoints.download import sha256_of
    from likeness.checkpoints.store import Store
    from likeness.faces.findings import Limits

    output = flags.output.removeprefix("file://")
    if flags.journal is None and is_url(output):
        raise ConfigError(
            f"the journal must lie on this machine, and {output} does not: name a file for it with --journal FILE"
        )
    if not is_url(output) and any(not is_url(text) and _same(text, output) for text in flags.inputs):
        raise ConfigError(f"{output} is input and output; name another folder for the results")
    if flags.executor != "ray" and (flags.address is not None or flags.shared):
        raise ConfigError("--address and --shared are for --executor ray")
    if flags.workers is not None and flags.workers < 1:
        raise ConfigError(f"--workers must be at least 1, not {flags.workers}")
    if flags.watch is not None and not flags.watch > 0:
        raise ConfigError(f"--watch must be over 0 seconds, not {flags.watch:g}")
    model = settings.model or DEFAULT_MODEL
    limits = Limits(refuse=frozenset(flags.refuse), ignore=frozenset(flags.ignore))
    if flags.min_size is not None:
        limits = replace(limits, min_side=flags.min_size)
    plan = Plan(
        model=f"{Path(model).stem}-{sha256_of(Store().path(model))[:16]}",
        # Of the run, not of its pictures.
        settings=replace(settings, device=None, precision=None, threads=None),
        on_finding=flags.on_finding,
        limits=limits,
        guard=GuardLimits() if flags.guard else None,
    )
    return _Options(
        inputs=tuple(flags.inputs),
        output=output,
        journal=flags.journal or Path(output).expanduser() / JOURNAL,
        plan=plan,
        settings=settings,
        workers=flags.workers,
        ray=flags.executor == "ray",
        address=flags.address,
        shared=flags.shared,
        keep=flags.keep_projections,
        watch=flags.watch,
        retry_failed=flags.retry_failed,
        redo_missing=flags.redo_missing,
        thumbnails=flags.thumbnails,
    )


def _same(a: str, b: str) -> bool:
    first, second = Path(a.removeprefix("file://")).expanduser(), Path(b).expanduser()
    return first.exists() and second.exists() and first.samefile(second)


def _codes(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _size(text: str) -> int:
    """A number of bytes, as typed: "4G", "500M" or "0"."""
    factors = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
    digits, factor = (text[:-1], factors[text[-1].lower()]) if text[-1:].lower() in factors else (text, 1)
    try:
        return round(float(digits) * factor)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f'"{text}" is no size; write it as 500M or 4G') from None


def _parser() -> Parser:
    parser = Parser(
        prog="likeness batch",
        usage="likeness batch INPUT... OUT [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpLayout,
        allow_abbrev=False,
    )
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="folders, quoted patterns, CSV lists, pictures, URLs"
    )
    parser.add_argument("output", metavar="OUT", help="folder or URL for the results")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings from a .toml or .json file; flags win over it"
    )
    add_verbosity(parser)
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=2.0,
        metavar="SECONDS",
        help="go on: look at the inputs every so many seconds (2), and take files that have settled, until Ctrl-C",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", help="pictures at a time (2; with Ray, as many as there are processors)"
    )
    group.add_argument(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="who does the work: this process, or Ray's workers on one machine or many (docs/cluster.md)",
    )
    group.add_argument(
        "--address",
        metavar="ADDRESS",
        help='Ray cluster to join, "auto" or host:port; without it Ray is started on this machine',
    )
    group.add_argument(
        "--shared",
        action="store_true",
        help="paths are the same on every node of the cluster, so that workers open them; URLs always are",
    )
    group.add_argument(
        "--journal", type=Path, metavar="FILE", help="the journal, on this machine's disk (OUT/journal.sqlite)"
    )
    group.add_argument("--retry-failed", action="store_true", help="try pictures again that failed in an earlier run")
    group.add_argument("--redo-missing", action="store_true", help="make results again that are no longer in OUT")
    group.add_argument(
        "--keep-projections",
        type=_size,
        default=_size("4G"),
        metavar="SIZE",
        help="disk for the network's answers, which new controls need again; 0 keeps none (4G)",
    )
    group.add_argument(
        "--no-thumbnails", dest="thumbnails", action="store_false", help="no pictures in the summary, for huge batches"
    )
    group = parser.add_argument_group("what is done about findings (docs/check.md)")
    group.add_argument(
        "--on-finding",
        choices=("flag", "fix", "skip"),
        default="flag",
        help="a warning: flag restores and tells it, fix does what can be done, skip leaves the picture alone (flag)",
    )
    group.add_argument("--min-size", type=float, metavar="PX", help="refuse a shorter side than this (150)")
    for name, text in (("--refuse", "refuse pictures with these findings, too"), ("--ignore", "do not look at these")):
        group.add_argument(name, type=_codes, action="extend", default=[], metavar="CODE,...", help=text)
    group.add_argument(
        "--no-guard",
        dest="guard",
        action="store_false",
        help="do not hold results against their inputs; all go to final",
    )
    add_controls(parser)
    add_repairs(parser)
    add_faces(parser)
    add_technical(parser)
    return parser
