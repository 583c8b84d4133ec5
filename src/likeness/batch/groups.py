"""A batch's queue is two groups of its journal: pictures, and videos, which take hours and are worked on one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from likeness.batch.journal import Item, Journal, State

__all__ = ["PICTURES", "VIDEOS", "counts_of", "items_of"]

PICTURES, VIDEOS = "", "videos"


def items_of(journal: Journal, states: Sequence[State] | None = None) -> Iterator[Item]:
    """Everything in a batch's journal, pictures first."""
    for group in (PICTURES, VIDEOS):
        yield from journal.items(group=group, states=states)


def counts_of(journal: Journal) -> Counter[State]:
    """How much of it is in which state."""
    counts: Counter[State] = Counter()
    for group in (PICTURES, VIDEOS):
        counts.update(journal.counts(group=group))
    return counts
