"""Inputs of nodes, made from the table of options, and what is set in them as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from likeness.errors import ControlError
from likeness.messages.notice import Notice
from likeness.restore.config import Settings
from likeness.restore.controls import PRESETS
from likeness.restore.kinds import Choice, Number, Option, Switch, Weights
from likeness.restore.options import OPTIONS, row_of

__all__ = ["Input", "input_of", "inputs_of", "region_inputs", "region_settings", "settings_of"]

Input: TypeAlias = tuple[Any, dict[str, Any]]
"""An input as ComfyUI has it: a type, or a list of choices, and what its widget has to know."""

_MOST_CHOICES = 40

_WHOLE_MOST, _MOST = 1_000_000_000, 100_000.0
"""Upper ends where an option has none."""


def inputs_of(keys: Sequence[str]) -> dict[str, Input]:
    """The inputs of some options by their keys."""
    return {key: input_of(row_of(key)) for key in keys}


def input_of(row: Option, *, choices: Sequence[str] = ()) -> Input:
    """The input of one option.

    A number that may be left unset is 0 then; one that may also be a word is a choice of the word and the numbers.

    Args:
        row: the option.
        choices: what a text may be, where only the machine knows.
    """
    kind = row.kind
    told = {"default": row.default, "tooltip": row.sentence}
    if isinstance(kind, Switch):
        return "BOOLEAN", told
    if isinstance(kind, Number):
        return _numeric(row, kind, told)
    if isinstance(kind, Choice):
        return list(kind.values), {**told, "default": row.default or kind.values[0]}
    words = [*choices] or list(PRESETS if row.key == "preset" else row.kind.schema().get("enum", ()))
    if words:
        return words, told
    return "STRING", {**told, "default": row.default or ""}


def _numeric(row: Option, kind: Number, told: dict[str, Any]) -> Input:
    if kind.words:
        steps = round(((kind.high or kind.low) - kind.low) / kind.step)
        if steps <= _MOST_CHOICES:
            numbers = [f"{kind.low + index * kind.step:g}" for index in range(steps + 1)]
            return [*kind.words, *numbers], {**told, "default": f"{told['default']:g}"}
    low: float = 0 if kind.off or told["default"] is None else kind.low
    default = told["default"] or low
    if kind.whole:
        high = _WHOLE_MOST if kind.high is None else int(kind.high)
        return "INT", {**told, "default": int(default), "min": int(low), "max": high, "step": 1}
    high = _MOST if kind.high is None else kind.high
    step = 1.0 if row.unit == "px" else kind.step
    return "FLOAT", {**told, "default": float(default), "min": float(low), "max": float(high), "step": step}


def settings_of(values: Mapping[str, Any]) -> Settings:
    """What is set in the inputs of `inputs_of`.

    Raises:
        ControlError: for a value that cannot be used; the sentence names the option.
    """
    return Settings({key: _read(row_of(key), value) for key, value in values.items()})


def _read(row: Option, value: Any) -> Any:
    kind = row.kind
    if isinstance(kind, Number):
        if isinstance(value, str) and value not in kind.words:
            try:
                value = float(value)
            except ValueError:
                raise ControlError(
                    Notice("comfyui.no-value", {"key": row.key, "wanted": kind.wanted, "value": value})
                ) from None
        if row.default is None and value == 0:
            return None
    if isinstance(kind, (Number, Choice)):
        row.check(value)
    return value


def region_inputs() -> dict[str, Input]:
    """One number for each region of the face."""
    row = _weights()
    kind, usual = row.kind, row.default.to_dict()
    assert isinstance(kind, Weights)
    told = {"min": kind.each.low, "max": kind.each.high, "step": kind.each.step}
    return {
        name: ("FLOAT", {"default": usual[name], **told, "tooltip": words.en}) for name, words in kind.regions.items()
    }


def region_settings(weights: Mapping[str, float]) -> Settings:
    """What is set in the inputs of `region_inputs`."""
    return Settings({_weights().key: dict(weights)})


def _weights() -> Option:
    return next(row for row in OPTIONS if isinstance(row.kind, Weights))
