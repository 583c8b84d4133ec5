"""Standard streams as servers have them, foreign text on a terminal, users without a home: always in a real process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from likeness.cli.console import cleaned
from likeness.core.home import expanded

RUN = f"{sys.executable} -m likeness"
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
    "restore missing.jpg": 1,
}
"""Commands with their status where all is well; most say something on standard output, the last ones on standard error."""

SPOKEN = set(list(COMMANDS)[:7])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "blank.png")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda name: name or "nothing")
def test_closed_and_full_streams(folder: Path, command: str) -> None:
    plain = shell(f"{RUN} {command}", folder)
    assert plain.returncode == COMMANDS[command], plain.stderr
    for redirection in (">&-", "2>&-", "<&-", ">/dev/full", "2>/dev/full", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"):
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
    for arguments in (
        ["check", name, str(folder / f"broken{EVIL}")],
        ["check", str(folder)],
        ["restore", name],
        ["restore", f"{name}.missing"],
        ["restore", str(folder), "-o", str(folder / f"out{EVIL}")],
        ["batch", str(folder), str(folder / "results")],
        ["batch", f"{name}.csv", str(folder / "more")],
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
    ):
        done = subprocess.run(
            [sys.executable, "-m", "likeness", *arguments, "-v"],
            cwd=folder,
            capture_output=True,
            timeout=120,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said), (arguments, said)


def test_json_keeps_what_a_name_is(folder: Path) -> None:
    import json

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
    child = (
        "import os, sys; os.setresuid(54321, 0, 0); os.environ.pop('HOME', None); "
        "[os.environ.pop(name, None) for name in list(os.environ) if name.startswith(('XDG', 'LIKENESS'))]; "
        "sys.dont_write_bytecode = True; from likeness.cli import main; sys.exit(main(sys.argv[1:]))"
    )

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", child, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "bug in Likeness" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    assert run("restore", "a.jpg", "-o", "out.png")[0] == 0
    assert run("check", "a.jpg")[0] in (0, 1)
    assert run("presets")[0] == 0
    assert run("proof", "a.jpg", "out.png", "-o", "sheet.jpg")[0] == 0
    assert run("batch", "a.jpg", "results")[0] in (0, 1)
    assert run("models", "path", "likeness-512")[0] == 0
    assert run("models", "fetch", "gpen-bfr-512")[0] in (1, 2)
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
    assert shell(f"{RUN} restore {longest} -o {'b' * 251}.png", folder).returncode == 0
    for command in (
        f"restore {longest}",
        f"restore {'a' * 300}.jpg",
        f"restore {longest} -o {'c' * 300}.png",
        f"check {'a' * 300}.jpg",
        f"restore {longest} -o out.jpg --report {'c' * 300}.json",
        f"check {longest} --json {'c' * 300}.json",
        f"batch {longest} out-{'c' * 300}",
        f"batch {'a' * 300} out",
        f"proof {longest} {longest} -o {'c' * 300}.jpg",
        f"deliver {longest} -o {'c' * 300}",
        f"models path {'c' * 300}",
        f"notify {'c' * 300} --mail {'c' * 300}",
        f"acceptance --book {'c' * 300} export",
        f"inspect {'c' * 300} {longest}",
        "c" * 300,
    ):
        done = shell(f"{RUN} {command}", folder)
        assert done.returncode != 0, command
        assert b"Traceback" not in done.stderr, command
        assert b"bug in Likeness" not in done.stderr, (command, done.stderr)
