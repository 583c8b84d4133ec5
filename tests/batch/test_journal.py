from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from likeness.batch.journal import STATES, Item, Journal, PutCount, Task, Thumbnails
from likeness.errors import BatchError


def task(name: str = "a.jpg", *, content: str = "c", step: float = 0.1, group: str = "", client: str = "") -> Task:
    return Task(
        target=name,
        source=f"in/{name}",
        content=content,
        model="m",
        options={"latent_step_decay": step},
        group=group,
        client=client,
    )


def claimed(journal: Journal) -> Item:
    item = journal.claim()
    assert item is not None
    return item


def counts(**others: int) -> dict[str, int]:
    return {state: others.get(state, 0) for state in STATES}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "journal.sqlite"


def test_an_item_goes_through_its_states(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.put([task(client="Ann")]) == PutCount(added=1)
        item = claimed(journal)
        assert (item.state, item.attempts, item.client, item.options) == (
            "running",
            1,
            "Ann",
            {"latent_step_decay": 0.1},
        )
        assert journal.claim() is None
        outcome = {"output": "final/a.jpg", "faces": 1}
        assert journal.finish(item, "final", outcome=outcome, thumbnails=Thumbnails(before=b"b", after=b"a"))
        assert not journal.finish(item, "final"), "an item ends once"
        assert journal.counts() == counts(final=1)
        done = journal.get("a.jpg")
        assert done is not None
        assert (done.state, done.outcome) == ("final", outcome)
        assert journal.thumbnails(done) == Thumbnails(before=b"b", after=b"a")
    with Journal(path) as journal:
        assert journal.counts() == counts(final=1), "what was finished is on the disk"


def test_the_same_work_is_not_done_again_and_other_work_is(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task(), task("b.jpg")])
        while (item := journal.claim()) is not None:
            journal.finish(item, "final")
        assert journal.put([task(), task("b.jpg", step=0.04), task("c.jpg")]) == PutCount(added=1, changed=1, kept=1)
        assert {item.target for item in journal.items(states=["queued"])} == {"b.jpg", "c.jpg"}
        assert journal.put([task(content="other")]) == PutCount(changed=1), "another picture under the same name"


def test_the_key_is_content_options_and_model() -> None:
    assert task("a.jpg").key == task("b.jpg", client="Bob").key
    assert len({task().key, task(content="d").key, task(step=0.2).key}) == 3


def test_a_failure_that_may_have_passed_is_tried_again(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task("full.jpg"), task("broken.jpg")])
        assert journal.fail(claimed(journal), "the disk is full", retry=True)
        assert journal.fail(claimed(journal), "cut short")
        assert journal.put([task("full.jpg"), task("broken.jpg")]) == PutCount(changed=1, kept=1)
        assert claimed(journal).target == "full.jpg"
        assert journal.claim() is None


def test_requeue_takes_only_what_has_ended(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task()])
        item = claimed(journal)
        assert not journal.requeue(item)
        journal.finish(item, "review", reason="colour")
        assert journal.requeue(item)
        assert claimed(journal).reason == ""


def test_options_changed_while_it_runs_begin_only_when_the_worker_is_done(path: Path) -> None:
    with Journal(path) as one, Journal(path) as other:
        one.put([task()])
        item = claimed(one)
        assert other.put([task(step=0.05)]) == PutCount(changed=1)
        assert other.claim() is None, "a worker is still writing this file"
        assert not one.renew(item)
        assert not one.finish(item, "final"), "this is no longer what is wanted"
        assert claimed(other).options == {"latent_step_decay": 0.05}


def test_what_is_wanted_otherwise_stays_with_its_worker_too(path: Path) -> None:
    with Journal(path, lease=0.2) as one, Journal(path) as other:
        one.put([task()])
        item = claimed(one)
        other.put([task(step=0.05)])
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            assert not one.renew(item)
            assert other.claim() is None, "a worker is still writing this file"
            time.sleep(0.02)


def test_a_lease_that_ran_out_is_claimed_by_another(path: Path) -> None:
    with Journal(path, lease=0.01) as slow, Journal(path) as quick:
        slow.put([task()])
        item = claimed(slow)
        while (taken := quick.claim()) is None:
            time.sleep(0.005)
        assert taken.id == item.id
        assert not slow.renew(item)
        assert not slow.finish(item, "final")
        assert quick.finish(taken, "final")


def test_a_death_counts_of_what_was_renewed_before(path: Path) -> None:
    """A server renews what it begins; a picture that ends it would be begun again for ever."""
    with Journal(path, lease=1e-6) as journal:
        journal.put([task()])
        for _ in range(3):
            assert journal.counts()["failed"] == 0
            assert journal.renew(claimed(journal))
            time.sleep(0.001)
        assert journal.claim() is None
        assert journal.counts() == counts(failed=1)


def test_what_is_renewed_is_not_taken(path: Path) -> None:
    with Journal(path) as one, Journal(path) as other:
        one.put([task()])
        item = claimed(one)
        assert one.renew(item)
        assert other.claim() is None


def test_an_item_that_never_comes_back_fails_in_the_end(path: Path) -> None:
    with Journal(path, lease=1e-6, max_attempts=2) as journal:
        journal.put([task()])
        for _ in range(2):
            claimed(journal)
            time.sleep(0.001)
        assert journal.claim() is None
        item = journal.get("a.jpg")
        assert item is not None
        assert item.state == "failed"
        assert "2 times" in item.reason


def test_closing_gives_back_what_was_claimed(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task()])
        claimed(journal)
    with Journal(path) as journal:
        assert claimed(journal).attempts == 1, "given back in good order"
    assert list(path.parent.iterdir()) == [path], "nothing is left beside the journal"


