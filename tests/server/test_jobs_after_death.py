"""What jobs do after their server died in the middle of them, and with a journal that somebody changed."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from running import Running, served

import likeness.server.jobs.work as work_module
from likeness.batch.journal import Journal
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings


def _settings(data: Path) -> ServerSettings:
    return ServerSettings(port=0, data=data, workers=2)


def _job(running: Running, portrait: bytes, count: int) -> str:
    with running.http() as client:
        files = [("files", (f"{number}.jpg", portrait)) for number in range(count)]
        job = client.post("/v1/jobs", files=files).json()["id"]
        for _ in range(1500):
            if client.get(f"/v1/jobs/{job}").json()["counts"]["final"] == count:
                return str(job)
            time.sleep(0.02)
    raise AssertionError("it does not end")


def _change(data: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(data / "journal.sqlite")
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_what_was_in_work_is_restored_alone_and_then_the_others_go_on(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(_settings(tmp_path), tiny_restorer) as running:
        jobs = [_job(running, portrait, 3) for _ in range(2)]
    # As a server leaves them that was killed while it restored one picture of each job.
    _change(tmp_path, "UPDATE item SET state = 'queued'")
    dead = f"{socket.gethostname()}-1-dead"
    _change(tmp_path, "UPDATE item SET state = 'running', owner = ?, deadline = 9e9 WHERE id IN (2, 4)", dead)

    inside: set[int] = set()
    beside: dict[int, set[int]] = {}
    lock = threading.Lock()
    restore = work_module.JobWork._restore  # pyright: ignore[reportPrivateUsage]

    def watched(self: Any, item: Any) -> None:
        with lock:
            inside.add(item.id)
            for number in inside:
                beside.setdefault(number, set()).update(inside - {number})
        time.sleep(0.05)
        restore(self, item)
        with lock:
            inside.discard(item.id)

    monkeypatch.setattr(work_module.JobWork, "_restore", watched)
    with served(_settings(tmp_path), tiny_restorer) as running, running.http() as client:
        for _ in range(1500):
            if all(client.get(f"/v1/jobs/{job}").json()["counts"]["final"] == 3 for job in jobs):
                break
            time.sleep(0.02)
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.counts()["final"] == 6
        assert not any(item.suspect for item in journal.items())
    assert beside[2] == beside[4] == set(), "nothing else was in work"
    assert any(beside[number] for number in (1, 3, 5, 6)), "the others go two at a time again"


@pytest.mark.parametrize(
    ("column", "value", "state"),
    [
        # In work it would be read and written there, over its time it would be removed.
        ("grp", "../../precious", "queued"),
        ("grp", "../../precious", "final"),
        ("source", "../../precious", "queued"),
        ("target", "../x.jpg", "queued"),
    ],
)
def test_a_tampered_journal_removes_and_writes_nothing_outside(
    tiny_restorer: Restorer,
    portrait: bytes,
    tmp_path: Path,
    column: str,
    value: str,
    state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, precious = tmp_path / "data", tmp_path / "precious"
    precious.mkdir()
    (precious / "0000").write_bytes(b"mine")
    with served(_settings(data), tiny_restorer) as running:
        job = _job(running, portrait, 1)
    _change(data, f"UPDATE item SET {column} = ?, state = ?, changed = 1, created = 1", value, state)
    before = sorted(path for path in tmp_path.rglob("*") if data not in path.parents)
    with caplog.at_level(logging.ERROR), served(_settings(data), tiny_restorer) as running, running.http() as client:
        time.sleep(0.3)
        answer = client.get(f"/v1/jobs/{job}")
        assert answer.status_code in (404, 500)
        assert str(data) not in answer.text, "where it lies is nobody's business"
        assert "bug" not in answer.text
    assert sorted(path for path in tmp_path.rglob("*") if data not in path.parents) == before
    assert (precious / "0000").read_bytes() == b"mine"
    with closing(sqlite3.connect(data / "journal.sqlite")) as connection:
        reasons = connection.execute("SELECT reason FROM item").fetchall()
    assert "damaged" in caplog.text + str(reasons)
