from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ControlError
from likeness.imaging.image import Image
from likeness.repair.repair import repair
from likeness.repair.repairs import Repairs
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, precision="f32")


@pytest.fixture
def eye(astronaut: Image, restorer: Restorer) -> NDArray[np.float32]:
    """A damage mask over the left eye, with a soft rim."""
    x, y = restorer.find_faces(astronaut)[0].five_points[0]
    mask = np.zeros(astronaut.pixels.shape[:2], np.float32)
    cv2.ellipse(mask, (round(float(x)), round(float(y))), (14, 8), 0, 0, 360, (1.0,), -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1), np.float32)


def inked(image: Image, mask: NDArray[np.float32]) -> Image:
    return image.with_pixels((image.pixels * (1 - mask[:, :, None])).astype(np.float32))


@pytest.mark.parametrize(("name", "value"), [("scratches", 1.1), ("balance", -0.1), ("fringes", float("nan"))])
def test_amounts_are_checked(name: str, value: float) -> None:
    with pytest.raises(ControlError, match=f"repair {name} must be between 0 and 1"):
        Repairs(**{name: value})


def test_nothing_asked_for_nothing_done(astronaut: Image) -> None:
    result = repair(astronaut, Repairs())
    assert result.image is astronaut
    assert not Repairs().any
    assert set(result.to_dict().values()) == {None}


def test_a_hole_is_filled_and_the_rest_stays_to_the_bit(astronaut: Image, eye: NDArray[np.float32]) -> None:
    image = replace(inked(astronaut, eye), bit_depth=16, icc_profile=b"profile")
    result = repair(image, Repairs(), eye)
    assert (result.image.pixels[eye < 0.001] == image.pixels[eye < 0.001]).all()
    # Skin instead of ink.
    assert result.image.pixels[eye > 0.9].mean() > 0.3 > image.pixels[eye > 0.9].mean()
    assert (result.image.bit_depth, result.image.icc_profile) == (16, b"profile")
    assert result.to_dict()["filled"] == {"area": pytest.approx(float(eye.mean()), abs=1e-5)}


def test_the_network_draws_nothing_into_a_hole(astronaut: Image, eye: NDArray[np.float32], restorer: Restorer) -> None:
    image = inked(astronaut, eye)
    filled = repair(image, Repairs(), eye).image.pixels
    result = restorer.restore(image, damage=eye)
    after = result.image.pixels
    assert (after[eye > 0.002] == filled[eye > 0.002]).all()
    grainy = restorer.restore(image, Controls(keep_grain=True), damage=eye).image.pixels
    assert (grainy[eye > 0.002] == filled[eye > 0.002]).all()
    assert np.abs(after - filled).max() > 0.003, "the rest of the face is restored"
    [outcome] = result.faces
    assert 0.005 < outcome.filled < 0.2
    assert any("held no pixels" in warning for warning in outcome.warnings)
    assert result.repaired is not None
    assert result.repaired.filled is not None


def test_a_hole_beside_the_face_concerns_no_face(astronaut: Image, restorer: Restorer) -> None:
    mask = np.zeros(astronaut.pixels.shape[:2], np.float32)
    mask[-12:, :12] = 1
    result = restorer.restore(astronaut, damage=mask)
    assert result.faces[0].filled == 0
    assert not any("held no pixels" in warning for warning in result.faces[0].warnings)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.zeros((10, 20), np.float32), "the damage mask is 20 x 10, the picture 256 x 256"),
        (np.full((256, 256), 2, np.float32), "values from 0 to 1"),
        (np.ones((256, 256), np.float32), "covers the whole picture"),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(astronaut: Image, mask: NDArray[np.float32], sentence: str) -> None:
    with pytest.raises(ControlError, match=sentence):
        repair(astronaut, Repairs(), mask)


@pytest.mark.parametrize("grey", [False, True])
def test_a_scratch_is_mended_softly_and_only_there(astronaut: Image, grey: bool) -> None:
    pixels = astronaut.pixels
    if grey:
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    layer = np.zeros(pixels.shape[:2], np.float32)
    cv2.line(layer, (160, 4), (167, 90), (1.0,), 1, cv2.LINE_AA)
    damaged = (pixels + (1 - pixels) * layer[:, :, None]).astype(np.float32)
    result = repair(Image(pixels=damaged, grey=grey), Repairs(scratches=1, sensitivity=0.7))
    assert result.marks is not None
    assert result.marks.scratches >= 1
    on = layer > 0.3
    error = [float(np.abs(x - pixels)[on].mean()) for x in (damaged, result.image.pixels)]
    assert error[1] < 0.35 * error[0]
    far = cv2.dilate((layer > 0).astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
    assert (result.image.pixels[far] == damaged[far]).mean() > 0.9
    half = repair(Image(pixels=damaged, grey=grey), Repairs(scratches=0.5, sensitivity=0.7)).image.pixels
    assert error[1] < float(np.abs(half - pixels)[on].mean()) < error[0]
    if grey:
        assert np.ptp(result.image.pixels, axis=2).max() == 0


def test_without_repairs_nothing_but_faces_changes(astronaut: Image, restorer: Restorer) -> None:
    plain = restorer.restore(astronaut)
    assert plain.repaired is None
    again = restorer.restore(astronaut, repairs=Repairs())
    assert (plain.image.pixels == again.image.pixels).all()
