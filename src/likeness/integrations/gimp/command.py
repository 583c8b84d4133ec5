"""The command ``likeness`` as the plug-in runs it: what can be set, as which flags, and what is said to the user.

Nothing here needs GIMP, and nothing here may import Likeness (see the package).
"""

from __future__ import annotations

import json
import locale
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "FOLDERS",
    "PROGRAM",
    "Argument",
    "CommandError",
    "arguments",
    "find_program",
    "flags",
    "language",
    "preset_values",
    "remove_old_folders",
    "restore",
    "said",
    "shown_values",
    "usual_values",
    "worded",
]

PROGRAM = "likeness"
"""The command's name."""

FOLDERS = "likeness-gimp-"
"""How the names begin of the temporary folders through which layers are passed."""

_OLD = 24 * 60 * 60
"""Seconds after which such a folder is nobody's any more: no layer takes that long."""

_LOOK = 0.1
"""Seconds between two looks at whether the command is still at work."""

_FOREIGN = ("PYTHONHOME", "PYTHONPATH")
"""What GIMP's bundles set for their own Python, which another Python must not be told."""

_BESIDE_PATH = ("~/.local/bin", "/opt/homebrew/bin", "/usr/local/bin")
"""Where the command may stand beside the PATH: programs that a desktop starts are often not told of these."""


class CommandError(Exception):
    """Nothing was restored; the text is a sentence for the user."""


@dataclass(frozen=True)
class Argument:
    """Something that can be set.

    Attributes:
        name: of the procedure's argument.
        kind: "number", "whole", "switch", "choice", "text" or "folder".
        group: the heading that it stands under.
        flag: of the command.
        prefix: what stands before the value, such as "eye=".
        label, help: what it is called and what it does, by language.
        usual: its value as long as nobody sets it; the command is not told of that one.
        low, high: ends of a number; digits: how many it has after the point.
        values: of a choice.
    """

    name: str
    kind: str
    group: str
    flag: str
    label: Mapping[str, str]
    help: Mapping[str, str]
    usual: Any
    prefix: str = ""
    low: float = 0
    high: float = 0
    digits: int = 0
    values: Sequence[str] = ()

    def given(self, value: Any) -> list[str]:
        """The words on the command line that set it to a value."""
        if self.kind == "switch":
            return [self.flag if value else f"--no-{self.flag.removeprefix('--')}"]
        return [self.flag, f"{self.prefix}{self._text(value)}"]

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values come to the same."""
        return self._text(one) == self._text(other)

    def _text(self, value: Any) -> str:
        return f"{value:.{self.digits}f}" if self.kind == "number" else str(value)


@cache
def _table() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))


@cache
def arguments() -> tuple[Argument, ...]:
    """All that can be set, in the order in which it is shown."""
    rows: list[dict[str, Any]] = _table()["arguments"]
    return tuple(Argument(**row) for row in rows)


def usual_values() -> dict[str, Any]:
    """What is set as long as nobody sets anything, by the arguments' names."""
    return {argument.name: argument.usual for argument in arguments()}


def preset_values(preset: str) -> dict[str, Any]:
    """The values that a preset sets; none for ``auto``, which chooses them for each picture."""
    return _table()["presets"].get(preset, {})


def shown_values(preset: str) -> dict[str, Any]:
    """Where the dialog's sliders stand once a preset is chosen.

    With ``auto`` they stand where they do as long as nobody sets them: nothing of the preset before is left.
    """
    return preset_values(preset) or preset_values("standard")


def flags(values: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """What the command is told: each value that is another than the one that is known to it.

    Args:
        values: what is set, by the arguments' names; a name that is missing is not set.
        known: what holds without a flag.
    """
    told = [one for one in arguments() if one.name in values and not one.same(values[one.name], known[one.name])]
    return [word for argument in told for word in argument.given(values[argument.name])]


def find_program(program: str) -> str:
    """The command's whole path.

    Args:
        program: its name or path, which may begin with ``~``; :data:`PROGRAM` if empty.

    Raises:
        CommandError: if there is no such command.
    """
    program = program or PROGRAM
    places = [os.environ.get("PATH", os.defpath), *(str(Path(place).expanduser()) for place in _BESIDE_PATH)]
    named = os.path.expanduser(program)  # noqa: PTH111, as pathlib fails where there is no such user
    found = shutil.which(named, path=os.pathsep.join(places))
    if found is None:
        raise CommandError(said("gimp.no-program", program=program))
    return found


def remove_old_folders() -> None:
    """Remove this user's temporary folders of a day ago and more, with the parts of pictures in them.

    GIMP kills the plug-in when the user cancels, so that it cannot remove its folder itself.
    """
    oldest = time.time() - _OLD
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*"):
        try:
            found = folder.lstat()
        except FileNotFoundError:  # another plug-in was faster
            continue
        own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if own and stat.S_ISDIR(found.st_mode) and found.st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)  # what stays is tried again the next time


def restore(program: str, source: Path, target: Path, given: list[str], wait: Callable[[], object]) -> list[str]:
    """Restore one picture.

    Args:
        program: the command's name or path.
        source: the picture.
        target: the file that is written, in a folder of its own.
        given: flags.
        wait: called ten times a second while the command works.

    Returns:
        what the user should know of the result, a sentence each; mostly nothing.

    Raises:
        CommandError: if nothing was restored.
    """
    report, errors = target.with_suffix(".report.json"), target.with_suffix(".errors.txt")
    command = [find_program(program), "restore", str(source), "-o", str(target), "--report", str(report), *given]
    surroundings = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    with errors.open("wb") as stream:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                env=surroundings,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # of Windows
            )
        except OSError as error:
            raise CommandError(said("gimp.no-program", program=command[0])) from error
        while process.poll() is None:
            wait()
            try:
                process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                continue
    if not target.exists():
        raise CommandError(_reason(errors, source, process.returncode))
    (picture,) = json.loads(report.read_text(encoding="utf-8"))["pictures"]
    return _remarks(picture)


def _reason(errors: Path, source: Path, status: int) -> str:
    """Why nothing was restored: what the command said, without the name of a file that the user does not know of."""
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines:
        return said("gimp.failed", status=status)
    said_last = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1])
    reason = re.sub(rf"^(error: )?({re.escape(str(source))}: )?", "", said_last)
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def _remarks(picture: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for face in picture["faces"]:
        verdict = face.get("verdict") or {}
        reasons = [face["reason"] or (verdict["sentence"] if verdict.get("level", "good") != "good" else "")]
        if face.get("drawn_anew"):
            told = zip(face["warnings"], face["notices"], strict=True)
            reasons += [sentence for sentence, coded in told if coded["code"].startswith("outcome.drawn-")]
        found += [said("gimp.face", number=face["number"], reason=reason) for reason in reasons if reason]
    return found


def said(code: str, **values: Any) -> str:
    """A sentence of the catalogues in the user's language."""
    return worded(_table()["sentences"][code]).format(**values)


def worded(words: Mapping[str, str]) -> str:
    """The user's language of some words."""
    return words[language()]


@cache
def language() -> str:
    """GIMP's language, which the environment of its plug-ins names; English where there are no words in that."""
    named = (os.environ.get(name, "") for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))
    named_first = next((value for value in named if value), locale.getlocale()[0] or "").lower()
    return "zh" if named_first.startswith(("zh", "chinese")) else "en"
