"""People followed from frame to frame: who is who, and landmarks that move as the face does and do not tremble.

A mesh that is measured anew in each frame trembles by a part of a pixel, and a picture warped by it trembles too.
Optical flow (Lucas and Kanade, 1981, pyramidal as in Bouguet, 2000) knows the motion between two frames far more
exactly, but drifts. So the last landmarks are moved by a similarity fitted to the flow, and the measured mesh pulls
them back a little: a Kalman filter whose motion is observed and whose gain is as large as the surprise (after Casiez et
al., "1 Euro Filter", 2012), which neither trembles at rest nor lags at a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import FFHQ_TEMPLATE, TEMPLATE_SIZE, similarity
from likeness.faces.detection import Detection
from likeness.faces.face import Face, Landmarks
from likeness.faces.mesh import five_points, measure_mesh
from likeness.imaging.colour import luma
from likeness.imaging.image import Box, Image, Size

__all__ = ["Track", "TrackedFace", "Tracker"]

_DETECT_EVERY = 8
"""Frames between two looks for faces at the whole picture."""

_FLOW_SIDE = 960
"""Longer side of the picture in which flow is measured, px."""

_FLOW_POINTS = slice(0, 468, 6)
_FEWEST = 12
"""Of the mesh's points, those that are followed, and how many of them have to agree on a motion."""

_REST, _SURPRISE = 0.08, 0.10
"""Gain of a measured alignment where it says what the flow says, and the distance, in eye distances, at which it is
believed altogether."""
_REST_MESH = 0.3
"""The same of the mesh's points, which move by themselves: lids, lips."""

_MISSES = 3
"""Looks at the whole picture, or measures of the mesh, in a row that do not find a face before it is taken as gone."""
_REMEMBERED = 75
"""Frames for which a person who is gone keeps the number."""
_ALIKE = 0.55
"""Correlation with what a person looked like from which a face that comes back is that person."""
_SAME_PLACE, _CROSSING = 0.3, 0.5
"""Common part of two boxes by their union: from the first on a detection is of a track, from the second on two tracks
are on one face."""

_LOOK = 32
_CUT_SIZE = (48, 27)
_CUT_LIKENESS, _CUT_CHANGE = 0.5, 8.0
"""A cut: pictures that do not correlate, and differ by so many levels. Flashes and fades correlate."""

_Grey = NDArray[np.uint8]
_Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackedFace:
    """A face in a frame: the number of its person, from 0 in the order of appearance, and where it is."""

    number: int
    face: Face


@dataclass(kw_only=True, eq=False)
class Track:
    """A person in a video, as long as they are followed.

    Attributes:
        number: from 0, in the order of appearance.
        first, last: frames.
        width: of the widest box, px.
    """

    number: int
    first: int
    last: int
    face: Face
    look: NDArray[np.float32]
    width: float = 0.0
    misses: int = 0
    lost: bool = field(default=False)


