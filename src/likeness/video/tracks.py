"""People followed from frame to frame: who is who, and landmarks that move as the face does and do not tremble.

A mesh that is measured anew in each frame trembles by a part of a pixel, and a picture warped by it trembles too.
Optical flow (Lucas and Kanade, 1981, pyramidal as in Bouguet, 2000) knows the motion between two frames far more
exactly, but drifts. So the last landmarks are moved by a similarity fitted to the flow, and the measured mesh pulls
them back a little: a Kalman filter whose motion is observed and whose gain is as large as the surprise (after Casiez et
al., "1 Euro Filter", 2012), which neither trembles at rest nor lags at a turn.

On a small, blurred or noisy face the mesh and the detector fail in many frames. There it moves by the flow alone, and is
not given up as long as the place looks as it did when one of them last saw the face there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import align, similarity
from likeness.faces.detection import Detection
from likeness.faces.face import Face, Landmarks
from likeness.faces.mesh import five_points, measure_mesh
from likeness.imaging.colour import luma
from likeness.imaging.image import Box, Image, Size
from likeness.reference.matching import OTHER_BELOW, SAME_FROM, Embedding, FaceMatcher, likeness
from likeness.video.person import embedded

__all__ = ["Track", "TrackedFace", "Tracker"]

_DETECT_EVERY, _DETECT_EVERY_ALONE = 8, 2
"""Frames from one look for faces at the whole picture to the next, and while nobody is in sight."""

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

_MISSES = 2
"""Frames in a row in which neither the mesh nor the detector finds a face, and its place looks different, before it is
taken as gone."""
_LOOK_SIDE, _ALIKE = 12, 0.7
"""Side at which the look of a face is compared, and the correlation from which on it is what it was: so coarse that noise
hardly counts."""
_LOOK_KEPT = 0.7
"""How much of the look so far stays when a face is seen again."""
_MEASURED, _UNMEASURED, _MOST = 24, 8, 96
"""Frames through which nothing but its look has to tell that a face is there, for each in which it was found: if the mesh
was ever measured on it, and if not; and the most of them. Texture that is once taken for a face does not stay one."""
_SLIP = 0.3
"""Distance, in eye distances, at which the detector's points alone are believed altogether: they tremble."""
_SOON = 25
"""Frames within which a face that appears where one was lost is the same."""
_TOLD_FROM = 32.0
"""Width of a face, px, from which it can be told who it is: narrower ones all look alike."""
_SAME_PLACE, _CROSSING = 0.3, 0.5
"""Common part of two boxes by their union: from the first on a detection is of a track, from the second on two tracks
are on one face."""

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
        number: from 0, in the order of appearance; kept by somebody who comes back, in a later scene as well.
        first, last: frames.
        face: where it is.
        who: sum of the person's embeddings so far, wider faces counting for more; None as long as nothing tells.
        width: of the widest box, px.
        look: the face, small, where it was found; None of one too flat.
        credit: frames through which its look alone may tell that it is there.
        found: whether the mesh or the detector finds it in this frame.
        misses: frames in a row in which it was not found, and did not look as before either.
        gone: whether it is out of sight.
    """

    number: int
    first: int
    last: int
    face: Face
    who: Embedding | None = None
    width: float = 0.0
    look: NDArray[np.float32] | None = None
    credit: int = 0
    found: bool = True
    misses: int = 0
    gone: bool = False

    def likeness(self, other: Embedding | None) -> float:
        """To an embedding, -1 to 1; 0 where nothing tells."""
        if self.who is None or other is None:
            return 0.0
        return likeness(self.who / np.linalg.norm(self.who), other)

    def seen(self, who: Embedding | None) -> None:
        """Another look at the person."""
        if who is not None:
            weighed = who * np.float32(self.face.box.width)
            self.who = weighed if self.who is None else self.who + weighed


class Tracker:
    """Follows the people of a video; frames are given in their order.

    Args:
        find: finds the faces of a picture, such as `Restorer.find_faces`.
        matcher: tells who is who.
    """

    def __init__(self, find: Callable[[Image], Sequence[Face]], matcher: FaceMatcher | None = None) -> None:
        self._find = find
        self._matcher = matcher or FaceMatcher()
        self._tracks: list[Track] = []
        self._frame = -1
        self._scene = 0
        self._grey: _Grey | None = None
        self._thumb: NDArray[np.float32] | None = None
        self._unit = 1.0
        self.cut = False
        """Whether the last frame began another scene."""

    @property
    def people(self) -> tuple[Track, ...]:
        """Everybody seen so far, by number."""
        return tuple(self._tracks)

    def step(self, image: Image) -> tuple[TrackedFace, ...]:
        """The faces of the next frame."""
        self._frame += 1
        grey = self._reduced(image)
        self.cut = self._is_cut(grey)
        before, self._grey = self._grey, grey
        if self.cut:
            self._scene = self._frame
            for track in self._tracks:
                track.gone = True
        live = self._in_sight()
        if before is not None:
            for track in live:
                self._follow(track, image, before, grey)
        self._part(image)
        often = _DETECT_EVERY if self._in_sight() else _DETECT_EVERY_ALONE
        if self.cut or self._frame % often == 0 or not all(track.found for track in live):
            self._look(image)
        for track in self._in_sight():
            self._judge(track, grey)
        shown = self._in_sight()
        for track in shown:
            track.last = self._frame
            track.width = max(track.width, track.face.box.width)
        return tuple(TrackedFace(number=track.number, face=track.face) for track in shown)

    def _in_sight(self) -> list[Track]:
        return [track for track in self._tracks if not track.gone]

    def _embedded(self, image: Image, face: Face) -> Embedding | None:
        """A unit vector; None of a face too small, or seen too far from the side, to tell who it is."""
        return embedded(image, face, self._matcher) if face.box.width >= _TOLD_FROM else None

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
        track.found = found.source == "mesh"
        if not track.found:
            track.face = moved
            return
        # Without flow the frame alone is believed.
        track.face = _measured(moved, found) if matrix is None else _corrected(moved, found)

    def _part(self, image: Image) -> None:
        """Of two tracks that came to lie on one face, the one stays whose it is; and what left the picture is gone."""
        live = self._in_sight()
        for track in live:
            if track.face.box.clipped(image.size).area < 0.3 * track.face.box.area:
                track.gone = True
        for place, one in enumerate(live):
            for other in live[place + 1 :]:
                if one.gone or other.gone or one.face.box.iou(other.face.box) < _CROSSING:
                    continue
                likes = [track.likeness(self._embedded(image, track.face)) for track in (one, other)]
                (other if likes[0] >= likes[1] else one).gone = True

    def _look(self, image: Image) -> None:
        """Look for faces in the whole picture: new ones, and those that are followed already."""
        found = list(self._find(image))
        live = self._in_sight()
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
            if not track.found:  # by the mesh, where it is thought to be
                measured = face.landmarks.source == "mesh"
                track.face = _corrected(track.face, face.landmarks) if measured else _drawn(track.face, face)
            track.found = True
            track.seen(self._embedded(image, track.face))
        for face in found:
            if id(face) not in taken:
                self._welcome(image, face)

    def _judge(self, track: Track, grey: _Grey) -> None:
        """Whether a face is still there."""
        look = _look_of(track.face, grey, self._unit)
        if track.found:
            if track.look is not None and look is not None:
                look = look + np.float32(_LOOK_KEPT) * (track.look - look)
            track.look = look
            worth = _MEASURED if track.face.landmarks.source == "mesh" else _UNMEASURED
            track.credit = min(track.credit + worth, _MOST)
            track.misses = 0
            return
        alike = track.look is not None and look is not None and _correlation(track.look, look) >= _ALIKE
        track.misses = 0 if alike else track.misses + 1
        track.credit -= 1
        track.gone = track.misses >= _MISSES or track.credit < 0

    def _welcome(self, image: Image, face: Face) -> None:
        """A face that no track is on: somebody who comes back, or somebody new."""
        who = self._embedded(image, face)
        away = [track for track in self._tracks if track.gone]
        best = max(away, key=lambda track: track.likeness(who), default=None)
        if best is None or best.likeness(who) < SAME_FROM:
            best = self._lost_at(face, who)
        if best is None:
            best = Track(number=len(self._tracks), first=self._frame, last=self._frame, face=face)
            self._tracks.append(best)
        best.face, best.gone, best.found, best.misses, best.credit, best.look = face, False, True, 0, 0, None
        best.seen(who)

    def _lost_at(self, face: Face, who: Embedding | None) -> Track | None:
        """Whose face was lost where one is now, a moment ago in the same scene; not of somebody known to be another."""
        lost = [
            track
            for track in self._tracks
            if track.gone
            and track.last >= max(self._scene, self._frame - _SOON)
            and track.face.box.iou(face.box) >= _SAME_PLACE
            and (track.who is None or who is None or track.likeness(who) >= OTHER_BELOW)
        ]
        return max(lost, key=lambda track: track.last, default=None)


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


def _drawn(moved: Face, found: Face) -> Face:
    """A face where the flow says, drawn toward where the detector's points are; its shape stays."""
    eyes = max(float(np.hypot(*(moved.five_points[1] - moved.five_points[0]))), 1.0)
    off = found.five_points - moved.five_points
    gain = min(max(_REST, float(np.median(np.hypot(*off.T))) / eyes / _SLIP), 1.0)
    try:
        return _moved(moved, similarity(moved.five_points, moved.five_points + gain * off))
    except ValueError:  # from the side the points lie in a line, and tell no motion
        return found


def _look_of(face: Face, grey: _Grey, unit: float) -> NDArray[np.float32] | None:
    """A face, upright and small; None of one seen so far from the side that its points lie in a line."""
    side = 8 * _LOOK_SIDE
    try:
        matrix = align(face.five_points * unit, Size(grey.shape[1], grey.shape[0]), side).matrix
    except ValueError:
        return None
    crop = cv2.warpAffine(grey, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    # Brows to chin: what is around a face changes as it moves.
    inner = crop[side // 3 : side // 3 + side // 2, side // 4 : side // 4 + side // 2]
    return np.asarray(cv2.resize(inner, (_LOOK_SIDE, _LOOK_SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _as_detection(face: Face) -> Detection:
    """What the mesh is measured about."""
    five = face.five_points
    mouth = (five[3] + five[4]) / 2
    return Detection(box=face.box, score=face.score, key_points=np.stack([*five[:3], mouth, five[0], five[1]]))


def _correlation(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Pearson's, in [-1, 1]; 0 of what is flat."""
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0
