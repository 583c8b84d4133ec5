"""Full disks, failing disks and damaged bytes under the journal: a sentence each, and nothing that was done is lost."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from machine import connecting_to_a_full_disk

from likeness.batch.cache import ProjectionCache
from likeness.batch.journal import Item, Journal, Task, Thumbnails
from likeness.batch.options import WorkOptions
from likeness.batch.storage import Storage
from likeness.cli import main
from likeness.cli.batch_results import read_batch
from likeness.errors import BatchError, FileWriteError, JournalError
from likeness.imaging.files import write_image
from likeness.imaging.image import Image

NAMES = [f"{number:02d}.jpg" for number in range(12)]


def _tasks() -> list[Task]:
    options = WorkOptions().to_dict()
    return [Task(target=name, source=f"in/{name}", content="c", model="m", options=options) for name in NAMES]


def _work(path: Path, done: list[str]) -> None:
    """A run that writes down what it finished, as soon as the journal has said that it stands."""
    with Journal(path) as journal:
        journal.put(_tasks())
        while (item := journal.claim()) is not None:
            small = Thumbnails(before=bytes(5000), after=bytes(5000))
            if journal.finish(item, "final", outcome={"output": f"final/{item.target}"}, thumbnails=small):
                done.append(item.target)


def _is_kept(path: Path, done: list[str]) -> None:
    """What was said to be finished is, and the rest can be done."""
    with Journal(path) as journal:
        assert set(done) <= {item.target for item in journal.items(states=["final"])}
    again: list[str] = []
    _work(path, again)
    assert not set(done) & set(again), "done twice"
    with Journal(path) as journal:
        assert journal.counts() == {**dict.fromkeys(journal.counts(), 0), "final": len(NAMES)}
        assert journal._file.rows("PRAGMA integrity_check")[0][0] == "ok"  # pyright: ignore[reportPrivateUsage]


def test_a_disk_that_is_full_at_any_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences: set[str] = set()
    for pages in range(1, 60, 2):
        path = tmp_path / f"{pages}.sqlite"

        done: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", connecting_to_a_full_disk(pages))
            try:
                _work(path, done)
            except JournalError as error:
                sentences.add(str(error).replace(str(path), "PATH"))
        _is_kept(path, done)
    assert sentences == {
        "the journal PATH cannot be used: the disk is full; make room, and run the same command again: what was finished is "
        "kept"
    }


_LIMITED = """
import resource, sys, os
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
from test_journal_faults import _work
from likeness.errors import LikenessError
folder = Path(sys.argv[2])
for limit in range(0, 260_000, 6_500):
    # A child for each, as the limit cannot be taken back.
    if os.fork():
        assert os.wait()[1] == 0
        continue
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done, sentence = [], ""
    try:
        _work(folder / f"{limit}.sqlite", done)
    except LikenessError as error:
        sentence = str(error)
    os.write(1, (repr((limit, done, sentence)) + "\\n").encode())
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX's")
def test_a_disk_that_fails_at_any_size_of_its_files(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(Path(__file__).parent), str(tmp_path)], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    lines = [eval(line) for line in found.stdout.splitlines()]
    assert len(lines) == 40
    failed = [sentence for _, _, sentence in lines if sentence]
    assert len(failed) >= 20, "the limits came before the end"
    assert all("cannot be used: the dis" in sentence or "cannot be opened" in sentence for sentence in failed), failed
    for limit, done, _ in lines:
        _is_kept(tmp_path / f"{limit}.sqlite", done)


def test_damage_anywhere_is_told_as_damage(tmp_path: Path) -> None:
    whole = tmp_path / "whole.sqlite"
    _work(whole, [])
    with Journal(whole) as journal:
        journal.put([*_tasks(), Task(target="new.jpg", source="in/new.jpg", content="n", model="m")])
    data = whole.read_bytes()
    chance = random.Random(16)
    told = 0
    for number in range(250):
        path = tmp_path / "damaged.sqlite"
        for left in tmp_path.glob("damaged.sqlite*"):
            left.unlink()
        broken = bytearray(data)
        kind = chance.choice(("byte", "page", "zeros", "cut"))
        place = chance.randrange(len(broken) // 4096) * 4096
        if kind == "byte":
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        elif kind == "page":
            broken[place : place + 4096] = chance.randbytes(4096)
        elif kind == "zeros":
            broken[place : place + 512] = bytes(512)
        else:
            del broken[place:]
        path.write_bytes(broken)
        sentence = ""
        try:
            with Journal(path) as journal:
                for item in journal.items():
                    journal.thumbnails(item)
                    assert item.target in NAMES or item.target == "new.jpg" or ".." not in item.target.split("/")
                journal.counts()
                journal.put(_tasks())
                while (claimed := journal.claim()) is not None:
                    journal.finish(claimed, "final")
        except JournalError as error:
            sentence = str(error)
        except Exception as error:
            raise AssertionError(f"damage {number} ({kind})") from error
        if sentence:
            told += 1
            assert str(path) in sentence
            assert any(word in sentence for word in ("damaged", "no journal", "cannot be")), sentence
    assert told > 60, "most damage is seen"


@pytest.fixture
def journal_file(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "journal.sqlite"
    with Journal(path) as journal:
        journal.put(_tasks())
    return path


def _change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    "target",
    ["../../../evil.jpg", "/tmp/evil.jpg", "a/../../evil.jpg", "", ".", "..", "a//b.jpg", "./a.jpg", "a\0.jpg", b"\xff"],
)  # fmt: skip
def test_a_target_that_leads_out_of_the_output_is_refused(journal_file: Path, target: object) -> None:
    _change(journal_file, "UPDATE item SET target = ? WHERE id = 1", target)
    with Journal(journal_file) as journal:
        with pytest.raises(JournalError, match=r"is damaged \(item 1: .*put a copy of it from before in its place"):
            list(journal.items())
        with pytest.raises(JournalError, match="item 1"):
            journal.claim()
        assert journal.counts()["queued"] == len(NAMES), "nothing was begun"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("options", "{"),
        ("options", "[]"),
        ("options", '{"quality":1}'),
        ("outcome", "not JSON"),
        ("outcome", "7"),
        ("outcome", "[" * 100_000),
        ("state", "done"),
        ("content", "another"),
        ("source", b"\x80"),
        ("reason", b"\xff\xfe"),
        ("attempts", "many"),
        ("changed", "yesterday"),
        ("changed", float("inf")),
    ],
)
def test_a_row_that_was_changed_is_refused(journal_file: Path, column: str, value: object) -> None:
    _change(journal_file, f"UPDATE item SET {column} = ? WHERE id = 2", value)
    with Journal(journal_file) as journal, pytest.raises(JournalError, match="damaged"):
        list(journal.items())


