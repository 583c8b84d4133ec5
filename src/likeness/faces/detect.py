"""Finding faces: MediaPipe's detectors on the levels of a pyramid.

The far detector finds faces of 15 to 100 px, whatever the picture's size. So it is shown the picture at several sizes, each
half of the one before, down to one where the whole picture is no larger than a face may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE_SIZE
from likeness.faces.blaze import NEAR_SIDE, WINDOW, Boxes, far_boxes, near_boxes, near_view
from likeness.faces.detection import Detection
from likeness.faces.face import Face, Landmarks, nearest
from likeness.faces.mesh import average_face, five_points, measure_mesh, upright
from likeness.faces.networks import face_network, free_face_networks
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.imaging.samples import refuse_nan
from likeness.messages.notice import Notice

__all__ = ["Detector", "MediaPipeDetector", "face_of_crop"]

_Samples = NDArray[np.uint8]


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> tuple[Face, ...]:
        """The faces of a picture, most certain first."""
        ...


class MediaPipeDetector:
    """MediaPipe's two detectors and its face mesh, run by OpenVINO. Safe to use from several threads.

    Args:
        min_score: confidence under which a detection is dropped, in [0, 1].
        min_face: width of the smallest face looked for, px; None for 20 px up to 8 megapixels, 40 up to 32, 80 up to 128
            and so on, so that the cost stops growing with the picture.

    Raises:
        ValueError: for values outside their range.
    """

    def __init__(self, *, min_score: float = 0.5, min_face: float | None = None) -> None:
        if not 0.0 <= min_score <= 1.0 or (min_face is not None and min_face < 8):
            raise ValueError(f"min_score must be in [0, 1] and min_face at least 8, not {min_score} and {min_face}")
        self._min_score = min_score
        self._min_face = min_face

    def detect(self, image: Image) -> tuple[Face, ...]:
        """The faces of a picture, most certain first."""
        sure: list[Face] = []
        doubtful: list[Face] = []
        for box in self._boxes(image.pixels):
            # A face that the box detector is sure of is looked at as it was found at other sizes, too.
            boxes = (box, *(box.others if box.score >= _SURE_ENOUGH else ()))
            found, second = self._best_look(image.pixels, boxes)
            # Under heavy noise the first points can be the better ones, and of a profile those of another size.
            looks = [found, *(look for look in boxes if look is not found)]
            meshes = (measure_mesh(image.pixels, look, patient=look.score >= _SURE_ENOUGH) for look in looks)
            tried = list(_until_measured(meshes))
            landmarks = tried[-1] if tried[-1].source == "mesh" else tried[0]
            face = Face(
                box=found.box, score=found.score, landmarks=landmarks, five_points=five_points(landmarks.points)
            )
            # What neither the mesh nor the other detector confirms is a hand, a flower, a badge or mere texture.
            if landmarks.source == "mesh" or second >= _CONFIRMED or found.score >= _CERTAIN:
                sure.append(face)
            elif second > 0 and (box.score + second) / 2 >= _DOUBTFUL:
                doubtful.append(face)
        # Alone in a picture, a doubtful box is mostly a face too poor for the mesh; beside a clear face it is mostly none.
        return tuple(sure or doubtful[:1])

    def _best_look(self, pixels: Pixels, boxes: Sequence[Detection]) -> tuple[Detection, float]:
        """The first of several boxes of a face that the second look confirms, else the one that it likes best."""
        best, score = boxes[0], 0.0
        for box in boxes:
            found, second = self._second_look(pixels, box)
            if second > score:
                best, score = found, second
            if second >= _CONFIRMED:
                break
        return best, score

    def _second_look(self, pixels: Pixels, found: Detection) -> tuple[Detection, float]:
        """What the short-range model makes of the face, set upright as the first key points say, and in quarter turns of it.

        The full-range model finds faces on their side or upside down, but takes a mouth for an eye there.

        Returns:
            the detection with the surer key points, and the short-range model's score; 0 where it sees no face.
        """
        crop, matrix = upright(pixels, found)
        views: list[tuple[_Central, int]] = []
        for turns in range(4):
            seen = _central_face(near_boxes(near_view(np.rot90(crop, turns)), self._min_score))
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

    def prepare(self) -> None:
        """Load the networks now rather than when the first picture comes."""
        for name in ("far", "glance", "near", "mesh", "attention"):
            face_network(name)

    def close(self) -> None:
        """Free the networks, which all detectors of the process share; they are loaded again when needed."""
        free_face_networks()

    def _boxes(self, pixels: Pixels) -> list[Detection]:
        height, width = pixels.shape[:2]
        longest, size = max(width, height), Size(width, height)
        smallest = self._min_face or _smallest_face(size)
        levels: list[_Samples] = []
        # The far detector sees faces from 14 px; smaller ones are shown to it enlarged.
        scale = max(smallest / 24.0, 0.25) / 0.6
        while longest / scale > _LARGEST_WHOLE:
            # The finest level comes from the picture itself, each further one from the one before.
            levels.append(_resized(levels[-1] if levels else pixels, size, 1.0 / scale))
            scale *= 2.0
        found: list[Detection] = []
        # First the whole picture, with a border, as the models want to see some of what surrounds a face. A face that
        # fills the frame is what the near detector is for.
        for side, largest, boxes in ((WINDOW, 144, far_boxes), (WINDOW, 96, far_boxes), (NEAR_SIDE, 96, near_boxes)):
            whole = _resized(levels[-1] if levels else pixels, size, largest / longest)
            left, top = (side - whole.shape[1]) // 2, (side - whole.shape[0]) // 2
            canvas = np.full((side, side, 3), 128, np.uint8)
            canvas[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
            found += _detections(boxes(canvas, self._min_score).moved(-left, -top), whole, size)
        # Then finer and finer, but not within a face that is sure and much larger than what is looked for there.
        for level in reversed(levels):
            unit = level.shape[1] / size.width
            sure = [face.box for face in found if face.score >= _CERTAIN and face.box.width * unit >= _MUCH_LARGER]
            known = [Box(*(unit * side for side in (box.left, box.top, box.right, box.bottom))) for box in sure]
            found += _detections(far_boxes(level, self._min_score, known), level, size)
        return _without_doubles([d for d in found if d.box.width >= smallest - _NARROWER])


_NARROWER = 4.0
"""By how much a box may be narrower than its face, px."""

_LARGEST_WHOLE = 240
"""Longest side of a level that needs no smaller one but that of the whole picture, px."""

_MUCH_LARGER = 180.0
"""Width of a face in a level, px, from which what the far detector finds within it is a part of it: it sees faces of up to
144 px."""

_CONFIRMED = 0.74
"""Second-look score from which a box without a mesh is believed: true profiles in old photographs reach 0.78 and more, a
helmet's reflection 0.69, ears and hands 0.64, textures nothing."""
_DOUBTFUL = 0.6
"""Mean of both models' scores under which a box without a mesh is nothing: textures and noise reach 0.57."""
_SURE_ENOUGH = 0.7
"""Score from which a box without a mesh is looked at again in other ways: noise is given that much only rarely."""
_CERTAIN = 0.84
"""Score of either model that needs no second opinion: views the wrong way up stay under 0.83, false boxes under 0.82."""
_TURN_MARGIN = 0.05
"""By how much a turned view must win over the one that the first key points call upright."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Central:
    """A face in the middle of an upright crop: score and 6 x 2 key points as shares of the crop's side."""

    score: float
    points: NDArray[np.float64]


