"""`likeness evaluate`: the same pairs for every model, with fixed recipes and seeds.

Sharp portraits are degraded by the fixed recipes of `likeness.degradations`, restored as aligned crops, and compared with
the original. Every figure stands beside the degraded input's own, as the question is always "better than doing nothing?".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.degradations import RECIPES
from likeness.errors import ConfigError, NoFaceError
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.regions import region_masks
from likeness.imaging.image import Image, Pixels
from likeness.metrics import IdentityModel, band_energy, landmark_distance, psnr, ssim
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

__all__ = ["EVALUATION_RECIPES", "Pair", "Score", "Table", "evaluate", "make_pairs", "sheet"]

EVALUATION_RECIPES = ("clean", "mild", "moderate", "severe", "grey-film", "messenger")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """An original (S x S x 3, [0, 1]) and what the recipe made of it."""

    name: str
    original: Pixels
    degraded: Pixels


@dataclass(frozen=True, kw_only=True)
class Score:
    """Means over pictures. PSNR in dB; SSIM; identity: distance of dlib embeddings to the original; landmarks: mean mesh
    distance to the original in outer-eye spans, over the pictures whose mesh was found (``found``, a share); skin and hair:
    finest-octave energy over the original's (1 is as much texture)."""

    psnr: float
    ssim: float
    identity: float
    landmarks: float
    found: float
    skin: float
    hair: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Scores of one recipe: the degraded input's and the restored pictures'."""

    recipe: str
    pictures: int
    degraded: Score
    restored: Score


def make_pairs(portraits: Sequence[tuple[str, Pixels]], recipe: str, *, every: int = 1) -> Iterator[Pair]:
    """Pairs of every so many-th portrait, with its place in the list as the seed.

    Raises:
        ConfigError: for an unknown recipe.
    """
    if recipe not in RECIPES:
        raise ConfigError(f'unknown recipe "{recipe}"; known are {", ".join(RECIPES)}')
    for seed in range(0, len(portraits), every):
        name, original = portraits[seed]
        drawn = RECIPES[recipe].draw(seed)
        yield Pair(name=name, original=drawn.tone().apply(original, seed), degraded=drawn.apply(original, seed))


def evaluate(
    restorer: Restorer,
    portraits: Sequence[tuple[str, Pixels]],
    *,
    recipes: Sequence[str] = EVALUATION_RECIPES,
    controls: Controls | None = None,
    report: Callable[[str, int], None] | None = None,
) -> tuple[Table, ...]:
    """Score a restorer on aligned portraits (name and S x S x 3, [0, 1]).

    Args:
        report: called with the recipe and the number of pictures done.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: for an unknown recipe or no portraits.
    """
    if not portraits:
        raise ConfigError("there are no portraits to evaluate on")
    judge = _Judge()
    tables: list[Table] = []
    for recipe in recipes:
        degraded: list[dict[str, float]] = []
        restored: list[dict[str, float]] = []
        for done, pair in enumerate(make_pairs(portraits, recipe), start=1):
            reference = judge.reference(pair.original)
            output = _restore(restorer, pair.degraded, controls or Controls.standard())
            degraded.append(judge.score(pair.degraded, reference))
            restored.append(judge.score(output, reference))
            if report is not None:
                report(recipe, done)
        tables.append(Table(recipe=recipe, pictures=len(degraded), degraded=_mean(degraded), restored=_mean(restored)))
    return tuple(tables)


def sheet(restorer: Restorer, pairs: Sequence[Pair], *, controls: Controls | None = None) -> Image:
    """A contact sheet: a row per pair with the degraded picture, the restored one and the original."""
    rows = [
        np.hstack([pair.degraded, _restore(restorer, pair.degraded, controls or Controls.standard()), pair.original])
        for pair in pairs
    ]
    return Image(pixels=np.vstack(rows).astype(np.float32))


def _restore(restorer: Restorer, degraded: Pixels, controls: Controls) -> Pixels:
    return restorer.restore(Image(pixels=degraded), controls, aligned=True).image.pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class _Reference:
    pixels: Pixels
    landmarks: Any
    embedding: NDArray[np.float64]
    points: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]


class _Judge:
    def __init__(self) -> None:
        self._identity = IdentityModel()
        self._detector: Detector = MediaPipeDetector()

    def reference(self, original: Pixels) -> _Reference:
        points = self._mesh(original)
        side = original.shape[0]
        if points is None:
            raise NoFaceError("no face was found in an original portrait: it cannot serve as a reference")
        masks = region_masks(points, side)
        return _Reference(
            pixels=original,
            landmarks=(landmarks := self._identity.locate(original)),
            embedding=self._identity.embed(original, landmarks),
            points=points,
            skin=masks["cheek"] + masks["forehead"],
            hair=masks["hair"],
        )

    def score(self, pixels: Pixels, reference: _Reference) -> dict[str, float]:
        points = self._mesh(pixels)
        distance = float("nan")
        if points is not None:
            distance = landmark_distance(points, reference.points)
        return {
            "psnr": min(psnr(pixels, reference.pixels), 99.0),  # equal pictures: a finite figure keeps means meaningful
            "ssim": ssim(pixels, reference.pixels),
            "identity": float(np.linalg.norm(self._identity.embed(pixels, reference.landmarks) - reference.embedding)),
            "landmarks": distance,
            "found": 0.0 if points is None else 1.0,
            "skin": _ratio(pixels, reference.pixels, reference.skin),
            "hair": _ratio(pixels, reference.pixels, reference.hair),
        }

    def _mesh(self, pixels: Pixels) -> NDArray[np.float32] | None:
        faces = [f for f in self._detector.detect(Image(pixels=pixels)) if f.landmarks.source == "mesh"]
        return max(faces, key=lambda f: f.box.area).landmarks.points if faces else None


def _ratio(pixels: Pixels, original: Pixels, mask: NDArray[np.float32]) -> float:
    inner = np.asarray(cv2.erode(mask, np.ones((5, 5), np.uint8)), dtype=np.float32)
    if inner.sum() < 100:
        return float("nan")
    return band_energy(pixels, inner) / max(band_energy(original, inner), 1e-6)


def _mean(scores: Sequence[dict[str, float]]) -> Score:
    names = scores[0]
    columns = {name: np.array([score[name] for score in scores]) for name in names}
    means = {
        name: float(np.nanmean(column)) if np.isfinite(column).any() else float("nan")
        for name, column in columns.items()
    }
    return Score(**means)
