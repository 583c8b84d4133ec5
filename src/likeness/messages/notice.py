"""A sentence that knows its code and its values, so that it can be said in another language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

__all__ = ["LANGUAGES", "Language", "Notice", "Value", "catalogue", "notice_of", "reason_of", "sentence"]

Language: TypeAlias = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

Value: TypeAlias = "str | int | float | Notice | Sequence[Notice]"
"""What a sentence may hold: numbers are written as the catalogue says, notices are said in the language of the whole."""

_UNCODED = "said"
"""The code of a sentence that has none of its own: it is said as it is, in every language."""


class Notice(str):
    """What is said to a person: the English sentence, its code and its values.

    It is a text like any other wherever a text is wanted, and never changes; `say` gives it in another language. Codes do
    not change their meaning.

    Args:
        code: a key of the catalogues.
        values: what stands in the places of the sentence that are in braces.

    Raises:
        KeyError: if there is no such code, or a value is missing.
    """

    code: str
    values: Mapping[str, Value]

    def __new__(cls, code: str, values: Mapping[str, Value] | None = None) -> Notice:
        values = dict(values or {})
        notice = super().__new__(cls, sentence(code, values))
        # `str` has no constructor to hand them to; from here on nobody can set them.
        vars(notice).update(code=code, values=values)
        return notice

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a notice never changes: {name}")

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]
        return self.code, self.values

    def __reduce__(self) -> tuple[Any, ...]:
        return Notice, (self.code, self.values)

    @property
    def coded(self) -> bool:
        """Whether it has a code of its own, and with it a sentence in every language."""
        return self.code != _UNCODED

    def say(self, language: Language, audience: str = "") -> str:
        """The sentence in a language; ``audience`` as for `sentence`."""
        return sentence(self.code, self.values, language, audience)

    def to_dict(self) -> dict[str, Any]:
        """Code and values, ready for JSON; numbers rounded to six digits after the point."""
        return {"code": self.code, "values": {name: _plain(value) for name, value in self.values.items()}}

    @staticmethod
    def of(text: str, record: Mapping[str, Any] | None = None) -> Notice:
        """A notice from a text: from one that is a notice already, or from what `to_dict` made and the sentence beside it.

        A record that is missing, or that this version has no sentence for, leaves the text as it is.
        """
        if isinstance(text, Notice):
            return text
        try:
            return _read(record) if record else Notice(_UNCODED, {"sentence": text})
        except (LookupError, TypeError, ValueError, AttributeError):
            return Notice(_UNCODED, {"sentence": text})


def notice_of(error: BaseException) -> Notice:
    """What an error says: the notice that it was raised with, or its text."""
    return error.args[0] if error.args and isinstance(error.args[0], Notice) else Notice.of(str(error))


def reason_of(error: BaseException) -> str:
    """What went wrong in the system's own words, without the number and the file's name that an OSError puts to them."""
    return str(getattr(error, "strerror", None) or error)


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Every sentence of a language by its code; ``code@audience`` where an audience is told in other words."""
    return json.loads(Path(__file__).with_name(f"{language}.json").read_text(encoding="utf-8"))


def sentence(code: str, values: Mapping[str, Value], language: Language = "en", audience: str = "") -> str:
    """A sentence of the catalogue with its values.

    Args:
        code: which.
        values: what stands in its places. A sequence of notices is written one after the other, with what stands after
            the colon of its place between them.
        language: of the sentence, and of notices among the values.
        audience: "page", or "" for all; where the catalogue has no words of their own for it, those for all.

    Raises:
        KeyError: if there is no such code, or a value is missing.
    """
    known = catalogue(language)
    text = known.get(f"{code}@{audience}") if audience else None
    formatted = {name: _Formatted(value, language, audience) for name, value in values.items()}
    return (known[code] if text is None else text).format_map(formatted)


class _Formatted:
    """A value as `str.format_map` writes it."""

    def __init__(self, value: Value, language: Language, audience: str) -> None:
        self._value = value
        self._language: Language = language
        self._audience = audience

    def __format__(self, spec: str) -> str:
        value = self._value
        if isinstance(value, Notice):
            return value.say(self._language, self._audience)
        if isinstance(value, (list, tuple)):
            return spec.join(item.say(self._language, self._audience) for item in cast("Sequence[Notice]", value))
        return format(value, spec)


def _plain(value: Value) -> Any:
    if isinstance(value, Notice):
        return value.to_dict()
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return [item.to_dict() for item in cast("Sequence[Notice]", value)]
    return value if isinstance(value, int) else round(float(cast("float", value)), 6)


def _read(record: Mapping[str, Any]) -> Notice:
    values: dict[str, Value] = {}
    for name, value in cast("dict[str, Any]", record["values"]).items():
        if isinstance(value, list):
            values[name] = [_read(item) for item in cast("list[Any]", value)]
        else:
            values[name] = _read(cast("Any", value)) if isinstance(value, dict) else value
    return Notice(record["code"], values)
