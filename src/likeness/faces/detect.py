"""Finding faces: MediaPipe's detectors on overlapping tiles of a pyramid.

The models look at 192 x 192 (full range) or 128 x 128 (short range) pixels whatever they are given, so a small face in a
large picture is invisible to them unless the picture is shown in tiles. Tiles overlap by a third, and each level of the
pyramid is half the size of the one below, so that every face is whole in some tile at a size the model likes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.faces.mesh import FaceMesh, five_points, upright
from likeness.faces.quiet import silence
from likeness.imaging.image import Box, Image, Pixels

__all__ = ["Detection", "Detector", "MediaPipeDetector"]


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> tuple[Face, ...]:
        """The faces of a picture, most certain first."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Detection:
    """What the box detector says of a face, in the picture's pixels.

    Attributes:
        box: brow to chin, ear to ear.
        score: confidence in [0, 1].
        key_points: 6 x 2: the eye to the left in an upright picture, the eye to the right, nose tip, mouth centre, ears.
    """

    box: Box
    score: float
    key_points: NDArray[np.float64]


class MediaPipeDetector:
    """MediaPipe's full-range and short-range detectors, and its face mesh. Safe to use from several threads.

    Args:
        min_score: confidence under which a detection is dropped, in [0, 1].
        min_face: width of the smallest face looked for, px.

    Raises:
        ValueError: for values outside their range.
    """

    def __init__(self, *, min_score: float = 0.5, min_face: float = 20.0) -> None:
        if not 0.0 <= min_score <= 1.0 or min_face < 8:
            raise ValueError(f"min_score must be in [0, 1] and min_face at least 8, not {min_score} and {min_face}")
        self._min_score = min_score
        self._min_face = min_face
        self._lock = threading.Lock()
        self._models: tuple[Any, Any] | None = None
        self._mesh = FaceMesh()

    def detect(self, image: Image) -> tuple[Face, ...]:
        """The faces of a picture, most certain first."""
        sure: list[Face] = []
        doubtful: list[Face] = []
        for box in self._boxes(image.pixels):
            found, second = self._second_look(image.pixels, box)
            landmarks = self._mesh.measure(image.pixels, found)
            if landmarks.source == "template" and found is not box:
                # Under heavy noise the first points can be the better ones.
                first = self._mesh.measure(image.pixels, box)
                landmarks = first if first.source == "mesh" else landmarks
            face = Face(
                box=found.box, score=found.score, landmarks=landmarks, five_points=five_points(landmarks.points)
            )
            # What neither the mesh nor the other detector confirms is a hand, a flower, a badge or mere texture.
            if landmarks.source == "mesh" or second >= _CONFIRMED or found.score >= _CERTAIN:
                sure.append(face)
            elif second > 0:
                doubtful.append(face)
        # Alone in a picture, a doubtful box is mostly a face too poor for the mesh; beside a clear face it is mostly none.
        return tuple(sure or doubtful[:1])

    def _second_look(self, pixels: Pixels, found: Detection) -> tuple[Detection, float]:
        """What the short-range model makes of the face, set upright as the first key points say, and in quarter turns of it.

        The full-range model finds faces on their side or upside down, but takes a mouth for an eye there.

        Returns:
            the detection with the surer key points, and the short-range model's score; 0 where it sees no face.
        """
        crop, matrix = upright(pixels, found)
        views: list[tuple[_Central, int]] = []
        with self._lock:
            model = self._load()[1]
            for turns in range(4):
                seen = _central_face(model.process(np.ascontiguousarray(np.rot90(crop, turns))))
                if seen is not None and (turns == 0 or seen.score >= _CONFIRMED):
                    views.append((seen, turns))
                    if seen.score >= _CERTAIN:  # no other view of the same face comes near
                        break
        if not views:
            return found, 0.0
        best, turns = max(views, key=lambda view: view[0].score - (_TURN_MARGIN if view[1] else 0.0))
        if best.score < _CONFIRMED:
            return found, best.score
        side = crop.shape[0]
        points = best.points * side - 0.5
        for _ in range(turns):  # np.rot90 turns left: what is at (x, y) now was at (side - 1 - y, x)
            points = np.stack([side - 1 - points[:, 1], points[:, 0]], axis=1)
        return replace(found, key_points=(points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T), best.score

    def close(self) -> None:
        """Free the models; they are loaded again when needed."""
        with self._lock:
            for model in self._models or ():
                model.close()
            self._models = None
        self._mesh.close()

    def _load(self) -> tuple[Any, Any]:
        """The full-range and the short-range model; call with the lock held."""
        if self._models is None:
            with silence():
                from mediapipe.python.solutions.face_detection import FaceDetection

                self._models = (
                    FaceDetection(min_detection_confidence=self._min_score, model_selection=1),
                    FaceDetection(min_detection_confidence=self._min_score, model_selection=0),
                )
                for model in self._models:
                    model.process(np.zeros((64, 64, 3), np.uint8))
        return self._models

    def _boxes(self, pixels: Pixels) -> list[Detection]:
        found: list[Detection] = []
        with self._lock:
            full_range, short_range = self._load()
            for tile in _tiles(pixels, self._min_face):
                found += tile.read(full_range.process(tile.samples))
                if tile.whole:
                    # A face that fills the frame is what the short-range model is for.
                    found += tile.read(short_range.process(tile.samples))
        return _without_doubles([d for d in found if d.box.width >= 0.8 * self._min_face])


_CONFIRMED = 0.74
"""Second-look score from which a box without a mesh is believed: true profiles in old photographs reach 0.78 and more, a
helmet's reflection 0.69, ears and hands 0.64, textures nothing."""
_CERTAIN = 0.84
"""Score of either model that needs no second opinion: views the wrong way up stay under 0.83, false boxes under 0.82."""
_TURN_MARGIN = 0.05
"""By how much a turned view must win over the one that the first key points call upright."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Central:
    """A face in the middle of an upright crop: score and 6 x 2 key points as shares of the crop's side."""

    score: float
    points: NDArray[np.float64]


def _central_face(result: Any) -> _Central | None:
    """The most certain detection in the middle of the crop whose eyes are level, side by side and above its mouth."""
    best: _Central | None = None
    for item in result.detections or ():
        box = item.location_data.relative_bounding_box
        points = np.array([(p.x, p.y) for p in item.location_data.relative_keypoints], dtype=np.float64)
        away = max(abs(box.xmin + box.width / 2 - 0.5), abs(box.ymin + box.height / 2 - 0.5))
        across = points[1] - points[0]
        upright_face = abs(across[1]) < 0.6 * across[0] and points[3, 1] > points[0, 1]
        if away < 0.2 and 0.25 < box.width < 0.9 and upright_face and (best is None or item.score[0] > best.score):
            best = _Central(score=float(item.score[0]), points=points)
    return best


_TILE = 320
_OVERLAP = 120


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tile:
    """A piece of a pyramid level: uint8 samples, and how to get back to the picture."""

    samples: NDArray[np.uint8]
    left: float
    top: float
    scale: float
    open_sides: tuple[bool, bool, bool, bool]
    whole: bool

    def read(self, result: Any) -> list[Detection]:
        """Detections in the picture's pixels, without those that an inner side of the tile cuts."""
        height, width = self.samples.shape[:2]
        kept: list[Detection] = []
        for item in result.detections or ():
            data = item.location_data
            box = data.relative_bounding_box
            left, top = box.xmin * width, box.ymin * height
            right, bottom = left + box.width * width, top + box.height * height
            margin = 0.04 * (right - left)
            cut = (left < margin, top < margin, right > width - margin, bottom > height - margin)
            if any(c and not o for c, o in zip(cut, self.open_sides, strict=True)):
                continue
            points = np.array([(p.x * width, p.y * height) for p in data.relative_keypoints], dtype=np.float64)
            s = self.scale
            kept.append(
                Detection(
                    box=Box(left * s + self.left, top * s + self.top, right * s + self.left, bottom * s + self.top),
                    score=float(item.score[0]),
                    key_points=points * s + (self.left - 0.5, self.top - 0.5),
                )
            )
        return kept


def _tiles(pixels: Pixels, min_face: float) -> Iterator[_Tile]:
    """Tiles of all levels, finest first; built a tile at a time, so that a large picture costs no second copy."""
    height, width = pixels.shape[:2]
    # On a tile the full-range model finds faces from about 24 px; smaller ones are shown enlarged.
    scale = min(1.0, max(min_face / 24.0, 0.25))
    while True:
        level_width, level_height = width / scale, height / scale
        whole = max(level_width, level_height) <= _TILE * 1.25
        if whole:
            yield _whole_tile(pixels, max(width, height))
            return
        for top in _starts(level_height):
            for left in _starts(level_width):
                yield _cut(pixels, left, top, scale)
        scale *= 2.0


def _starts(length: float) -> list[float]:
    if length <= _TILE:
        return [0.0]
    count = int(np.ceil((length - _TILE) / (_TILE - _OVERLAP))) + 1
    return [float(v) for v in np.linspace(0, length - _TILE, count)]


def _cut(pixels: Pixels, left: float, top: float, scale: float) -> _Tile:
    height, width = pixels.shape[:2]
    x0, y0 = int(left * scale), int(top * scale)
    x1, y1 = min(int(np.ceil((left + _TILE) * scale)), width), min(int(np.ceil((top + _TILE) * scale)), height)
    area = pixels[y0:y1, x0:x1]
    size = (max(1, round((x1 - x0) / scale)), max(1, round((y1 - y0) / scale)))
    if size != (x1 - x0, y1 - y0):
        area = cv2.resize(area, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC)
    samples = (np.clip(area, 0, 1) * 255 + 0.5).astype(np.uint8)
    sides = (x0 == 0, y0 == 0, x1 == width, y1 == height)
    return _Tile(samples=samples, left=x0, top=y0, scale=(x1 - x0) / size[0], open_sides=sides, whole=False)


def _whole_tile(pixels: Pixels, longest: int) -> _Tile:
    """The whole picture, with a border, as the models want to see some of what surrounds a face."""
    height, width = pixels.shape[:2]
    scale = longest / _TILE
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    area = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC)
    border = _TILE // 6
    side = _TILE + 2 * border
    samples = np.full((side, side, 3), 128, np.uint8)
    samples[border : border + size[1], border : border + size[0]] = (np.clip(area, 0, 1) * 255 + 0.5).astype(np.uint8)
    exact = width / size[0]
    return _Tile(
        samples=samples,
        left=-border * exact,
        top=-border * exact,
        scale=exact,
        open_sides=(True, True, True, True),
        whole=True,
    )


def _without_doubles(found: list[Detection]) -> list[Detection]:
    """Non-maximum suppression: of detections of one face the most certain stays."""
    kept: list[Detection] = []
    for item in sorted(found, key=lambda d: d.score, reverse=True):
        if all(not _same_face(item.box, other.box) for other in kept):
            kept.append(item)
    return kept


def _same_face(a: Box, b: Box) -> bool:
    common = a.intersection(b)
    # A box within another is the same face seen at another scale, or a part of it taken for a face.
    return a.iou(b) > 0.3 or common > 0.6 * min(a.area, b.area)
