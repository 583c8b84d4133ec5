"""Which picture a rater sees when, and which side stands where."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import permutations

__all__ = ["Showing", "schedule"]


@dataclass(frozen=True, kw_only=True)
class Showing:
    """One screen of a rater.

    Attributes:
        item: number of the picture.
        sides: number of the side at each position, from the left.
    """

    item: int
    sides: tuple[int, ...]


def schedule(seed: str, *, rater: int, items: int, sides: int) -> tuple[Showing, ...]:
    """A rater's trials in order.

    The pictures come in random order. The arrangements of the sides come in permuted blocks: each of the ``sides``!
    arrangements once in random order, then all of them again; so every side stands at every position equally often, but
    for the last, unfinished block, and no rater can guess the next one from the last.

    Args:
        seed: the session's secret.
        rater: number of the rater; everyone gets an order of their own.
        items, sides: how many there are.
    """
    chance = random.Random(f"{seed}/{rater}")
    order = list(range(items))
    chance.shuffle(order)
    arrangements: list[tuple[int, ...]] = []
    while len(arrangements) < items:
        block = list(permutations(range(sides)))
        chance.shuffle(block)
        arrangements += block
    return tuple(Showing(item=item, sides=arrangement) for item, arrangement in zip(order, arrangements, strict=False))
