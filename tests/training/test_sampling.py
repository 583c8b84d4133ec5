from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError
from likeness.imaging.portraits import Portraits
from likeness.training.config import TrainConfig
from likeness.training.sampling import epoch_order, read_factors, read_left_out

_FACTORS = np.array([1, 2, 3, 4] * 30 + [1] * 80)


def test_an_epoch_draws_each_portrait_as_often_as_its_factor_says() -> None:
    for epoch in range(3):
        order = epoch_order(_FACTORS, seed=5, epoch=epoch)
        assert len(order) == _FACTORS.sum()
        assert np.array_equal(np.bincount(order), _FACTORS)


def test_draws_of_a_portrait_come_at_about_equal_intervals() -> None:
    order = np.concatenate([epoch_order(_FACTORS, seed=5, epoch=epoch) for epoch in range(8)])
    length = int(_FACTORS.sum())
    for portrait, factor in enumerate(_FACTORS):
        gaps = np.diff(np.flatnonzero(order == portrait))
        # Under 2 / factor epochs; the places of all draws together are only nearly even, hence a tenth more.
        assert gaps.max() < 2.1 * length / factor, portrait
        assert gaps.mean() == pytest.approx(length / factor, rel=0.15), portrait


def test_the_order_is_decided_by_seed_and_epoch() -> None:
    first = epoch_order(_FACTORS, seed=5, epoch=2)
    assert np.array_equal(first, epoch_order(_FACTORS, seed=5, epoch=2))
    assert not np.array_equal(first, epoch_order(_FACTORS, seed=5, epoch=3))
    assert not np.array_equal(first, epoch_order(_FACTORS, seed=6, epoch=2))


def test_without_factors_the_order_is_what_it_was_before_there_were_any() -> None:
    """Runs that were started earlier must go on as they began."""
    plain = np.random.default_rng((5, 2)).permutation(len(_FACTORS))
    assert np.array_equal(epoch_order(np.ones_like(_FACTORS), seed=5, epoch=2), plain)


def test_a_table_of_factors(tmp_path: Path) -> None:
    path = tmp_path / "odds.csv"
    path.write_text("file,why,factor\nc.png,old,3\na.png,dark,1\n")
    assert read_factors(path, ("a.png", "b.png", "c.png")) == (1, 1, 3)


