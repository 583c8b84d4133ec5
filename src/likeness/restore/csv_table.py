"""Reading CSV tables as people's programs write them."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import dataclass

from likeness.errors import ConfigError

__all__ = ["CsvRow", "read_csv"]

_log = logging.getLogger(__name__)


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
                raise ConfigError(f"{name} has two columns {title}; keep one")
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if len(cells) > len(titles):
                raise ConfigError(
                    f"{name}, line {line}: more cells than columns; put text with {delimiter!r} in quotes"
                )
            found = {title: cell.strip() for title, cell in zip(titles, cells, strict=False) if title}
            if any(found.values()):
                rows.append(CsvRow(line=line, cells=found))
    except csv.Error as error:
        raise ConfigError(f"{name}, line {reader.line_num}: this is no CSV table ({error})") from error
    return titles, rows


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is neither UTF-8 nor GB 18030; save it as CSV UTF-8") from error
    _log.warning("%s is not UTF-8 and was read as GB 18030; save it as CSV UTF-8 if names look wrong", name)
    return text
