from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import likeness
from likeness.errors import ArgumentError, ControlError
from likeness.imaging.image import Image
from likeness.integrations.modelscope import PortraitEnhancement
from likeness.restore.enlargement import Enlargement


@pytest.fixture(scope="module")
def enhance(tiny_model: Path) -> PortraitEnhancement:
    return likeness.pipeline("image-portrait-enhancement", tiny_model)


def test_the_call_of_modelscope_gives_bgr_twice_as_large(
    enhance: PortraitEnhancement, tiny_model: Path, astronaut: Image, astronaut_file: Path
) -> None:
    output = enhance(str(astronaut_file))["output_img"]
    assert output.shape == (512, 512, 3)
    assert output.dtype == np.uint8
    ours = likeness.Restorer(tiny_model).restore(astronaut, enlargement=Enlargement(upscale=2)).image.to_uint8()
    assert np.array_equal(output[..., ::-1], ours)
    bgr = np.ascontiguousarray(astronaut.to_uint8()[..., ::-1])
    assert np.array_equal(enhance(bgr)["output_img"], output)
    assert np.array_equal(enhance(input=astronaut.to_pil())["output_img"], output)


def test_a_picture_without_a_face_is_enlarged(enhance: PortraitEnhancement) -> None:
    wall = np.full((48, 64), 100, np.uint8)
    output = enhance(wall)["output_img"]
    assert output.shape == (96, 128, 3)
    assert np.abs(output.astype(int) - 100).max() <= 2


def test_what_it_cannot_take_is_a_sentence(enhance: PortraitEnhancement, tiny_model: Path) -> None:
    with pytest.raises(ArgumentError, match="image-portrait-enhancement"):
        likeness.pipeline("face-detection", tiny_model)
    with pytest.raises(ControlError, match="soft"):
        likeness.pipeline("image-portrait-enhancement", tiny_model, preset="soft")
    with pytest.raises(ArgumentError, match="float32"):
        enhance(np.zeros((8, 8, 3), np.float32))
