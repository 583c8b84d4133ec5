from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Landmarks
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.reference.matching import FaceMatcher
from likeness.reference.photographs import prepare_reference


@pytest.fixture(scope="session")
def matcher() -> FaceMatcher:
    return FaceMatcher()


@pytest.fixture(scope="session")
def sitting(astronaut: Image, matcher: FaceMatcher) -> Sitting:
    """A small face, that of the astronaut: its crop has 80 px of its own."""
    return _sitting(astronaut, "astronaut.jpg", matcher)


@pytest.fixture(scope="session")
def large_sitting(matcher: FaceMatcher) -> Sitting:
    """A face whose irises have pixels of their own: its crop has 350."""
    file = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
    return _sitting(read_image(file), file.name, matcher)


def _sitting(image: Image, name: str, matcher: FaceMatcher) -> Sitting:
    (face, *_) = MediaPipeDetector().detect(image)
    alignment = align(face.five_points, image.size, SIDE)
    landmarks = Landmarks(
        points=alignment.to_crop(face.landmarks.points).astype(np.float32),
        depth=(face.landmarks.depth * np.float32(alignment.scale)).astype(np.float32),
    )
    reference = prepare_reference(image, face, matcher=matcher, side=SIDE, name=name)
    return Sitting(crop=warp(image.pixels, alignment), landmarks=landmarks, reference=reference)
