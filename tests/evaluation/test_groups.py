from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.evaluation.groups import by_group, read_groups
from likeness.evaluation.judge import Score
from likeness.evaluation.pairs import Failure
from likeness.evaluation.tables import Result, Table

TABLE = Path(__file__).resolve().parents[2] / "benchmarks" / "validation-groups.csv"


def score(psnr: float, identity: float) -> Score:
    names = ("ssim", "landmarks", "found", "skin", "hair", "eye", "plastic", "piqe")
    return Score(psnr=psnr, identity=identity, **dict.fromkeys(names, 1.0))


def test_figures_by_group() -> None:
    results = (
        Result(name="a.jpg", degraded=score(20, 0.2), restored=score(22, 0.1)),
        Result(name="b.jpg", degraded=score(20, 0.4), restored=score(23, 0.2)),
        Result(name="c.jpg", degraded=score(99, 0.0), restored=score(45, 0.1)),
    )
    groups = {"a.jpg": {"age": "old", "sex": "female"}, "b.jpg": {"age": "old", "sex": "male"}}
    figures = by_group([Table(recipe="mild", results=results)], groups)
    assert [(item.column, item.value, item.pictures) for item in figures] == [
        ("age", "old", 2),
        ("age", "unknown", 1),
        ("sex", "female", 1),
        ("sex", "male", 1),
        ("sex", "unknown", 1),
    ]
    old, unknown = figures[:2]
    assert (old.recipe, old.psnr_gain, old.identity_ratio) == ("mild", pytest.approx(2.5), pytest.approx(0.5))
    assert (old.identity_degraded, old.identity_restored) == (pytest.approx(0.3), pytest.approx(0.15))
    assert np.isnan(unknown.identity_ratio)
    assert np.isnan(unknown.psnr_gain)
    # A group whose every face failed is named, too.
    failures = (Failure(picture="b.jpg", reason="no numbers"),)
    left = by_group([Table(recipe="mild", results=results[:1], failures=failures)], groups)
    assert [(item.column, item.value, item.pictures, item.failed) for item in left] == [
        ("age", "old", 1, 1),
        ("sex", "female", 1, 0),
        ("sex", "male", 0, 1),
    ]
    assert np.isnan(left[2].identity_restored)
    with pytest.raises(ConfigError, match="lists none"):
        by_group([Table(recipe="mild", results=results)], {"z.jpg": {"age": "old"}})


def test_tables_of_groups_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_groups(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("name,age\na.jpg,old\n")
    with pytest.raises(ConfigError, match='needs a column "file"'):
        read_groups(tmp_path / "bad.csv")
    (tmp_path / "short.csv").write_text("file,age,sex\na.jpg,old\n")
    assert read_groups(tmp_path / "short.csv") == {"a.jpg": {"age": "old", "sex": "unknown"}}
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbffile;age\r\na.jpg;old\r\n")
    assert read_groups(tmp_path / "excel.csv") == {"a.jpg": {"age": "old"}}
    (tmp_path / "long.csv").write_text("file,age\na.jpg,old,\n")
    with pytest.raises(ConfigError, match="line 2: more cells than columns"):
        read_groups(tmp_path / "long.csv")


def test_the_validation_portraits_are_grouped(shared: Path) -> None:
    groups = read_groups(TABLE)
    with (shared / "portraits" / "portraits.csv").open(encoding="utf-8", newline="") as lines:
        names = {row["file"] for row in csv.DictReader(lines) if row["split"] == "val"}
    assert set(groups) == names
    values = {column: {row[column] for row in groups.values()} for column in ("age", "sex", "skin")}
    assert values == {"age": {"young", "middle", "old"}, "sex": {"female", "male"}, "skin": {"light", "medium", "dark"}}
