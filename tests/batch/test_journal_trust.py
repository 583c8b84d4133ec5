"""What was in work when a process died, and gets on the next time."""

from __future__ import annotations

from pathlib import Path

from likeness.batch.journal import Item, Journal, Task


def claimed(journal: Journal) -> Item:
    item = journal.claim()
    assert item is not None
    return item


def task(name: str, strength: float = 1.0) -> Task:
    return Task(target=name, source=name, content="c", model="m", options={"strength": strength})


def test_what_gets_on_lets_others_in(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put([task("a.jpg"), task("b.jpg")])
        journal.release(claimed(journal), counted=True)
        item = claimed(journal)
        assert (item.target, item.suspect, journal.claim()) == ("a.jpg", True, None)
        assert journal.renew(item, trusted=True)
        assert claimed(journal).target == "b.jpg"
        journal.put([task("a.jpg", 0.5)])
        assert not journal.renew(item, trusted=True), "it is wanted otherwise"
