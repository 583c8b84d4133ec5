from __future__ import annotations

from pathlib import Path

import pytest

from likeness.errors import ConfigError
from likeness.studio.pairs import match_pairs, short_names


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(before: Path, after: Path) -> dict[str, str]:
    return {
        pair.inside.as_posix(): pair.after.relative_to(after).as_posix() for pair in match_pairs(before, after).matched
    }


def test_results_of_restore_beside_each_other_and_in_a_folder(tmp_path: Path) -> None:
    before = touch(tmp_path / "in", "a.jpg", "b.heic", "sub/c.png")
    prefixed = touch(
        tmp_path / "one", "output_a.jpg", "output_b.jpg", "sub/output_c.png", "compare_a.jpg", "proof_a.jpg"
    )
    assert found(before, prefixed) == {
        "a.jpg": "output_a.jpg",
        "b.heic": "output_b.jpg",
        "sub/c.png": "sub/output_c.png",
    }
    plain = touch(tmp_path / "two", "a.jpg", "b.jpg", "sub/c.png")
    assert found(before, plain) == {"a.jpg": "a.jpg", "b.heic": "b.jpg", "sub/c.png": "sub/c.png"}
    assert match_pairs(before, prefixed).without_before == ()


def test_results_of_batch_lie_in_final(tmp_path: Path) -> None:
    before = touch(tmp_path / "in", "a.jpg", "b.jpg")
    after = touch(tmp_path / "out", "final/a.jpg", "review/b.jpg", "summary.png")
    pairs = match_pairs(before, after)
    assert [pair.after.name for pair in pairs.matched] == ["a.jpg"]
    assert [path.name for path in pairs.without_after] == ["b.jpg"]
    assert pairs.without_before == ()


def test_another_suffix_and_the_right_one_of_two(tmp_path: Path) -> None:
    before = touch(tmp_path / "in", "a.jpg", "a.png", "b.tif")
    after = touch(tmp_path / "out", "a.png", "output_a.jpg", "b.jpg")
    assert found(before, after) == {"a.jpg": "output_a.jpg", "a.png": "a.png", "b.tif": "b.jpg"}


def test_what_is_left_over_is_told(tmp_path: Path) -> None:
    before = touch(tmp_path / "in", "a.jpg", "b.jpg", "notes.txt", ".hidden.jpg")
    after = touch(tmp_path / "out", "a.jpg", "z.jpg")
    pairs = match_pairs(before, after)
    assert [path.name for path in pairs.without_after] == ["b.jpg"]
    assert [path.name for path in pairs.without_before] == ["z.jpg"]


def test_files(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.jpg", "anything.png", "out/output_a.jpg", "out/b.jpg")
    assert len(match_pairs(folder / "a.jpg", folder / "anything.png").matched) == 1
    one = match_pairs(folder / "a.jpg", folder / "out")
    assert [pair.after.name for pair in one.matched] == ["output_a.jpg"]
    assert one.without_before == ()


def test_nothing_to_match_is_a_sentence(tmp_path: Path) -> None:
    before, after = touch(tmp_path / "in", "a.jpg"), touch(tmp_path / "out", "b.jpg")
    with pytest.raises(ConfigError, match=r"no picture of .* has a result in"):
        match_pairs(before, after)
    with pytest.raises(ConfigError, match="does not exist"):
        match_pairs(before, tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no picture"):
        match_pairs(before, tmp_path / "empty")


def test_names_without_suffix_unless_that_is_all_that_differs() -> None:
    insides = [Path("a.jpg"), Path("a.png"), Path("sub/a.jpg"), Path("b.tar.gz.jpg")]
    assert short_names(insides) == [Path("a.jpg"), Path("a.png"), Path("sub/a"), Path("b.tar.gz")]
