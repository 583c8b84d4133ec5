"""Two pictures at a time, told of in their order."""

import threading

import pytest

from likeness.cli.console import Console
from likeness.cli.ordered import reported_in_order


@pytest.mark.parametrize("processors", [1, 2])
def test_results_and_lines_come_in_the_order_of_the_items(
    processors: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    console, second = Console(), threading.Event()

    def work(number: int) -> int:
        if number == 0 and processors > 1:
            assert second.wait(20), "the second item is worked on beside the first"
        console.say(f"line {number}")
        second.set()
        return number * number

    assert list(reported_in_order(work, range(5), console, unit="item")) == [0, 1, 4, 9, 16]
    assert capsys.readouterr().err.split("\n") == [*(f"line {number}" for number in range(5)), ""]


def test_what_was_begun_is_told_when_the_work_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    console, late = Console(), list[int]()

    def work(number: int) -> int:
        console.say(f"line {number}")
        return number

    results = reported_in_order(work, range(100), console, unit="item", late=late.append)
    assert next(results) == 0
    results.close()
    told = capsys.readouterr().err.split()[1::2]
    assert told == [str(number) for number in range(len(told))], "each once, in order"
    assert late == list(range(1, len(told)))
    assert len(late) < 10, "nothing more was begun"


def test_nothing_to_do_is_no_error() -> None:
    assert list(reported_in_order(str, [], Console(), unit="item")) == []
