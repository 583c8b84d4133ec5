"""``likeness batch`` from its command line, with a small real network, and killed at random moments."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from likeness.batch import summary_page, watch
from likeness.batch.journal import Item, Journal, State
from likeness.cli import batch_run, main
from likeness.errors import BatchError
from likeness.faces.findings import CODES
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image

Batch = Callable[..., int]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    """Eight portraits, each a little darker than the one before, in two folders."""
    folder = tmp_path_factory.mktemp("inbox")
    (folder / "more").mkdir()
    for number in range(8):
        pixels = astronaut.pixels * np.float32(1 - number / 100)
        name = f"more/{number}.png" if number % 2 else f"{number}.jpg"
        (folder / name).write_bytes(encode_image(Image(pixels=pixels), "PNG" if number % 2 else "JPEG"))
    return folder


def items(output: Path) -> list[Item]:
    with Journal(output / "journal.sqlite") as journal:
        return list(journal.items())


def results(output: Path) -> dict[str, bytes]:
    found = [path for folder in ("final", "review") for path in (output / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(output)): path.read_bytes() for path in found}


def test_a_run_and_its_summary(batch: Batch, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "=ann.jpg").write_bytes((inbox / "0.jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "small.png").write_bytes(encode_image(Image(pixels=np.zeros((9, 9, 3), np.float32)), "PNG"))
    (folder / "list.csv").write_text("file,client,email\n=ann.jpg,Ann <b>,ann@example.org\nbroken.jpg,,\nsmall.png,,\n")
    assert batch(folder / "list.csv", out, "--workers", 1) == 1
    said = capsys.readouterr().err
    assert "3 pictures, 3 new\n" in said
    assert "[1/3]" in said
    assert "1 face restored" in said
    assert "small.png was left alone: the picture is only " in said
    assert "broken.jpg" in said
    assert "1 delivered, 1 left alone (1 without a face), 1 failed; " in said
    assert f"next: likeness proof {folder}/list.csv {out}\n" in said
    assert "likeness notify" not in said, "nobody is to be written to"

    rows = list(csv.DictReader((out / "summary.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["state"] for row in rows] == ["final", "failed", "skipped"]
    assert rows[0]["client"] == "Ann <b>"
    assert rows[2]["findings"].split()[0] == "size-small"
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    counts = summary["summary"]
    assert (counts["pictures"], counts["final"], counts["failed"], counts["skipped"]) == (3, 1, 1, 1)
    assert summary["run"]["faces_through_the_network"] == 1
    assert summary["pictures"][0]["outcome"]["output"] == "final/=ann.jpg"
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "Ann &lt;b&gt;" in page
    assert page.count("data:image/jpeg;base64,") == 3
    assert "<script" not in page
    assert 'href="http' not in page

    # Again: everything is known. The broken file is sent again, whole: only that is done.
    assert batch(folder / "list.csv", out) == 1
    assert "0 new, 3 known" in capsys.readouterr().err
    (folder / "broken.jpg").write_bytes((inbox / "2.jpg").read_bytes())
    assert batch(folder / "list.csv", out) == 3
    assert "1 to be done again, as something changed, 2 known" in capsys.readouterr().err
    assert [item.attempts for item in items(out)] == [1, 1, 1]


def test_faces_counted_from_0_are_told_once(batch: Batch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.jpg").write_bytes(b"\xff\xd8\xff" + name.encode())
    assert batch(tmp_path / "in", tmp_path / "out", "--faces", "0,2") == 1
    said = capsys.readouterr().err
    assert said.count("taken as counted from 0, as there is a 0 among them; counted from 1 they are 1,3") == 1


def test_the_summary_counts_faces_from_1(batch: Batch, astronaut: Image, tmp_path: Path) -> None:
    soft = Image(pixels=gaussian_blur(astronaut.pixels, 5))
    (tmp_path / "soft.png").write_bytes(encode_image(soft, "PNG"))
    assert batch(tmp_path / "soft.png", tmp_path / "out") == 3
    page = (tmp_path / "out" / "summary.html").read_text(encoding="utf-8")
    assert "<b>Blurred</b>, face 1: " in page
    assert "<li>Blurred <b>1</b></li>" in page
    assert "<code>" not in page, "codes are for programs"
    assert "face 0" not in page


def test_every_finding_has_a_name_on_the_page() -> None:
    assert list(summary_page._FOUND) == list(CODES)


def test_exit_statuses_and_sentences(
    batch: Batch, tiny_model: Path, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for arguments, sentence in (
        ((inbox, inbox), "input and output"),
        ((tmp_path / "nowhere", out), "does not exist"),
        ((inbox, "s3://studio/out"), "--journal FILE"),
        ((inbox, out, "--workers", 0), "--workers must be at least 1"),
        ((inbox, out, "--refuse", "ugly"), 'no finding "ugly"'),
        ((inbox, out, "--preset", "pretty"), "unknown preset"),
        ((inbox, out, "--watch=-1"), "--watch must be over 0"),
        ((inbox, out, "--keep-projections", "much"), "no size"),
        ((inbox, out, "--picture-model", "ddcolour"), "no model or file ddcolour"),
        ((inbox, out, "--picture-model", "big-lama"), "likeness models fetch big-lama"),
    ):
        assert batch(*arguments) == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert error.count("\n") == 1
    assert not (out / "summary.html").exists()
    settings = tmp_path / "studio.toml"
    settings.write_text("size = 512\n")
    assert batch(inbox / "0.jpg", out, "--config", settings) == 2
    assert "the configuration says size = 512" in capsys.readouterr().err
    assert batch(inbox / "0.jpg", tmp_path / "restorer", "--picture-model", tiny_model) == 2
    assert "which is for faces: the model for whole pictures is one such as" in capsys.readouterr().err
    assert not results(tmp_path / "restorer")


def _start(inbox: Path, out: Path, model: Path, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "likeness",
            "batch",
            str(inbox),
            str(out),
            "--model",
            str(model),
            "--threads",
            "1",
            *flags,
        ],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def _wait(process: subprocess.Popen[str], journal: Path, enough: Callable[[Mapping[State, int]], bool]) -> None:
    """Until the journal is as wanted; the process must not end before."""
    while process.poll() is None:
        if journal.exists():
            with Journal(journal) as opened:
                if enough(dict(opened.counts())):
                    return
        time.sleep(0.01)
    raise AssertionError(process.communicate()[1])


@pytest.mark.long
def test_killed_at_any_moment_nothing_is_lost_or_done_twice(inbox: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    chance = random.Random(1)
    seen: dict[str, bytes] = {}
    finished: dict[str, float] = {}
    for least in (1, 3, 5):
        process = _start(inbox, out, tiny_model, "--workers", "2", "-q")
        _wait(process, out / "journal.sqlite", lambda counts, least=least: counts["final"] >= least)
        time.sleep(chance.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        for name, data in results(out).items():
            if ".part" not in name:
                assert read_image(data).size.width == 256, "no half file"
                assert seen.setdefault(name, data) == data, "what was finished is not written otherwise"
        for item in items(out):
            if item.state == "final":
                assert finished.setdefault(item.target, item.changed) == item.changed, f"{item.target} was done twice"
    before = len(finished)
    assert main(["batch", str(inbox), str(out), "--model", str(tiny_model), "--threads", "1"]) == 0
    done = items(out)
    assert len(done) == 8
    assert all(item.state == "final" for item in done)
    assert all(finished.get(item.target, item.changed) == item.changed for item in done), "done twice"
    assert before < 8, "the kills came before the end"
    after = results(out)
    assert {name.removeprefix("final/") for name in after} == {item.target for item in done}, "nothing else is left"
    assert all(after[name] == data for name, data in seen.items() if ".part" not in name)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["summary"]["final"] == 8
    assert summary["run"]["pictures"] == 8 - before


@pytest.mark.long
def test_a_hot_folder_until_sigterm(inbox: Path, tmp_path: Path, tiny_model: Path) -> None:
    hot, out = tmp_path / "hot", tmp_path / "out"
    hot.mkdir()
    data = (inbox / "0.jpg").read_bytes()
    process = _start(hot, out, tiny_model, "--watch", "0.1")
    growing = hot / "growing.jpg"
    with growing.open("wb") as stream:
        # Written slowly: it is not taken before it is whole and lies still.
        for begin in range(0, len(data), len(data) // 4 + 1):
            stream.write(data[begin : begin + len(data) // 4 + 1])
            stream.flush()
            time.sleep(0.3)
    _wait(process, out / "journal.sqlite", lambda counts: counts["final"] == 1)
    (hot / "second.jpg").write_bytes((inbox / "2.jpg").read_bytes())
    _wait(process, out / "journal.sqlite", lambda counts: counts["final"] == 2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "error" not in said
    assert sorted(results(out)) == ["final/growing.jpg", "final/second.jpg"]
    assert all(item.attempts == 1 for item in items(out))
    assert (out / "summary.html").exists()
    assert not (out / ".journal.sqlite.owners").exists()


def test_a_hot_folder_outlives_what_cannot_be_read(
    batch: Batch, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sidecar that is being written, and a folder that is away for a moment, hold up no other picture."""
    hot, out = tmp_path / "hot", tmp_path / "out"
    hot.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (hot / name).write_bytes((inbox / "0.jpg").read_bytes())
    (hot / "b.jpg.toml").write_text('preset = "film-')
    (hot / "c.jpg.toml").write_text('references = ["nowhere.jpg"]')
    monkeypatch.setattr(watch, "_STILL", 0.0)
    looks: list[int] = []
    found, wait = batch_run.find_sources, threading.Event.wait

    def find(*arguments: object, **named: object) -> object:
        looks.append(len(looks))
        if looks[-1] in (2, 3):
            raise BatchError("the folder hot cannot be read")
        if looks[-1] == 4:
            (hot / "b.jpg.toml").write_text('preset = "film-scan"')
            (hot / "c.jpg.toml").unlink()
        return found(*arguments, **named)  # type: ignore[arg-type]

    def waited(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout != 0.125:
            return wait(event, timeout)
        if len(looks) == 6:
            event.set()
        return event.is_set()

    monkeypatch.setattr(batch_run, "find_sources", find)
    monkeypatch.setattr(threading.Event, "wait", waited)
    assert batch(hot, out, "--watch", "0.125") == 0
    said = capsys.readouterr().err
    assert said.count("the folder hot cannot be read; looking again") == 1
    assert said.count("b.jpg.toml") == said.count("nowhere.jpg") == 1
    assert sorted(results(out)) == ["final/a.jpg", "final/b.jpg", "final/c.jpg"]


def test_pictures_in_the_hands_of_another_run_are_told(
    batch: Batch, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of a container that was killed: until their lease has run out nobody knows that it is no more."""
    out = tmp_path / "out"
    assert batch(inbox / "0.jpg", out) == 0
    with Journal(out / "journal.sqlite") as journal:
        (item,) = journal.items()
        journal.requeue(item)
        monkeypatch.setattr("socket.gethostname", lambda: "container-1")
        with Journal(out / "journal.sqlite") as other:
            assert other.claim() is not None
            monkeypatch.undo()
            capsys.readouterr()
            assert batch(inbox / "0.jpg", out) == 3
    said = capsys.readouterr().err
    assert "1 picture left to another run. If there is none any more" in said
    assert "again in 15 minutes" in said


def test_interrupted_what_is_begun_is_finished(inbox: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    process = _start(inbox, out, tiny_model, "--workers", "1")
    _wait(process, out / "journal.sqlite", lambda counts: counts["final"] >= 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    done = items(out)
    states = {item.state for item in done}
    assert states == {"final", "queued"}
    assert all(item.attempts == (item.state == "final") for item in done)
    assert "left. Run the same command again to go on" in said
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["run"]["interrupted"]


_SLOWLY = """
import sys, time
from likeness.batch.work import PictureWorker
from likeness.compute.cancellation import checkpoint
def work(*_):
    for _ in range(600):
        {step}
        time.sleep(0.1)
PictureWorker._work = work
from likeness.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes of a core each are Linux's")
@pytest.mark.parametrize(("flags", "step"), [((), "pass"), (("--threads", "1"), "checkpoint()")])
def test_interrupted_twice_it_ends_at_once(
    inbox: Path, tmp_path: Path, tiny_model: Path, flags: tuple[str, ...], step: str
) -> None:
    """Both in processes, which are ended, and in threads, which end at their next step."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", _SLOWLY.format(step=step), "batch", "--model", str(tiny_model), "--workers", "2"]
    with subprocess.Popen([*command, *flags, str(inbox), str(out)], stderr=subprocess.PIPE, text=True) as process:
        _wait(process, out / "journal.sqlite", lambda counts: counts["running"] >= 2)
        process.send_signal(signal.SIGINT)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert all((item.state, item.attempts, item.suspect) == ("queued", 0, False) for item in items(out))


def test_help_shows_examples_and_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "--help"]) == 0
    text = capsys.readouterr().out
    for wanted in ("likeness batch inbox/ out/ --watch", "130  interrupted", "--on-finding", "--preset"):
        assert wanted in text
