"""How faces are numbered where people write them: from 1 on."""

from __future__ import annotations

import logging

__all__ = ["counted_from_1"]

_log = logging.getLogger(__name__)


def counted_from_1(text: str) -> str:
    """Numbers of faces that count from 0, as they did once and a 0 among them shows, counted from 1, which the log says; any
    other text as it is.

    >>> counted_from_1("0,2")
    '1,3'
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        return text
    if min(numbers) != 0:
        return text
    counted = ",".join(str(number + 1) for number in numbers)
    _log.warning(
        'the faces "%s" are taken as counted from 0, as there is a 0 among them; counted from 1 they are %s',
        text,
        counted,
    )
    return counted
