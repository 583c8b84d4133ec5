"""`likeness serve` as a program: it is killed in the middle of a job, and none of its pictures is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from likeness.batch.journal import Journal

PICTURES = 20


@contextmanager
def program(data: Path, model: Path, log: Path) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A server in a process of its own, and its address."""
    command = [sys.executable, "-m", "likeness", "serve", "--port", "0", "--data", str(data), "--model", str(model)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--workers", "2", "--threads", "1"], stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url), log.read_text()
        yield process, url
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def wait_for(what: str, client: httpx.Client, job: str, least: int) -> dict[str, int]:
    for _ in range(2000):
        counts = client.get(f"/v1/jobs/{job}").json()["counts"]
        if counts["final"] >= least:
            return counts
        time.sleep(0.02)
    pytest.fail(f"{what}: {counts}")


@pytest.mark.long
def test_a_server_killed_in_the_middle_of_a_job_loses_nothing(
    tiny_model: Path, portrait: bytes, tmp_path: Path
) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    with program(data, tiny_model, log) as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        files = [("files", (f"{number}.jpg", portrait)) for number in range(PICTURES)]
        job = client.post("/v1/jobs", files=files).json()["id"]
        before = wait_for("the first half", client, job, 3)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert before["final"] < PICTURES, "it was too quick to be killed in the middle"
    with Journal(data / "journal.sqlite") as journal:
        done_before = {item.id: item.changed for item in journal.items(group=job, states=["final"])}
    with program(data, tiny_model, log) as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        wait_for("the second half", client, job, PICTURES)
        sizes = {len(client.get(f"/v1/jobs/{job}/pictures/{number}/result").content) for number in range(PICTURES)}
        assert len(sizes) == 1
        assert sizes != {0}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    with Journal(data / "journal.sqlite") as journal:
        again = {item.id: item.changed for item in journal.items(group=job) if item.id in done_before}
    # What was finished before was not done a second time.
    assert again == done_before
    assert data.stat().st_mode & 0o077 == 0
    assert log.read_text().splitlines()[-1] == "stopped"
