"""What is in work for longer than a lease is taken by nobody else."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from likeness.batch import keeping
from likeness.batch.groups import VIDEOS
from likeness.batch.journal import Item, Journal, Task
from likeness.batch.runner import run, run_apart
from likeness.batch.videos import run_videos
from likeness.batch.work import Result


def task(name: str, group: str = "") -> Task:
    return Task(target=name, source=name, content=name, model="", group=group)


@pytest.mark.parametrize("way", ["threads", "apart", "video"])
def test_a_long_picture_stays_with_whoever_is_at_it(tmp_path: Path, way: str) -> None:
    with Journal(tmp_path / "journal.sqlite", lease=0.3) as journal, Journal(journal.path) as other:
        journal.put([task("large.jpg", VIDEOS if way == "video" else "")])
        taken: list[Item] = []

        def work(item: Item) -> Result:
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                taken.extend(filter(None, [other.claim()]))
                time.sleep(0.05)
            return Result(state="final", outcome={"name": item.target})

        class Videos:
            watched = False

            def work(self, item: Item, step: object) -> Result:
                del step  # such as while the finished video is put together
                return work(item)

        if way == "apart":
            suspect = journal.claim(watched=True)
            assert suspect is not None
            journal.release(suspect, counted=True)
        (done,) = {
            "threads": lambda: run(journal, work, workers=2),
            "apart": lambda: run_apart(journal, work),
            "video": lambda: run_videos(journal, Videos(), stop=threading.Event()),
        }[way]()
        assert done.counted
        assert taken == []
        assert next(journal.items()).attempts == 1 if way != "apart" else 2


def test_who_hangs_does_not_keep_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PATIENCE", 0.2)
    with Journal(tmp_path / "journal.sqlite", lease=0.1) as journal, Journal(journal.path) as other:
        journal.put([task("large.jpg")])
        item = journal.claim()
        assert item is not None
        with keeping.Keeping(journal) as kept:
            kept.keep(item)
            end = time.monotonic() + 10
            while (taken := other.claim()) is None:
                assert time.monotonic() < end
                time.sleep(0.02)
        assert taken.id == item.id
