"""What somebody may have meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from likeness.messages.notice import Notice

__all__ = ["did_you_mean", "known_and_meant", "nearest"]

_ALIKE = 0.7
"""`difflib.SequenceMatcher`'s ratio from which two words count as alike: two letters of seven may differ."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, whatever its case, with dashes or underscores; None if none is like it.

    >>> nearest("naturl", ["standard", "natural"])
    'natural'
    """
    import difflib  # here, as every start of the command line would pay for it

    by_plain = {_plain(name): name for name in known}
    found = difflib.get_close_matches(_plain(word), by_plain, n=1, cutoff=_ALIKE)
    return by_plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> Notice | Literal[""]:
    """The question to follow what is not known: ' (did you mean "natural"?)', or "" if no known word is like this one."""
    meant = nearest(word, known)
    return "" if meant is None else Notice("spelling.meant", {"word": meant})


def known_and_meant(word: str, known: Iterable[str]) -> dict[str, str | Notice]:
    """Two values of a sentence about a word that is not known: all words that are, and `did_you_mean`."""
    words = tuple(known)
    return {"known": ", ".join(words), "meant": did_you_mean(word, words)}


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("_", "-")
