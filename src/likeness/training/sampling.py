"""How often each portrait is drawn: more often where the set has few of its kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.core.tables import CsvRow, read_csv
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of

__all__ = ["MOST", "epoch_order", "read_factors", "read_left_out"]

_log = logging.getLogger(__name__)

MOST = 100
"""The largest factor: beyond it a slip of the pen is likelier than a wish."""

_FACTORS = {str(factor): factor for factor in range(1, MOST + 1)}


def read_factors(path: Path, names: Sequence[str]) -> tuple[int, ...]:
    """How many times an epoch each of the portraits ``names`` is drawn: the factors that a table lists, 1 for all others.

    The table is a CSV with the columns "file" and "factor", a whole number from 1 to `MOST`. Files that are not among
    ``names`` are counted in a warning and left out: a table serves other selections of the portraits, and other folders.

    Raises:
        ConfigError: if it cannot be read, lacks a column, names a portrait twice or none, or holds another factor.
    """
    rows, columns = _table(path)
    if "file" not in columns or "factor" not in columns:
        raise ConfigError(Notice("training.no-factors", {"path": str(path)}))
    factors = dict.fromkeys(names, 1)
    listed: set[str] = set()
    for row in rows:
        line, name, factor = row.line, row.cells.get("file"), row.cells.get("factor")
        if not name:
            raise ConfigError(Notice("training.factor-no-name", {"path": str(path), "line": line}))
        if name in listed:
            raise ConfigError(Notice("training.factor-twice", {"path": str(path), "line": line, "name": name}))
        if factor not in _FACTORS:
            raise ConfigError(
                Notice(
                    "training.factor",
                    {"path": str(path), "line": line, "name": name, "most": MOST, "value": factor or ""},
                )
            )
        listed.add(name)
        if name in factors:
            factors[name] = _FACTORS[factor]
    strangers = len(listed - factors.keys())
    if strangers:
        _log.warning(
            "%d of the %d portraits listed in %s are not among those of this run", strangers, len(listed), path
        )
    return tuple(factors[name] for name in names)


def read_left_out(path: Path) -> frozenset[str]:
    """The portraits that a table, a CSV with the column "file", keeps from being drawn; its other columns are for people.

    Raises:
        ConfigError: if it cannot be read, or has no such column.
    """
    rows, columns = _table(path)
    if "file" not in columns:
        raise ConfigError(Notice("training.no-file-column", {"path": str(path)}))
    return frozenset(row.cells["file"] for row in rows if row.cells.get("file"))


def _table(path: Path) -> tuple[list[CsvRow], Sequence[str]]:
    """A CSV's rows, and its columns."""
    try:
        columns, rows = read_csv(path.read_bytes(), name=str(path))
    except OSError as error:
        raise ConfigError(Notice("training.table-unread", {"path": str(path), "why": reason_of(error)})) from error
    return rows, columns


def epoch_order(factors: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The indices of an epoch's portraits in the order in which they are drawn, ``i`` being drawn ``factors[i]`` times.

    A portrait with factor f comes once in each of f equal parts of the epoch, at a random place there, so that two draws of
    it are less than 2 / f epochs apart. With factors of 1 it is a plain permutation.
    """
    rng = np.random.default_rng((seed, epoch))
    drawn: list[NDArray[np.int64]] = []
    places: list[NDArray[np.float64]] = []
    for part in range(int(factors.max())):
        order = rng.permutation(len(factors))
        ranks = np.flatnonzero(factors[order] > part)
        drawn.append(order[ranks])
        places.append((part + ranks / len(factors)) / factors[order[ranks]])
    return np.concatenate(drawn)[np.argsort(np.concatenate(places), kind="stable")]
