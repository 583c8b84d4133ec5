"""Work on several items at a time, results in order."""

import threading
from collections.abc import Iterator

import pytest

from likeness.core.parallel import map_in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(map_in_order(lambda n: n * n, range(40), workers=workers)) == [n * n for n in range(40)]


def test_two_items_are_worked_on_at_once() -> None:
    meeting = threading.Barrier(2, timeout=20)
    assert len(list(map_in_order(lambda _: meeting.wait(), range(2), workers=2))) == 2


def test_items_are_taken_only_when_there_is_room() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield len(taken)

    results = map_in_order(lambda n: n, endless(), workers=2, ahead=1)
    assert [next(results) for _ in range(4)] == [1, 2, 3, 4]
    assert len(taken) == 6
    results.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_is_raised_at_its_place_and_nothing_more_is_begun(workers: int) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("the second")
        return number

    results = map_in_order(work, range(100), workers=workers, ahead=0)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the second"):
        next(results)
    assert len(begun) < 10
    assert next(results, None) is None


def test_closing_waits_for_what_is_being_worked_on() -> None:
    started, finish, ended = threading.Event(), threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number == 1:
            started.set()
            finish.wait(20)
            ended.set()
        return number

    results = map_in_order(work, range(3), workers=2, ahead=0)
    assert next(results) == 0
    started.wait(20)
    threading.Timer(0.2, finish.set).start()
    results.close()
    assert ended.is_set()


def test_workers_must_be_at_least_one() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1"):
        next(map_in_order(lambda n: n, range(3), workers=0))