class Tracker:
    """Follows the people of a video; frames are given in their order.

    Args:
        find: finds the faces of a picture, such as `Restorer.find_faces`.
    """

    def __init__(self, find: Callable[[Image], Sequence[Face]]) -> None:
        self._find = find
        self._tracks: list[Track] = []
        self._ended: list[Track] = []
        self._next = 0
        self._frame = -1
        self._grey: _Grey | None = None
        self._thumb: NDArray[np.float32] | None = None
        self._unit = 1.0
        self.cut = False
        """Whether the last frame began another scene."""

    @property
    def people(self) -> tuple[Track, ...]:
        """Everybody seen so far, by number."""
        return tuple(sorted((*self._ended, *self._tracks), key=lambda track: track.number))

    def step(self, image: Image) -> tuple[TrackedFace, ...]:
        """The faces of the next frame."""
        self._frame += 1
        grey = self._reduced(image)
        self.cut = self._is_cut(grey)
        before, self._grey = self._grey, grey
        if self.cut:
            self._ended += self._tracks
            self._tracks = []
        live = [track for track in self._tracks if not track.lost]
        if before is not None:
            for track in live:
                self._follow(track, image, before, grey)
        self._part(image.size, grey)
        if self.cut or self._frame % _DETECT_EVERY == 0 or any(track.misses for track in live):
            self._look(image, grey)
        self._forget()
        shown = [track for track in self._tracks if not track.lost]
        for track in shown:
            track.last = self._frame
            track.width = max(track.width, track.face.box.width)
        return tuple(TrackedFace(number=track.number, face=track.face) for track in shown)

    def _reduced(self, image: Image) -> _Grey:
        grey = np.asarray(cv2.convertScaleAbs(luma(image.pixels), alpha=255.0), np.uint8)
        size = image.size
        self._unit = min(1.0, _FLOW_SIDE / max(size.width, size.height))
        if self._unit < 1:
            reduced = (max(1, round(size.width * self._unit)), max(1, round(size.height * self._unit)))
            grey = np.asarray(cv2.resize(grey, reduced, interpolation=cv2.INTER_AREA), np.uint8)
        return grey

    def _is_cut(self, grey: _Grey) -> bool:
        thumb = np.asarray(cv2.resize(grey, _CUT_SIZE, interpolation=cv2.INTER_AREA), np.float32)
        before, self._thumb = self._thumb, thumb
        if before is None:
            return False
        return _correlation(before, thumb) < _CUT_LIKENESS and float(np.abs(thumb - before).mean()) > _CUT_CHANGE

    def _follow(self, track: Track, image: Image, before: _Grey, grey: _Grey) -> None:
        """Move a track to this frame."""
        face = track.face
        matrix = _motion(face.landmarks.points[_FLOW_POINTS] * self._unit, before, grey)
        if matrix is not None:
            matrix[:, 2] /= self._unit
        moved = face if matrix is None else _moved(face, matrix)
        found = measure_mesh(image.pixels, _as_detection(moved), patient=False)
        if found.source != "mesh":
            track.misses += 1
            track.face = moved
            return
        track.misses = 0
        # Without flow the frame alone is believed.
        track.face = _measured(moved, found) if matrix is None else _corrected(moved, found)

    def _part(self, size: Size, grey: _Grey) -> None:
        """Of two tracks that came to lie on one face, the one stays that looks like it; and what left the picture
        ends."""
        live = [track for track in self._tracks if not track.lost]
        for track in live:
            if track.face.box.clipped(size).area < 0.3 * track.face.box.area:
                track.lost = True
        for one in live:
            for other in live:
                if one is other or one.lost or other.lost or one.face.box.iou(other.face.box) < _CROSSING:
                    continue
                likes = [_correlation(track.look, _look_of(track.face, grey, self._unit)) for track in (one, other)]
                (other if likes[0] >= likes[1] else one).lost = True

    def _look(self, image: Image, grey: _Grey) -> None:
        """Look for faces in the whole picture: new ones, and those that are followed already."""
        found = list(self._find(image))
        live = [track for track in self._tracks if not track.lost]
        pairs = sorted(
            ((track.face.box.iou(face.box), track, face) for track in live for face in found),
            key=lambda pair: pair[0],
            reverse=True,
        )
        taken: set[int] = set()
        for common, track, face in pairs:
            if common < _SAME_PLACE or id(track) in taken or id(face) in taken:
                continue
            taken |= {id(track), id(face)}
            if track.misses and face.landmarks.source == "mesh":
                track.face = face  # the track had slipped
            track.misses = 0
            look = _look_of(track.face, grey, self._unit)
            track.look = np.asarray(0.9 * track.look + 0.1 * look, np.float32)
        for track in live:
            if id(track) not in taken:
                track.misses += 1
                track.lost = track.misses >= _MISSES
        for face in found:
            if id(face) not in taken:
                self._welcome(face, grey)

    def _welcome(self, face: Face, grey: _Grey) -> None:
        """A face that no track is on: somebody who comes back, or somebody new."""
        look = _look_of(face, grey, self._unit)
        away = [track for track in self._tracks if track.lost and 0.5 < track.face.box.width / face.box.width < 2.0]
        best = max(away, key=lambda track: _correlation(track.look, look), default=None)
        if best is not None and _correlation(best.look, look) >= _ALIKE:
            best.face, best.lost, best.misses = face, False, 0
            return
        self._tracks.append(Track(number=self._next, first=self._frame, last=self._frame, face=face, look=look))
        self._next += 1

    def _forget(self) -> None:
        for track in self._tracks:
            track.lost = track.lost or track.misses >= _DETECT_EVERY * _MISSES
        gone = [track for track in self._tracks if track.lost and self._frame - track.last > _REMEMBERED]
        self._ended += gone
        self._tracks = [track for track in self._tracks if track not in gone]


