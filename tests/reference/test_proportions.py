from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.faces.face import Landmarks
from likeness.reference.photographs import Reference
from likeness.reference.proportions import laid_mesh, with_proportions

NOSE = 1


def _turned(sitting: Sitting, degrees: float, scale: float) -> Reference:
    """The sitting's mesh as a photograph of the head turned to the side, nearer to the camera, and elsewhere shows it."""
    landmarks = sitting.landmarks
    points = np.column_stack([landmarks.points, landmarks.depth]).astype(np.float64)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = ((points - points.mean(axis=0)) @ turn.T * scale + (140, 120, 3)).astype(np.float32)
    return replace(
        sitting.reference, points=np.ascontiguousarray(moved[:, :2]), depth=np.ascontiguousarray(moved[:, 2])
    )


def test_a_turned_head_has_the_same_proportions(sitting: Sitting) -> None:
    reference = _turned(sitting, 25, 1.3)
    np.testing.assert_allclose(laid_mesh(sitting.landmarks, reference), sitting.landmarks.points[:468], atol=0.01)
    found = with_proportions(sitting.landmarks, reference, 4.0, SIDE)
    np.testing.assert_allclose(found.points, sitting.landmarks.points, atol=0.01)


def test_a_feature_goes_to_its_place_the_further_the_poorer_the_photograph(sitting: Sitting) -> None:
    guessed = sitting.landmarks.points.copy()
    guessed[NOSE] += (0, 6)
    landmarks = replace(sitting.landmarks, points=guessed)

    def left_at(sigma: float) -> float:
        found = with_proportions(landmarks, sitting.reference, sigma, SIDE)
        return float(np.linalg.norm(found.points[NOSE] - sitting.landmarks.points[NOSE]))

    left = [left_at(sigma) for sigma in (0.0, 1.0, 3.0, 30.0)]
    assert left[0] == pytest.approx(6, abs=1e-4)
    assert left == sorted(left, reverse=True)
    assert 3 < left[-1] < 4.5


def test_a_laugh_leaves_the_other_mouth_alone(sitting: Sitting) -> None:
    def moved(smile: float) -> float:
        laughing = sitting.reference.points.copy()
        laughing[[61, 291]] += ((-6, -3), (6, -3))
        expression = replace(sitting.reference.expression, smile=sitting.reference.expression.smile + smile)
        reference = sitting.with_reference(points=laughing, expression=expression)
        found: Landmarks = with_proportions(sitting.landmarks, reference, 6.0, SIDE)
        return float(np.linalg.norm(found.points[61] - sitting.landmarks.points[61]))

    assert moved(0.0) > 1.5
    assert moved(0.2) < 0.4
