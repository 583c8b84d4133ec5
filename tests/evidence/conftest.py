from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from shared_portraits import portrait

from likeness.evidence.figures import FaceEvidence
from likeness.evidence.inspection import Inspector
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Image

Judge = Callable[[NDArray[np.float32]], FaceEvidence]


@pytest.fixture(scope="session")
def inspector() -> Inspector:
    return Inspector()


@pytest.fixture(scope="session")
def woman(shared: Path) -> NDArray[np.float32]:
    """Smooth dark hair against a plain wall, even light."""
    return portrait(shared, "london-db92ef2e.jpg")


@pytest.fixture(scope="session")
def stranger(shared: Path) -> NDArray[np.float32]:
    return portrait(shared, "london-80ad0ffd.jpg")


@pytest.fixture(scope="session")
def judge(inspector: Inspector, woman: NDArray[np.float32]) -> Judge:
    """What the evidence says of the woman's portrait after something was done to it."""
    before = Image(pixels=woman)
    (face,) = MediaPipeDetector().detect(before)

    def said(after: NDArray[np.float32]) -> FaceEvidence:
        pixels = np.clip(after, 0, 1).astype(np.float32)
        return inspector.inspect_face(before, Image(pixels=pixels), face)

    return said
