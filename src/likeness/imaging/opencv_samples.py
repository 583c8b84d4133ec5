"""16-bit samples by OpenCV, which keeps them; apart, as it takes long to import and few formats need it."""

from __future__ import annotations

from typing import BinaryIO, cast

import cv2
import numpy as np

from likeness.imaging.samples import Samples

__all__ = ["opencv_samples"]


def opencv_samples(stream: BinaryIO) -> Samples:
    """Decode 16-bit samples with OpenCV, channels in the order RGB(A)."""
    stream.seek(0)
    raw = cast("Samples | None", cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED))
    if raw is None:
        raise ValueError("the decoder gave up")
    if raw.dtype != np.uint16:
        raise ValueError("the decoder did not keep 16 bits")
    return raw if raw.ndim == 2 else raw[..., [2, 1, 0, 3][: raw.shape[2]]]