def test_a_tampered_journal_writes_nothing_outside(
    tmp_path: Path, astronaut: Image, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox, out = tmp_path / "in", tmp_path / "deep" / "er" / "out"
    inbox.mkdir()
    write_image(astronaut, inbox / "a.png")
    command = ["batch", str(inbox), str(out), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    assert main(command) == 0
    before = sorted(tmp_path.rglob("*"))
    _change(out / "journal.sqlite", "UPDATE item SET target = '../../../evil.png', state = 'queued'")
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "journal.sqlite is damaged (item 1: its result's name '../../../evil.png' leads out of the output)" in said
    assert "bug" not in said
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(BatchError):
        read_batch(out / "journal.sqlite", inbox, out)


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "final/../../evil.jpg", "/evil.jpg", "final//evil.jpg", "final/a\0.jpg"]
)
def test_places_write_only_inside(tmp_path: Path, name: str) -> None:
    place = Storage(str(tmp_path / "out"))
    for act in (lambda: place.write(b"", name), lambda: place.remove(name)):
        with pytest.raises(FileWriteError, match="outside"):
            act()
    assert not list(tmp_path.iterdir())


def test_kept_projections_that_a_disk_changed_are_no_answers(tmp_path: Path) -> None:
    kept = ProjectionCache(tmp_path)
    answer = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    kept.put("ab12", answer)
    found = kept.get("ab12", answer.shape)
    assert found is not None
    np.testing.assert_array_equal(found, answer)
    (path,) = tmp_path.rglob("*.f32")
    data = path.read_bytes()
    chance = random.Random(1)
    for _ in range(50):
        broken = bytearray(data)
        broken[chance.randrange(4096, len(broken))] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        assert kept.get("ab12", answer.shape) is None
    path.write_bytes(data[:-40])
    assert kept.get("ab12", answer.shape) is None


def _fails(call: Callable[[int], None], number: int) -> Callable[[int], None]:
    """A system call that fails from its n-th use on."""
    count = 0

    def failing(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise OSError(28, os.strerror(28))
        call(descriptor)

    return failing


@pytest.mark.parametrize("number", range(1, 7))
def test_a_disk_that_is_full_under_the_results(
    number: int,
    tmp_path: Path,
    astronaut: Image,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        write_image(astronaut, inbox / name)
    command = ["batch", str(inbox), str(out), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    with monkeypatch.context() as patch:
        # Every file that is written whole waits for the disk with it, the summary's three as well.
        patch.setattr(os, "fsync", _fails(os.fsync, number))
        assert main(command) == 1
    said = capsys.readouterr().err
    assert "the disk is full; make room and try again" in said
    assert "bug" not in said
    assert not list(out.rglob("*.part")), "nothing half written"
    assert main(command) == 0
    assert sorted(path.name for path in (out / "final").iterdir()) == ["a.png", "b.png", "c.png"]
    assert json.loads((out / "summary.json").read_text())["summary"]["final"] == 3


def test_the_journals_disk_fails_in_the_middle_of_a_run(
    tmp_path: Path,
    astronaut: Image,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for number in range(4):
        write_image(astronaut, inbox / f"{number}.png")
    command = ["batch", str(inbox), str(out), "--model", str(tiny_model), "--threads", "1", "--no-guard"]
    finish = Journal.finish

    def full(self: Journal, item: Item, *given: object, **named: object) -> bool:
        if item.target == "2.png":
            # From here on, by SQLite itself.
            self._file._database.execute("PRAGMA max_page_count = 1")  # pyright: ignore[reportPrivateUsage]
            named["outcome"] = {"long": "x" * 100_000}
        return finish(self, item, *given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "finish", full)
        assert main([*command, "--workers", "1"]) == 1
    said = capsys.readouterr().err
    assert "the disk is full; make room, and run the same command again: what was finished is kept" in said
    assert "bug" not in said
    assert main(command) == 0
    with Journal(out / "journal.sqlite") as journal:
        assert {item.target: item.attempts for item in journal.items(states=["final"])}.keys() == {
            f"{number}.png" for number in range(4)
        }
