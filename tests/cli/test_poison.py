"""Files that end the process which decodes them: each command says so in a sentence and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from poison import poison_heic

from likeness.batch.journal import Journal
from likeness.cli import main


@pytest.fixture
def folder(tmp_path: Path, astronaut_file: Path) -> Path:
    """Two portraits with a poison between them."""
    inbox = tmp_path / "in"
    inbox.mkdir()
    for name in ("a.jpg", "c.jpg"):
        (inbox / name).write_bytes(astronaut_file.read_bytes() + name.encode())
    (inbox / "b.heic").write_bytes(poison_heic())
    return inbox


def test_check_says_it_as_a_program_of_its_own(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "likeness", "check", folder, "--json", folder / "check.json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1
    assert ended.stderr == ""
    assert f"{folder / 'b.heic'}: refused\n  refuse  unreadable " in ended.stdout
    record = json.loads((folder / "check.json").read_text(encoding="utf-8"))
    assert [item["status"] for item in record["pictures"]] == ["fine", "refuse", "fine"]
    (finding,) = record["pictures"][1]["findings"]
    assert finding["message"].startswith(f"{folder / 'b.heic'} is HEIC but cut short or damaged")


def test_restore_and_inspect_say_it(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["restore", str(folder), "-o", str(out), "--model", str(tiny_model)]) == 1
    said = capsys.readouterr().err
    assert f"error: [2/3] {folder / 'b.heic'} is HEIC but" in said
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "c.jpg"]
    assert main(["inspect", str(folder / "a.jpg"), str(folder / "b.heic")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {folder / 'b.heic'} is HEIC but")


def test_a_batch_loses_the_poison_and_nothing_else(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["batch", str(folder), str(out), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    assert main(command) == 1
    with Journal(out / "journal.sqlite") as journal:
        states = {item.target: (item.state, item.reason) for item in journal.items()}
    assert {name: state for name, (state, _) in states.items()} == {
        "a.jpg": "final",
        "b.jpg": "failed",
        "c.jpg": "final",
    }
    assert "b.heic is HEIC but cut short or damaged" in states["b.jpg"][1]
