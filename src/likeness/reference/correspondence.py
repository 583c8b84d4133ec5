"""Which place of another photograph shows a place of this face: from mesh to mesh, smooth, refined by what both show.

1. The two meshes of 478 points are joined by a triangulation that is the same for every face, the displacement is linear in
   each triangle, and a Gaussian takes its creases out. Outside the mesh it fades into the similarity between the faces.
2. A mesh is off by some pixels on a blurred face. What the photograph itself shows puts that right: optical flow (Kroeger et
   al., "Fast Optical Flow using Dense Inverse Search", 2016) between both, each at the photograph's sharpness and with its
   light taken out, limited to a few pixels and smoothed.

Where the map folds, or squeezes by more than `_SQUEEZE`, it says so, and nothing is taken from there.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import similarity
from likeness.faces.mesh import average_face
from likeness.faces.outlines import OVAL_OUTLINE
from likeness.imaging.filters import gaussian_blur, wide_blur

__all__ = ["Map", "fold_free", "mesh_map", "refined_map", "sampled"]

Map = NDArray[np.float32]
"""S x S x 2: for each pixel of the face's crop, the (x, y) in the other crop that shows it."""

_MESH_POINTS = 468
"""Without the irises, which move in the eyes: their place follows from the lids'."""
_RINGS = ((1.2, 0.8), (1.5, 0.4), (2.2, 0.0))
"""Of the outline, pushed outward by the first factor: how much of its displacement is left there."""
_CREASES = 2.0
"""Sigma that smooths the displacement, px at 512."""
_SQUEEZE = 3.0
_FLOW_LIMIT, _FLOW_LOCAL = 4.0, 6.0
"""How far flow may move a pixel, and the least sigma that smooths it, px at 512."""

_FRAME: NDArray[np.float64] = np.array(
    [[-2.0, -2.0], [-2.0, 0.5], [-2.0, 3.0], [0.5, -2.0], [0.5, 3.0], [3.0, -2.0], [3.0, 0.5], [3.0, 3.0]]
)
"""Points far outside a crop, in its sides."""

_Points = NDArray[np.float64]


def mesh_map(target: NDArray[np.float32], source: NDArray[np.float32], side: int) -> Map:
    """The map by the meshes alone.

    Args:
        target: 478 x 2, the mesh of the face that receives, in px of its crop of ``side``.
        source: 478 x 2, the mesh of the same person in the other crop.
    """
    goal, origin = target[:_MESH_POINTS].astype(np.float64), source[:_MESH_POINTS].astype(np.float64)
    matrix = similarity(goal, origin)
    points, triangles = _framed(goal, side)
    left = origin - (goal @ matrix[:, :2].T + matrix[:, 2])
    outline = left[list(OVAL_OUTLINE)]
    rings = [outline * share for _, share in _RINGS]
    displacement = np.concatenate([left, *rings, np.zeros((len(points) - len(left) - len(_RINGS) * len(outline), 2))])
    field = _interpolated(points, displacement, triangles, side)
    field = gaussian_blur(field, _CREASES * side / 512)
    line = np.arange(side)
    for axis, (per_x, per_y, shift) in enumerate(matrix):
        field[..., axis] += per_x * line + (per_y * line + shift)[:, None]
    return field


