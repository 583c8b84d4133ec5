from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.metrics import psnr
from likeness.reference.matching import FaceMatcher
from likeness.reference.photographs import prepare_reference
from likeness.reference.serving import embed_face, matches, served, warped_for
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    """A real, small network, which returns what it is shown: all that comes back is the reference's."""
    return Restorer(tiny_model, precision="f32")


@pytest.fixture(scope="module")
def blurred(astronaut: Image) -> Image:
    return astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5))


@pytest.fixture(scope="module")
def projection(restorer: Restorer, blurred: Image) -> FaceProjection:
    (face,) = restorer.find_faces(blurred)
    return restorer.project(blurred, face, Controls.standard())


def test_a_face_is_restored_with_its_reference(
    restorer: Restorer, blurred: Image, projection: FaceProjection, astronaut: Image, matcher: FaceMatcher
) -> None:
    (face,) = restorer.find_faces(astronaut)
    side = restorer.runtime.spec.side
    reference = prepare_reference(astronaut, face, matcher=matcher, side=side, name="astronaut.jpg")
    (match,) = matches(embed_face(projection, matcher), [reference])
    assert match.verdict != "other", match.likeness

    warped = warped_for(projection, [reference], MediaPipeDetector())
    assert warped is not None
    assert warped.sigma > 1
    assert served(projection, warped, 0.0) is projection
    with_it = served(projection, warped, 1.0)
    before, after = (
        restorer.compose(blurred, [item], Controls.standard()).image.pixels for item in (projection, with_it)
    )
    box = face.box.to_slices()
    fine = [(luma(x) - gaussian_blur(luma(x), 2))[box].ravel() for x in (before, after, astronaut.pixels)]
    alike = [float(np.corrcoef(x, fine[2])[0, 1]) for x in fine[:2]]
    assert alike[1] > alike[0] + 0.01
    assert psnr(after[box], astronaut.pixels[box]) > psnr(before[box], astronaut.pixels[box])
    np.testing.assert_array_equal(restorer.compose(blurred, [projection], Controls.standard()).image.pixels, before)
    assert with_it.projection is projection.projection


def test_without_a_reference_nothing_is_laid(projection: FaceProjection) -> None:
    assert warped_for(projection, [], MediaPipeDetector()) is None
    assert matches(np.eye(128, dtype=np.float32)[0], []) == ()
