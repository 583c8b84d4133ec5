"""MediaPipe's two box detectors (Bazarevsky et al., "BlazeFace", 2019).

The far one ("full range") is fully convolutional: it looks at windows of a picture of any size and says for each 4 px
whether a face is centred there. The near one ("short range") looks at 128 x 128 px, of which a face fills a good part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.networks import face_network
from likeness.imaging.image import Box, Size

__all__ = ["NEAR_SIDE", "WINDOW", "Boxes", "far_boxes", "near_boxes", "near_view"]

NEAR_SIDE = 128
"""Side of what the near detector looks at, px."""
WINDOW = 256
"""Side of what the far detector looks at, px. In windows of 384 or 768 px, which overlap less, it missed faces of 22 px."""

_OVERLAP = 64
"""Of neighbouring windows, px: a face up to about that size is whole in one of them."""
_CELL = 4
_SAME_FACE = 0.3
"""Intersection over union from which two boxes are of one face."""
_LEAST_DETAIL = 5.0
"""Of a window that is looked at (`_detail`): the faintest of 178 faces of 14 to 43 px on plain backdrops, among them dark,
pale and blurred ones, had 13.7; backdrops with noise of 4 levels of 255 have 5.2."""
_GLANCE_SCORE = 0.5
"""Least confidence at which `glance` is asked: of fainter faces it knows nothing."""
_LEAST_GLANCE = -3.0
"""Logit of `glance` from which a place may be a face's: at -3 none of 1,134 faces in 562 pictures was lost or found
otherwise, at -2 one of 87 px was lost."""
_MARGIN = 0.04
"""A box whose side comes nearer to a window's inner side than that share of its width is cut by it."""

