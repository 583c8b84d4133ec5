"""File names that are no UTF-8, as old disks and cameras leave them: the others are done, and that one too."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from likeness.batch.journal import Journal, Task
from likeness.cli import main
from likeness.cli.batch_results import read_batch
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file name is Unicode")

LATIN = os.fsdecode(b"caf\xe9.png")
BROKEN = os.fsdecode(b"broken\xff\xfe.jpg")


@pytest.fixture
def inbox(tmp_path: Path, astronaut: Image) -> Path:
    folder = tmp_path / "in" / os.fsdecode(b"\xe4lter")
    folder.mkdir(parents=True)
    (folder / LATIN).write_bytes(encode_image(astronaut, "PNG"))
    (folder / BROKEN).write_bytes(b"\xff\xd8\xff")
    (tmp_path / "in" / "plain.png").write_bytes(encode_image(astronaut, "PNG"))
    return tmp_path / "in"


def test_a_batch_does_them_all(
    inbox: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["batch", str(inbox), str(out), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    assert main(command) == 1, "the broken one"
    said = capsys.readouterr().err
    assert "2 delivered, 1 failed" in said
    assert "bug" not in said
    finished = out / "final" / os.fsdecode(b"\xe4lter") / LATIN
    assert read_image(finished).size.width == 256
    # The journal gives back the very names.
    with Journal(out / "journal.sqlite") as journal:
        items = {item.target: item for item in journal.items()}
        name = f"{os.fsdecode(bytes([0xE4]))}lter/{LATIN}"
        assert items[name].source == str(inbox / name)
        assert journal.get(name) == items[name]
        assert list(journal.items(source=str(inbox / name))) == [items[name]]
        assert (
            os.fsdecode(b"broken\xff\xfe.jpg") in next(item for item in items.values() if item.state == "failed").reason
        )
    assert main(command) == 1
    assert "0 new, 3 known" in capsys.readouterr().err, "also what their files hold is remembered"
    # What is written for others is UTF-8, and says the name all the same.
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert str(inbox / name) in [picture["source"] for picture in summary["pictures"]], "reversible"
    rows = list(csv.DictReader((out / "summary.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert any(row["source"].endswith("caf\\udce9.png") for row in rows)
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "href='final/%E4lter/caf%E9.png'" in page, "a link to the file's own bytes"
    pairs = read_batch(out / "journal.sqlite", inbox, out).pairs
    assert finished in [pair.after for pair in pairs]


def test_restore_and_check(inbox: Path, tmp_path: Path, tiny_model: Path) -> None:
    """As programs: a terminal's encoding is strict on standard output."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}

    def likeness(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "likeness", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True)

    checked = likeness("check", inbox, "--json", tmp_path / "check.json")
    assert checked.returncode == 1, checked.stderr
    assert b"bug" not in checked.stderr
    assert b"3 pictures: 2 fine" in checked.stdout
    names = [picture["input"] for picture in json.loads((tmp_path / "check.json").read_text())["pictures"]]
    assert str(next(inbox.rglob("caf*"))) in names
    flags = ("--model", tiny_model, "--threads", "1", "--report", tmp_path / "report.json", "--compare")
    restored = likeness("restore", inbox, "-o", tmp_path / "out", *flags)
    assert restored.returncode == 1, restored.stderr
    assert b"bug" not in restored.stderr
    assert len(list((tmp_path / "out").rglob(LATIN))) == 1
    assert len(json.loads((tmp_path / "report.json").read_text())["pictures"]) == 3


def test_any_text_comes_back_from_a_journal(tmp_path: Path) -> None:
    names = ["plain", "\udce9", "\ud800\udfff", "é", "a\udc80/b\udcff", "\U0001f600", "x\x85"]
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put(
            Task(
                target=name,
                source=name,
                content="c",
                model=name,
                options={"damage_mask": name},
                client=name,
                email=name,
            )
            for name in names
        )
        assert journal.put([]).added == 0
        for name in names:
            item = journal.get(name)
            assert item is not None
            assert {item.target, item.source, item.model, item.client, item.email, item.options["damage_mask"]} == {
                name
            }
            claimed = journal.claim()
            assert claimed is not None
            assert journal.finish(claimed, "review", reason=name, outcome={name: name})
        assert [(item.reason, item.outcome) for item in journal.items()] == [(name, {name: name}) for name in names]
        journal.remember_content([(name, name, "d") for name in names])
        assert all(journal.known_content(name, name) == "d" for name in names)
