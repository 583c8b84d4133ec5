"""Sending letters: each is written down before it is handed over and after, so that a killed run tells nobody twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from likeness.messages.notice import Language
from likeness.studio.notices.compose import compose
from likeness.studio.notices.ledger import Ledger
from likeness.studio.notices.letters import Letter, Trouble
from likeness.studio.notices.postman import Postman
from likeness.studio.notices.settings import MailSettings
from likeness.studio.notices.templates import LetterTemplate

__all__ = ["Fate", "LetterOutcome", "send_letters", "split_by_ledger"]

Fate: TypeAlias = Literal["sent", "refused", "deferred", "told before", "refused before", "in doubt"]


@dataclass(frozen=True, kw_only=True)
class LetterOutcome:
    """What became of a letter, or of that part of it that an earlier mail decides.

    Attributes:
        letter: with only the pictures concerned.
        fate: "sent"; "refused" by the server for good; "deferred": the next run tries again; "told before" and "refused
            before" by an earlier run, which is not repeated; "in doubt": an earlier run ended while it was handed over.
        detail: the server's words, or when it was told before.
    """

    letter: Letter
    fate: Fate
    detail: str = ""


def split_by_ledger(
    letter: Letter, ledger: Ledger, *, again: Collection[str] = ()
) -> tuple[Letter | None, tuple[LetterOutcome, ...]]:
    """What of a letter has not been told yet, and the rest by its fate.

    Args:
        letter: all that there is to tell.
        ledger: what was told.
        again: addresses that are told once more, whatever the ledger says.
    """
    if letter.email.casefold() in {address.casefold() for address in again}:
        return letter, ()
    new: list[Trouble] = []
    decided: dict[tuple[Fate, str], list[Trouble]] = {}
    for trouble in letter.troubles:
        entry = ledger.last(letter.email, trouble)
        if entry is None or entry.state == "deferred":
            new.append(trouble)
        else:
            detail = entry.detail if entry.state == "refused" else f"on {entry.changed[:10]}"
            decided.setdefault((_FATES[entry.state], detail), []).append(trouble)
    outcomes = tuple(
        LetterOutcome(letter=replace(letter, troubles=tuple(troubles)), fate=fate, detail=detail)
        for (fate, detail), troubles in decided.items()
    )
    return (replace(letter, troubles=tuple(new)) if new else None), outcomes


def send_letters(
    letters: Iterable[Letter],
    *,
    ledger: Ledger,
    postman: Postman,
    templates: Mapping[Language, LetterTemplate],
    settings: MailSettings,
    again: Collection[str] = (),
) -> Iterator[LetterOutcome]:
    """Send letters one by one; each is decided in the ledger before it is told of here.

    Raises:
        MailError: if nothing can be sent; what was sent before that is in the ledger.
    """
    for letter in letters:
        new, decided = split_by_ledger(letter, ledger, again=again)
        yield from decided
        if new is None:
            continue
        message = compose(new, templates[new.language], settings)
        message_id = ledger.begin(new, message)
        try:
            delivery = postman.deliver(message, new.email)
        except Exception as error:
            # Nothing was taken by the server then; only a killed process leaves a mail in doubt.
            ledger.end(message_id, "deferred", str(error))
            raise
        ledger.end(message_id, delivery.state, delivery.detail)
        yield LetterOutcome(letter=new, fate=delivery.state, detail=delivery.detail)


_FATES: Mapping[str, Fate] = {"sent": "told before", "refused": "refused before", "sending": "in doubt"}