def test_the_table_beside_the_configurations_fits_the_portraits(shared: Path) -> None:
    with (shared / "portraits" / "portraits.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "train" and int(row["native_side_px"]) >= 450]
    table = Path(__file__).parents[2] / "configs" / "likeness-512" / "odds.csv"
    factors = read_factors(table, [row["file"] for row in rows])
    # The figures in docs/training.md.
    assert (len(factors), sum(factors), max(factors)) == (1019, 1278, 4)
    assert sum(factor > 1 for factor in factors) == 207


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,factor\na.png,2\nb.png,2\na.png,2\n", 'line 4: "a.png" is listed twice'),
        ("file,factor\na.png,0\n", 'factor of "a.png" must be a whole number from 1 to 100, not "0"'),
        ("file,factor\na.png,-1\n", 'not "-1"'),
        ("file,factor\na.png,1.5\n", 'not "1.5"'),
        ("file,factor\na.png,101\n", 'not "101"'),
        ("file,factor\na.png\n", 'not ""'),
        ("file,factor\n,2\n", "line 2: there is no file name"),
        ("file,weight\na.png,2\n", 'needs the columns "file" and "factor"'),
        ("", 'needs the columns "file" and "factor"'),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "odds.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_factors(path, ("a.png", "b.png"))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_of_other_folders_are_told_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "odds.csv"
    path.write_text("file,factor\nx.png,2\na.png,3\ny.png,2\n")
    assert read_factors(path, ("a.png", "b.png")) == (3, 1)
    assert "2 of the 3 portraits listed" in caplog.text


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as a table of portraits"):
        read_factors(tmp_path / "none.csv", ("a.png",))
    (tmp_path / "odds.csv").write_bytes(b"file,factor\n\xff\xfe.png,2\n")
    with pytest.raises(ConfigError, match="is neither UTF-8 nor"):
        read_factors(tmp_path / "odds.csv", ("a.png",))
    (tmp_path / "odds.csv").write_text("file,factor\na.png,2,3\n")
    with pytest.raises(ConfigError, match="line 2: more cells than columns"):
        read_factors(tmp_path / "odds.csv", ("a.png",))


def test_tables_as_spreadsheets_write_them(tmp_path: Path) -> None:
    (tmp_path / "odds.csv").write_bytes(b"\xef\xbb\xbffile;factor\r\na.png;2\r\n")
    assert read_factors(tmp_path / "odds.csv", ("a.png",)) == (2,)
    assert read_left_out(tmp_path / "odds.csv") == {"a.png"}


def test_a_stream_draws_by_factors_and_goes_on_exactly() -> None:
    torch = pytest.importorskip("torch", reason="training needs the extra train")
    from likeness.training.data import PairStream

    # Three grey portraits of a level each: which one was drawn can be read from the target, whatever was done to it.
    samples = np.stack([np.full((64, 64, 3), level, dtype=np.uint8) for level in (20, 120, 235)])
    portraits = Portraits(samples=samples, names=("a.png", "b.png", "c.png"))
    stream = PairStream(portraits=portraits, size=64, seed=3, pre_degrade_odds=0.0, factors=(1, 1, 4))
    targets = torch.cat([target for target, _ in stream.batches(batch=2, first=0, last=12, workers=2)])
    bright = targets.mean(dim=(1, 2, 3)) > 0.5
    assert [int(part.sum()) for part in bright.split(6)] == [4, 4]
    resumed = torch.cat([target for target, _ in stream.batches(batch=2, first=8, last=12, workers=1)])
    assert torch.equal(resumed, targets[8:])
    with pytest.raises(ValueError, match="3 numbers"):
        replace(stream, factors=(1, 2))


def test_a_run_reads_its_factors(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs the extra train")
    from PIL import Image as PillowImage

    from likeness.training.loop import train

    folder = tmp_path / "portraits"
    folder.mkdir()
    PillowImage.new("RGB", (64, 64), (200, 160, 140)).save(folder / "a.png")
    (tmp_path / "odds.csv").write_text("file,factor\na.png,0\n")
    config = TrainConfig(
        portraits=str(folder),
        run=str(tmp_path / "run"),
        size=64,
        odds=str(tmp_path / "odds.csv"),
        min_native_side=0,
        discriminator_crop=32,
    )
    with pytest.raises(ConfigError, match=r'factor of "a\.png" must be a whole number'):
        train(config)


def test_portraits_that_are_left_out(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        PillowImage.new("RGB", (8, 8)).save(tmp_path / name)
    table = tmp_path / "left-out.csv"
    table.write_text("file,why\nb.png,another archive has it\nelsewhere.png,\n")
    assert Portraits.read(tmp_path, 8, without=read_left_out(table)).names == ("a.png", "c.png")
    table.write_text("name\nb.png\n")
    with pytest.raises(ConfigError, match='needs the column "file"'):
        read_left_out(table)
    with pytest.raises(ConfigError, match="cannot be read as a table of portraits"):
        read_left_out(tmp_path / "none.csv")


def test_what_the_sixth_generation_leaves_out_was_among_its_portraits(shared: Path) -> None:
    left_out = read_left_out(Path(__file__).parents[2] / "configs" / "likeness-512" / "left-out.csv")
    with (shared / "portraits" / "portraits.csv").open(encoding="utf-8", newline="") as rows:
        source = {row["file"]: (row["split"], row["source"]) for row in csv.DictReader(rows)}
    assert len(left_out) == 204
    assert {source[name][0] for name in left_out} == {"train"}
    assert {source[name][1] for name in left_out} == {"CivilServiceUSA/us-house", "CivilServiceUSA/us-senate"}