def _motion(points: NDArray[np.float32], before: _Grey, after: _Grey) -> NDArray[np.float64] | None:
    """The similarity (2 x 3) by which points moved; None where too few agree."""
    start = np.ascontiguousarray(points.reshape(-1, 1, 2), np.float32)
    reach = max(int(np.ptp(points[:, 0]) * 0.12), 7) | 1
    window = (reach, reach)
    end, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, start.copy(), winSize=window, maxLevel=3)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, end, end.copy(), winSize=window, maxLevel=3)
    kept = (found.ravel() > 0) & (returned.ravel() > 0) & (np.abs(back - start).max(axis=(1, 2)) < 0.7)
    if kept.sum() < _FEWEST:
        return None
    source, target = start[kept, 0].astype(np.float64), end[kept, 0].astype(np.float64)
    # Lids and lips move by themselves: those are left out, by medians and not by chance, so that runs are the same.
    matrix = similarity(source, target)
    for _ in range(4):
        off = np.hypot(*(source @ matrix[:, :2].T + matrix[:, 2] - target).T)
        near = off <= max(2.5 * float(np.median(off)), 0.05)
        if near.sum() < _FEWEST:
            return None
        matrix = similarity(source[near], target[near])
    return matrix


def _moved(face: Face, matrix: NDArray[np.float64]) -> Face:
    def move(points: NDArray[np.floating[Any]]) -> _Points:
        return points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]

    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    centre = move(np.array([[face.box.centre.x, face.box.centre.y]]))[0]
    half = np.array([face.box.width, face.box.height]) * scale / 2
    low, high = centre - half, centre + half
    landmarks = replace(
        face.landmarks,
        points=move(face.landmarks.points).astype(np.float32),
        depth=face.landmarks.depth * np.float32(scale),
    )
    box = Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return replace(face, box=box, landmarks=landmarks, five_points=move(face.five_points))


def _measured(face: Face, found: Landmarks) -> Face:
    return replace(face, landmarks=found, five_points=five_points(found.points))


def _corrected(moved: Face, found: Landmarks) -> Face:
    """A face where the flow says, drawn toward where the mesh was measured: the more, the more surprising that is."""
    five = five_points(found.points)
    eyes = max(float(np.hypot(*(moved.five_points[1] - moved.five_points[0]))), 1.0)
    # Of the whole face: a mouth that opens is no motion of the head.
    surprise = float(np.median(np.hypot(*(five - moved.five_points).T))) / eyes
    gain = min(max(_REST, surprise / _SURPRISE), 1.0)
    shift = found.points - moved.landmarks.points
    own = np.hypot(*shift.T) / np.float32(eyes)
    gains = np.clip(own / np.float32(_SURPRISE), max(gain, _REST_MESH), 1.0)[:, None]
    landmarks = Landmarks(
        points=np.asarray(moved.landmarks.points + shift * gains, np.float32), depth=found.depth, source="mesh"
    )
    mean = five.mean(axis=0) - moved.five_points.mean(axis=0)
    size = np.ptp(five_points(landmarks.points), axis=0).max() / max(np.ptp(moved.five_points, axis=0).max(), 1e-6)
    step = 1.0 + gain * (float(size) - 1.0)
    centre = np.array([moved.box.centre.x, moved.box.centre.y]) + gain * mean
    half = np.array([moved.box.width, moved.box.height]) * step / 2
    low, high = centre - half, centre + half
    return replace(
        moved,
        box=Box(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        landmarks=landmarks,
        five_points=moved.five_points + gain * (five - moved.five_points),
    )


def _as_detection(face: Face) -> Detection:
    """What the mesh is measured about."""
    five = face.five_points
    mouth = (five[3] + five[4]) / 2
    return Detection(box=face.box, score=face.score, key_points=np.stack([*five[:3], mouth, five[0], five[1]]))


def _look_of(face: Face, grey: _Grey, unit: float) -> NDArray[np.float32]:
    """32 x 32: the aligned face, small."""
    target = FFHQ_TEMPLATE * (_LOOK / TEMPLATE_SIZE * 1.6) - _LOOK * 0.3
    try:
        matrix = similarity(face.five_points * unit, target)
    except ValueError:  # points in a line, of a face from the side
        return np.zeros((_LOOK, _LOOK), np.float32)
    step = max(1, int(0.7 / float(np.hypot(matrix[0, 0], matrix[1, 0]))))
    if step > 1:
        grey = np.asarray(cv2.blur(grey, (step, step)), np.uint8)
    return np.asarray(cv2.warpAffine(grey, matrix, (_LOOK, _LOOK), borderMode=cv2.BORDER_REPLICATE), np.float32)


def _correlation(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Pearson's, in [-1, 1]; 0 of what is flat."""
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0
