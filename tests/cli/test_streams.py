"""Standard streams as servers have them, foreign text on a terminal, users without a home: always in a real process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from likeness.cli.console import cleaned
from likeness.core.home import expanded

RUN = f"{sys.executable} -m likeness"

ONE_AFTER_THE_OTHER = """
import json, sys
from likeness.cli import main
statuses = [main(arguments) for arguments in json.loads(sys.argv[1])]
print(json.dumps(statuses))
"""
EVIL = "a\x1b]0;title\x07\x1b[31m\x9b\x7f\u202egpj\u2066.jpg"


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def in_one_process(commands: Sequence[Sequence[str]], folder: Path, before: str = "") -> tuple[list[int], str, str]:
    """Run commands one after the other: their statuses, and all that they said on standard output and on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", before + ONE_AFTER_THE_OTHER, json.dumps([list(command) for command in commands])],
        cwd=folder,
        capture_output=True,
        timeout=240,
        check=True,
    )
    said, _, statuses = done.stdout.decode("utf-8").rstrip("\n").rpartition("\n")
    return json.loads(statuses), said, done.stderr.decode("utf-8")


def test_what_is_cleaned() -> None:
    assert cleaned("a\tb\nü 王 👩‍👩‍👧") == "a\tb\nü 王 👩‍👩‍👧"
    assert cleaned("\x1b[2J\r\x00\x9b\x7f") == "\\u001b[2J\\u000d\\u0000\\u009b\\u007f"
    assert cleaned("\u202e\u2066\u2028\udcff") == "\\u202e\\u2066\\u2028\\udcff"


COMMANDS = {
    "--version": 0,
    "--help": 0,
    "models --help": 0,
    "presets": 0,
    "models list": 0,
    "models path likeness-512": 0,
    "check blank.png": 1,
    "acceptance --book book.sqlite export": 2,
    "": 2,
    "nonsense": 2,
    "restore --nonsense": 2,
    "restore missing.jpg --model tiny.safetensors": 1,
}
"""Commands with their status where all is well; most say something on standard output, the last ones on standard error."""

SPOKEN = set(list(COMMANDS)[:7])

TOGETHER = (">&- 2>&- <&-", ">/dev/full 2>/dev/full")
EACH = (">&-", "2>&-", "<&-", ">/dev/full", "2>/dev/full", *TOGETHER)
SLOW = ("check blank.png", "restore missing.jpg --model tiny.safetensors")
"""Commands that load networks: what each stream does by itself is seen of the others every time."""


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "blank.png")
    (tmp_path / "tiny.safetensors").symlink_to(tiny_model)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "redirections"),
    [
        *(pytest.param(name, TOGETHER if name in SLOW else EACH, id=name or "nothing") for name in COMMANDS),
        *(pytest.param(name, EACH, id=f"{name}, each", marks=pytest.mark.long) for name in SLOW),
    ],
)
def test_closed_and_full_streams(folder: Path, command: str, redirections: Sequence[str]) -> None:
    plain = shell(f"{RUN} {command}", folder)
    assert plain.returncode == COMMANDS[command], plain.stderr
    for redirection in redirections:
        done = shell(f"{RUN} {command} {redirection}", folder)
        assert b"Traceback" not in done.stdout + done.stderr, redirection
        assert b"bug" not in done.stdout + done.stderr, redirection
        assert b"Exception ignored" not in done.stdout + done.stderr, redirection
        broken = command in SPOKEN and (
            ">&-" in redirection.replace("2>&-", "") or ">/dev/full" in redirection.replace("2>/dev/full", "")
        )
        assert done.returncode == (1 if broken else COMMANDS[command]), redirection
        if broken and "2>" not in redirection:
            assert b"standard output cannot be written" in done.stderr
    done = shell(f"{RUN} {command} | true; exit ${{PIPESTATUS[0]}}", folder)
    assert done.returncode in (COMMANDS[command], 141)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_a_library_does_not_write_into_a_file_that_took_a_closed_stream_s_number(
    folder: Path, astronaut_file: Path
) -> None:
    (folder / "a.jpg").write_bytes(astronaut_file.read_bytes())
    done = shell(f"{RUN} restore a.jpg -o out.png >&- 2>&- <&-", folder)
    assert done.returncode == 0
    assert (folder / "out.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_names_command_no_terminal(folder: Path) -> None:
    (folder / EVIL).write_bytes((folder / "blank.png").read_bytes())
    (folder / f"broken{EVIL}").write_bytes(b"no picture")
    name = str(folder / EVIL)
    tiny = ["--model", "tiny.safetensors"]
    commands = (
        ["check", name, str(folder / f"broken{EVIL}")],
        ["check", str(folder)],
        ["restore", name, *tiny],
        ["restore", f"{name}.missing", *tiny],
        ["restore", str(folder), "-o", str(folder / f"out{EVIL}"), *tiny],
        ["batch", str(folder), str(folder / "results"), *tiny],
        ["batch", f"{name}.csv", str(folder / "more"), *tiny],
        ["models", "fetch", name],
        ["models", "import", name],
        ["inspect", name, name],
        ["restore", f"--{EVIL}"],
        ["restore", "a.jpg", "--preset", EVIL],
        ["restore", "a.jpg", "--config", name],
        [EVIL],
        ["notify", name, "--mail", name],
        ["proof", name, name, "-o", name],
        ["acceptance", "--book", name, "export"],
    )
    statuses, *told = in_one_process([[*arguments, "-v"] for arguments in commands], folder)
    assert len(statuses) == len(commands)
    for said in told:
        assert "jpg" in said, "a name was told"
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said), said


