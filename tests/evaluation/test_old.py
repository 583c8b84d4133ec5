from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("dlib", reason="evaluation needs the extra evaluate")

from likeness.errors import ConfigError
from likeness.evaluation.old import evaluate_old, old_pictures, pictures_by
from likeness.imaging.files import write_image
from likeness.imaging.image import Image
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    for name in ("wiki-d091158a.jpg", "wiki-33b824ee.jpg"):
        shutil.copy(shared / "oldphotos" / name, tmp_path)
    write_image(Image(pixels=np.full((80, 80, 3), 0.5, np.float32)), tmp_path / "blank.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_what_was_not_restored_did_not_move(folder: Path, tiny_model: Path) -> None:
    nothing = pictures_by(Restorer(tiny_model, precision="f32"), Controls(strength=0.0))
    result = evaluate_old(nothing, old_pictures(folder), samples=1)
    assert result.pictures == 4
    assert {failure.picture for failure in result.failures} == {"blank.png", "broken.jpg"}
    assert [failure.reason for failure in result.failures if failure.picture == "blank.png"] == ["no face was found"]
    assert {face.picture for face in result.faces} == {"wiki-d091158a.jpg", "wiki-33b824ee.jpg"}
    assert all(face.identity < 1e-6 and face.piqe_before == face.piqe_after for face in result.faces)
    assert len(result.samples) == 1
    assert result.samples[0][0].shape == (512, 512, 3)


def test_a_changed_face_is_measured(folder: Path) -> None:
    def soft(_: str, image: Image) -> Image:
        return image.with_pixels(np.asarray(cv2.GaussianBlur(image.pixels, (0, 0), 3), np.float32))

    result = evaluate_old(soft, old_pictures(folder)[-1:])
    summary = result.summary()
    assert summary["faces"] == len(result.faces) >= 1
    assert 0.02 < summary["identity_mean"] <= summary["identity_p90"]
    assert summary["piqe_after"] > summary["piqe_before"]
    assert result.samples == ()


def test_sets_without_faces_and_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no pictures"):
        old_pictures(tmp_path)
    write_image(Image(pixels=np.full((80, 80, 3), 0.5, np.float32)), tmp_path / "blank.png")
    summary = evaluate_old(lambda _, image: image, old_pictures(tmp_path)).summary()
    assert (summary["pictures"], summary["faces"], summary["failures"]) == (1, 0, 1)
    assert np.isnan(summary["identity_p90"])
