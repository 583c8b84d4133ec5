"""Where a person is, and where the head: what is laid back when a whole head was drawn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.networks import face_network
from likeness.faces.regions import OVAL_OUTLINE, filled
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size

__all__ = ["head_mask", "person_mask"]

_SIDE = 256
"""What the segmentation looks at, px, whatever the picture's shape."""

_CHIN, _TOP = 152, 10
_JAW = (172, 397)
_CHEEKS = (50, 280, 205, 425, 151)
"""Points of cheeks and forehead: bare skin on most faces."""

_SKIN = 3.0
"""Mahalanobis distance in colour up to which a place under the chin is skin and not cloth."""


def person_mask(pixels: Pixels) -> NDArray[np.float32]:
    """Where a person is, H x W in [0, 1]: MediaPipe's selfie segmentation, whose edge a guided filter lays on the hair
    (He, Sun and Tang, "Guided Image Filtering", 2010).
    """
    shown = resize(pixels, Size(_SIDE, _SIDE), "linear").transpose(2, 0, 1)[None]
    (found,) = face_network("person").run({"samples": shown}, ["mask"])
    coarse = np.clip(resize(found[0, 0], Image(pixels=pixels).size, "linear") * 2 - 0.5, 0, 1)
    unit = max(pixels.shape[:2]) / 512
    fine = cv2.ximgproc.guidedFilter(pixels, coarse, max(1, round(8 * unit)), 1e-4)
    return np.clip((np.asarray(fine, dtype=np.float32) - 0.1) / 0.8, 0, 1)


def head_mask(pixels: Pixels, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """A head in an aligned crop, S x S in [0, 1]: face, ears, hair and neck; not the background, and not cloth.

    The face is the mesh's. What belongs to the person above the chin and near the face is hair and ears; what does below the
    chin, between the corners of the jaw, and in the colours of the face's skin, is neck. No network here knows
    hats from hair: a hat that lies close to the head is taken for it.

    Args:
        pixels: S x S x 3 in [0, 1].
        points: 478 x 2, the mesh in crop pixels.
    """
    side = pixels.shape[0]
    unit = _SIDE / side
    small = resize(pixels, Size(_SIDE, _SIDE), "area" if side > _SIDE else "linear")
    p = (points.astype(np.float64) + 0.5) * unit - 0.5
    oval = filled([p[list(OVAL_OUTLINE)]], _SIDE)
    down, across = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
    # Along the face: 0 at the chin, 1 at the top of the mesh. Across it: 0 in the middle, 1 at the cheeks.
    up = p[_TOP] - p[_CHIN]
    height = max(float(np.hypot(*up)), 1e-6)
    up = up / height
    middle = p[list(OVAL_OUTLINE)].mean(axis=0)
    half_width = float(np.abs((p[list(OVAL_OUTLINE)] - middle) @ (-up[1], up[0])).max())
    along = ((across - p[_CHIN][0]) * up[0] + (down - p[_CHIN][1]) * up[1]) / height
    aside = np.abs((across - middle[0]) * -up[1] + (down - middle[1]) * up[0]) / max(half_width, 1e-6)
    hair = (along > 0) & (along < 1.6) & (aside < 1.8)
    jaw = float(np.abs((p[list(_JAW)] - middle) @ (-up[1], up[0])).mean()) / max(half_width, 1e-6)
    neck = (along <= 0.25) & (along > -0.45) & (aside < jaw) & _like_skin(small, p)
    person = resize(person_mask(pixels), Size(_SIDE, _SIDE), "area" if side > _SIDE else "linear")
    head = np.maximum(oval, person * (hair | neck))
    return np.clip(resize(head, Size(side, side), "linear"), 0.0, 1.0)


def _like_skin(small: Pixels, p: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where colours are those of cheeks and forehead: a Gaussian in YCbCr, wide in lightness as a neck lies in shade."""
    colours = gaussian_blur(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb), np.float32), 1.5)
    samples: list[NDArray[np.float32]] = []
    for x, y in np.round(p[list(_CHEEKS)]).astype(int):
        rows, columns = slice(max(y - 4, 0), max(y + 5, 1)), slice(max(x - 4, 0), max(x + 5, 1))
        samples.append(colours[rows, columns].reshape(-1, 3))
    skin = np.concatenate(samples)
    if not len(skin):
        return np.zeros(small.shape[:2], np.bool_)
    spread = np.maximum(skin.std(axis=0), (0.12, 0.015, 0.015))
    distance = np.square((colours - skin.mean(axis=0)) / spread).sum(axis=2)
    return distance < _SKIN**2
