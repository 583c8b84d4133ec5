from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.imaging.image import Image
from likeness.restore.pipeline import Restorer

Samples = NDArray[np.uint8]


@pytest.fixture(scope="session")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, device="cpu", precision="f32")


@pytest.fixture(scope="session")
def moving(astronaut: Image) -> Callable[[int], list[Samples]]:
    """Frames, 192 x 144, of a face that goes to the right and turns a little."""

    def make(count: int) -> list[Samples]:
        frames: list[Samples] = []
        # Reduced as it is it would alias, which is flicker of its own.
        portrait = cv2.GaussianBlur(astronaut.pixels, (0, 0), 1.0)
        for number in range(count):
            matrix = cv2.getRotationMatrix2D((128.0, 128.0), 1.0 * number, 0.55)
            matrix[:, 2] += (-34.0 + 1.5 * number, -58.0)
            laid = cv2.warpAffine(portrait, matrix, (192, 144), borderMode=cv2.BORDER_REFLECT)
            frames.append(np.rint(np.clip(laid, 0, 1) * 255).astype(np.uint8))
        return frames

    return make
