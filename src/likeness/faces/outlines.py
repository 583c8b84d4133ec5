"""Outlines on the face mesh, and how they are filled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BROW_OUTLINES", "EYE_OUTLINES", "LIP_OUTLINE", "OVAL_OUTLINE", "filled"]

# Indices of MediaPipe's canonical face mesh; "left" is as seen in the picture.
OVAL_OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
EYE_OUTLINES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
BROW_OUTLINES = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
LIP_OUTLINE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)


def filled(outlines: Iterable[NDArray[np.floating[Any]]], side: int) -> NDArray[np.float32]:
    """S x S: 1 within any of the outlines, each N x 2 in pixels, 0 elsewhere."""
    canvas = np.zeros((side, side), np.float32)
    for outline in outlines:
        # Whole numbers with 4 bits after the point, as `fillPoly` wants them.
        cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_8, 4)
    return canvas
