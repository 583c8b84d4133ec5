"""The house rules that a program can check; `make check` adds the types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize("command", [["lint-imports"], ["ruff", "check"], ["ruff", "format", "--check"]], ids=" ".join)
def test_the_house_rules_hold(command: list[str]) -> None:
    done = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {path.stem for path in (ROOT / "src").rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "misc"}


def test_modules_stay_readable() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert not {str(path): lines for path, lines in lengths.items() if lines > 500}
