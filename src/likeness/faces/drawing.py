"""Whether a face is drawn, engraved or cut in wood instead of photographed."""

from __future__ import annotations

import cv2
import numpy as np

from likeness.faces.tones import FaceView
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Size
from likeness.messages.notice import Notice

__all__ = ["drawing_score"]

_ONE_INK = 2.0
"""CIELAB units by which colours may stray from their course over lightness where a face is drawn with one ink. The 18 old
drawings that are found stray by 0.9 at most, 58 portraits in colour by 2.8 at least."""

_CONSTANT, _TEXTURE, _PAPER, _COHERENCE = 9.99, 2.42, 13.7, -8.28


def drawing_score(view: FaceView) -> float:
    """How much a face looks like lines on paper: 0 (a photograph) to 1 (an engraving).

    Logistic regression on three figures of the luma: the contrast of strokes on the skin (standard deviation above a
    Gaussian of 1.5 px, in a crop of 128), the share of the surroundings that is white paper (at most 0.3 counts), and the
    coherence of the structure tensor on the skin (Foerstner and Guelch 1987): hatching crosses itself, a face's shading and
    wrinkles run one way. Fitted on 24 engravings, woodcuts, pen drawings and lithographs against 90 old and 173 new
    photographs.

    A face in colours is no print of one ink, and 0: over-sharpened and noisy photographs before a white wall have a texture
    like hatching. Smooth oil paintings, miniatures and retouched photographs have the texture of photographs, and are not
    told apart.
    """
    if _colour_spread(view) > _ONE_INK:
        return 0.0
    bright = luma(view.crop)
    skin = ((view.masks["cheek"] + view.masks["forehead"] + view.masks["nose"]) > 0.6) & view.valid
    half = Size(view.crop.shape[1] // 2, view.crop.shape[0] // 2)
    small = resize(bright, half, "area")
    small_skin = resize(skin.astype(np.float32), half, "area") > 0.9
    if small_skin.sum() < 50:
        raise ValueError(Notice("face.little-inside"))
    strokes = float((small - gaussian_blur(small, 1.5))[small_skin].std())
    paper = float((luma(view.around)[view.around_valid] > 0.92).mean())
    soft = gaussian_blur(bright, 0.8)
    dx, dy = (np.asarray(cv2.Sobel(soft, cv2.CV_32F, *order), dtype=np.float32) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (gaussian_blur(product, 4.0) for product in (dx * dx, dy * dy, dx * dy))
    energy = xx + yy
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (energy + 1e-5)
    mean = float((coherence * energy)[skin].sum() / (energy[skin].sum() + 1e-6))
    score = _CONSTANT + _TEXTURE * np.log(max(strokes, 1e-4)) + _PAPER * min(paper, 0.3) + _COHERENCE * mean
    return float(1 / (1 + np.exp(-score)))


def _colour_spread(view: FaceView) -> float:
    """How far the face's a* and b* lie from a polynomial of the third degree in its lightness, on which paper, ink and their
    mixtures lie: root mean square, over a few pixels, so that noise does not count."""
    seen = view.valid[::4, ::4]
    lab = cv2.cvtColor(np.ascontiguousarray(gaussian_blur(view.crop, 4.0)[::4, ::4]), cv2.COLOR_RGB2LAB)[seen]
    if len(lab) < 16:
        return 0.0
    light, colours = lab[:, 0].astype(np.float64) / 100, lab[:, 1:].astype(np.float64)
    course = np.stack([light**power for power in range(4)], axis=1)
    rest = colours - course @ np.linalg.lstsq(course, colours, rcond=None)[0]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))
