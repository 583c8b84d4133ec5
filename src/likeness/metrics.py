"""Figures that say how good a restoration is. Pictures are H x W x 3 float32 in [0, 1] unless said otherwise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import MissingExtraError
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

if TYPE_CHECKING:
    from typing import Any

__all__ = ["IdentityModel", "band_energy", "landmark_distance", "psnr", "ssim"]


def psnr(x: Pixels, reference: Pixels) -> float:
    """Peak signal-to-noise ratio over all samples in dB; infinite for equal pictures.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, reference)
    error = float(np.square(x.astype(np.float64) - reference).mean())
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


def ssim(x: Pixels, reference: Pixels) -> float:
    """Mean structural similarity of the luma (Wang et al., 2004): Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, reference)
    a, b = luma(x).astype(np.float64), luma(reference).astype(np.float64)

    def mean(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(y, (11, 11), 1.5), dtype=np.float64)

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    # The window reaches past the border in the outer 5 pixels; the paper leaves them out.
    return float((top / bottom)[5:-5, 5:-5].mean())


def band_energy(x: Pixels, mask: NDArray[np.float32]) -> float:
    """Root mean square of the luma's finest octave under a mask (H x W): how much fine texture there is, in [0, 1] units."""
    grey = luma(x)
    fine = grey - gaussian_blur(grey, 1.0)
    return float(np.sqrt((fine.astype(np.float64) ** 2 * mask).sum() / max(float(mask.sum()), 1e-9)))


def landmark_distance(points: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Mean distance of two 478 x 2 meshes, as a share of the reference's distance between the outer eye corners."""
    # 33 and 263 are the outer corners in MediaPipe's mesh.
    span = float(np.hypot(*(reference[263] - reference[33])))
    return float(np.hypot(*(points - reference).T).mean()) / span


class IdentityModel:
    """dlib's face embedding (ResNet-34, 128 numbers, CC0 weights): how far apart are two faces as persons?

    Two pictures of one person are usually under 0.6 apart. Needs the extra ``evaluate``.

    Raises:
        MissingExtraError: if dlib or its models are not installed.
    """

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError:
            raise MissingExtraError('identity figures need dlib: pip install "likeness[evaluate]"') from None
        # Found, not imported: the package's own code needs pkg_resources, which setuptools no longer has.
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or spec.origin is None:
            raise MissingExtraError('identity figures need face_recognition_models: pip install "likeness[evaluate]"')
        models = Path(spec.origin).parent / "models"
        library: Any = dlib  # a compiled module without types
        self._dlib = library
        self._network = library.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        self._shape = library.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))

    def locate(self, aligned: Pixels) -> Any:
        """dlib's five landmarks of an FFHQ-aligned crop, S x S x 3.

        The face's place is known, so no detector runs: a picture too poor to be detected still gets its figure.
        """
        side = aligned.shape[0]
        left, top, right, bottom = (round(v * side / 512) for v in _DLIB_BOX)
        return self._shape(_samples(aligned), self._dlib.rectangle(left, top, right, bottom))

    def embed(self, aligned: Pixels, landmarks: Any = None) -> NDArray[np.float64]:
        """The embedding (128) of an FFHQ-aligned crop, S x S x 3.

        ``landmarks`` are those of `locate`. To compare versions of one picture give all of them the original's: found anew
        in each they jitter, and that alone moves the embedding.
        """
        found = self.locate(aligned) if landmarks is None else landmarks
        return np.array(self._network.compute_face_descriptor(_samples(aligned), found))

    def distance(self, a: Pixels, b: Pixels) -> float:
        """Euclidean distance of the embeddings of two versions of one aligned crop, with the landmarks of ``b``."""
        landmarks = self.locate(b)
        return float(np.linalg.norm(self.embed(a, landmarks) - self.embed(b, landmarks)))


_DLIB_BOX = (95.0, 164.0, 405.0, 474.0)
"""Where dlib's detector puts its box on an FFHQ-aligned face at 512 (median over portraits)."""


def _samples(pixels: Pixels) -> NDArray[np.uint8]:
    return np.ascontiguousarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def _same_size(x: Pixels, y: Pixels) -> None:
    if x.shape != y.shape:
        raise ValueError(f"pictures of different size cannot be compared: {x.shape[:2]} and {y.shape[:2]}")