_Samples = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """N faces, the most certain first.

    Attributes:
        corners: N x 4, left, top, right, bottom, px.
        scores: N, confidence in [0, 1].
        points: N x 6 x 2: eye to the left as seen, eye to the right, nose tip, mouth centre, ears; px.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    points: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def moved(self, left: float, top: float) -> Boxes:
        shift = np.array([left, top])
        return Boxes(corners=self.corners + np.tile(shift, 2), scores=self.scores, points=self.points + shift)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Boxes:
        return Boxes(corners=self.corners[which], scores=self.scores[which], points=self.points[which])


def far_boxes(samples: _Samples, min_score: float, known: Sequence[Box] = ()) -> Boxes:
    """The faces in one level of a picture, found best where they are 15 to 100 px wide.

    Args:
        samples: H x W x 3, RGB.
        min_score: confidence from which a face counts.
        known: larger faces, within which none is looked for.
    """
    size = Size(samples.shape[1], samples.shape[0])
    least = _logit(min_score)
    found: list[Boxes] = []
    for left, top in _worth_a_look(samples, size, min_score, known):
        # One by one: several at once are no faster on one core, and want a network, and memory, of their own.
        batch = _batch(_window(samples, left, top))
        scores, boxes = face_network("far").run({"samples": batch}, ["scores", "boxes"])
        rows, columns = np.nonzero(scores[0, 0] >= least)
        if len(rows):
            centres = (np.stack([columns, rows], axis=1) + 0.5) * _CELL
            candidates = _decoded(boxes[0, rows, columns], _confidence(scores[0, 0, rows, columns]), centres)
            found.append(_not_cut(candidates.moved(left, top), left, top, size))
    return _merged(found)


def near_boxes(samples: _Samples, min_score: float) -> Boxes:
    """The faces in `NEAR_SIDE` x `NEAR_SIDE` x 3 samples, RGB; see `far_boxes`."""
    scores, boxes = face_network("near").run({"samples": _batch(samples)}, ["scores", "boxes"])
    confidence = _confidence(scores[0, :, 0])
    (which,) = np.nonzero(confidence >= min_score)
    return _merged([_decoded(boxes[0][which], confidence[which], _near_centres()[which])])


def near_view(crop: _Samples) -> _Samples:
    """A square crop at the near detector's size, sampled bilinearly with corner on corner, as MediaPipe does it."""
    scale = crop.shape[0] / NEAR_SIDE
    matrix = np.array([[scale, 0, 0], [0, scale, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(crop, matrix, (NEAR_SIDE, NEAR_SIDE), flags=flags), dtype=np.uint8)


def _worth_a_look(samples: _Samples, size: Size, min_score: float, known: Sequence[Box]) -> list[tuple[int, int]]:
    """The windows of a level that hold some detail and, where there are several, a place outside known faces at which
    `glance` does not rule out a face that counts."""
    windows = [place for place in _windows(size) if _detail(_window(samples, *place)) >= _LEAST_DETAIL]
    if max(size.width, size.height) <= WINDOW or min_score < _GLANCE_SCORE:
        return windows
    found: list[NDArray[np.float64]] = []
    for left, top in windows:
        (places,) = face_network("glance").run({"samples": _batch(_window(samples, left, top))}, ["places"])
        rows, columns = np.nonzero(places[0, 0] >= _LEAST_GLANCE)
        found.append((np.stack([columns, rows], axis=1) + 0.5) * (WINDOW / places.shape[-1]) + (left, top))
    possible = np.concatenate(found) if found else np.empty((0, 2))
    for box in known:
        possible = possible[~((possible > (box.left, box.top)) & (possible < (box.right, box.bottom))).all(axis=1)]
    # Every window that holds the place, so that a face is found as often, and of the same means, as without.
    return [place for place in windows if ((possible >= place) & (possible < np.add(place, WINDOW))).all(axis=1).any()]


def _windows(size: Size) -> Iterator[tuple[int, int]]:
    for top in _starts(size.height):
        for left in _starts(size.width):
            yield left, top


def _starts(length: int) -> list[int]:
    if length <= WINDOW:
        return [0]
    count = int(np.ceil((length - WINDOW) / (WINDOW - _OVERLAP))) + 1
    return [int(start) for start in np.linspace(0, length - WINDOW, count)]


def _window(samples: _Samples, left: int, top: int) -> _Samples:
    """The window at a place, grey beyond the level."""
    area = samples[top : top + WINDOW, left : left + WINDOW]
    down, right = WINDOW - area.shape[0], WINDOW - area.shape[1]
    return np.pad(area, ((0, down), (0, right), (0, 0)), constant_values=128) if down or right else area


def _detail(area: _Samples) -> float:
    """The most that a place of 16 px differs from its surroundings, on average: of the Laplacian at half the size, of 255.

    Eyes, brows and mouth of the smallest faces are such detail; the slow changes of a backdrop, and its noise, are not.
    """
    half = (area.shape[1] // 2, area.shape[0] // 2)
    grey = cv2.resize(cv2.cvtColor(area, cv2.COLOR_RGB2GRAY), half, interpolation=cv2.INTER_AREA)
    return float(cv2.blur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (8, 8)).max())


def _batch(samples: _Samples) -> NDArray[np.float32]:
    """1 x H x W x 3 in [-1, 1]."""
    return samples[None].astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def _logit(confidence: float) -> float:
    """What `_confidence` makes the confidence of."""
    return (
        float(np.log(confidence) - np.log1p(-confidence))
        if 0.0 < confidence < 1.0
        else float(np.inf * (confidence - 0.5))
    )


def _confidence(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))


@cache
def _near_centres() -> NDArray[np.float64]:
    """896 x 2: two anchors in each cell of 8 px, then six in each of 16 px."""
    centres: list[NDArray[np.float64]] = []
    for cell, anchors in ((8, 2), (16, 6)):
        rows, columns = np.divmod(np.arange((NEAR_SIDE // cell) ** 2), NEAR_SIDE // cell)
        centres.append(np.repeat((np.stack([columns, rows], axis=1) + 0.5) * cell, anchors, axis=0))
    return np.concatenate(centres)


def _decoded(raw: NDArray[np.float32], scores: NDArray[np.float64], centres: NDArray[np.float64]) -> Boxes:
    """N x 16 (centre, width and height, six points), all but the size counted from the anchor's centre."""
    values = raw.astype(np.float64)
    middle, half = values[:, :2] + centres, values[:, 2:4] / 2
    points = values[:, 4:].reshape(-1, 6, 2) + centres[:, None]
    return Boxes(corners=np.concatenate([middle - half, middle + half], axis=1), scores=scores, points=points)


def _not_cut(boxes: Boxes, left: int, top: int, size: Size) -> Boxes:
    """Without those that an inner side of the window at (left, top) cuts; another window holds them whole."""
    margin = _MARGIN * (boxes.corners[:, 2] - boxes.corners[:, 0])
    right, bottom = left + WINDOW, top + WINDOW
    cut = np.zeros(len(boxes), bool)
    if left > 0:
        cut |= boxes.corners[:, 0] < left + margin
    if top > 0:
        cut |= boxes.corners[:, 1] < top + margin
    if right < size.width:
        cut |= boxes.corners[:, 2] > right - margin
    if bottom < size.height:
        cut |= boxes.corners[:, 3] > bottom - margin
    return boxes.chosen(~cut)


def _merged(found: Sequence[Boxes]) -> Boxes:
    """One box for each face: the mean of its candidates' by their scores, with the best one's score (BlazeFace, 3.4)."""
    everything = _joined([boxes for boxes in found if len(boxes)])
    order = np.argsort(-everything.scores, kind="stable")
    rest = everything.chosen(order)
    kept: list[Boxes] = []
    while len(rest):
        same = _overlap(rest.corners[0], rest.corners) > _SAME_FACE
        same[0] = True
        weights = rest.scores[same] / rest.scores[same].sum()
        kept.append(
            Boxes(
                corners=(rest.corners[same] * weights[:, None]).sum(axis=0, keepdims=True),
                scores=rest.scores[:1],
                points=(rest.points[same] * weights[:, None, None]).sum(axis=0, keepdims=True),
            )
        )
        rest = rest.chosen(~same)
    return _joined(kept)


def _joined(parts: Sequence[Boxes]) -> Boxes:
    if not parts:
        return Boxes(corners=np.empty((0, 4)), scores=np.empty(0), points=np.empty((0, 6, 2)))
    return Boxes(
        corners=np.concatenate([part.corners for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        points=np.concatenate([part.points for part in parts]),
    )


def _overlap(one: NDArray[np.float64], many: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box (4) with N x 4 others."""
    low, high = np.maximum(one[:2], many[:, :2]), np.minimum(one[2:], many[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    area = np.prod(np.maximum(many[:, 2:] - many[:, :2], 0), axis=1)
    union = area + np.prod(np.maximum(one[2:] - one[:2], 0)) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
