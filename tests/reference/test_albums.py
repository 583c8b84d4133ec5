from __future__ import annotations

import time
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


@pytest.mark.parametrize("seed", range(6))
def test_the_two_groups_that_are_most_alike_are_joined_each_time(seed: int) -> None:
    """As one looks at all pairs of groups before each join."""
    rng = np.random.default_rng(seed)
    persons = rng.standard_normal((9, 16))
    vectors = persons[rng.integers(9, size=50)] + rng.standard_normal((50, 16)) * rng.uniform(0.3, 1.2)
    faces = {str(n): (v / np.linalg.norm(v)).astype(np.float32) for n, v in enumerate(vectors)}
    split = tuple((str(a), str(b)) for a, b in rng.integers(50, size=(12, 2)) if a != b)
    groups = [{key} for key in faces]
    while True:
        alike = [
            (np.mean([faces[a] @ faces[b] for a in one for b in other]), n, m)
            for n, one in enumerate(groups)
            for m, other in enumerate(groups)
            if n < m and not any((a in one and b in other) or (a in other and b in one) for a, b in split)
        ]
        best, n, m = max(alike, default=(-1.0, 0, 0))
        if best < 0.4:
            break
        groups[n] |= groups.pop(m)
    found = group(faces, Corrections(split=split), same_from=0.4)
    assert {person.faces for person in found} == {tuple(key for key in faces if key in one) for one in groups}


def test_an_album_of_many_faces_is_grouped_without_looking_at_all_pairs_each_time() -> None:
    """A thousand faces of five hundred persons: five hundred joins over a million pairs were half a minute of one core."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.standard_normal((500, 128)), 2, axis=0) + rng.standard_normal((1000, 128)) * 0.1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    began = time.process_time()
    found = group({str(n): vector.astype(np.float32) for n, vector in enumerate(vectors)}, same_from=0.8)
    assert [len(person.faces) for person in found] == [2] * 500
    assert time.process_time() - began < 3


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
