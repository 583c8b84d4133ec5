"""A hot folder: which files are given, and when again."""

from __future__ import annotations

import pytest

from likeness.batch import watch
from likeness.batch.sources import Source
from likeness.batch.watch import Settling


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    return now


def test_what_lies_still_is_given_once(clock: list[float]) -> None:
    settling, source = Settling(), Source(url="in/a.jpg", name="a.jpg", stamp="1")
    assert settling.ready([source]) == ()
    clock[0] = 2.0
    assert settling.ready([source]) == (source,)
    clock[0] = 100.0
    assert settling.ready([source]) == ()
    changed = Source(url="in/a.jpg", name="a.jpg", stamp="2")
    assert settling.ready([changed]) == ()
    clock[0] = 102.0
    assert settling.ready([changed]) == (changed,)


def test_what_may_work_by_now_is_given_again(clock: list[float]) -> None:
    settling, source = Settling(), Source(url="in/a.jpg", name="a.jpg", stamp="1")
    settling.ready([source])
    clock[0] = 2.0
    assert settling.ready([source]) == (source,)
    settling.take_back(source)
    assert settling.ready([source]) == (source,)
    settling.later("in/a.jpg")
    clock[0] = 301.0
    assert settling.ready([source]) == ()
    clock[0] = 302.0
    assert settling.ready([source]) == (source,)
    clock[0] = 900.0
    assert settling.ready([source]) == ()
    settling.later("in/a.jpg")
    assert settling.ready([]) == ()
    clock[0] = 2000.0
    assert settling.ready([source]) == (), "a new one, which has to lie still"
