from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from likeness.batch.options import WorkOptions
from likeness.errors import ControlError
from likeness.faces.face import Face, Landmarks
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import read_image
from likeness.imaging.framing import turned
from likeness.imaging.image import Box, Image, Size
from likeness.restore.config import Settings
from likeness.restore.framing import Framing
from likeness.restore.job import RestoreJob
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.pipeline import Restorer


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"turn": 45}, "turn"),
        ({"straighten": 16.0}, "straighten must be between -15 and 15, not 16"),
        ({"straighten": float("nan")}, "straighten"),
        ({"crop": "square"}, "crop must be a ratio such as 4:5, or left,top,right,bottom in pixels, not square"),
        ({"crop": "0:5"}, "crop must be a ratio"),
        ({"crop": "5,5,5,9"}, "keeps nothing"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(values: dict[str, object], said: str) -> None:
    with pytest.raises(ControlError, match=said):
        Framing(**values)  # type: ignore[arg-type]


def test_a_ratio_is_the_largest_part_with_the_faces_in_its_middle() -> None:
    size = Size(600, 300)
    assert Framing().box(size) == Box(0, 0, 600, 300)
    assert Framing(crop="1:1").box(size) == Box(150, 0, 450, 300)
    faces = [Box(400, 50, 460, 120), Box(500, 60, 560, 130)]
    assert Framing(crop="1:1").box(size, faces) == Box(300, 0, 600, 300)
    assert Framing(crop="1:1").box(size, faces[:1]) == Box(280, 0, 580, 300)
    assert Framing(crop="4:1").box(size, [Box(0, 0, 50, 40)]) == Box(0, 0, 600, 150)


def test_a_box_must_lie_in_the_picture() -> None:
    framing = Framing(crop="10,20,110,220")
    assert framing.box(Size(200, 220)) == Box(10, 20, 110, 220)
    with pytest.raises(ControlError, match="does not lie in the picture, which is 200x219 upright"):
        framing.box(Size(200, 219))


def test_an_enlarged_result_is_cut_at_the_same_places() -> None:
    image = Image(pixels=np.random.default_rng(0).uniform(0, 1, (60, 90, 3)).astype(np.float32))
    made = Framing(crop="10,5,25,15").cropped(image, Size(30, 20))
    assert np.array_equal(made.pixels, image.pixels[15:45, 30:75])


def test_a_face_may_be_moved() -> None:
    mesh = Landmarks(points=np.zeros((478, 2), np.float32), depth=np.zeros(478, np.float32))
    face = Face(box=Box(1, 2, 3, 4), score=1.0, landmarks=mesh, five_points=np.zeros((5, 2)))
    moved = face.moved(10, -1)
    assert moved.box == Box(11, 1, 13, 3)
    assert moved.five_points.tolist() == [[10, -1]] * 5
    assert moved.landmarks.points[0].tolist() == [10, -1]


def test_it_goes_through_settings_and_the_journal() -> None:
    framing = Framing(turn=270, straighten=-1.5, crop="4:5")
    written = PictureOptions(framing=framing).to_settings()
    assert written == Settings({"turn": 270, "straighten": -1.5, "crop": "4:5"})
    assert PictureOptions(**parts_of(written)).framing == framing
    options = WorkOptions(framing=framing)
    assert WorkOptions.from_dict(json.loads(json.dumps(options.to_dict()))).framing == framing
    assert "framing" not in WorkOptions().to_dict()


@pytest.fixture(scope="module")
def decoder() -> Generator[DecoderPool]:
    with DecoderPool(processes=1) as pool:
        yield pool


def test_a_picture_that_lies_is_restored_upright_and_cut_at_the_end(
    decoder: DecoderPool, tiny_model: Path, astronaut: Image, tmp_path: Path
) -> None:
    from likeness.imaging.files import write_image

    restorer = Restorer(tiny_model, device="cpu", precision="f32")
    lying = tmp_path / "lying.png"
    write_image(turned(astronaut, 270), lying)
    options = PictureOptions(framing=Framing(turn=90, crop="1:2"))
    with RestoreJob(restorer, decoder, name="lying") as job:
        image = job.read(lying, options.framing)
        assert np.array_equal(image.pixels, astronaut.pixels)
        damage = np.zeros((image.size.width, image.size.height), np.float32)
        damage[0, :5] = 1  # of the file as it lies: its top row is the right column of what stands
        restoration = job.restore(image, options, damage=damage)
        made = read_image(job.encode(restoration.image, options, "PNG"), name="the result")
        record = job.record()
    assert restoration.repaired is not None
    assert restoration.repaired.filled is not None
    assert np.argwhere(restoration.repaired.filled > 0).tolist() == [[y, 255] for y in range(5)]
    width, height = image.size.width // 2, image.size.height
    assert made.size == Size(width, height)
    assert record.framing is not None
    left = round(record.framing["crop"]["left"])
    assert np.abs(made.pixels - restoration.image.pixels[:, left : left + width]).max() <= 0.5 / 255
    middle = restoration.faces[0].face.box.centre.x
    assert left <= middle <= left + width
    assert record.framing["turn"] == 90
    assert record.result_size == made.size
