"""``likeness batch``: its flags, and what they come to. The run is `likeness.cli.batch_run`, the work `likeness.batch`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import (
    AMOUNTS,
    Parser,
    add_findings,
    add_options,
    add_verbosity,
    check_settings,
    checked_settings,
    scaled_number,
    typed_settings,
    verbosity,
    with_amounts,
)
from likeness.core.home import expanded
from likeness.errors import ConfigError, LikenessError
from likeness.messages.notice import Notice
from likeness.restore.config import Settings

if TYPE_CHECKING:
    from likeness.cli.batch_run import BatchOptions

__all__ = ["batch", "make_parser"]

_DESCRIPTION = """\
Restore many pictures and videos, unwatched. What was done stands in a journal: run the same command again after anything,
and it goes on where it was; nothing is lost, nothing done twice, and no file in OUT is ever half written.

INPUT is a folder (with its subfolders), a quoted pattern such as "scans/*.tif", a CSV list, a picture, a video, or a URL of
these (s3://bucket/folder). Results go to OUT/final; those that the guard doubts go to OUT/review, with the reason. What
preflight refuses is left alone. OUT/summary.html shows every picture, summary.csv and summary.json hold every figure."""

_EPILOG = """\
a picture's own settings:
  in a CSV list with the columns file, client, email, and any of preset, strength, latent_step_decay, eye, hair and so on;
  or in photo.jpg.toml or photo.jpg.json beside photo.jpg. They win over the flags.

exit status:
  0    every picture was delivered to OUT/final
  1    at least one picture failed, and the others were done; or the journal's disk failed in the middle of the work
  2    nothing was begun: a flag, a value, a file name or the model cannot be used
  3    no picture failed, but at least one is in OUT/review, was left alone, or is in the hands of another run
  130  interrupted; run the same command again to go on

examples:
  likeness batch monday/ monday-out/ --preset natural
  likeness batch clients.csv out/ --on-finding fix
  likeness batch "scans/**/*.tif" out/ --preset film-scan --balance --workers 4
  likeness batch inbox/ out/ --watch
  likeness batch s3://studio/monday s3://studio/done --journal monday.sqlite
  likeness batch s3://studio/monday s3://studio/done --journal monday.sqlite --executor ray --address auto"""


def batch(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status (see ``--help``).

    Raises:
        SystemExit: for ``--help``, and for flags that cannot be parsed.
        ConfigError, ControlError: for a value that cannot be used.
    """
    flags = make_parser().parse_intermixed_args(with_amounts(argv, AMOUNTS))
    console.verbosity = verbosity(flags)
    try:
        options = _options(flags)
        from likeness.cli.batch_run import run

        return run(options, console)
    except LikenessError as error:
        console.error(str(error))
        return 2


def _options(flags: argparse.Namespace) -> BatchOptions:
    settings = typed_settings(flags).over(Settings() if flags.config is None else checked_settings(flags.config))
    check_settings(settings)
    from likeness.batch.network import identity_of
    from likeness.batch.runner import Plan
    from likeness.batch.storage import is_url
    from likeness.batch.videos import VideoPlan
    from likeness.cli.batch_run import BatchOptions
    from likeness.core.outputs import JOURNAL
    from likeness.evidence.quality_gate import GuardLimits
    from likeness.faces.findings import Limits
    from likeness.models.catalog import DEFAULT_MODEL

    output = flags.output.removeprefix("file://")
    if flags.journal is None and is_url(output):
        raise ConfigError(Notice("cli.journal-here", {"output": str(output)}))
    if not is_url(output) and any(not is_url(text) and _same(text, output) for text in flags.inputs):
        raise ConfigError(Notice("cli.in-and-out", {"output": str(output)}))
    if flags.executor != "ray" and (flags.address is not None or flags.shared):
        raise ConfigError(Notice("cli.ray-only"))
    if flags.address is not None and not flags.shared and settings["album"] is not None:
        raise ConfigError(Notice("cli.album-shared"))
    if flags.workers is not None and flags.workers < 1:
        raise ConfigError(Notice("cli.workers", {"workers": flags.workers}))
    if flags.watch is not None and not flags.watch > 0:
        raise ConfigError(Notice("cli.watch", {"watch": flags.watch}))
    model = settings["model"] or DEFAULT_MODEL
    limits = Limits(refuse=frozenset(flags.refuse), ignore=frozenset(flags.ignore))
    if flags.min_size is not None:
        limits = replace(limits, min_side=flags.min_size)
    picture_model = settings["picture_model"]
    plan = Plan(
        model=identity_of(model),
        picture_model="" if picture_model is None else identity_of(picture_model),
        # Of the run, not of its pictures.
        settings=Settings({**settings.values, "device": None, "runtime": None, "precision": None, "threads": None}),
        on_finding=flags.on_finding,
        limits=limits,
        guard=GuardLimits() if flags.guard else None,
    )
    return BatchOptions(
        inputs=tuple(flags.inputs),
        output=output,
        journal=flags.journal or expanded(output) / JOURNAL,
        plan=plan,
        videos=VideoPlan(model=plan.model, settings=plan.settings) if flags.videos else None,
        settings=settings,
        workers=flags.workers,
        ray=flags.executor == "ray",
        address=flags.address,
        shared=flags.shared,
        keep=flags.keep_projections,
        watch=flags.watch,
        desktop_notices=flags.desktop_notices,
        retry_failed=flags.retry_failed,
        redo_missing=flags.redo_missing,
        thumbnails=flags.thumbnails,
    )


def _same(a: str, b: str) -> bool:
    first, second = expanded(a.removeprefix("file://")), expanded(b)
    return first.exists() and second.exists() and first.samefile(second)


def _size(text: str) -> int:
    """A number of bytes, as typed: "4G", "500M" or "0"."""
    factors = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
    return scaled_number(text, factors, "size; write it as 500M or 4G")


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness batch",
        usage="likeness batch INPUT... OUT [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
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
        "--desktop-notices",
        action="store_true",
        help="say on the desktop what became of the pictures, whenever the queue is empty (Linux, macOS)",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", help="pictures at a time (one per processor core, as far as memory goes)"
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
    group.add_argument(
        "--no-videos", dest="videos", action="store_false", help="leave videos out, which take long (docs/batch.md)"
    )
    group = parser.add_argument_group("what is done about findings (docs/check.md)")
    group.add_argument(
        "--on-finding",
        choices=("flag", "fix", "skip"),
        default="flag",
        help="a warning: flag restores and tells it, fix does what can be done, skip leaves the picture alone (flag)",
    )
    group.add_argument("--min-size", type=float, metavar="PX", help="refuse a shorter side than this (150)")
    add_findings(group.add_argument, ignore="do not look at these")
    group.add_argument(
        "--no-guard",
        dest="guard",
        action="store_false",
        help="do not hold results against their inputs; all go to final",
    )
    add_options(parser, without=["copy_unrestored"])
    return parser