def _central_face(boxes: Boxes) -> _Central | None:
    """The most certain face in the middle of the crop whose eyes are level, side by side and above its mouth."""
    for corners, score, points in zip(boxes.corners / NEAR_SIDE, boxes.scores, boxes.points / NEAR_SIDE, strict=True):
        away = float(np.abs((corners[:2] + corners[2:]) / 2 - 0.5).max())
        across = points[1] - points[0]
        upright_face = abs(across[1]) < 0.6 * across[0] and points[3, 1] > points[0, 1]
        if away < 0.2 and 0.25 < corners[2] - corners[0] < 0.9 and upright_face:
            return _Central(score=float(score), points=points)
    return None


def _smallest_face(size: Size) -> float:
    """The smallest face looked for unless another is asked for, px; by doublings, for each leaves out the finest level."""
    doublings = round(math.log2(max(1.0, math.sqrt(size.width * size.height) / 2000.0)))
    return 20.0 * 2.0**doublings


def _resized(pixels: Pixels | _Samples, size: Size, scale: float) -> _Samples:
    """A picture of ``size``, given as it is or as one of its levels, at ``scale``, as samples."""
    target = (max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    method = cv2.INTER_AREA if target[0] < pixels.shape[1] else cv2.INTER_CUBIC
    if pixels.dtype == np.uint8 and pixels.shape[1] // 2 == target[0] and pixels.shape[0] // 2 == target[1]:
        # Halving whole pixels is five times as fast as almost halving; of an odd side the last row or column is left out.
        pixels = pixels[: target[1] * 2, : target[0] * 2]
    resized: NDArray[Any] = cv2.resize(pixels, target, interpolation=method)
    if resized.dtype == np.uint8:
        return resized
    if method == cv2.INTER_CUBIC:  # it overshoots
        resized = np.clip(resized, 0.0, 1.0, out=resized)
    refuse_nan(resized)
    return np.asarray(cv2.convertScaleAbs(resized, alpha=255.0), np.uint8)


def _detections(boxes: Boxes, level: _Samples, size: Size) -> list[Detection]:
    """Boxes of a level in the pixels of a picture of ``size``."""
    scale = np.array([size.width / level.shape[1], size.height / level.shape[0]])
    corners, points = boxes.corners * np.tile(scale, 2), boxes.points * scale - 0.5
    return [
        Detection(box=Box(*map(float, corner)), score=float(score), key_points=point)
        for corner, score, point in zip(corners, boxes.scores, points, strict=True)
    ]


def _until_measured(tries: Iterable[Landmarks]) -> Iterator[Landmarks]:
    """Up to and with the first that was measured."""
    for landmarks in tries:
        yield landmarks
        if landmarks.source == "mesh":
            return


def _without_doubles(found: list[Detection]) -> list[Detection]:
    """Non-maximum suppression: of detections of one face the most certain stays, and knows the others."""
    kept: list[list[Detection]] = []
    for item in sorted(found, key=lambda d: d.score, reverse=True):
        same = next((group for group in kept if _same_face(item.box, group[0].box)), None)
        if same is None:
            kept.append([item])
        else:
            same.append(item)
    return [replace(first, others=tuple(others)) for first, *others in kept]


def _same_face(a: Box, b: Box) -> bool:
    common = a.intersection(b)
    # A box within another is the same face seen at another scale, or a part of it taken for a face.
    return a.iou(b) > 0.3 or common > 0.6 * min(a.area, b.area)


def face_of_crop(image: Image, detector: Detector) -> Face:
    """The face of an FFHQ-aligned crop: measured if the detector finds it, else the average face in the template's place.

    Raises:
        NoFaceError: if the picture is not square.
    """
    size = image.size
    if size.width != size.height:
        raise NoFaceError(Notice("no-face.not-square", {"size": str(size)}))
    mesh = average_face() * np.float32(size.width / TEMPLATE_SIZE)
    points = mesh[:, :2]
    found = detector.detect(image)
    if found:
        return nearest(found, five_points(points))
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(
        box=Box(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        score=0.0,
        landmarks=Landmarks(points=points, depth=mesh[:, 2], source="template"),
        five_points=five_points(points),
    )
