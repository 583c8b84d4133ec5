"""What a request asks for: the fields of a form, with the names, ranges and sentences of the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from likeness.core.spelling import known_and_meant
from likeness.core.tables import keys_once
from likeness.errors import ArgumentError, ConfigError
from likeness.imaging.encode import FORMATS, FileFormat, find_format
from likeness.imaging.files import result_suffix
from likeness.messages.notice import Notice, notice_of
from likeness.restore.config import settings_from
from likeness.restore.kinds import Choice, Option, Switch, Words
from likeness.restore.options import OPTIONS
from likeness.restore.picture_options import PictureOptions, parts_of

__all__ = ["FIELDS", "RestoreRequest", "field_schema", "field_values", "fits", "read_json"]

_Schema = dict[str, Any]

_FORMATS = tuple(file_format.name.lower() for file_format in FORMATS)

_OWN = (
    Option(
        key="format",
        group="files",
        effect="file",
        kind=Choice(values=_FORMATS),
        label=Words("Format", "格式"),
        help=Words(
            "the result's format (the picture's own; HEIC becomes JPEG and GIF PNG)",
            "结果的格式（默认同原图，HEIC 变为 JPEG，GIF 变为 PNG）",
        ),
    ),
    Option(
        key="evidence",
        group="files",
        kind=Switch(),
        default=False,
        label=Words("Evidence", "依据"),
        help=Words(
            "measure each face before and after, for the report; takes time", "为报告测量每张人脸的前后变化，较慢"
        ),
    ),
)
"""Options of a request that neither files nor the command line have."""


def field_schema(row: Option) -> _Schema:
    """A form's field: what stands in the table, but for the defaults of controls, which a preset sets."""
    default = {} if row.default is None or row.part == "controls" else {"default": row.default}
    unset = f" ({row.unset})." if row.unset else "."
    return {**row.kind.schema(), **default, "description": f"{row.sentence[:-1]}{unset}"}


FIELDS: dict[str, _Schema] = {
    row.key: field_schema(row) for row in (*(row for row in OPTIONS if "request" in row.given), *_OWN)
}
"""Fields of a form that restores, by name: their JSON schema."""

_TEXTS = frozenset(name for name, schema in FIELDS.items() if schema.get("type") == "string")
_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    # 0.0 is a whole number in JSON.
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, (int, float)) and value == value // 1,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
}
_OURS = frozenset(row.key for row in _OWN)

_LONGEST = 1000
"""Characters of one field; the longest that has a meaning is an object of weights."""

_LONGER = {"face_controls": 50_000}
"""Of fields that hold something of each face."""

_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class RestoreRequest(PictureOptions):
    """How a picture is to be restored, and what is to be answered.

    Attributes:
        values: the fields as they were given, ready for JSON; `RestoreRequest.of` makes the same request of them again.
        preset: the controls' base.
        file_format: the result's; None goes by the picture.
        evidence: whether faces are measured before and after.
    """

    values: Mapping[str, Any]
    preset: str
    file_format: FileFormat | None
    evidence: bool

    @staticmethod
    def of(values: Mapping[str, Any]) -> RestoreRequest:
        """From values by field name, numbers as numbers and weights as a mapping.

        Raises:
            ConfigError: for an unknown field, or a value of the wrong kind.
            ControlError: for a value outside its range.
        """
        for name in values:
            if name not in FIELDS:
                # A name is a client's text: it is not repeated, only what it may have meant.
                raise ConfigError(Notice("form.unknown-field", known_and_meant(name[:40], FIELDS)))
        known = {name: _whole(value) for name, value in values.items() if name not in _OURS}
        settings = settings_from(known, name="the form", folder=Path())
        evidence = values.get("evidence", False)
        if not isinstance(evidence, bool):
            raise ConfigError(Notice("form.evidence"))
        try:
            request = RestoreRequest(
                **parts_of(settings),
                values=dict(values),
                preset=settings["preset"] or "standard",
                file_format=_format(values.get("format")),
                evidence=evidence,
            )
        except ArgumentError as error:  # a number without end
            raise ConfigError(Notice("form.refused", {"why": notice_of(error)})) from error
        # Configuration files take more (a list of faces, true for an amount): a form is what the document says.
        for name, value in values.items():
            if not fits(FIELDS[name], value):
                raise ConfigError(Notice("form.unusable", {"name": name, "meaning": FIELDS[name]["description"]}))
        return request

    def within(self, max_pixels: int) -> RestoreRequest:
        """The same, with no larger result than the server takes pictures: an enlarged one needs as much memory."""
        return replace(self, enlargement=replace(self.enlargement, max_output_pixels=max_pixels))

    def result_format(self, head: bytes) -> FileFormat:
        """What the result is written as: what was asked for, else as the picture is, by its first bytes."""
        return self.file_format or find_format(result_suffix(head))


def field_values(fields: Mapping[str, str], *, texts: Collection[str] = ()) -> dict[str, Any]:
    """Values from a form's text: numbers, true, false and objects are written as in JSON; ``texts`` names further fields
    that hold text.

    Raises:
        ConfigError: for a text of more characters than any value has.
    """
    values: dict[str, Any] = {}
    for name, text in fields.items():
        longest = _LONGER.get(name, _LONGEST)
        if len(text) > longest:
            raise ConfigError(Notice("form.long-field", {"longest": longest}))
        values[name] = text if name in _TEXTS or name in texts else _json(text)
    return values


def fits(schema: _Schema, value: Any) -> bool:
    """Whether a value is what a schema of `FIELDS` says."""
    if "anyOf" in schema:
        return any(fits(each, value) for each in schema["anyOf"])
    kind = schema["type"]
    if not _KINDS[kind](value):
        return False
    if kind == "object":
        return all((one := _property(schema, name)) is not None and fits(one, each) for name, each in value.items())
    if kind == "string" and not re.fullmatch(schema.get("pattern", r"(?s:.*)"), value):
        return False
    if kind in ("number", "integer") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    return value in schema.get("enum", (value,)) and value == schema.get("const", value)


def _property(schema: _Schema, name: str) -> _Schema | None:
    """The schema of what an object holds under a name; None if it may not hold it."""
    named: _Schema | None = schema.get("properties", {}).get(name)
    patterns: dict[str, _Schema] = schema.get("patternProperties", {})
    return named or next((one for pattern, one in patterns.items() if re.search(pattern, name)), None)


def _whole(value: Any) -> Any:
    """8.0 as 8: it is a whole number in JSON, and no setting is another one for it."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in cast("dict[str, Any]", value).items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _format(name: Any) -> FileFormat | None:
    if name is None:
        return None
    if name not in _FORMATS:
        raise ConfigError(Notice("form.format", {"known": ", ".join(_FORMATS)}))
    return find_format(name)


def read_json(text: str) -> Any:
    """A JSON value out of a form; NaN and infinity are none, and a number of many digits is infinity.

    Raises:
        ValueError: if the text is no JSON, nested too deeply, has a name twice in one object, or half a character (a lone
            surrogate, which no file and no answer can hold).
    """

    def refuse(_: str) -> Any:
        raise ValueError("JSON has no such number")

    def number(digits: str) -> int | float:
        # No setting is anywhere near this; as infinity it is out of every range.
        return int(digits) if len(digits) < _DIGITS else float(digits)

    try:
        value = json.loads(text, parse_constant=refuse, parse_int=number, object_pairs_hook=keys_once)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _json(text: str) -> Any:
    """A JSON value; text that is none stays text, and whoever reads the field says what it must be."""
    try:
        return read_json(text)
    except ValueError:
        return text
