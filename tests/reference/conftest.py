from __future__ import annotations

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Landmarks
from likeness.imaging.image import Image
from likeness.reference.matching import FaceMatcher
from likeness.reference.photographs import prepare_reference


@pytest.fixture(scope="session")
def matcher() -> FaceMatcher:
    return FaceMatcher()


@pytest.fixture(scope="session")
def sitting(astronaut: Image, matcher: FaceMatcher) -> Sitting:
    image = astronaut
    (face, *_) = MediaPipeDetector().detect(image)
    alignment = align(face.five_points, image.size, SIDE)
    landmarks = Landmarks(
        points=alignment.to_crop(face.landmarks.points).astype(np.float32),
        depth=(face.landmarks.depth * np.float32(alignment.scale)).astype(np.float32),
    )
    reference = prepare_reference(image, face, matcher=matcher, side=SIDE, name="astronaut.jpg")
    return Sitting(crop=warp(image.pixels, alignment), landmarks=landmarks, reference=reference)
