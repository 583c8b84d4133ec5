"""How a program calls the library: what it may hand over, what it hears, and what it gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

import likeness
from likeness import Controls, Enlargement, Image, LikenessError, NoFaceError, Progress, Restorer, Selection


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model)


def test_every_kind_of_input_gives_the_same_result(restorer: Restorer, astronaut_file: Path, astronaut: Image) -> None:
    expected = restorer.restore(astronaut, Controls.natural()).image.pixels
    with PillowImage.open(astronaut_file) as opened:
        for given in (astronaut_file, str(astronaut_file), astronaut_file.read_bytes(), opened, astronaut.to_uint8()):
            done = restorer.restore(given, "natural")
            assert np.array_equal(done.image.pixels, expected), type(given)
            assert done.controls == Controls.natural()


def test_parts_of_the_way_take_files_too(restorer: Restorer, astronaut_file: Path, astronaut: Image) -> None:
    faces = restorer.find_faces(astronaut_file)
    assert [face.box for face in faces] == [face.box for face in restorer.find_faces(astronaut)]
    assert likeness.preflight(str(astronaut_file), faces) == likeness.preflight(astronaut, faces)
    pair = likeness.inspect(astronaut_file, astronaut_file)
    assert len(pair.faces) == 1
    sheet = likeness.compare(astronaut_file, restorer.restore(astronaut_file))
    assert sheet.size.width > astronaut.size.width


def test_a_preset_misspelt(restorer: Restorer, astronaut: Image) -> None:
    with pytest.raises(LikenessError, match=r'unknown preset "Natrual" \(did you mean "natural"\?\)'):
        restorer.restore(astronaut, "Natrual")
    with pytest.raises(LikenessError, match=r'unknown preset "aut" \(did you mean "auto"\?\); .*, auto$'):
        restorer.restore(astronaut, "aut")
    with pytest.raises(LikenessError, match=r'unknown face region "lips" \(did you mean "lip"\?\)'):
        Controls().with_weights({"lips": 1.2})
    with pytest.raises(LikenessError, match="controls must be Controls or the name of a preset, not dict"):
        restorer.restore(astronaut, {"strength": 1})  # type: ignore[arg-type]


def test_progress_is_told_step_by_step(restorer: Restorer, astronaut: Image) -> None:
    heard: list[Progress] = []
    restorer.restore(astronaut, progress=heard.append, enlargement=Enlargement(upscale=2))
    said = [(told.step, told.done, told.total) for told in heard]
    face = [("project", 0, 1), ("project", 1, 1)]
    assert said == [("detect", 0, 0), *face, ("enlarge", 1, 1), ("compose", 1, 1), ("done", 1, 1)]


def test_who_hears_of_progress_may_end_the_work(restorer: Restorer, astronaut: Image) -> None:
    def enough(progress: Progress) -> None:
        if progress.step == "project":
            raise TimeoutError("enough")

    with pytest.raises(TimeoutError):
        restorer.restore(astronaut, progress=enough)


def test_many_pictures_in_their_order_and_a_bad_one_costs_no_other(
    restorer: Restorer, astronaut_file: Path, astronaut: Image, tmp_path: Path
) -> None:
    grey = np.full((200, 200, 3), 90, np.uint8)
    given = [astronaut_file, tmp_path / "missing.jpg", grey, astronaut]
    results = list(restorer.map(given, "natural", selection=Selection(which="largest")))
    assert [result.source is source for result, source in zip(results, given, strict=True)] == [True] * 4
    assert [type(result.error).__name__ for result in results] == [
        "NoneType",
        "ImageReadError",
        "NoFaceError",
        "NoneType",
    ]
    expected = restorer.restore(astronaut, "natural").image.pixels
    assert np.array_equal(results[0].result().image.pixels, expected)
    assert np.array_equal(results[3].result().image.pixels, expected)
    with pytest.raises(NoFaceError):
        results[2].result()
    assert "missing.jpg" in repr(results[1])


def test_map_refuses_at_once(restorer: Restorer) -> None:
    with pytest.raises(LikenessError, match="did you mean"):
        restorer.map([], "naturl")
    for single in ("a.jpg", b"x", Path("a.jpg"), np.zeros((4, 4))):
        with pytest.raises(LikenessError, match="not a single one"):
            restorer.map(single)  # type: ignore[arg-type]
    with pytest.raises(LikenessError, match="workers"):
        restorer.map([], workers=0)


def test_a_closed_restorer_says_so(tiny_model: Path, astronaut: Image) -> None:
    with Restorer(tiny_model) as restorer:
        assert restorer.restore(astronaut).restored
        assert "OpenVINO" in repr(restorer)
    assert repr(restorer) == "Restorer(closed)"
    for call in (restorer.restore, restorer.find_faces):
        with pytest.raises(LikenessError, match="closed"):
            call(astronaut)


def test_one_call_with_the_packaged_network(astronaut_file: Path) -> None:
    done = likeness.restore_image(astronaut_file, "natural")
    assert repr(done) == "Restoration(256x256, faces: 1 restored)"
    assert repr(done.faces[0]) == "FaceOutcome(0, restored)"
    assert done._repr_png_().startswith(b"\x89PNG")  # pyright: ignore[reportPrivateUsage]
    assert len(repr(done.faces[0].face)) < 120
