"""Where a person is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.networks import face_network
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size

__all__ = ["person_mask"]

_SIDE = 256
"""What the segmentation looks at, px, whatever the picture's shape."""


def person_mask(pixels: Pixels) -> NDArray[np.float32]:
    """Where a person is, H x W in [0, 1]: MediaPipe's selfie segmentation, whose edge a guided filter lays on the hair
    (He, Sun and Tang, "Guided Image Filtering", 2010).
    """
    shown = resize(pixels, Size(_SIDE, _SIDE), "linear")[None]
    (found,) = face_network("person").run({"samples": shown}, ["mask"])
    coarse = np.clip(resize(found[0, 0], Image(pixels=pixels).size, "linear") * 2 - 0.5, 0, 1)
    unit = max(pixels.shape[:2]) / 512
    fine = cv2.ximgproc.guidedFilter(pixels, coarse, max(1, round(8 * unit)), 1e-4)
    return np.clip((np.asarray(fine, dtype=np.float32) - 0.1) / 0.8, 0, 1)
