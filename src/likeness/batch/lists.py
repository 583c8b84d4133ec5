"""CSV lists of pictures: one row a picture, with the client it belongs to and settings of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likeness.core.spelling import did_you_mean
from likeness.core.tables import read_csv
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, notice_of
from likeness.restore.config import Settings, settings_from
from likeness.restore.controls import RegionWeights
from likeness.restore.framing import Framing
from likeness.restore.kinds import Text
from likeness.restore.options import OPTIONS

__all__ = ["PER_PICTURE", "Row", "check_per_picture", "read_list"]

_log = logging.getLogger(__name__)

_FILE = ("file", "path", "picture", "image")
_CLIENT = ("client", "client_name", "name")
_EMAIL = ("email", "e-mail", "mail")

_LANGUAGE = "language"
"""Not for the work: ``likeness notify --clients`` reads it from the same list."""

PER_PICTURE = tuple(row.key for row in OPTIONS if row.per_picture)
"""Keys that a picture may have of its own: not the network and the machine, of which a run has one."""

_SEVERAL = {row.key for row in OPTIONS if isinstance(row.kind, Text) and row.kind.several}
"""Columns whose cells may hold several names."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture of a list.

    Attributes:
        file: as it is written there.
        line: number of its line, for messages.
        settings: its own.
        client, email: whose it is.
    """

    file: str
    line: int
    settings: Settings
    client: str = ""
    email: str = ""


def read_list(data: bytes, *, name: str) -> tuple[Row, ...]:
    """Read a list: comma, semicolon or tab between columns, UTF-8 or, as Excel in China saves it, GB 18030.

    The columns: ``file``; ``client`` and ``email`` if wanted; every key of `PER_PICTURE`, and regions of the face such as
    ``eye`` for their weights. An empty cell says nothing. Other columns are left out with a warning, except ``language``,
    in which ``likeness notify --clients`` writes.

    Args:
        data: the file.
        name: what messages call it.

    Raises:
        ConfigError: if it holds no column ``file``, no row, or a value that cannot be used; the message names the line.
    """
    titles, rows = read_csv(data, name=name)
    columns = _columns(titles, name)
    found: list[Row] = []
    for row in rows:
        values = {columns[title]: cell for title, cell in row.cells.items() if title in columns}
        if not any(values.values()):
            continue
        if not values.get("file"):
            raise ConfigError(Notice("list.no-file", {"name": name, "line": row.line}))
        found.append(_row(values, row.line, name))
    if not found:
        raise ConfigError(Notice("list.empty", {"name": name}))
    return tuple(found)


def check_per_picture(settings: Settings, name: str) -> None:
    """Check the settings of one picture; ``name`` is what messages call their source.

    Raises:
        ConfigError: for one that a run has one of, or a value outside its range.
    """
    for key in settings.values:
        _check_key(key, name)
    try:
        settings.controls()
        settings.repairs()
        Framing(**settings.part("framing"))
    except ValueError as error:
        raise ConfigError(Notice("file.named", {"file": name, "reason": notice_of(error)})) from error


def _check_key(key: str, name: str) -> None:
    if any(row.key == key and not row.per_picture for row in OPTIONS):
        raise ConfigError(Notice("list.whole-run", {"name": name, "key": key}))


def _columns(titles: list[str], name: str) -> dict[str, str]:
    """Which column holds what, by title."""
    regions = RegionWeights().to_dict()
    found: dict[str, str] = {}
    for title in titles:
        key = title.replace("-", "_")
        if title in _FILE:
            found[title] = "file"
        elif title in _CLIENT:
            found[title] = "client"
        elif title in _EMAIL:
            found[title] = "email"
        elif title == _LANGUAGE:
            continue
        elif key in PER_PICTURE or key in regions or key == "all":
            found[title] = key
        else:
            _check_key(key, f"{name}, column {title}")
            if title:
                hint = did_you_mean(title, [*PER_PICTURE, *regions, "file", "client", "email"])
                _log.warning("%s: the column %s is not used%s", name, title, hint)
    kinds = list(found.values())
    if "file" not in kinds:
        raise ConfigError(Notice("list.no-file-column", {"name": name}))
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ConfigError(Notice("list.twice", {"name": name, "title": kind}))
    return found


def _row(values: Mapping[str, str], number: int, name: str) -> Row:
    regions = {*RegionWeights().to_dict(), "all"}
    where = Notice("table.line", {"name": name, "line": number})
    weights = {key: _number(text, key, where) for key, text in values.items() if key in regions and text}
    others = {
        key: _names(text) if key in _SEVERAL else _value(text)
        for key, text in values.items()
        if text and key not in regions and key not in ("file", "client", "email")
    }
    if weights:
        own = others.get("face_mask_weights", {})
        others["face_mask_weights"] = {**own, **weights} if isinstance(own, dict) else own
    settings = settings_from(others, name=where, folder=Path())
    check_per_picture(settings, where)
    return Row(
        file=values["file"],
        line=number,
        settings=settings,
        client=values.get("client", ""),
        email=values.get("email", ""),
    )


def _names(text: str) -> Any:
    """One name or several: a JSON list, or with semicolons between them."""
    return _value(text) if text.startswith("[") else [name.strip() for name in text.split(";") if name.strip()]


def _number(text: str, key: str, where: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ConfigError(Notice("list.number", {"where": where, "key": key, "text": text})) from None


def _value(text: str) -> Any:
    """A cell as JSON has it: 0.7 is a number, true a truth, and what is neither stays text."""
    lowered = text.lower()
    if lowered in ("true", "yes", "on"):
        return True
    if lowered in ("false", "no", "off"):
        return False
    try:
        return json.loads(text)
    except ValueError:
        return text