def test_json_keeps_what_a_name_is(folder: Path) -> None:
    (folder / EVIL).write_bytes((folder / "blank.png").read_bytes())
    subprocess.run(
        [sys.executable, "-m", "likeness", "check", EVIL, "--json", "found.json"],
        cwd=folder, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    (picture,) = json.loads((folder / "found.json").read_text(encoding="utf-8"))["pictures"]
    assert picture["input"] == EVIL


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may take the number of nobody")
def test_a_user_without_name_and_home(folder: Path, astronaut_file: Path) -> None:
    """As in a container that is run under a number: everything works, but for what would have to be kept in a home."""
    picture = folder / "a.jpg"
    picture.write_bytes(astronaut_file.read_bytes())
    nobody = (
        "import os, sys; os.setresuid(54321, 0, 0); os.environ.pop('HOME', None); "
        "[os.environ.pop(name, None) for name in list(os.environ) if name.startswith(('XDG', 'LIKENESS'))]; "
        "sys.dont_write_bytecode = True"
    )
    allowed = {
        "restore a.jpg -o out.png": {0},
        "check a.jpg": {0, 1},
        "presets": {0},
        "proof a.jpg out.png -o sheet.jpg": {0},
        "batch a.jpg results": {0, 1},
        "models path likeness-512": {0},
        "models fetch gpen-bfr-512": {1, 2},
    }
    statuses, _, said = in_one_process([command.split() for command in allowed], folder, nobody)
    assert "bug in Likeness" not in said, said
    assert "Traceback" not in said
    for status, (command, right) in zip(statuses, allowed.items(), strict=True):
        assert status in right, (command, said)
    assert not (folder / "~").exists()


def test_a_tilde_that_is_no_home(folder: Path) -> None:
    assert expanded("~nobody-of-this-name/a.jpg") == Path("~nobody-of-this-name/a.jpg")
    assert expanded("~/a.jpg") != Path("~/a.jpg")
    (folder / "~$lock.png").write_bytes((folder / "blank.png").read_bytes())
    for command in ("check", "restore"):
        done = shell(f"{RUN} {command} '~$lock.png'", folder)
        assert b"bug" not in done.stderr
        assert b"does not exist" not in done.stderr


def test_names_as_long_as_a_disk_takes(folder: Path, astronaut_file: Path) -> None:
    """255 bytes are the most: such a picture is restored under a shorter name, and a longer name is told."""
    longest = "a" * 251 + ".jpg"
    (folder / longest).write_bytes(astronaut_file.read_bytes())
    tiny = "--model tiny.safetensors"
    assert shell(f"{RUN} restore {longest} -o {'b' * 251}.png {tiny}", folder).returncode == 0
    commands = (
        f"restore {longest} {tiny}",
        f"restore {'a' * 300}.jpg {tiny}",
        f"restore {longest} -o {'c' * 300}.png {tiny}",
        f"check {'a' * 300}.jpg",
        f"restore {longest} -o out.jpg --report {'c' * 300}.json {tiny}",
        f"check {longest} --json {'c' * 300}.json",
        f"batch {longest} out-{'c' * 300} {tiny}",
        f"batch {'a' * 300} out {tiny}",
        f"proof {longest} {longest} -o {'c' * 300}.jpg",
        f"deliver {longest} -o {'c' * 300}",
        f"models path {'c' * 300}",
        f"notify {'c' * 300} --mail {'c' * 300}",
        f"acceptance --book {'c' * 300} export",
        f"inspect {'c' * 300} {longest}",
        "c" * 300,
    )
    statuses, _, said = in_one_process([command.split() for command in commands], folder)
    assert "Traceback" not in said, said
    assert "bug in Likeness" not in said, said
    for status, command in zip(statuses, commands, strict=True):
        assert status != 0, command
