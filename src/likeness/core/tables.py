"""Tables: CSV as people's programs write it, and written so that a spreadsheet computes nothing in it; TOML; JSON's keys."""

from __future__ import annotations

import csv
import io
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likeness.errors import ConfigError
from likeness.messages.notice import Notice, notice_of, reason_of

__all__ = ["CsvRow", "keys_once", "parse_toml", "read_csv", "read_toml", "write_csv"]

_log = logging.getLogger(__name__)

_LONGEST_KEY = 200
"""Characters of a key that a message repeats."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)

_FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""How a cell begins that a spreadsheet takes for a formula, also in the wide letters of Chinese and Japanese; and what was
marked as text before."""


@dataclass(frozen=True, kw_only=True)
class CsvRow:
    """A row: the number of its line in the file, and its cells by the column's title in lower case, stripped."""

    line: int
    cells: dict[str, str]


def read_csv(data: bytes, *, name: str) -> tuple[list[str], list[CsvRow]]:
    """Read a table: comma, semicolon or tab between columns, UTF-8 or, as Excel in China saves it, GB 18030.

    Args:
        data: the file.
        name: what messages call it.

    Returns:
        the titles in lower case, and the rows that hold anything.

    Raises:
        ConfigError: if the bytes are no such table, a title is there twice, or a row has more cells than there are titles.
    """
    text = _decoded(data, name)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[CsvRow] = []
    try:
        titles = [title.strip().lower() for title in next(reader, [])]
        for title in titles:
            if title and titles.count(title) > 1:
                raise ConfigError(Notice("table.twice", {"name": name, "title": title}))
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if len(cells) > len(titles):
                raise ConfigError(
                    Notice("table.too-many-cells", {"name": name, "line": line, "delimiter": repr(delimiter)})
                )
            found = {title: _as_written(cell.strip()) for title, cell in zip(titles, cells, strict=False) if title}
            if any(found.values()):
                rows.append(CsvRow(line=line, cells=found))
    except csv.Error as error:
        raise ConfigError(
            Notice("table.not-csv", {"name": name, "line": reader.line_num, "why": notice_of(error)})
        ) from error
    return titles, rows


def write_csv(titles: Sequence[str], rows: Iterable[Sequence[object]], *, end: str = "\r\n") -> str:
    """A table whose cells stay what they are: numbers numbers, and text text.

    Where a spreadsheet would compute (=, +, -, @, a tab or the end of a line in front) an apostrophe stands before the text,
    which `read_csv` takes away again. None is an empty cell.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end)
    writer.writerow(titles)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise ConfigError(Notice("table.encoding", {"name": name})) from error
    _log.warning("%s is not UTF-8 and was read as GB 18030; save it as CSV UTF-8 if names look wrong", name)
    return text


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a text in TOML 1.0 holds.

    Raises:
        ValueError: if it is no TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # the same library, for Python 3.10
        import tomli as tomllib

    return tomllib.loads(text)


def read_toml(path: Path, *, what: Notice) -> dict[str, Any]:
    """The table that a TOML file holds; ``what`` is what messages call the file.

    Raises:
        ConfigError: if it is missing or damaged.
    """
    try:
        # utf-8-sig: Windows editors put a byte order mark before the text.
        return parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            Notice("file.what-unread", {"path": str(path), "what": what, "why": reason_of(error)})
        ) from error
    except ValueError as error:  # the parser's error and UnicodeDecodeError are ValueErrors
        raise ConfigError(Notice("table.not-toml", {"path": str(path), "why": notice_of(error)})) from error


def keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON (`json.loads` calls it as ``object_pairs_hook``) in which a key may stand only once, as in TOML: one
    of the two would be lost.

    Raises:
        ValueError: if one stands there twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'"{key[:_LONGEST_KEY]}" stands there twice')
        found[key] = value
    return found
