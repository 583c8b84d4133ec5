from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ConfigError, LikenessError
from likeness.evaluation.old import pictures_by
from likeness.evaluation.outputs import at_size, outputs_in, whole_outputs_in
from likeness.evaluation.pairs import Pair, make_pairs, restored_by, write_pairs
from likeness.evaluation.sheets import contact_sheet, pair_sheet
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image, Pixels, Size
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch, WrappedRuntime


def noise(name: str, seed: int = 0) -> tuple[str, Pixels]:
    samples = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)
    return name, Image.from_uint8(samples).pixels


@pytest.fixture
def some() -> list[tuple[str, Pixels]]:
    return [noise("a.jpg"), noise("b.jpg", 1)]


def test_pairs_are_the_same_for_everybody(some: list[tuple[str, Pixels]]) -> None:
    first, again = (list(make_pairs(some, "severe")) for _ in range(2))
    assert all(np.array_equal(a.degraded, b.degraded) for a, b in zip(first, again, strict=True))
    assert [(pair.name, pair.recipe) for pair in first] == [("a.jpg", "severe"), ("b.jpg", "severe")]
    grey = next(make_pairs(some, "grey-film"))
    # A grey picture is compared with a grey original.
    assert np.allclose(grey.original[:, :, 0], grey.original[:, :, 2])
    with pytest.raises(ConfigError, match='unknown recipe "harsh"'):
        list(make_pairs(some, "harsh"))


def test_a_face_that_fails_is_not_judged_as_its_unrestored_self(
    some: list[tuple[str, Pixels]], astronaut: Image, tiny_model: Path
) -> None:
    class Broken(WrappedRuntime):
        def run(self, faces: Batch) -> Batch:
            return faces * np.float32(np.nan)

    broken = Restorer(runtime=Broken(Restorer(tiny_model, precision="f32").runtime))
    pair = next(make_pairs(some, "mild"))
    with pytest.raises(LikenessError, match=r"^no face could be restored .*no numbers"):
        restored_by(broken)(pair)
    with pytest.raises(LikenessError, match=r"^no face could be restored .*no numbers"):
        pictures_by(broken)("a.jpg", astronaut)


def test_written_pairs_come_back_to_the_last_bit(some: list[tuple[str, Pixels]], tmp_path: Path) -> None:
    assert write_pairs(some, tmp_path, recipes=("mild", "grey-film")) == 4
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == [
        f"{folder}/{name}.png" for folder in ("grey-film", "mild", "original-grey-film", "original") for name in "ab"
    ]
    source = outputs_in(tmp_path, ["a.jpg", "b.jpg"], ["mild"])
    for pair in make_pairs(some, "mild"):
        assert np.array_equal(source(pair), pair.degraded)
    assert np.array_equal(read_image(tmp_path / "original" / "b.png").pixels, some[1][1])


def test_two_portraits_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='two portraits are called "a"'):
        write_pairs([noise("a.jpg"), noise("a.png")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_and_double_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mild is no folder"):
        outputs_in(tmp_path, ["a.jpg"], ["mild"])
    (tmp_path / "mild").mkdir()
    write_image(Image(pixels=noise("a")[1]), tmp_path / "mild" / "a.png")
    with pytest.raises(ConfigError, match=r"holds no result for b \(such as b.png\)"):
        outputs_in(tmp_path, ["a.jpg", "b.jpg"], ["mild"])
    write_image(Image(pixels=noise("a")[1]), tmp_path / "mild" / "a.jpg")
    with pytest.raises(ConfigError, match=r"both a.jpg and a.png"):
        outputs_in(tmp_path, ["a.jpg"], ["mild"])
    with pytest.raises(ConfigError, match="holds no result for c"):
        whole_outputs_in(tmp_path, ["c.jpg"])


def test_an_enlarged_result_is_averaged_back(tmp_path: Path) -> None:
    name, pixels = noise("a.jpg")
    twice = np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)
    assert np.allclose(at_size(twice, Size(96, 96), tmp_path), pixels, atol=1e-6)
    (tmp_path / "mild").mkdir()
    write_image(Image(pixels=np.ascontiguousarray(twice[:180])), tmp_path / "mild" / "a.png")
    source = outputs_in(tmp_path, [name], ["mild"])
    with pytest.raises(ConfigError, match=r"a\.png is 192x180, but its input 96x96"):
        source(next(make_pairs([(name, pixels)], "mild")))


def test_sheets(some: list[tuple[str, Pixels]]) -> None:
    def untouched(pair: Pair) -> Pixels:
        return pair.degraded

    picture = pair_sheet(list(make_pairs(some, "mild")), untouched)
    assert picture.size == Size(3 * 96, 2 * 96)
    large = np.zeros((512, 512, 3), np.float32)
    grid = contact_sheet([(large, large)] * 17)
    # Eight pairs of 256 px a row, three rows, 8 px between them.
    assert grid.size == Size(8 * 512 + 7 * 8, 3 * 256 + 2 * 8)
    with pytest.raises(ConfigError, match="1 to 64 rows"):
        contact_sheet([(large,)] * 65)
