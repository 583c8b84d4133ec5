"""Several pictures at a time, told of in their order; what goes wrong with one does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from likeness.cli.console import Console
from likeness.core.parallel import map_in_order
from likeness.errors import LikenessError

__all__ = ["LARGE", "on_its_own", "reported_in_order"]

LARGE = 16_000_000
"""Pixels over which pictures should be worked on one at a time, for their memory's sake."""

_WORKERS = 2
"""Pictures at a time: while one is in a network, the other is read, drawn or written."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def on_its_own(console: Console, name: str, *, count: str = "") -> Generator[list[str]]:
    """Work on one picture of many: whatever goes wrong with it is told, and stops nothing else.

    Args:
        console: where it is told.
        name: the picture's.
        count: what the sentence begins with, such as "[3/500] ".

    Yields:
        A list that gets the sentence.
    """
    wrong: list[str] = []
    console.subject = name
    try:
        yield wrong
    except (LikenessError, OSError, MemoryError) as error:
        memory = isinstance(error, MemoryError)
        sentence = (
            "not enough memory for this picture; close other programs or make it smaller" if memory else str(error)
        )
        wrong.append(sentence if name in sentence else f"{name}: {sentence}")
        console.error(f"{count}{wrong[0]}")
    except Exception as error:
        # A bug of ours: it must be seen and counted, but not cost the studio the other 500 pictures.
        console.unexpected(error, subject=f"{count}{name}")
        wrong.append(f"{type(error).__name__}: {error}")
    finally:
        console.subject = ""


def reported_in_order(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    console: Console,
    *,
    unit: str,
    late: Callable[[_Result], object] | None = None,
) -> Generator[_Result]:
    """``work`` on every item, two at a time; its results, and all that it says, come in the order of the items.

    Args:
        work: called with one item in any thread. An exception is raised at the item's place, and nothing more is begun.
        items: what to work on.
        console: what the work says is held back until its turn; it shows a bar of the items told.
        unit: what the bar counts.
        late: called with what was finished after the work was broken off.

    Closing the generator, or an interrupt, waits for what is begun, and tells of it.
    """
    finished: dict[int, tuple[_Result, list[str]]] = {}

    def one(number: int) -> int:
        with console.held() as lines:
            result = work(items[number])
        finished[number] = result, lines
        return number

    def told(number: int) -> _Result:
        result, lines = finished.pop(number)
        console.release(lines)
        return result

    workers = max(1, min(_WORKERS, len(items), os.cpu_count() or 1))
    try:
        with (
            console.progress(items, unit=unit) as shown,
            closing(map_in_order(one, range(len(items)), workers=workers)) as numbers,
        ):
            for _, number in zip(shown, numbers, strict=False):
                yield told(number)
    finally:
        for number in sorted(finished):
            result = told(number)
            if late is not None:
                late(result)
