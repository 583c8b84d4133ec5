"""Notices on the desktop: what the system's own program is given, and what is said where it cannot show them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from likeness.cli import main
from likeness.cli.desktop import show_on_desktop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="notify-send is Linux's")


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a notify-send writes what it is given, one argument a line: a desktop that shows it is not at hand."""
    programs, said = tmp_path / "bin", tmp_path / "said.txt"
    programs.mkdir()
    program = programs / "notify-send"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >> '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return said


def test_a_batch_says_what_became_of_the_pictures(
    shown: Path, tmp_path: Path, tiny_model: Path, astronaut_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.jpg").write_bytes(astronaut_file.read_bytes())
    (inbox / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    command = ["batch", str(inbox), str(tmp_path / "out"), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    main([*command, "--desktop-notices"])
    assert shown.read_text().splitlines()[-2:] == ["Likeness", "2 pictures: 1 delivered, 1 failed"]
    shown.unlink()
    main([*command, "--desktop-notices"])
    assert not shown.exists()  # nothing was done, so there is nothing to say
    assert "desktop" not in capsys.readouterr().err


def test_why_nothing_is_shown_is_said(shown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert show_on_desktop("Likeness", "1 picture: 1 done") == ""
    program = shown.parent / "bin" / "notify-send"
    program.write_text("#!/bin/sh\necho 'no bus' >&2; exit 1\n")
    assert show_on_desktop("Likeness", "x") == "notify-send failed (no bus)"
    program.write_text("#!/nowhere\n")
    assert show_on_desktop("Likeness", "x").startswith("notify-send failed (")
    monkeypatch.setenv("PATH", str(shown.parent))
    assert show_on_desktop("Likeness", "x") == "there is no notify-send"
