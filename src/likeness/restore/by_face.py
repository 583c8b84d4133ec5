"""Settings of single faces, as they are typed and as files and requests hold them: the kind of values of ``face_controls``.

Typed, they are the faces' numbers, a colon and what is different there: ``2:strength=0.5,step=0.04``, ``1,3:natural`` (a
preset's name) or ``2:grain`` (a switch, on), several with semicolons between them. Files hold a table by number:
``{"2": {"strength": 0.5, "latent_step_decay": 0.04}}``. Nothing here loads NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from likeness.core.spelling import known_and_meant
from likeness.errors import ControlError
from likeness.messages.notice import Notice, notice_of
from likeness.restore.controls import PRESETS, Controls, RegionWeights
from likeness.restore.kinds import Kind, Number, Option, Switch, Weights

__all__ = ["ByFace", "Changes"]

Changes: TypeAlias = "dict[str, Any]"
"""What a face has of its own, by the keys of the table of options; ``preset`` stands for all that one sets."""

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_SWITCHED = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class ByFace(Kind):
    """Settings of single faces, by the faces' numbers from 1 on.

    Attributes:
        rows: of the options that a face may have of its own.
    """

    rows: tuple[Option, ...]
    wanted: str = field(default_factory=lambda: Notice("wanted.by-face"))

    def read(self, value: Any) -> dict[str, Changes] | None:
        """From a table, what is typed, or a list of either; all of it checked.

        Raises:
            ControlError: for a face, a name or a value that cannot be used.
        """
        if isinstance(value, str):
            return self._typed(value)
        if isinstance(value, (list, tuple)):
            each = [self.read(one) for one in cast("Sequence[object]", value)]
            return None if None in each else self.joined(cast("list[dict[str, Changes]]", each))
        if not isinstance(value, Mapping):
            return None
        found: dict[str, Changes] = {}
        for number, changes in cast("Mapping[object, object]", value).items():
            if not _NUMBER.fullmatch(str(number)):
                raise ControlError(Notice("face-controls.number", {"number": str(number)}))
            found[str(number)] = self._of_one(str(number), changes)
        return found

    def joined(self, several: Sequence[Mapping[str, Changes]]) -> dict[str, Changes]:
        """Several tables laid over each other, the last uppermost; a preset takes the place of all that was below it."""
        found: dict[str, Changes] = {}
        for table in several:
            for number, changes in table.items():
                below = {} if "preset" in changes else found.get(number, {})
                found[number] = {**below, **changes}
                weights, own = below.get("face_mask_weights"), changes.get("face_mask_weights")
                if weights is not None and own is not None:
                    found[number]["face_mask_weights"] = {**({} if "all" in own else weights), **own}
        return found

    def schema(self) -> dict[str, Any]:
        one: dict[str, Any] = {
            "type": "object",
            "properties": {row.key: row.kind.schema() for row in self.rows},
            "additionalProperties": False,
        }
        if "preset" in one["properties"]:
            one["properties"]["preset"] = {"type": "string", "enum": list(PRESETS)}
        examples = [{"2": {"strength": 0.5, "face_mask_weights": {"eye": 1.3}}}]
        return {
            "type": "object",
            "patternProperties": {f"^{_NUMBER.pattern}$": one},
            "additionalProperties": False,
            "examples": examples,
        }

    def _of_one(self, number: str, changes: object) -> Changes:
        try:
            return self.checked(changes)
        except ControlError as error:
            raise ControlError(Notice("face-controls.face", {"number": number, "why": notice_of(error)})) from None

    def checked(self, changes: object) -> Changes:
        """One face's settings by key, from keys and values; numbers as the options have them.

        Raises:
            ControlError: for a name or a value that cannot be used.
        """
        if not isinstance(changes, Mapping):
            raise ControlError(Notice("face-controls.table"))
        found: Changes = {}
        for name, value in cast("Mapping[object, object]", changes).items():
            row = next((row for row in self.rows if row.key == name), None)
            if row is None:
                raise ControlError(self._unknown(str(name), [row.key for row in self.rows]))
            if isinstance(row.kind, Weights):
                found[row.key] = _weights(row, value)
            elif row.key == "preset":
                Controls.preset(cast("str", value))
                found[row.key] = value
            else:
                row.check(value)
                found[row.key] = row.kind.read(value)
        return found

    def _typed(self, text: str) -> dict[str, Changes]:
        """What is typed for one face or several."""
        parts = [part.strip() for part in text.split(";") if part.strip()]
        found: list[dict[str, Changes]] = []
        for part in parts:
            numbers, colon, rest = part.partition(":")
            items = [item.strip() for item in rest.split(",") if item.strip()]
            if not colon or not items:
                which = all(_NUMBER.fullmatch(number.strip()) for number in numbers.split(","))
                raise ControlError(
                    Notice("face-controls.which", {"text": numbers})
                    if which
                    else Notice("face-controls.typed", {"text": part})
                )
            changes: Changes = {}
            for item in items:
                self._take(item, changes)
            for number in numbers.split(","):
                if not _NUMBER.fullmatch(number.strip()):
                    raise ControlError(Notice("face-controls.number", {"number": number.strip()}))
                found.append({number.strip(): self._of_one(number.strip(), changes)})
        if not found:
            raise ControlError(Notice("face-controls.typed", {"text": text}))
        return self.joined(found)

    def _take(self, item: str, changes: Changes) -> None:
        """One setting, as it is typed."""
        name, equals, value = (part.strip() for part in item.partition("="))
        row = self._named(name)
        if not equals and name in PRESETS:
            changes["preset"] = name
        elif row is None:
            weights = next((row for row in self.rows if isinstance(row.kind, Weights)), None)
            if weights is None or name not in (*cast("Weights", weights.kind).regions, "all"):
                raise ControlError(self._unknown(name, self.names if equals else (*self.names, *PRESETS)))
            changes.setdefault(weights.key, {})[name] = _number(name, value)
        elif isinstance(row.kind, Switch):
            switched = _SWITCHED.get(value.lower()) if equals else True
            if switched is None:
                raise ControlError(Notice("option.refused", {"name": name, "wanted": row.kind.wanted, "value": value}))
            changes[row.key] = switched
        elif not equals:
            raise ControlError(Notice("face-controls.typed", {"text": item}))
        elif isinstance(row.kind, Number):
            number = _number(name, value)
            changes[row.key] = int(number) if row.kind.whole and number.is_integer() else number
        else:
            changes[row.key] = value

    def typed(self, number: str, changes: Changes) -> str:
        """One face's settings as they are typed."""
        items: list[str] = []
        for row in self.rows:
            value = changes.get(row.key)
            name = row.short or row.key
            if value is None:
                continue
            if isinstance(row.kind, Weights):
                items += [f"{region}={weight:g}" for region, weight in cast("dict[str, float]", value).items()]
            elif isinstance(row.kind, Switch):
                items.append(f"{name}={'on' if value else 'off'}")
            else:
                items.append(f"{name}={value if isinstance(value, str) else f'{value:g}'}")
        return f"{number}:{','.join(items)}"

    @property
    def names(self) -> tuple[str, ...]:
        """What settings are called where they are typed."""
        found: list[str] = []
        for row in self.rows:
            found += [*row.kind.regions, "all"] if isinstance(row.kind, Weights) else [row.short or row.key]
        return tuple(found)

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What may stand behind the colon where they are typed: names up to their "=", switches and presets."""
        switches = {row.short or row.key for row in self.rows if isinstance(row.kind, Switch)}
        return (*(name if name in switches else f"{name}=" for name in self.names), *PRESETS)

    def _named(self, name: str) -> Option | None:
        """The row that a typed name means: its short name, its key, or that of its flag; weights are typed by region."""
        plain = name.lstrip("-").replace("-", "_")
        rows = [row for row in self.rows if not isinstance(row.kind, Weights)]
        return next((row for row in rows if name == row.short or plain == row.key), None)

    def _unknown(self, name: str, known: Sequence[str]) -> Notice:
        return Notice("face-controls.unknown", {"name": name, **known_and_meant(name, known)})


def _weights(row: Option, value: object) -> dict[str, float]:
    weights = row.kind.read(value)
    if weights is None:
        raise ControlError(Notice("option.refused", {"name": row.key, "wanted": row.kind.wanted, "value": repr(value)}))
    RegionWeights.of(weights)
    return weights


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        wanted = Notice("wanted.any-number")
        raise ControlError(Notice("option.refused", {"name": name, "wanted": wanted, "value": f'"{text}"'})) from None
