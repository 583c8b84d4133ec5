"""Examples for the judge of lent detail: portraits degraded and restored, with other photographs laid over them.

What is laid over a face is the same person of another day, a stranger, or the portrait itself, out of place by a few pixels
and with a stranger's mouth, eyes, fringe or surroundings in it. How it is laid is what `likeness.reference.fusion` does in
use; what would have been right, the portrait itself says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.degradations import TRAINING, Recipe
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Landmarks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, wide_blur
from likeness.imaging.image import Image, Size
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel
from likeness.models.lending.architecture import SIDE
from likeness.reference.correspondence import fold_free, mesh_map, sampled
from likeness.reference.expression import Expression
from likeness.reference.fusion import Laid, lay_reference
from likeness.reference.photographs import Reference
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.training.lending import LendingExamples

__all__ = ["LendingMaker"]

_DAYS_APART = (0.12, 0.42)
"""dlib's distance of two pictures of one person on different days: nearer are copies of one, further may be relatives."""
_STRANGERS = 0.55
_RECIPES: dict[str, float] = {"train-severe": 0.45, "train-blind": 0.45, "train-film": 0.1}
_DAYS = 0.75
"""Share of faces whose person is there on another day, where there are any."""
_CANDIDATES = 6
"""Of so many strangers the one whose head is turned most alike is taken."""
_REACH = (3.0, 6.0)
"""Sigma of the neighbourhood in which fine and coarse detail are judged, px at 512."""
_THOUSANDTHS = 1e3

