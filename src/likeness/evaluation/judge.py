"""One picture beside its original, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.regions import region_masks
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.metrics import IdentityModel, band_energy, landmark_distance, piqe, plastic_skin, psnr, ssim

__all__ = ["EQUAL", "Judge", "Reference", "Score"]

EQUAL = 99.0
"""What stands for the infinite PSNR of equal pictures, in dB: a finite figure keeps means meaningful."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one picture, or their means over pictures; NaN where there is none.

    Attributes:
        psnr: dB; 99 for equal pictures.
        ssim: structural similarity of the luma, 1 for equal pictures.
        identity: distance of dlib's embedding to the original's; persons differ by 0.6.
        landmarks: mean mesh distance to the original's in outer-eye spans; NaN where no mesh was found.
        found: 1 where the mesh was found.
        skin, hair, eye: finest-octave energy over the original's (1: as much texture).
        plastic: share of the skin with under half of the original's texture (`plastic_skin`).
        piqe: distortion without looking at the original, 0 (best) to 100.
    """

    psnr: float
    ssim: float
    identity: float
    landmarks: float
    found: float
    skin: float
    hair: float
    eye: float
    plastic: float
    piqe: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @staticmethod
    def mean(scores: Sequence[Score]) -> Score:
        """Means over pictures, each over those that have the figure."""
        return Score(**{field.name: _mean([getattr(score, field.name) for score in scores]) for field in fields(Score)})


def _mean(values: list[float]) -> float:
    column = np.array(values, dtype=np.float64)
    column = column[np.isfinite(column)]
    return float(column.mean()) if column.size else float("nan")


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """An original, measured once: its mesh, embedding and texture regions (S x S in [0, 1])."""

    pixels: Pixels
    landmarks: Any
    embedding: NDArray[np.float64]
    points: NDArray[np.float32]
    textures: dict[str, NDArray[np.float32]]


class Judge:
    """Scores aligned pictures, S x S x 3 in [0, 1].

    Raises:
        MissingExtraError: if the identity model is not installed.
    """

    def __init__(self) -> None:
        self._identity = IdentityModel()
        self._detector: Detector = MediaPipeDetector()

    def reference(self, original: Pixels) -> Reference:
        """Measure an original.

        Raises:
            NoFaceError: if no face is found in it.
        """
        points = self._mesh(original)
        if points is None:
            raise NoFaceError(Notice("evaluate.no-face-in-original"))
        masks = region_masks(points, Image(pixels=original).size.width)
        landmarks = self._identity.locate(original)
        return Reference(
            pixels=original,
            landmarks=landmarks,
            embedding=self._identity.embed(original, landmarks),
            points=points,
            textures={
                "skin": masks["cheek"] + masks["forehead"],
                "hair": masks["hair"],
                "eye": masks["eye"],
            },
        )

    def score(self, pixels: Pixels, reference: Reference) -> Score:
        """Score a picture against an original of the same size."""
        points = self._mesh(pixels)
        original, skin = reference.pixels, reference.textures["skin"]
        return Score(
            psnr=min(psnr(pixels, original), EQUAL),
            ssim=ssim(pixels, original),
            identity=float(np.linalg.norm(self._identity.embed(pixels, reference.landmarks) - reference.embedding)),
            landmarks=float("nan") if points is None else landmark_distance(points, reference.points),
            found=0.0 if points is None else 1.0,
            plastic=plastic_skin(pixels, original, skin),
            piqe=piqe(pixels),
            **{region: _ratio(pixels, original, mask) for region, mask in reference.textures.items()},
        )

    def _mesh(self, pixels: Pixels) -> NDArray[np.float32] | None:
        faces = [f for f in self._detector.detect(Image(pixels=pixels)) if f.landmarks.source == "mesh"]
        return max(faces, key=lambda f: f.box.area).landmarks.points if faces else None


def _ratio(pixels: Pixels, original: Pixels, mask: NDArray[np.float32]) -> float:
    inner = np.asarray(cv2.erode(mask, np.ones((5, 5), np.uint8)), dtype=np.float32)
    if inner.sum() < 100:
        return float("nan")
    return band_energy(pixels, inner) / max(band_energy(original, inner), 1e-6)
