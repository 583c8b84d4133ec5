"""A face found in a picture, and its alignment to a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.image import Box, Size

__all__ = ["Alignment", "Face", "Landmarks", "nearest", "reading_order"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmarks:
    """The face mesh in the picture's pixels.

    Attributes:
        points: 478 x 2 float32 (x, y): MediaPipe's 468-point mesh, then 2 x 5 iris points.
        depth: 478 float32, relative depth in the same unit; smaller is nearer.
        source: "mesh" if measured on the picture, "template" if the mesh found nothing and an average face was laid on the
            detector's key points instead (reported, never silent).
    """

    points: NDArray[np.float32]
    depth: NDArray[np.float32]
    source: Literal["mesh", "template"] = "mesh"

    def __post_init__(self) -> None:
        if self.points.shape != (478, 2) or self.depth.shape != (478,):
            raise ValueError(f"landmarks must be 478 x 2 and 478, not {self.points.shape} and {self.depth.shape}")

    def __repr__(self) -> str:
        return f"Landmarks(source={self.source!r})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Face:
    """One face in a picture; all positions in that picture's pixels.

    Attributes:
        box: the detector's box (brow to chin, ear to ear).
        score: detector confidence in [0, 1].
        landmarks: the mesh.
        five_points: 5 x 2 float64: left eye, right eye, nose tip, left and right mouth corner ("left" as seen).
    """

    box: Box
    score: float
    landmarks: Landmarks
    five_points: NDArray[np.float64]

    def moved(self, x: float, y: float) -> Face:
        """The same face in a picture whose origin lies elsewhere: every position with ``x`` and ``y`` added."""
        box, shift = self.box, np.array([x, y])
        return replace(
            self,
            box=Box(box.left + x, box.top + y, box.right + x, box.bottom + y),
            landmarks=replace(self.landmarks, points=(self.landmarks.points + shift).astype(np.float32)),
            five_points=self.five_points + shift,
        )

    def __repr__(self) -> str:
        return f"Face({self.box.rounded()}, score={self.score:.2f})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Alignment:
    """The similarity transform from a picture to a square, aligned crop.

    Attributes:
        matrix: 2 x 3 float64; maps picture (x, y, 1) to crop (x, y), pixel centres at whole numbers.
        crop_size: side of the crop in pixels.
        picture_size: size of the picture.
        template: how the face lies in the crop (`likeness.faces.align.TEMPLATES`).
    """

    matrix: NDArray[np.float64]
    crop_size: int
    picture_size: Size
    template: str = "ffhq"

    @property
    def scale(self) -> float:
        """Crop pixels per picture pixel; below 1 the crop has less detail than the picture."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    @property
    def native_side(self) -> float:
        """Side of the crop measured in the picture's pixels."""
        return self.crop_size / self.scale

    @property
    def inverse(self) -> NDArray[np.float64]:
        """2 x 3 float64; maps crop (x, y, 1) to picture (x, y)."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.hstack([linear, -linear @ self.matrix[:, 2:]])

    def scaled(self, size: Size) -> Alignment:
        """The same crop of the picture enlarged or reduced to ``size``."""
        factors = np.array([size.width / self.picture_size.width, size.height / self.picture_size.height])
        matrix = self.matrix.copy()
        matrix[:, :2] /= factors
        # x = (x' + 0.5) / factor - 0.5
        matrix[:, 2] += self.matrix[:, :2] @ (0.5 / factors - 0.5)
        return replace(self, matrix=matrix, picture_size=size)

    def resized(self, crop_size: int) -> Alignment:
        """The same area in a crop of another side."""
        factor = crop_size / self.crop_size
        matrix = self.matrix * factor
        matrix[:, 2] += 0.5 * factor - 0.5
        return replace(self, matrix=matrix, crop_size=crop_size)

    def to_crop(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Points of the picture, N x 2, in crop pixels."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    @property
    def box(self) -> Box:
        """The crop's bounding box in the picture, clipped to it, on whole pixels."""
        last = self.crop_size - 1
        corners = np.array([[0, 0], [last, 0], [last, last], [0, last]], dtype=np.float64)
        points = corners @ self.inverse[:, :2].T + self.inverse[:, 2]
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0)) + 1
        return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1])).clipped(self.picture_size)


def nearest(faces: Sequence[Face], five_points: NDArray[np.float64]) -> Face:
    """Of one face or several the one whose points, 5 x 2, are nearest to these: a neighbour in a crop may be the larger."""
    return min(faces, key=lambda face: float(np.hypot(*(face.five_points - five_points).T).mean()))


def reading_order(faces: Sequence[Face]) -> tuple[Face, ...]:
    """Rows top to bottom, left to right; a face belongs to the row whose first face it overlaps by half its height."""
    rows: list[list[Face]] = []
    for face in sorted(faces, key=lambda f: f.box.centre.y):
        if rows and abs(face.box.centre.y - rows[-1][0].box.centre.y) < 0.5 * rows[-1][0].box.height:
            rows[-1].append(face)
        else:
            rows.append([face])
    return tuple(face for row in rows for face in sorted(row, key=lambda f: f.box.centre.x))
