from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import pytest

from likeness.cli.plan import Job, Targets, plan
from likeness.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with pictures; nothing here opens them."""
    for name in (
        "a.jpg",
        "b.png",
        "phone.HEIC",
        "wave.gif",
        "全家福 1998.jpg",
        "notes.txt",
        "family/one.jpg",
        "family/one.png",
        "family/1990/one.jpg",
        "family/1990/._one.jpg",
        "family/.thumbnails/one.jpg",
        "family/readme.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(jobs: tuple[Job, ...]) -> dict[str, str | None]:
    return {job.name: None if job.target is None else str(job.target) for job in jobs}


@pytest.mark.usefixtures("here")
class TestDefaultNames:
    def test_of_files(self) -> None:
        assert pairs(plan(["a.jpg", "b.png", "family/one.jpg", "全家福 1998.jpg"], Targets())) == {
            "a.jpg": "output_a.jpg",
            "b.png": "output_b.png",
            "family/one.jpg": "output_one.jpg",
            "全家福 1998.jpg": "output_全家福 1998.jpg",
        }

    def test_of_formats_that_are_not_written(self) -> None:
        assert pairs(plan(["phone.HEIC", "wave.gif"], Targets())) == {
            "phone.HEIC": "output_phone.jpg",
            "wave.gif": "output_wave.png",
        }

    def test_of_a_folder_with_its_subfolders_and_without_what_is_hidden(self) -> None:
        assert pairs(plan(["family"], Targets())) == {
            "family/one.jpg": "output_family/one.jpg",
            "family/one.png": "output_family/one.png",
            "family/1990/one.jpg": "output_family/1990/one.jpg",
        }

    def test_of_the_current_folder_leave_out_earlier_results(self, here: Path) -> None:
        earlier = here / f"output_{here.name}"
        earlier.mkdir()
        (earlier / "a.jpg").touch()
        names = pairs(plan(["."], Targets()))
        assert names["a.jpg"] == f"output_{here.name}/a.jpg"
        assert not any(name.startswith("output_") for name in names)

    def test_of_a_missing_picture_are_planned_as_reading_it_tells(self) -> None:
        assert pairs(plan(["lost.jpg"], Targets())) == {"lost.jpg": "output_lost.jpg"}


@pytest.mark.usefixtures("here")
class TestPatterns:
    def test_are_expanded_and_pictures_only(self) -> None:
        assert list(pairs(plan(["*"], Targets()))) == ["a.jpg", "b.png", "phone.HEIC", "wave.gif", "全家福 1998.jpg"]

    def test_go_into_subfolders_with_two_stars(self, here: Path) -> None:
        jobs = plan([f"{here}/family/19*/**/*.jpg"], Targets(output="out/"))
        assert pairs(jobs) == {f"{here}/family/1990/one.jpg": "out/one.jpg"}

    def test_leave_out_results_of_an_earlier_run(self, here: Path) -> None:
        (here / "output_a.jpg").touch()
        assert "output_a.jpg" not in pairs(plan(["*.jpg"], Targets()))

    def test_that_match_nothing_are_told(self) -> None:
        with pytest.raises(ConfigError, match=r'no picture matches "\*\.webp"'):
            plan(["*.webp"], Targets())

    def test_are_taken_as_they_are_where_a_file_has_that_name(self, here: Path) -> None:
        (here / "scan[1].jpg").touch()
        assert pairs(plan(["scan[1].jpg"], Targets())) == {"scan[1].jpg": "output_scan[1].jpg"}


@pytest.mark.usefixtures("here")
class TestOutput:
    def test_one_picture_into_a_file(self) -> None:
        assert pairs(plan(["a.jpg"], Targets(output="family/better.png"))) == {"a.jpg": "family/better.png"}

    @pytest.mark.parametrize("folder", ["family", "new/", "new"])
    def test_one_picture_into_a_folder(self, folder: str) -> None:
        assert pairs(plan(["phone.HEIC"], Targets(output=folder))) == {"phone.HEIC": f"{folder.rstrip('/')}/phone.jpg"}

    def test_files_and_folders_into_a_folder(self) -> None:
        assert pairs(plan(["a.jpg", "family"], Targets(output="out"))) == {
            "a.jpg": "out/a.jpg",
            "family/one.jpg": "out/one.jpg",
            "family/one.png": "out/one.png",
            "family/1990/one.jpg": "out/1990/one.jpg",
        }

    def test_standard_streams(self) -> None:
        assert pairs(plan(["-"], Targets())) == {"standard input": None}
        assert pairs(plan(["-"], Targets(output="-"))) == {"standard input": None}
        assert pairs(plan(["-"], Targets(output="x.png"))) == {"standard input": "x.png"}
        assert pairs(plan(["a.jpg"], Targets(output="-"))) == {"a.jpg": None}

    def test_comparisons_and_faces(self) -> None:
        jobs = plan(["family"], Targets(output="out", compare=True, save_faces=Path("crops")))
        assert [(str(job.compare), str(job.faces)) for job in jobs] == [
            ("out/compare_one.jpg", "crops/one.jpg"),
            ("out/compare_one.png", "crops/one.png"),
            ("out/1990/compare_one.jpg", "crops/1990/one"),
        ]

    def test_comparisons_have_a_place_of_their_own(self) -> None:
        (job,) = plan(["a.jpg"], Targets(compare_to="sheet.png"))
        assert job.compare == Path("sheet.png")
        jobs = plan(["a.jpg", "b.png"], Targets(compare_to="sheets"))
        assert [str(job.compare) for job in jobs] == ["sheets/compare_a.jpg", "sheets/compare_b.png"]
        (job,) = plan(["-"], Targets(output="x.png", compare=True))
        assert job.compare == Path("compare_x.png")

    def test_a_picture_named_twice_is_restored_once(self, here: Path) -> None:
        assert pairs(plan(["a.jpg", "a.jpg", f"{here}/a.jpg"], Targets(output="out"))) == {"a.jpg": "out/a.jpg"}


@pytest.mark.usefixtures("here")
class TestNamesThatMeet:
    @pytest.fixture(autouse=True)
    def files(self, here: Path) -> None:
        for name in ("IMG_1.HEIC", "IMG_1.JPG", "wave.gif", "wave.png", "img_1.JPG"):
            (here / "card").mkdir(exist_ok=True)
            (here / "card" / name).touch()

    NAMES: ClassVar = {
        "card/IMG_1.HEIC": "IMG_1.HEIC.jpg",
        "card/IMG_1.JPG": "IMG_1.JPG",
        "card/img_1.JPG": "img_1-2.JPG",
        "card/wave.gif": "wave.gif.png",
        "card/wave.png": "wave.png",
    }

    def test_in_a_folder(self) -> None:
        assert pairs(plan(["card"], Targets(output="out"))) == {k: f"out/{v}" for k, v in self.NAMES.items()}
        assert pairs(plan(["card"], Targets())) == {k: f"output_card/{v}" for k, v in self.NAMES.items()}

    def test_in_a_pattern_and_one_by_one(self) -> None:
        for inputs in (["card/*"], ["card/**"], list(self.NAMES)):
            assert pairs(plan(inputs, Targets(output="out"))) == {k: f"out/{v}" for k, v in self.NAMES.items()}
            assert pairs(plan(inputs, Targets())) == {k: f"output_{v}" for k, v in self.NAMES.items()}

    def test_comparisons_and_faces_do_not_meet_either(self) -> None:
        jobs = plan(["card"], Targets(output="out", compare=True, save_faces=Path("crops")))
        assert len({str(job.compare).casefold() for job in jobs}) == len({str(job.faces) for job in jobs}) == len(jobs)


@pytest.mark.usefixtures("here")
class TestRefusals:
    @pytest.mark.parametrize(
        ("inputs", "targets", "sentence"),
        [
            (["-", "a.jpg"], Targets(), "cannot be mixed"),
            (["-", "-"], Targets(), "cannot be mixed"),
            (["-"], Targets(output="family"), "has no name; name a file"),
            (["-"], Targets(compare=True), "--compare-to"),
            (["-"], Targets(output="x.png", compare_to="family"), "name a file for standard input"),
            (["a.jpg", "b.png"], Targets(output="-"), "writes one picture"),
            (["a.jpg", "b.png"], Targets(output="x.jpg"), "is a file, and there are several"),
            (["family"], Targets(output="x.jpg"), "is a file, and there are several"),
            (["a.jpg", "b.png"], Targets(compare_to="x.jpg"), "is a file, and there are several"),
            (["a.jpg", "b.png"], Targets(output="notes.txt"), "is a file, and there are several"),
            (["a.jpg"], Targets(output="x.xyz"), r"'.xyz' cannot be written; use one of"),
            (["a.jpg"], Targets(output="phone.HEIC"), "cannot be written"),
            (["a.jpg"], Targets(output="lost/x.jpg"), "the folder lost does not exist"),
            (["a.jpg"], Targets(output="a.jpg"), "a.jpg is an input and would be overwritten"),
            (["a.jpg"], Targets(output="."), "a.jpg is an input and would be overwritten"),
            (["family"], Targets(output="family"), "would be overwritten"),
            (["a.jpg", "family/one.jpg"], Targets(output="x/../"), "a.jpg is an input and would be overwritten"),
            (["a.jpg"], Targets(compare_to="a.jpg"), "a.jpg is an input and would be overwritten"),
            (["a.jpg"], Targets(report=Path("a.jpg")), "a.jpg is an input and would be overwritten"),
            (["a.jpg"], Targets(output="x.png", compare_to="x.png"), "would both write"),
            (["family/one.jpg", "family/1990/one.jpg"], Targets(), "family/one.jpg and family/1990/one.jpg would both"),
            (["a.jpg"], Targets(bit_depth=16), "cannot hold 16 bits"),
        ],
    )
    def test_come_before_any_work(self, here: Path, inputs: list[str], targets: Targets, sentence: str) -> None:
        (here / "x").mkdir()
        before = sorted(here.rglob("*"))
        with pytest.raises(ConfigError, match=sentence):
            plan(inputs, targets)
        assert sorted(here.rglob("*")) == before

    def test_two_folders_with_one_result_after_the_change_of_format(self, here: Path) -> None:
        (here / "family" / "phone.jpg").touch()
        with pytest.raises(ConfigError, match=r"phone.HEIC and family/phone.jpg would both write out/phone.jpg"):
            plan(["phone.HEIC", "family/phone.jpg"], Targets(output="out"))

    def test_an_input_behind_a_link_is_safe(self, here: Path) -> None:
        (here / "out").mkdir()
        os.link(here / "a.jpg", here / "out" / "a.jpg")
        with pytest.raises(ConfigError, match="would be overwritten"):
            plan(["a.jpg"], Targets(output="out"))

    def test_a_folder_without_pictures(self, here: Path) -> None:
        (here / "empty").mkdir()
        with pytest.raises(ConfigError, match="the folder empty holds no picture"):
            plan(["empty"], Targets())

    def test_results_in_the_inputs_folder_do_not_become_inputs(self, here: Path) -> None:
        (here / "family" / "out").mkdir()
        (here / "family" / "out" / "one.jpg").touch()
        names = pairs(plan(["family"], Targets(output="family/out")))
        assert names["family/one.jpg"] == "family/out/one.jpg"
        assert "family/out/one.jpg" not in names
