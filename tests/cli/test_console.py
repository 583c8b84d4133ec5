from __future__ import annotations

import fcntl
import logging
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from likeness.cli.console import Console


def test_levels_of_loudness(capsys: pytest.CaptureFixture[str]) -> None:
    heard: dict[int, str] = {}
    for verbosity in (-1, 0, 1):
        console = Console(verbosity=verbosity)
        console.say("result")
        console.detail("detail")
        console.warn("careful")
        console.error("wrong")
        heard[verbosity] = capsys.readouterr().err
    assert heard == {
        -1: "error: wrong\n",
        0: "result\nwarning: careful\nerror: wrong\n",
        1: "result\ndetail\nwarning: careful\nerror: wrong\n",
    }


def test_the_library_s_log_is_told_with_its_picture(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("likeness.imaging.encode")
    with Console() as console:
        console.subject = "a.png"
        log.warning("JPEG has no transparency")
        log.warning("a.png: its profile is damaged")
        log.info("not shown")
        # The verbosity is known only after the arguments were parsed.
        console.verbosity = 1
        log.info("shown")
    log.warning("after the command")
    assert capsys.readouterr().err.splitlines()[:3] == [
        "warning: a.png: JPEG has no transparency",
        "warning: a.png: its profile is damaged",
        "a.png: shown",
    ]


def test_a_bug_is_called_one_and_v_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        Console().unexpected(error, subject="a.png")
        Console(verbosity=1).unexpected(error)
    quiet, *loud = capsys.readouterr().err.splitlines()
    assert quiet == "error: a.png: unexpected ZeroDivisionError: division by zero (a bug in Likeness; -v shows where)"
    assert loud[0] == "Traceback (most recent call last):"


def test_on_a_terminal_there_is_a_progress_bar_under_the_messages(
    tmp_path: Path, tiny_model: Path, astronaut_file: Path
) -> None:
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(astronaut_file, tmp_path / name)
    (tmp_path / "empty.jpg").touch()
    terminal, line = pty.openpty()
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "likeness", "restore", "*.jpg", "--model", str(tiny_model)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=line, stdout=subprocess.PIPE) as started:
        os.close(line)
        seen = b""
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:  # Linux reports the end of a terminal as an error
                break
            if not chunk:
                break
            seen += chunk
    os.close(terminal)
    text = seen.decode()
    assert started.returncode == 1
    assert "| 0/3 [00:00<" in text
    assert "error: [3/3] empty.jpg is empty" in text
    assert text.splitlines()[-1].startswith("2 of 3 pictures restored (2 faces), 1 failed"), "the bar is gone"
