"""What a run said of its pictures: the report of ``likeness restore``, the summary and the journal of ``likeness batch``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from likeness.errors import ConfigError
from likeness.messages.notice import Notice, notice_of, reason_of

__all__ = ["Record", "Report", "batch_record", "read_report"]

Record: TypeAlias = Mapping[str, Any]
"""What is said of one picture: ``input``, ``output``, ``preset`` ("" for controls that are no preset's), ``controls``,
``faces`` and ``repairs``, as in a report of ``likeness restore``."""


class Report:
    """What a run said, by picture.

    Args:
        records: of the pictures; those without an output are not looked at.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_output: dict[Path, Record] = {}
        self._by_input: dict[tuple[str, Path], Record] = {}
        for record in records:
            if not record.get("output"):
                continue
            written = Path(str(record["output"]))
            self._by_output[written.resolve()] = record
            self._by_input[written.name, Path(str(record.get("input") or "")).resolve()] = record

    def record(self, before: Path, after: Path) -> Record | None:
        """What it says of one picture; None if it does not name it. Results may have been moved since: then the picture
        before and the result's name say which it is."""
        found = self._by_output.get(after.resolve())
        return self._by_input.get((after.name, before.resolve())) if found is None else found


def batch_record(source: str, outcome: Mapping[str, Any], output: Path) -> Record:
    """What a batch's journal or summary says of one picture.

    Args:
        source: where the picture was.
        outcome: what the journal holds.
        output: the batch's output folder.
    """
    written = outcome.get("output")
    return {
        "input": source,
        "output": str(output / written) if written else None,
        "preset": outcome.get("preset", ""),
        "controls": outcome.get("controls") or {},
        "faces": outcome.get("faces") or (),
        "repairs": outcome.get("repairs"),
    }


def read_report(path: Path) -> Report:
    """Read a report of ``likeness restore --report``, or the ``summary.json`` of ``likeness batch``.

    Raises:
        ConfigError: if the file cannot be read, or is neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(Notice("report.unread", {"path": str(path), "why": reason_of(error)})) from error
    except ValueError as error:
        raise ConfigError(Notice("report.neither", {"path": str(path), "why": notice_of(error)})) from error
    pictures = cast("Any", content).get("pictures") if isinstance(content, dict) else None
    if not isinstance(pictures, list) or not all(_is_record(record) for record in cast("list[Any]", pictures)):
        raise ConfigError(Notice("report.no-pictures", {"path": str(path)}))
    run = {key: cast("Record", content).get(key) for key in ("preset", "controls")}
    records = cast("list[Record]", pictures)
    return Report(
        batch_record(str(record.get("source")), record["outcome"], path.parent)
        if "outcome" in record
        else {**run, **record}
        for record in records
    )


def _is_record(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(cast("Record", row).get("outcome", {}), dict)
