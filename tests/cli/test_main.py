from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from likeness.cli import main

HEAVY = ("torch", "mediapipe", "openvino", "cv2", "numpy", "PIL", "httpx", "tqdm")


@pytest.mark.parametrize("arguments", [["--help"], ["restore", "--help"], ["models", "--help"], ["train", "--help"]])
def test_help_is_quick_because_it_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        f"import sys; from likeness.cli import main; main({arguments}); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("usage: likeness")
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_runs_it() -> None:
    done = subprocess.run([sys.executable, "-m", "likeness", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"likeness {version('likeness')}\n"


def test_a_reader_that_leaves_is_no_bug() -> None:
    command = [sys.executable, "-m", "likeness", "presets"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait() == 141


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("restore", "presets", "models", "train"):
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "error: name a command"),
        (["upscale"], 'error: there is no command "upscale"; see likeness --help'),
        (["-v", "restore"], "error: flags go after the command: likeness COMMAND -v; see likeness --help"),
    ],
)
def test_what_is_no_command_is_told(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(sentence)


def test_a_picture_instead_of_a_command_is_understood(astronaut_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(astronaut_file)]) == 2
    assert f"(did you mean: likeness restore {astronaut_file}?)" in capsys.readouterr().err
