"""``likeness train``: train a network as a configuration file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_verbosity, verbosity
from likeness.errors import MissingExtraError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.training.identity import Lesson
    from likeness.training.progress import Progress

__all__ = ["make_parser", "train"]

_DESCRIPTION = """\
Train a network as a TOML file says; docs/training.md explains every key. A run that was stopped goes on from its last
saved state with the same command."""

_EPILOG = """\
exit status:
  0    the run is done; the path of the weights is on standard output
  1    the run cannot start or go on: portraits, or the disk
  2    nothing was begun: a flag or a key of the file cannot be used, or PyTorch is missing
  130  interrupted; the same command goes on from the last saved state

examples:
  likeness train configs/likeness-512/1-size-128.toml --portraits portraits/
  likeness train studio.toml"""


def train(argv: Sequence[str], console: Console) -> int:
    """Run, or go on with, a training.

    Returns:
        0; the path of the weights is printed on stdout.

    Raises:
        MissingExtraError: if PyTorch is not installed.
        ConfigError, TrainingError: if the run cannot start or go on.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.training.enlarger.config import EnlargerTrainConfig
    from likeness.training.settings import read_settings

    config = read_settings(flags.config)
    if flags.portraits:
        config = replace(config, portraits=flags.portraits)
    if find_spec("torch") is None:
        raise MissingExtraError(Notice("cli.train-needs"))
    total = config.patches if isinstance(config, EnlargerTrainConfig) else config.pictures

    def report(progress: Progress) -> None:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in progress.losses.items())
        console.say(f"{progress.pictures} of {total} pictures, {progress.rate:.1f} a second: {losses}")

    def report_lesson(lesson: Lesson) -> None:
        console.say(
            f"learning who is who: {lesson.views} of {lesson.of} views, {lesson.rate:.0f} a second; "
            f"{lesson.right:.0%} told right"
        )

    console.say(f"training into {config.run}; Ctrl-C stops, the same command goes on from the last saved state")
    if isinstance(config, EnlargerTrainConfig):
        from likeness.training.enlarger.loop import train_enlarger

        console.hand_over(str(train_enlarger(config, report=report)))
    else:
        from likeness.training import loop

        console.hand_over(str(loop.train(config, report=report, report_lesson=report_lesson)))
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness train", usage="likeness train CONFIG.toml [flags]", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help="the run's settings")
    parser.add_argument("--portraits", metavar="FOLDER", help="train on these instead of the file's")
    add_verbosity(parser)
    return parser
