"""Figures by groups of persons: is the restorer as good for everybody?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from likeness.core.tables import read_csv
from likeness.errors import ConfigError
from likeness.evaluation.judge import EQUAL, Score
from likeness.evaluation.tables import Result, Table, identity_ratio
from likeness.messages.notice import Notice, reason_of

__all__ = ["GroupFigures", "Groups", "by_group", "read_groups"]

Groups: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each portrait's file name, its value in each column."""


@dataclass(frozen=True, kw_only=True)
class GroupFigures:
    """One recipe's figures over the portraits of one group.

    Attributes:
        recipe: the recipe.
        column, value: the group, such as "age" and "old".
        pictures: how many the figures are of; few mean much chance, and none no figures (NaN).
        failed: how many more could not be restored.
        psnr_gain: restored minus degraded, dB; NaN where the degraded pictures equal their originals.
        identity_degraded, identity_restored: mean identity distances to the original.
        identity_ratio: the second over the first; NaN where the input has no distance.
    """

    recipe: str
    column: str
    value: str
    pictures: int
    failed: int
    psnr_gain: float
    identity_degraded: float
    identity_restored: float
    identity_ratio: float


def read_groups(path: Path) -> Groups:
    """Read a CSV (`likeness.core.tables.read_csv`) with a column "file" and one column per grouping.

    Raises:
        ConfigError: if it cannot be read, lacks the column "file" or any other, or has a row with more cells than columns.
    """
    try:
        columns, rows = read_csv(path.read_bytes(), name=str(path))
    except OSError as error:
        raise ConfigError(Notice("evaluate.groups-unread", {"path": str(path), "why": reason_of(error)})) from error
    groupings = [column for column in columns if column and column != "file"]
    if not rows or "file" not in columns or not groupings:
        raise ConfigError(Notice("evaluate.no-groups", {"path": str(path)}))
    return {
        row.cells["file"]: {column: row.cells.get(column) or "unknown" for column in groupings}
        for row in rows
        if row.cells.get("file")
    }


def by_group(tables: Sequence[Table], groups: Groups) -> tuple[GroupFigures, ...]:
    """The figures of each recipe by column and value, in the order of the columns and then of the values' names.

    Portraits that the table of groups does not list count as "unknown".

    Raises:
        ConfigError: if it lists none of the portraits.
    """
    names = {name for table in tables for name in _names(table)}
    if not names & set(groups):
        raise ConfigError(Notice("evaluate.no-portrait-listed"))
    columns = tuple(dict.fromkeys(column for row in groups.values() for column in row))
    found: list[GroupFigures] = []
    for table in tables:
        for column in columns:
            members: dict[str, list[Result]] = {_value(groups, name, column): [] for name in _names(table)}
            for result in table.results:
                members[_value(groups, result.name, column)].append(result)
            failed = Counter(_value(groups, failure.picture, column) for failure in table.failures)
            for value, results in sorted(members.items()):
                degraded = Score.mean([result.degraded for result in results])
                restored = Score.mean([result.restored for result in results])
                found.append(
                    GroupFigures(
                        recipe=table.recipe,
                        column=column,
                        value=value,
                        pictures=len(results),
                        failed=failed[value],
                        psnr_gain=restored.psnr - degraded.psnr if degraded.psnr < EQUAL else float("nan"),
                        identity_degraded=degraded.identity,
                        identity_restored=restored.identity,
                        identity_ratio=identity_ratio(results),
                    )
                )
    return tuple(found)


def _names(table: Table) -> Iterator[str]:
    """Of the pictures with figures, and of those that failed."""
    yield from (result.name for result in table.results)
    yield from (failure.picture for failure in table.failures)


def _value(groups: Groups, name: str, column: str) -> str:
    return groups.get(name, {}).get(column, "unknown")