def test_groups_are_apart(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task(group="job-2"), task(group="job-1"), task("b.jpg", group="job-1")])
        assert journal.groups() == ("job-2", "job-1")
        item = journal.claim(group="job-1")
        assert item is not None
        assert item.group == "job-1"
        assert journal.counts(group="job-1") == counts(queued=1, running=1)
        assert [item.target for item in journal.items(group="job-1")] == ["a.jpg", "b.jpg"]
        assert journal.remove("job-1") == 2
        assert not journal.finish(item, "final")
        assert journal.groups() == ("job-2",)


@pytest.mark.parametrize("group", [None, "job"])
def test_a_long_queue_is_not_sorted_for_each_item(path: Path, group: str | None) -> None:
    steps: list[int] = []
    with Journal(path) as journal:
        for size in (500, 5000):
            journal.put(task(f"{size}-{number}.jpg", group="job") for number in range(size))
            database = journal._file._database
            counted = 0

            def step() -> None:
                nonlocal counted
                counted += 1

            database.set_progress_handler(step, 10)
            item = journal.claim(group=group)
            database.set_progress_handler(None, 0)
            assert item is not None
            assert item.target == f"500-{len(steps)}.jpg", "the oldest first"
            steps.append(counted)
    assert steps[1] <= steps[0] + 10, "ten times as long a queue, and as much work"


def test_a_journal_of_an_earlier_version_goes_on(path: Path) -> None:
    with Journal(path) as journal:
        journal.put([task(), task("b.jpg"), task("c.jpg", group="job")])
        journal.finish(claimed(journal), "final")
    connection = sqlite3.connect(path)
    connection.execute("DROP INDEX item_open")
    connection.close()
    with Journal(path) as one, Journal(path) as other:
        assert one.counts() == counts(final=1, queued=2)
        assert [claimed(one).target, claimed(other).target] == ["b.jpg", "c.jpg"]
        # An earlier version knows nothing of the index, and opens the file as before.
        assert one._file.rows("PRAGMA user_version")[0][0] == 1


def test_many_items_come_in_pages_in_order(path: Path) -> None:
    with Journal(path) as journal:
        journal.put(task(f"{number}.jpg") for number in range(1203))
        assert [item.target for item in journal.items()] == [f"{number}.jpg" for number in range(1203)]


def test_put_is_all_or_nothing(path: Path) -> None:
    def some() -> list[Task]:
        raise RuntimeError("the list broke off")

    with Journal(path) as journal:
        with pytest.raises(RuntimeError):
            journal.put(item for items in ([task()], some()) for item in items)
        assert journal.counts() == counts()


def test_contents_are_remembered_by_their_stamp(path: Path) -> None:
    with Journal(path) as journal:
        journal.remember_content([("in/a.jpg", "10:1", "d1")])
        assert journal.known_content("in/a.jpg", "10:1") == "d1"
        assert journal.known_content("in/a.jpg", "11:2") is None


def test_threads_share_a_journal(path: Path) -> None:
    done: list[str] = []
    with Journal(path) as journal:
        journal.put(task(f"{number}.jpg") for number in range(60))

        def work() -> None:
            while (item := journal.claim()) is not None:
                assert journal.finish(item, "final")
                done.append(item.target)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == sorted(f"{number}.jpg" for number in range(60))
        assert journal.counts() == counts(final=60)


_WORKER = """
import sys
from pathlib import Path
from likeness.batch.journal import Journal
with Journal(Path(sys.argv[1])) as journal, open(sys.argv[2], "a", buffering=1) as done:
    while (item := journal.claim()) is not None:
        assert journal.finish(item, "final")
        done.write(item.target + "\\n")
"""


def test_processes_killed_at_any_moment_lose_nothing_and_do_nothing_twice(path: Path, tmp_path: Path) -> None:
    total = 1500
    with Journal(path, max_attempts=50) as journal:
        journal.put(task(f"{number}.jpg") for number in range(total))
    log = tmp_path / "done.txt"
    chance = random.Random(6)
    kills = 0
    while True:
        workers = [
            subprocess.Popen([sys.executable, "-c", _WORKER, str(path), str(log)], stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        # Once they are at work, killed at a random moment; in the end they are left alone.
        before = log.read_text().count("\n") if log.exists() else 0
        while all(worker.poll() is None for worker in workers) and not (
            log.exists() and log.read_text().count("\n") > before
        ):
            time.sleep(0.002)
        if kills < 4:
            time.sleep(chance.uniform(0, 0.05))
            for worker in workers:
                os.kill(worker.pid, signal.SIGKILL)
            kills += 1
        errors = [worker.communicate()[1] for worker in workers]
        if all(worker.returncode == 0 for worker in workers):
            break
        assert not any(errors), errors
    finished = Counter(log.read_text().split())
    with Journal(path) as journal:
        assert journal.counts() == counts(final=total)
        assert kills == 4
        # A worker killed between journal and log has not written its line.
        assert max(finished.values()) == 1
        assert total - 2 * kills <= len(finished) <= total


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.sqlite"
    text.write_text("no database at all, but long enough to be looked at as one " * 20)
    with pytest.raises(BatchError, match="no journal"):
        Journal(text)
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(BatchError, match="no journal of this version"):
        Journal(other)
    with pytest.raises(BatchError, match="cannot be opened"):
        Journal(text / "journal.sqlite")


def test_processes_that_open_a_new_journal_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from likeness.batch.journal import Journal\n"
        "for number in range(60):\n"
        "    while time.time() < float(sys.argv[2]) + number * 0.03:\n"
        "        pass\n"
        "    with Journal(Path(sys.argv[1]) / f'{number}.sqlite') as journal:\n"
        "        assert sum(journal.counts().values()) == 0\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(time.time() + 2)]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
