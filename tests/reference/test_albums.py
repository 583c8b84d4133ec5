from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.reference.albums import Corrections, group, read_corrections, write_corrections
from likeness.reference.matching import Embedding


def _album() -> dict[str, Embedding]:
    """Three persons: four, three and one photographs, near each other on the sphere; shuffled as in a folder."""
    rng = np.random.default_rng(4)
    persons = np.linalg.qr(rng.standard_normal((128, 3)))[0].T
    faces: dict[str, Embedding] = {}
    for name, who in (("a0", 0), ("b0", 1), ("a1", 0), ("c0", 2), ("b1", 1), ("a2", 0), ("b2", 1), ("a3", 0)):
        vector = persons[who] + rng.standard_normal(128) * 0.03
        faces[name] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return faces


def _groups(corrections: Corrections | None = None) -> list[tuple[str, ...]]:
    return [person.faces for person in group(_album(), corrections, same_from=0.5)]


def test_faces_are_grouped_by_person_the_largest_group_first() -> None:
    assert _groups() == [("a0", "a1", "a2", "a3"), ("b0", "b1", "b2"), ("c0",)]
    assert group({}) == ()


def test_faces_merged_by_hand_are_one_person() -> None:
    groups = _groups(Corrections(merge=(("c0", "b1", "b0"),)))
    assert ("b0", "c0", "b1", "b2") in groups, groups


def test_faces_split_by_hand_never_meet() -> None:
    groups = _groups(Corrections(split=(("a0", "a1"),)))
    assert len(groups) == 4
    assert not any({"a0", "a1"} <= set(faces) for faces in groups)


def test_faces_that_are_not_in_the_folder_are_passed_over() -> None:
    assert _groups(Corrections(merge=(("gone", "a0"),), split=(("gone", "b0"),))) == _groups()


def test_corrections_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="both merged and split"):
        _groups(Corrections(merge=(("a0", "a1", "a2"),), split=(("a2", "a0"),)))


def test_corrections_go_round(tmp_path: Path) -> None:
    corrections = Corrections(merge=(("a0", "c0"),), split=(("a1", "ü.jpg#0"),), never=frozenset({"b0", "b1"}))
    write_corrections(tmp_path / "people.json", corrections)
    assert read_corrections(tmp_path / "people.json") == corrections
    assert read_corrections(tmp_path / "none.json") == Corrections()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "see docs"),
        ("{", "see docs"),
        ('{"joined": []}', '"joined" is not one of merge, split, never'),
        ('{"split": [["a"]]}', "two faces"),
        ('{"never": "a0"}', "list of texts"),
        ('{"merge": [[1]]}', "list of texts"),
    ],
)
def test_a_file_that_holds_no_corrections(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "people.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_corrections(tmp_path / "people.json")
