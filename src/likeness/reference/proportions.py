"""A person's own proportions, as far as another photograph shows them, in the mesh of a restored face.

The mesh of a restored face has the features where the network guessed them, and that guess tends toward everybody's face. A
rigid turn, shift and scale of the reference's mesh in three dimensions (Umeyama, "Least-squares estimation of transformation
parameters between two point patterns", 1991) says where this person has them. Each is wrong in its own way, the one by the
blur, the other by expression and by what a mesh knows of depth; a mean of both is nearer than either.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Landmarks
from likeness.reference.expression import Expression
from likeness.reference.photographs import Reference

__all__ = ["laid_mesh", "with_proportions"]

_PER_BLUR, _MOST = 0.04, 0.35
"""Share of the reference's mesh in the mean for each px of the photograph's blur at 512, and at most. Least squares on
portraits of 72 persons who are there on two days gives 0.15 for blurs of 2 to 8 px and 0.32 beyond."""
_MESH_POINTS = 468
"""Without the irises, which move in the eyes."""
_MOUTH, _AROUND = (61, 291, 13, 14), 0.35
"""Points of the mouth, and how far around it a laugh moves the face, in spans between the eyes' outer corners."""
_CORNERS = (33, 263)


def with_proportions(landmarks: Landmarks, reference: Reference, sigma: float, side: int) -> Landmarks:
    """The mesh of a restored face, drawn toward the proportions of the person in the reference.

    Args:
        landmarks: of the restored face in its crop, px.
        reference: another photograph of the person.
        sigma: the photograph's blur, px of the crop.
        side: of the crop, px.
    """
    points = landmarks.points[:_MESH_POINTS].astype(np.float64)
    step = laid_mesh(landmarks, reference) - points
    share = np.full(len(points), min(_PER_BLUR * sigma * 512 / side, _MOST))
    # Where one laughs and the other does not, the mouth's place says nothing about the person.
    span = max(float(np.linalg.norm(points[_CORNERS[0]] - points[_CORNERS[1]])), 1e-6)
    away = np.linalg.norm(points[:, None] - points[list(_MOUTH)], axis=2).min(axis=1) / (_AROUND * span)
    share *= 1 - (1 - Expression.of(landmarks).folds(reference.expression)) * np.exp(-0.5 * away**2)
    moved = landmarks.points.copy()
    moved[:_MESH_POINTS] = points + share[:, None] * step
    return replace(landmarks, points=moved)


def laid_mesh(landmarks: Landmarks, reference: Reference) -> NDArray[np.float64]:
    """468 x 2: the reference's mesh turned, moved and scaled to come closest to another one."""
    source = np.column_stack([reference.points, reference.depth])[:_MESH_POINTS].astype(np.float64)
    target = np.column_stack([landmarks.points, landmarks.depth])[:_MESH_POINTS].astype(np.float64)
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    source, target = source - centre, target - goal
    u, stretch, vt = np.linalg.svd(source.T @ target)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = float((stretch * mirror).sum() / max(float(np.square(source).sum()), 1e-12))
    return (scale * source @ (u * mirror) @ vt + goal)[:, :2]