def refined_map(start: Map, target: NDArray[np.float32], source: NDArray[np.float32], sigma: float) -> Map:
    """``start`` with what optical flow adds.

    Args:
        start: from `mesh_map`.
        target, source: S x S, luma of the restored face and of the other crop, in [0, 1].
        sigma: the photograph's blur, px: both are compared as it shows them.
    """
    side = target.shape[0]
    unit = side / 512
    shown = sampled(source, start)
    here, there = (_contrast(gaussian_blur(x, max(sigma, 0.5 * unit)), 4 * sigma + 8 * unit) for x in (target, shown))
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(1 if sigma < 4 * unit else 2)
    flow = np.asarray(method.calc(here, there, None), dtype=np.float32)
    length = np.hypot(flow[..., 0], flow[..., 1])
    flow /= np.maximum(1, length / (_FLOW_LIMIT * unit))[..., None]
    flow = wide_blur(flow, 2 * sigma + _FLOW_LOCAL * unit)
    down, across = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.asarray(
        cv2.remap(start, across + flow[..., 0], down + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )


def sampled(pixels: NDArray[np.float32], places: Map) -> NDArray[np.float32]:
    """A crop as the map shows it, cubic, mirrored at its border."""
    shown = cv2.remap(pixels, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(np.asarray(shown, dtype=np.float32), 0, 1)


def fold_free(places: Map) -> NDArray[np.float32]:
    """S x S in [0, 1]: 0 where the map folds or squeezes too much to show detail, 1 where it is sound."""
    dx_dx, dx_dy = np.gradient(places[..., 0], axis=1), np.gradient(places[..., 0], axis=0)
    dy_dx, dy_dy = np.gradient(places[..., 1], axis=1), np.gradient(places[..., 1], axis=0)
    area = dx_dx * dy_dy - dx_dy * dy_dx
    typical = max(float(np.median(area)), 1e-6)
    bad = ((area < typical / _SQUEEZE) | (area > typical * _SQUEEZE)).astype(np.float32)
    radius = max(1, round(3 * places.shape[0] / 512))
    bad = np.asarray(cv2.dilate(bad, np.ones((2 * radius + 1,) * 2, np.uint8)), dtype=np.float32)
    return 1 - gaussian_blur(bad, radius)


def _contrast(x: NDArray[np.float32], around: float) -> NDArray[np.uint8]:
    """Deviation from the local mean over local contrast, as flow wants it: 0 to 255."""
    deviation = x - wide_blur(x, around)
    flat = deviation / (np.sqrt(wide_blur(deviation * deviation, around)) + 0.03)
    return np.clip(flat * 40 + 128, 0, 255).astype(np.uint8)


def _framed(points: _Points, side: int) -> tuple[_Points, NDArray[np.int64]]:
    """The mesh with rings around it and a far frame, and the triangles that join them (`_triangles`)."""
    outline = points[list(OVAL_OUTLINE)]
    centre = outline.mean(axis=0)
    rings = [centre + factor * (outline - centre) for factor, _ in _RINGS]
    return np.concatenate([points, *rings, side * _FRAME]), _triangles()


@cache
def _triangles() -> NDArray[np.int64]:
    """M x 3 numbers of points: Delaunay's triangles of the average face with its rings and frame."""
    mean = average_face()[:_MESH_POINTS, :2].astype(np.float64)
    outline = mean[list(OVAL_OUTLINE)]
    centre = outline.mean(axis=0)
    points = np.concatenate([mean, *(centre + factor * (outline - centre) for factor, _ in _RINGS), 512 * _FRAME])
    plane = cv2.Subdiv2D((-4096, -4096, 8192, 8192))
    numbers = {}
    for number, (x, y) in enumerate(points.astype(np.float32)):
        numbers[float(x), float(y)] = number
        plane.insert((float(x), float(y)))
    found = []
    for row in plane.getTriangleList():
        corners = [numbers.get((float(row[2 * k]), float(row[2 * k + 1]))) for k in range(3)]
        if None not in corners:  # the plane has three corners of its own, far outside
            found.append(corners)
    return np.array(found, dtype=np.int64)


def _interpolated(points: _Points, values: _Points, triangles: NDArray[np.int64], side: int) -> Map:
    """S x S x 2: ``values`` at ``points``, linear in every triangle."""
    corners, ends = points[triangles], values[triangles]
    number = np.zeros((side, side), np.float32)  # whole numbers, well within float32
    for index, corner in enumerate(np.round(corners * 16).astype(np.int32)):
        cv2.fillConvexPoly(number, corner, (float(index),), cv2.LINE_8, 4)
    spread = np.concatenate([corners, np.ones((len(corners), 3, 1))], axis=2)
    flat = np.abs(np.linalg.det(spread)) < 1e-6
    spread[flat] = np.eye(3)
    ends[flat] = 0
    planes, which = np.linalg.solve(spread, ends).astype(np.float32), number.astype(np.int32)
    line = np.arange(side, dtype=np.float32)
    found = np.empty((side, side, 2), np.float32)
    for axis in range(2):
        per_x, per_y, shift = (np.take(planes[:, k, axis], which) for k in range(3))
        found[..., axis] = per_x * line + per_y * line[:, None] + shift
    return found
