"""The command line: ``likeness restore``, ``batch``, ``serve`` and what ``likeness --help`` names besides.

Only this package prints, and only it decides about exit statuses. Each command is a module with one function
``(argv, console) -> status`` that is imported when the command is called, so that ``likeness --help`` is quick.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console, silence, usable_streams
from likeness.core.spelling import did_you_mean

if TYPE_CHECKING:
    from likeness.cli.flags import Parser

__all__ = ["COMMANDS", "Command", "edit_script", "main", "restore_script"]

_Run = Callable[[Sequence[str], Console], int]


_OF_THEIR_OWN = ("batch", "restore")
"""Commands that work on one large picture after another and end; as programs of their own they hold on to their memory, and
are not taken apart at their end."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: what runs it, and what reads its arguments."""

    run: Callable[[Sequence[str], Console], int]
    make_parser: Callable[[], Parser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own.

    Returns:
        the exit status: 0 done, 1 failed, 2 could not begin (usage, values, files), 3 no face (``restore`` only), 130
        interrupted, 141 nobody read the output to its end.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    command = COMMANDS.get(name)
    if command is None:
        return _guarded(_without_command, arguments)
    if argv is not None or name not in _OF_THEIR_OWN:
        return _guarded(command.load().run, arguments[1:], name)
    gc.disable()  # until all is imported, which stays: to look through it again and again takes its time
    from likeness.core.memory import keep_freed

    keep_freed()
    status = _guarded(command.load().run, arguments[1:], name)
    from likeness.cli.leaving import leave

    leave(status)
    return status


def edit_script() -> int:
    """``likeness edit --in-place``, for programs that can be told the name of an editor and nothing more."""
    return main(["edit", "--in-place", *sys.argv[1:]])


_SCRIPT_SIDE = 512

_PAGE = "http://127.0.0.1:8470"
"""Where `likeness serve` is found unless it is told otherwise."""


def restore_script(sample: Path, *, prog: str, argv: Sequence[str] | None = None) -> int:
    """``likeness restore`` under another name, with a picture to restore where none is named.

    Unless the arguments say how large a result is, a picture whose longer side is under 512 px comes back with 512.

    Returns:
        the exit status, as `main`.
    """

    def command(arguments: Sequence[str], console: Console) -> int:
        from likeness.cli.restore import restore

        return restore(arguments, console, prog=prog, default_input=sample, least_side=_SCRIPT_SIDE)

    return _guarded(command, list(sys.argv[1:] if argv is None else argv), prog)


def _guarded(command: _Run, arguments: Sequence[str], name: str = "") -> int:
    """Run a command; every error becomes a sentence and an exit status."""
    usable_streams()
    from likeness.errors import ConfigError, ControlError, LikenessError, MissingExtraError

    with Console(arguments=[name, *arguments]) as console:
        try:
            return command(arguments, console)
        except KeyboardInterrupt:
            console.notice("interrupted")
            return 130
        except BrokenPipeError:
            # As of `likeness models | head -1`. Python flushes once more at its end, and would complain.
            silence(sys.stdout)
            return 141
        except SystemExit as end:  # argparse: --help, or a sentence about the arguments
            return end.code if isinstance(end.code, int) else 2
        except (ConfigError, ControlError, MissingExtraError) as error:
            console.error(str(error))
            return 2
        except LikenessError as error:
            console.error(str(error))
            return 1
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                name = str(error.filename or "it")[:40]
                console.error(f"{name}... is too long for the name of a file; choose a shorter one")
                return 2
            console.unexpected(error)
            return 1
        finally:
            console.ledger.save()


def _without_command(arguments: Sequence[str], console: Console) -> int:
    if arguments and arguments[0] == "--version":
        from importlib.metadata import version

        console.show(f"likeness {version('likeness')}")
        return 0
    if arguments and arguments[0] in ("-h", "--help", "help"):
        console.show(_help())
        return 0
    if not arguments:
        return _nothing_named(console)
    if arguments[0].startswith("-"):
        console.error(f"flags go after the command: likeness COMMAND {arguments[0]}; see likeness --help")
    else:
        hint = did_you_mean(arguments[0], COMMANDS)
        if _exists(arguments[0]):
            hint = f" (did you mean: likeness restore {arguments[0]}?)"
        console.error(f'there is no command "{arguments[0]}"{hint}; see likeness --help')
    return 2


def _nothing_named(console: Console) -> int:
    """``likeness`` alone: the page in the browser where somebody sits before a desktop, else what there is."""
    from likeness.cli.opening import open_page, opens_page, served_already

    if not opens_page(os.environ, sys.platform, terminal=sys.stdin.isatty() and sys.stdout.isatty()):
        console.error(f"name a command\n\n{_help()}")
        return 2
    if find_spec("fastapi") is None:
        console.show(f'{_help()}\n\nFor the page in the browser: pip install "likeness[serve]"')
        return 0
    if served_already(_PAGE) and open_page(_PAGE):
        console.show(_PAGE)
        return 0
    from likeness.cli.serve import serve

    return serve(["--open"], console)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def _help() -> str:
    lines = [f"  {name:12}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: likeness COMMAND ...",
            "",
            "Restore portraits and keep the person.",
            "",
            *lines,
            "",
            "  likeness                        opens the page in the browser, on a desktop",
            "  likeness restore photo.jpg      writes output_photo.jpg",
            "  likeness COMMAND --help         shows a command's flags",
            "  likeness --version              shows the version",
        ]
    )


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A command: what it does, and the function that imports it."""

    summary: str
    load: Callable[[], Command]


def _load_restore() -> Command:
    from likeness.cli.restore import make_parser, restore

    return Command(run=restore, make_parser=lambda: make_parser("likeness restore"))


def _load_batch() -> Command:
    from likeness.cli.batch import batch, make_parser

    return Command(run=batch, make_parser=make_parser)


def _load_check() -> Command:
    from likeness.cli.check import check, make_parser

    return Command(run=check, make_parser=make_parser)


def _load_demo() -> Command:
    from likeness.cli.demo import demo, make_parser

    return Command(run=demo, make_parser=make_parser)


def _load_models() -> Command:
    from likeness.cli.models import make_parser, models

    return Command(run=models, make_parser=make_parser)


def _load_serve() -> Command:
    from likeness.cli.serve import make_parser, serve

    return Command(run=serve, make_parser=make_parser)


def _load_edit() -> Command:
    from likeness.cli.edit import edit, make_parser

    return Command(run=edit, make_parser=make_parser)


def _load_presets() -> Command:
    from likeness.cli.presets import make_parser, presets

    return Command(run=presets, make_parser=make_parser)


def _load_train() -> Command:
    from likeness.cli.train import make_parser, train

    return Command(run=train, make_parser=make_parser)


def _load_evaluate() -> Command:
    from likeness.cli.evaluate import evaluate, make_parser

    return Command(run=evaluate, make_parser=make_parser)


def _load_proof() -> Command:
    from likeness.cli.proof import make_parser, proof

    return Command(run=proof, make_parser=make_parser)


def _load_people() -> Command:
    from likeness.cli.people import make_parser, people

    return Command(run=people, make_parser=make_parser)


def _load_deliver() -> Command:
    from likeness.cli.deliver import deliver, make_parser

    return Command(run=deliver, make_parser=make_parser)


def _load_inspect() -> Command:
    from likeness.cli.inspect import inspect, make_parser

    return Command(run=inspect, make_parser=make_parser)


def _load_compare() -> Command:
    from likeness.cli.compare import compare, make_parser

    return Command(run=compare, make_parser=make_parser)


def _load_review() -> Command:
    from likeness.cli.review import make_parser, review

    return Command(run=review, make_parser=make_parser)


def _load_notify() -> Command:
    from likeness.cli.notify import make_parser, notify

    return Command(run=notify, make_parser=make_parser)


def _load_video() -> Command:
    from likeness.cli.video import make_parser, video

    return Command(run=video, make_parser=make_parser)


def _load_acceptance() -> Command:
    from likeness.cli.acceptance import acceptance, make_parser

    return Command(run=acceptance, make_parser=make_parser)


def _load_bench() -> Command:
    from likeness.cli.bench import bench, make_parser

    return Command(run=bench, make_parser=make_parser)


def _load_completion() -> Command:
    from likeness.cli.completion import completion, make_parser

    return Command(run=completion, make_parser=make_parser)


# A further command gets a module of this package, a loader above and a line here.
COMMANDS: dict[str, _Entry] = {
    "restore": _Entry(summary="restore the faces in pictures", load=_load_restore),
    "demo": _Entry(summary="restore sample portraits, and draw a sheet to look at", load=_load_demo),
    "batch": _Entry(
        summary="restore hundreds of pictures, unwatched, to be gone on with after anything", load=_load_batch
    ),
    "video": _Entry(summary="restore the people in a video, frame by frame", load=_load_video),
    "check": _Entry(summary="say what is the matter with pictures, before any work", load=_load_check),
    "proof": _Entry(summary="show a client before and after: a sheet, and a page with a slider", load=_load_proof),
    "deliver": _Entry(summary="write web and print versions", load=_load_deliver),
    "serve": _Entry(summary="serve the web page and the HTTP API", load=_load_serve),
    "edit": _Entry(summary="open the page on one picture, as an editor's external program", load=_load_edit),
    "presets": _Entry(summary="show what each preset sets", load=_load_presets),
    "models": _Entry(summary="list, fetch and import networks", load=_load_models),
    "train": _Entry(summary="train a network of your own", load=_load_train),
    "people": _Entry(summary="show who is in the photographs of a folder", load=_load_people),
    "inspect": _Entry(summary="show in figures what a restoration did", load=_load_inspect),
    "compare": _Entry(summary="show networks and presets side by side on your pictures", load=_load_compare),
    "notify": _Entry(summary="tell clients which pictures cannot be restored, by mail", load=_load_notify),
    "review": _Entry(summary="let people rate settings or tools, blind", load=_load_review),
    "acceptance": _Entry(summary="count how many pictures clients accept first time", load=_load_acceptance),
    "evaluate": _Entry(summary="score a network on portraits it has not seen", load=_load_evaluate),
    "bench": _Entry(summary="measure how fast this machine is", load=_load_bench),
    "completion": _Entry(summary="print what completes commands and flags in a shell", load=_load_completion),
}