_Map = NDArray[np.float32]
_FULL, _HALF = Size(SIDE, SIDE), Size(SIDE // 2, SIDE // 2)


@dataclass
class LendingMaker:
    """Makes examples of portraits of 512 px; the same seed makes the same.

    Attributes:
        portraits: the portraits.
        sharp: names of those that may be restored; the others only lend.
        seed: decides everything that is drawn.

    Raises:
        MissingExtraError: if dlib is not installed: it says who is in two portraits.
    """

    portraits: Portraits
    sharp: Collection[str]
    seed: int = 0
    _meshes: dict[int, Landmarks] = field(init=False)
    _distances: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self._detector, self._restorer, judge = MediaPipeDetector(), Restorer(), IdentityModel()
        self._meshes = {}
        embeddings = np.zeros((len(self.portraits.names), 128))
        for number in range(len(self.portraits.names)):
            pixels = self.portraits.pixels(number)
            landmarks = self._mesh(pixels)
            if landmarks is not None:
                self._meshes[number] = landmarks
                embeddings[number] = judge.embed(pixels)
        squares = np.square(embeddings).sum(axis=1)
        apart = squares[:, None] + squares - 2 * embeddings @ embeddings.T
        self._distances = np.sqrt(np.maximum(apart, 0))
        allowed = set(self.sharp)
        self._shown = [number for number in self._meshes if self.portraits.names[number] in allowed]
        self._on_two_days = [number for number in self._shown if self.others(number)]

    def others(self, number: int) -> list[int]:
        """The portraits of the same person on another day."""
        near, far = _DAYS_APART
        return [n for n in self._meshes if n != number and near < self._distances[number, n] < far]

    def make(self, count: int, report: Callable[[int], None] | None = None) -> LendingExamples:
        """So many examples."""
        pictures: list[NDArray[np.uint8]] = []
        sigmas: list[float] = []
        gains: list[NDArray[np.float16]] = []
        turn = 0
        while len(sigmas) < count:
            for picture, sigma, gain in self._examples(np.random.default_rng((self.seed, turn))):
                pictures.append(picture)
                sigmas.append(sigma)
                gains.append(gain)
            turn += 1
            if report is not None:
                report(len(sigmas))
        return LendingExamples(
            pictures=np.stack(pictures[:count]),
            sigmas=np.array(sigmas[:count], np.float32),
            gains=np.stack(gains[:count]),
        )

    def _examples(self, rng: Generator) -> list[tuple[NDArray[np.uint8], float, NDArray[np.float16]]]:
        """One degraded face, with up to three photographs laid over it."""
        chosen = self._on_two_days if self._on_two_days and rng.random() < _DAYS else self._shown
        number = chosen[int(rng.integers(len(chosen)))]
        recipes = [recipe for _, recipe in TRAINING if recipe.name in _RECIPES]
        recipe: Recipe = recipes[int(rng.choice(len(recipes), p=[_RECIPES[recipe.name] for recipe in recipes]))]
        seed = int(rng.integers(2**31))
        drawn, sharp = recipe.draw(seed), self.portraits.pixels(number)
        degraded = Image(pixels=np.clip(drawn.apply(sharp, seed), 0, 1).astype(np.float32))
        degraded = Image.from_uint8(degraded.to_uint8())
        original = luma(drawn.tone().apply(sharp, seed))
        faces = self._restorer.find_faces(degraded)
        if not faces:
            return []
        face = max(faces, key=lambda face: face.box.area)
        target = self._restorer.project(degraded, face, Controls.standard(), aligned=True).target
        landmarks = self._mesh(np.clip(target, 0, 1))
        if landmarks is None:
            return []
        days = self.others(number)
        given = [self._reference(n, luma(self.portraits.pixels(n)), rng) for n in rng.permutation(days)[:2]]
        if not days or rng.random() < 0.5:
            given.append(self._reference(number, self._strange(number, rng), rng))
        if rng.random() < 0.4:
            stranger = self._stranger(number, rng)
            given.append(self._reference(stranger, luma(self.portraits.pixels(stranger)), rng))
        laid = [lay_reference(one, crop=degraded.pixels, target=target, landmarks=landmarks) for one in given]
        return [_example(luma(degraded.pixels), luma(target), original, one) for one in laid if one is not None]

    def _mesh(self, pixels: NDArray[np.float32]) -> Landmarks | None:
        found = [face for face in self._detector.detect(Image(pixels=pixels)) if face.landmarks.source == "mesh"]
        return max(found, key=lambda face: face.box.area).landmarks if found else None

    def _stranger(self, number: int, rng: Generator) -> int:
        known = list(self._meshes)
        drawn = [known[int(n)] for n in rng.integers(0, len(known), _CANDIDATES)]
        drawn = [n for n in drawn if self._distances[number, n] > _STRANGERS] or drawn
        return min(drawn, key=lambda n: abs(_turn(self._meshes[n]) - _turn(self._meshes[number])))

    def _strange(self, number: int, rng: Generator) -> _Map:
        """A portrait's luma, a little out of place, with parts of strangers in it."""
        light = luma(self.portraits.pixels(number))
        for _ in range(int(rng.integers(1, 4))):
            stranger = self._stranger(number, rng)
            places = mesh_map(self._meshes[number].points, self._meshes[stranger].points, len(light))
            other = sampled(luma(self.portraits.pixels(stranger)), places)
            gain = np.clip(wide_blur(light, 24) / np.maximum(wide_blur(other, 24), 0.02), 0.4, 2.5)
            light = light + _part(rng) * fold_free(places) * (other * gain - light)
        moved = _smooth(rng, 6, 1.2, 2)
        down, across = np.mgrid[0 : len(light), 0 : len(light)].astype(np.float32)
        shifted = cv2.remap(
            light, across + moved[..., 0], down + moved[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(shifted, dtype=np.float32)

    def _reference(self, number: int, light: _Map, rng: Generator) -> Reference:
        """A portrait's face as a reference of another light and camera."""
        light = np.clip(light, 0.001, 1) ** np.float32(rng.uniform(0.7, 1.4))
        light = light * (1 + _smooth(rng, 3, 0.1, 1)[..., 0])
        whole = Size(light.shape[1], light.shape[0])
        if rng.random() < 0.25:
            side = int(rng.uniform(140, 420))
            light = resize(resize(light, Size(side, side), "area"), whole, "cubic")
        if rng.random() < 0.3:
            light = light + rng.normal(0, rng.uniform(0, 6) / 255, light.shape).astype(np.float32)
        landmarks = self._meshes[number]
        return Reference(
            name=self.portraits.names[number],
            light=np.clip(light, 0, 1).astype(np.float32),
            valid=np.ones(light.shape, np.float32),
            points=landmarks.points,
            depth=landmarks.depth,
            expression=Expression.of(landmarks),
            native_side=len(light),
            embedding=np.zeros(128, np.float32),
            irises=None,
            spectacles=None,
        )


def _example(
    shown: _Map, restored: _Map, original: _Map, laid: Laid
) -> tuple[NDArray[np.uint8], float, NDArray[np.float16]]:
    bands = [_bands(x, laid) for x in (laid.gain * laid.light, restored, original)]
    gains = []
    for lent, own, true, reach in zip(*bands, _REACH, strict=True):
        change, wanted = lent - own, true - own
        near = (gaussian_blur(x, reach) for x in (change * wanted, change * change))
        gains.append(np.stack([resize(x, _HALF, "area") * _THOUSANDTHS for x in near]))
    pictures = [resize(x, _FULL, "area") for x in (shown, restored, laid.shown, laid.valid)]
    samples = (np.clip(np.stack(pictures), 0, 1) * 255 + 0.5).astype(np.uint8)
    return samples, laid.sigma, np.stack(gains).astype(np.float16)


def _bands(x: _Map, laid: Laid) -> tuple[_Map, _Map]:
    """Fine and coarse detail."""
    middle, smooth = gaussian_blur(x, laid.fine), gaussian_blur(x, laid.sigma)
    return x - middle, middle - smooth


def _turn(landmarks: Landmarks) -> float:
    """How far a head is turned, px: the nose beside the middle between the ears."""
    points = landmarks.points
    return float(points[1, 0] - (points[234, 0] + points[454, 0]) / 2)


def _smooth(rng: Generator, knots: int, strength: float, channels: int) -> NDArray[np.float32]:
    """512 x 512 x C: values of a normal distribution at knots, cubic between them."""
    drawn = rng.normal(0, strength, (knots, knots, channels)).astype(np.float32)
    wide = np.asarray(cv2.resize(drawn, (512, 512), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    return wide.reshape(512, 512, channels)


def _part(rng: Generator) -> _Map:
    """512 x 512 in [0, 1]: mouth, eyes, what is above the brows, surroundings (twice as often), a side, or anything."""
    part = np.zeros((512, 512), np.float32)
    x, y = (int(v) for v in rng.normal(0, 8, 2))
    wide, high = rng.uniform(0.8, 1.2, 2)
    kind = int(rng.integers(7))
    if kind == 0:
        cv2.ellipse(part, (257 + x, 372 + y), (round(75 * wide), round(45 * high)), 0, 0, 360, (1.0,), -1)
    elif kind == 1:
        cv2.ellipse(part, (256 + x, 235 + y), (round(125 * wide), round(45 * high)), 0, 0, 360, (1.0,), -1)
    elif kind == 2:
        part[: 205 + 2 * y] = 1
    elif kind in (3, 4):
        part[:] = 1
        cv2.ellipse(part, (256, 285 + y), (round(135 * wide), round(185 * high)), 0, 0, 360, (0.0,), -1)
    elif kind == 5:
        part[:, : 250 + 8 * x] = 1
    else:
        part[_smooth(rng, 5, 1, 1)[..., 0] > 0.4] = 1
    return gaussian_blur(part, float(rng.uniform(3, 14)))
