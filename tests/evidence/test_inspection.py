from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness.errors import NoFaceError, PairError
from likeness.evidence.figures import SCHEMA, Figure
from likeness.evidence.inspection import Inspector, inspect
from likeness.evidence.scene import box_around, make_scene, scale_between
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.files import read_image
from likeness.imaging.image import Image

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def sample() -> Image:
    return read_image(SAMPLE)


def test_the_sample_against_itself(sample: Image) -> None:
    found = inspect(sample, sample)
    assert found.scale == 1
    assert found.verdict == "good"
    (face,) = found.faces
    assert face.before.shape == face.after.shape == (512, 512, 3)
    content = found.to_dict()
    assert content["schema"] == SCHEMA
    names = [figure["name"] for figure in content["faces"][0]["figures"]]
    assert len(names) == len(set(names)) == 22
    assert {"hair_width", "highlights", "iris", "plastic_skin", "identity", "stretch", "lid_fold", "seam"} <= set(names)
    with pytest.raises(KeyError):
        face["beauty"]


def test_an_enlarged_result_is_brought_to_the_same_grid(sample: Image) -> None:
    large = sample.with_pixels(
        cv2.resize(np.asarray(sample.pixels), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).clip(0, 1)
    )
    assert scale_between(sample, large) == 2
    assert scale_between(large, sample) == 0.5
    scene = make_scene(sample, large, MediaPipeDetector().detect(sample)[0])
    # Cubic enlargement changes little; half a pixel of displacement would show as 0.02 and more.
    assert float(np.abs(scene.before - scene.after).mean()) < 0.004


def test_pictures_that_do_not_fit(sample: Image) -> None:
    cut = Image(pixels=np.ascontiguousarray(sample.pixels[:-40]))
    with pytest.raises(PairError, match="neither the same size nor an even enlargement"):
        inspect(sample, cut)
    blank = Image(pixels=np.full((200, 200, 3), 0.5, np.float32))
    with pytest.raises(NoFaceError, match="picture before"):
        inspect(blank, blank)
    odd = Image(pixels=np.zeros((1089, 871, 3), np.float32))  # 1.5 times 581 x 726, rounded
    assert scale_between(sample, odd) == pytest.approx(1.5, rel=1e-2)


def test_without_dlib_only_identity_is_absent(sample: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    (face,) = Inspector().inspect(sample, sample).faces
    figure = face["identity"]
    assert (figure.verdict, figure.after) == ("none", None)
    assert 'pip install "likeness[evaluate]"' in figure.sentence
    assert face["stretch"].verdict == "good"


def test_a_figure_is_a_number_or_none() -> None:
    with pytest.raises(ValueError, match="a number or None"):
        Figure(name="x", group="skin", title="x", after=float("nan"), verdict="good", sentence="x")


def test_boxes_stay_within_the_crop() -> None:
    box = box_around(np.array([[3.0, 500.0]]), margin=10.0, least=96.0)
    assert (box.left, box.bottom) == (0, 512)
    assert box.width == box.height == 96
    assert box_around(np.array([[-50.0, -50.0], [600.0, 600.0]]), margin=10.0).width == 512
