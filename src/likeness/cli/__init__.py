"""The command line: ``likeness restore``, ``batch``, ``serve`` and what ``likeness --help`` names besides.

Only this package prints, and only it decides about exit statuses. Each command is a module with one function
``(argv, console) -> status`` that is imported when the command is called, so that ``likeness --help`` is quick.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.cli.console import Console, silence, usable_streams

__all__ = ["main", "restore_script"]

_Command = Callable[[Sequence[str], Console], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own.

    Returns:
        the exit status: 0 done, 1 failed, 2 could not begin (usage, values, files), 3 no face (``restore`` only), 130
        interrupted, 141 nobody read the output to its end.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    command = _COMMANDS.get(name)
    if command is None:
        return _guarded(_without_command, arguments)
    return _guarded(command.load(), arguments[1:])


_SCRIPT_SIDE = 512


def restore_script(sample: Path, *, prog: str, argv: Sequence[str] | None = None) -> int:
    """``likeness restore`` under another name, with a picture to restore where none is named.

    Unless the arguments say how large a result is, a picture whose longer side is under 512 px comes back with 512.

    Returns:
        the exit status, as `main`.
    """

    def command(arguments: Sequence[str], console: Console) -> int:
        from likeness.cli.restore import restore

        return restore(arguments, console, prog=prog, default_input=sample, least_side=_SCRIPT_SIDE)

    return _guarded(command, list(sys.argv[1:] if argv is None else argv))


def _guarded(command: _Command, arguments: Sequence[str]) -> int:
    """Run a command; every error becomes a sentence and an exit status."""
    usable_streams()
    from likeness.errors import ConfigError, ControlError, LikenessError, MissingExtraError

    with Console() as console:
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


def _without_command(arguments: Sequence[str], console: Console) -> int:
    if arguments and arguments[0] == "--version":
        from importlib.metadata import version

        console.show(f"likeness {version('likeness')}")
        return 0
    if arguments and arguments[0] in ("-h", "--help", "help"):
        console.show(_help())
        return 0
    if not arguments:
        console.error(f"name a command\n\n{_help()}")
    elif arguments[0].startswith("-"):
        console.error(f"flags go after the command: likeness COMMAND {arguments[0]}; see likeness --help")
    else:
        hint = f"; did you mean: likeness restore {arguments[0]}" if _exists(arguments[0]) else ""
        console.error(f'there is no command "{arguments[0]}"{hint}; see likeness --help')
    return 2


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def _help() -> str:
    lines = [f"  {name:12}{command.summary}" for name, command in _COMMANDS.items()]
    return "\n".join(
        [
            "usage: likeness COMMAND ...",
            "",
            "Restore portraits and keep the person.",
            "",
            *lines,
            "",
            "  likeness restore photo.jpg      writes output_photo.jpg",
            "  likeness COMMAND --help         shows a command's flags",
            "  likeness --version              shows the version",
        ]
    )


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A command: what it does, and the function that imports it."""

    summary: str
    load: Callable[[], _Command]


def _load_restore() -> _Command:
    from likeness.cli.restore import restore

    return restore


def _load_batch() -> _Command:
    from likeness.cli.batch import batch

    return batch


def _load_check() -> _Command:
    from likeness.cli.check import check

    return check


def _load_models() -> _Command:
    from likeness.cli.models import models

    return models


def _load_serve() -> _Command:
    from likeness.cli.serve import serve

    return serve


def _load_presets() -> _Command:
    from likeness.cli.presets import presets

    return presets


def _load_train() -> _Command:
    from likeness.cli.train import train

    return train


def _load_evaluate() -> _Command:
    from likeness.cli.evaluate import evaluate

    return evaluate


def _load_proof() -> _Command:
    from likeness.cli.proof import proof

    return proof


def _load_deliver() -> _Command:
    from likeness.cli.deliver import deliver

    return deliver


def _load_people() -> _Command:
    from likeness.cli.people import people

    return people


def _load_inspect() -> _Command:
    from likeness.cli.inspect import inspect

    return inspect


def _load_review() -> _Command:
    from likeness.cli.review import review

    return review


def _load_notify() -> _Command:
    from likeness.cli.notify import notify

    return notify


def _load_acceptance() -> _Command:
    from likeness.cli.acceptance import acceptance

    return acceptance


def _load_video() -> _Command:
    from likeness.cli.video import video

    return video


def _load_bench() -> _Command:
    from likeness.cli.bench import bench

    return bench


# A further command gets a module of this package, a loader above and a line here.
_COMMANDS: dict[str, _Entry] = {
    "restore": _Entry(summary="restore the faces in pictures", load=_load_restore),
    "batch": _Entry(
        summary="restore hundreds of pictures, unwatched, to be gone on with after anything", load=_load_batch
    ),
    "video": _Entry(summary="restore the people in a video, without flicker", load=_load_video),
    "check": _Entry(summary="say what is the matter with pictures, before any work", load=_load_check),
    "proof": _Entry(summary="show a client before and after: a sheet, and a page with a slider", load=_load_proof),
    "deliver": _Entry(summary="write web and print versions", load=_load_deliver),
    "serve": _Entry(summary="serve the web page and the HTTP API", load=_load_serve),
    "presets": _Entry(summary="show what each preset sets", load=_load_presets),
    "models": _Entry(summary="list, fetch and import networks", load=_load_models),
    "train": _Entry(summary="train a network of your own", load=_load_train),
    "people": _Entry(summary="show who is in the photographs of a folder", load=_load_people),
    "inspect": _Entry(summary="show in figures what a restoration did", load=_load_inspect),
    "notify": _Entry(summary="tell clients which pictures cannot be restored, by mail", load=_load_notify),
    "review": _Entry(summary="let people rate settings or tools, blind", load=_load_review),
    "acceptance": _Entry(summary="count how many pictures clients accept first time", load=_load_acceptance),
    "evaluate": _Entry(summary="score a network on portraits it has not seen", load=_load_evaluate),
    "bench": _Entry(summary="measure how fast this machine is", load=_load_bench),
}
