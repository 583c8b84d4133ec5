from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from likeness.core.recent import Recent


def test_the_keys_that_were_asked_for_last_are_kept() -> None:
    kept: Recent[str, str] = Recent(2)
    made: list[str] = []

    def get(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key.upper())

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]  # a was asked for again before c came
    kept.forget("b")
    kept.forget("never there")
    assert get("a") == "A"
    assert get("b") == "B"
    assert made[-1] == "b"


def test_each_is_made_once_and_an_error_keeps_nothing() -> None:
    kept: Recent[int, int] = Recent(1)
    together, made = threading.Barrier(4), []

    def get(_: int) -> int:
        together.wait()
        return kept.get(1, lambda: made.append(1) or 7)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(get, range(4))) == [7] * 4
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        kept.get(2, lambda: 1 // 0)
    assert kept.get(1, lambda: 8) == 7


def test_what_is_kept_is_told_in_one_step() -> None:
    """Other threads may change it meanwhile: nothing of the keys' own is run, which lets them."""
    asked: list[str] = []

    class Key:
        def __hash__(self) -> int:
            asked.append("hash")
            return 1

    kept: Recent[Key, int] = Recent(2)
    assert kept.get(Key(), lambda: 1) == 1
    asked.clear()
    assert kept.values() == [1]
    assert asked == []
