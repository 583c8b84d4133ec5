"""What an option is: its name, the kind of its values, and where it can be given. The table is `likeness.restore.options`.

Nothing here loads NumPy, so that a command line can be read without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from likeness.core.numbers import in_figures, is_finite
from likeness.errors import ControlError
from likeness.messages.notice import Notice, Value

__all__ = [
    "Choice",
    "Effect",
    "Group",
    "Kind",
    "Number",
    "Option",
    "Surface",
    "Switch",
    "Text",
    "Weights",
    "Words",
    "option",
    "rows_of",
]

Surface: TypeAlias = Literal["flag", "file", "request"]
"""Where an option can be given: on the command line, in a configuration file, in a request to the server."""


Group: TypeAlias = Literal["framing", "controls", "repairs", "faces", "references", "enlarging", "files"]
"""The heading under which ``--help`` and the documents have an option."""

Effect: TypeAlias = Literal["face", "picture", "file", "run"]
"""What an option acts on: each face, the whole picture, the file that is written, or everything in a run."""


class Words(NamedTuple):
    """The same in English and in Chinese: a part of a sentence, without a capital and a full stop."""

    en: str
    zh: str


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of values: what they must be, in words and as a JSON schema, and how one is read."""

    wanted: str = ""
    """What a value must be, to follow "must be"."""

    span: str = ""
    """The range in figures, such as "0 to 2"; "" if there is none to tell."""

    def read(self, value: Any) -> Any:
        """A value out of TOML or JSON; None if it is of another kind. Ranges are checked by `refusal`."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """The JSON schema of values in a request."""
        raise NotImplementedError

    def refusal(self, value: object, name: str) -> Notice | None:
        """Why a value cannot be used, as a sentence about the option of this name; None if it can."""
        return None if self.read(value) is not None else _refused(name, Notice.of(self.wanted), repr(value))

    def shown(self) -> dict[str, Any]:
        """What the page must know to show it, ready for JSON."""
        return {"kind": type(self).__name__.lower()}


@dataclass(frozen=True, kw_only=True)
class Number(Kind):
    """A number from ``low`` to ``high`` (None: without end).

    Attributes:
        whole: whether it must be a whole number.
        off: whether 0 is taken as well, and turns it off.
        useful: the part of the range that is offered; what is outside is taken with a warning.
        alone: the value where a flag is given without one, or a file says true.
        words: what may be given instead of a number, such as "auto".
        step: of the page's slider.
        millions: whether it may be typed as 200M, for 200,000,000.
    """

    low: float
    high: float | None = None
    whole: bool = False
    off: bool = False
    useful: tuple[float, float] | None = None
    alone: float | None = None
    words: tuple[str, ...] = ()
    step: float = 0.01
    millions: bool = False

    def __post_init__(self) -> None:
        number = Notice("wanted.any-whole" if self.whole else "wanted.any-number")
        if self.alone is not None and self.high is not None:
            number = Notice("wanted.number-or-switch", {"low": self.low, "high": self.high})
        object.__setattr__(self, "wanted", _or([json.dumps(word) for word in self.words], number))
        low, high = self.useful or (self.low, self.high)
        numbers = [] if high is None else [f"{low:g} to {high:g}"]
        object.__setattr__(self, "span", ", or ".join([*numbers, *self.words, *["0"] * self.off]))

    def read(self, value: Any) -> float | str | None:
        if isinstance(value, bool):
            return None if self.alone is None else self.alone * value
        if isinstance(value, str):
            return value if value in self.words else None
        if self.whole:
            return value if isinstance(value, int) else None
        # NaN and infinity are out of range, and are told as that.
        return float(value) if isinstance(value, float) or (isinstance(value, int) and is_finite(value)) else None

    def schema(self) -> dict[str, Any]:
        own: dict[str, Any] = {"type": "integer" if self.whole else "number", "minimum": self.low}
        own |= {} if self.high is None else {"maximum": self.high}
        others: list[dict[str, Any]] = [{"type": "integer", "const": 0}] if self.off else []
        others += [{"type": "string", "enum": list(self.words)}] if self.words else []
        return {"anyOf": [own, *others]} if others else own

    def refusal(self, value: object, name: str) -> Notice | None:
        if value in self.words or (self.off and value == 0 and not isinstance(value, bool)):
            return None
        ends: dict[str, Value] = {"low": self.low} if self.high is None else {"low": self.low, "high": self.high}
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            open_end = self.high is None
            if self.whole:
                wanted, given = Notice("wanted.whole" if open_end else "wanted.whole-between", ends), str(value)
            else:
                wanted, given = Notice("wanted.number" if open_end else "wanted.number-between", ends), _type(value)
        # Written so that NaN is refused as well.
        elif self.low <= value and (self.high is None or value <= self.high):
            return None
        else:
            wanted, given = self._range(ends), in_figures(value)
        return _refused(name, _or(self.words, wanted), given)

    def _range(self, ends: dict[str, Value]) -> Notice:
        if self.high is None:
            return Notice("wanted.least", ends)
        if self.useful is not None:
            low, high = self.useful
            return Notice("wanted.between-useful", {**ends, "useful_low": low, "useful_high": high})
        return Notice("wanted.between-off" if self.off else "wanted.between", ends)

    def shown(self) -> dict[str, Any]:
        low, high = self.useful or (self.low, self.high)
        digits = len(f"{self.step:g}".partition(".")[2])
        return {**super().shown(), "low": low, "high": high, "step": self.step, "digits": digits}


@dataclass(frozen=True, kw_only=True)
class Choice(Kind):
    """One of a few words or whole numbers."""

    values: tuple[str | int, ...]

    def __post_init__(self) -> None:
        *others, last = (json.dumps(value) for value in self.values)
        object.__setattr__(self, "wanted", _or(others, Notice("wanted.value", {"value": last})))
        object.__setattr__(self, "span", " or ".join(map(str, self.values)))

    def read(self, value: Any) -> str | int | None:
        return value if any(type(value) is type(known) and value == known for known in self.values) else None

    def schema(self) -> dict[str, Any]:
        return {"type": "string" if isinstance(self.values[0], str) else "integer", "enum": list(self.values)}

    def shown(self) -> dict[str, Any]:
        return {**super().shown(), "values": list(self.values)}


@dataclass(frozen=True, kw_only=True)
class Switch(Kind):
    """On or off."""

    wanted: str = field(default_factory=lambda: Notice("wanted.switch"))

    def read(self, value: Any) -> bool | None:
        return value if isinstance(value, bool) else None

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Text(Kind):
    """A text, whose meaning is checked by whoever uses it.

    Attributes:
        more: what the JSON schema says of it beside that.
        file: whether it names a file; in a configuration file relative to its folder.
        numbers: whether a file may hold a whole number or a list of them instead.
        several: whether it is a list of texts; one text stands for a list of one.
    """

    wanted: str = field(default_factory=lambda: Notice("wanted.text"))
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file: bool = False
    numbers: bool = False
    several: bool = False

    def read(self, value: Any) -> str | tuple[str, ...] | None:
        if self.several:
            texts = cast("list[object]", value) if isinstance(value, list) else [value]
            taken = [text for text in texts if isinstance(text, str) and text]
            return tuple(taken) if taken and len(taken) == len(texts) else None
        given = cast("list[object]", value) if isinstance(value, list) else [value]
        if self.numbers and given and all(type(number) is int for number in given):
            return ",".join(map(str, given))
        return value if isinstance(value, str) and value else None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", **self.more}


@dataclass(frozen=True, kw_only=True)
class Weights(Kind):
    """A number for each of some regions, which the page has words for; ``all`` sets every one.

    What is no region is refused by whoever takes the weights.
    """

    each: Number
    regions: Mapping[str, Words]
    wanted: str = field(default_factory=lambda: Notice("wanted.weights"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", self.each.span)

    def read(self, value: Any) -> dict[str, float] | None:
        if not isinstance(value, dict):
            return None
        weights = {str(key): self.each.read(weight) for key, weight in cast("dict[object, object]", value).items()}
        return None if None in weights.values() else cast("dict[str, float]", weights)

    def schema(self) -> dict[str, Any]:
        properties = {name: self.each.schema() for name in ("all", *self.regions)}
        examples = [{"eye": 1.3, "hair": 0.5}]
        return {"type": "object", "properties": properties, "additionalProperties": False, "examples": examples}

    def shown(self) -> dict[str, Any]:
        regions = {name: words._asdict() for name, words in self.regions.items()}
        return {**self.each.shown(), **super().shown(), "regions": regions}


@dataclass(frozen=True, kw_only=True)
class Option:
    """A row of the table.

    Attributes:
        key: its name in files, lists and requests; the flag is ``--key`` with dashes unless ``flag`` says otherwise.
        kind: what values it takes.
        default: what holds where nothing is given; None where the picture or the machine decides (``unset`` says how).
        label: its name on the page.
        help: what it does.
        unit: of its figures.
        part: the part of `PictureOptions` that it belongs to ("picture": it is a field of it itself); "" if results do not
            depend on it through those. ``attribute`` is its name there, if that is another.
        group: under which heading ``--help`` and the documents have it.
        effect: whether it acts on each face, on the whole picture, on the file that is written, or is one for a whole run;
            a picture of a batch may have its own of all but the last.
        per_face: whether a face of a picture may have its own (`likeness.restore.face_controls`); ``short`` is its name
            where those are typed, if that is another than the key.
        given: see `Surface`.
        projects: whether another value needs the network again; the rest is arithmetic on what it returned.
        place: the section of the page that has its slider; "" for none.
        flag, metavar, aliases: on the command line; aliases are names known from other tools, which ``--help`` leaves out.
    """

    key: str = ""
    kind: Kind
    default: Any = None
    label: Words
    help: Words
    unit: str = ""
    unset: str = ""
    part: str = ""
    attribute: str = ""
    group: Group
    effect: Effect = "picture"
    per_face: bool = False
    short: str = ""
    given: tuple[Surface, ...] = ("flag", "file", "request")
    projects: bool = False
    place: str = ""
    flag: str = ""
    metavar: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def flag_name(self) -> str:
        return self.flag or f"--{self.key.replace('_', '-')}"

    @property
    def field_name(self) -> str:
        """Its name in the part that it belongs to."""
        return self.attribute or self.key

    @property
    def per_picture(self) -> bool:
        """Whether a picture of a list may have its own."""
        return "file" in self.given and self.effect != "run"

    def check(self, value: object) -> None:
        """Refuse a value that cannot be used.

        Raises:
            ControlError: the message begins with the key.
        """
        if (refusal := self.kind.refusal(value, self.key)) is not None:
            raise ControlError(refusal)

    @property
    def sentence(self) -> str:
        """What it does, as an English sentence."""
        return f"{self.help.en[:1].upper()}{self.help.en[1:]}{f', {self.unit}' if self.unit else ''}."

    @property
    def span(self) -> str:
        """The range in figures; "" if there is none that matters."""
        return "" if self.unit == "px" else self.kind.span

    @property
    def placeholder(self) -> str:
        """What stands for a value behind the flag: "X", or "[X]" where it may be left out; "" where there is none."""
        kind = self.kind
        if isinstance(kind, Choice):
            return "|".join(map(str, kind.values))
        if isinstance(kind, Number):
            return self.metavar or self.unit.upper() or ("N" if kind.whole else "X" if kind.alone is None else "[X]")
        return self.metavar or ("REGION=X" if isinstance(kind, Weights) else "")

    @property
    def usual(self) -> str:
        """The default in words; "" where it goes without saying."""
        default = self.default
        if isinstance(default, str):
            return default
        if isinstance(self.kind, Switch) or not isinstance(default, (int, float)):
            return self.unset
        return f"{default / 1e6:g}M" if isinstance(self.kind, Number) and self.kind.millions else f"{default:g}"

    def shown(self) -> dict[str, Any]:
        """What the page must know of it, ready for JSON."""
        own = {"key": self.key, "part": self.part, "place": self.place, "projects": self.projects, "unit": self.unit}
        own |= {"per_face": self.per_face}
        words = {"label": self.label._asdict(), "help": self.help._asdict()}
        default = {} if isinstance(self.kind, Weights) else {"default": self.default}
        return {**own, **words, **default, **self.kind.shown()}


def _refused(name: str, wanted: Notice, value: str) -> Notice:
    return Notice("option.refused", {"name": name, "wanted": wanted, "value": value})


def _or(words: Sequence[str], wanted: Notice) -> Notice:
    """Any of some words, or something else."""
    for word in reversed(words):
        wanted = Notice("wanted.or", {"word": word, "wanted": wanted})
    return wanted


def _type(value: object) -> str:
    return type(value).__name__


def option(
    kind: Kind,
    *,
    default: object,
    label: Words,
    text: Words,
    part: str = "controls",
    group: Group = "controls",
    effect: Effect = "face",
    place: str = "controls",
    projects: bool = False,
    short: str = "",
    unit: str = "",
    given: tuple[Surface, ...] = ("flag", "file", "request"),
    flag: str = "",
    metavar: str = "",
    aliases: tuple[str, ...] = (),
) -> Any:
    """A dataclass's field that is a row of its own: its name is the key, ``text`` its help; the rest is as in `Option`.

    What is a control may differ from face to face.
    """
    row = Option(kind=kind, default=default, label=label, help=text, part=part, group=group, effect=effect, given=given)
    row = replace(row, place=place, projects=projects, unit=unit, flag=flag, metavar=metavar, aliases=aliases)
    row = replace(row, per_face=part == "controls", short=short)
    return field(default=default, metadata={"option": row})


@cache
def rows_of(cls: type) -> tuple[Option, ...]:
    """The rows among a dataclass's fields, in order."""
    return tuple(replace(item.metadata["option"], key=item.name) for item in fields(cls) if "option" in item.metadata)
