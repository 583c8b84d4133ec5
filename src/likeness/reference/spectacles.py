"""Spectacles of a reference that the face does not wear, or wears otherwise: their rims would be seen beside its own.

Only thick rims count: a thin one is seen in a sharp reference, but in a lost photograph nothing says whether somebody wears
it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.parts import PARTS_SIDE, face_parts
from likeness.imaging.filters import disc, gaussian_blur, resize
from likeness.imaging.image import Pixels, Size
from likeness.reference.correspondence import Map
from likeness.reference.expression import rising

__all__ = ["thick_spectacles", "without_other_spectacles"]

_THICK = 0.017
"""Share of the crop that is likelier spectacles than not, from which they are thick."""
_MET = (0.3, 0.6)
"""Common area of both spectacles over that of both together, from which, and up to which, they count as the same."""
_RIM, _AROUND = (0.15, 0.35), 5.0
"""What of a mask counts as a rim, and how far around one its edge reaches, px at `PARTS_SIDE`."""

_Map = NDArray[np.float32]


def thick_spectacles(pixels: Pixels, points: NDArray[np.float32]) -> _Map | None:
    """Where an aligned crop shows thick spectacles, 256 x 256 in [0, 1]; None where it shows none.

    Args:
        pixels: S x S x 3 in [0, 1].
        points: 478 x 2, the mesh in the crop.
    """
    mask = face_parts(pixels, points)["glasses"]
    return mask if float((mask > 0.5).mean()) >= _THICK else None


def without_other_spectacles(spectacles: _Map, target: Pixels, points: NDArray[np.float32], places: Map) -> _Map:
    """0 about the rims of a reference's spectacles and of the face's own where they do not meet, else 1; S x S.

    Args:
        spectacles: the reference's (`thick_spectacles`).
        target: S x S x 3, the restored face.
        points: 478 x 2, its mesh.
        places: S x S x 2, which place of the reference's crop is laid where.
    """
    side = places.shape[0]
    small = Size(PARTS_SIDE, PARTS_SIDE)
    scale = np.float32(PARTS_SIDE / side)
    where = (resize(places, small, "area" if scale < 1 else "linear") + 0.5) * scale - 0.5
    laid = np.asarray(
        cv2.remap(spectacles, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )
    own = face_parts(np.clip(target, 0, 1, dtype=np.float32), points)["glasses"]
    either = np.maximum(own, laid)
    met = float(rising(float(np.minimum(own, laid).sum()) / max(float(either.sum()), 1.0), *_MET))
    rims = np.asarray(cv2.dilate(rising(either, *_RIM), disc(_AROUND)), dtype=np.float32)
    around = np.clip(gaussian_blur(rims, _AROUND / 2), 0, 1)
    return resize(1 - np.float32(1 - met) * around, Size(side, side), "linear")
