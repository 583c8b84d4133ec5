from __future__ import annotations

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.reference.correspondence import fold_free, mesh_map, refined_map, sampled


def _grid() -> np.ndarray:
    down, across = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return np.stack([across, down], axis=-1)


def test_equal_meshes_give_the_identity(sitting: Sitting) -> None:
    points = sitting.landmarks.points
    np.testing.assert_allclose(mesh_map(points, points, SIDE), _grid(), atol=0.01)


def test_a_turned_and_larger_face_is_found_in_its_place(sitting: Sitting) -> None:
    """A similarity is met everywhere, beyond the mesh as well, out to the crop's corners."""
    points = sitting.landmarks.points.astype(np.float64)
    linear = 1.2 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    moved = (points @ linear.T + (5, -8)).astype(np.float32)
    expected = _grid() @ linear.T + (5, -8)
    np.testing.assert_allclose(mesh_map(sitting.landmarks.points, moved, SIDE), expected, atol=0.05)


def test_every_point_of_another_expression_is_met(sitting: Sitting) -> None:
    points = sitting.landmarks.points
    other = points.copy()
    smooth = np.exp(-np.square(points - points[13]).sum(axis=1) / (2 * 40.0**2))[:, None]
    other += smooth * np.array([3.0, -5.0], np.float32)
    places = mesh_map(points, other.astype(np.float32), SIDE)
    inner = np.round(points[:468]).astype(int)
    found = places[inner[:, 1], inner[:, 0]] - inner + points[:468]
    assert np.hypot(*(found - other[:468]).T).mean() < 0.5
    assert fold_free(places).min() > 0.99


def test_a_mesh_turned_inside_out_is_not_trusted(sitting: Sitting) -> None:
    points = sitting.landmarks.points
    other = points.copy()
    middle = points[1]
    other[:468][np.hypot(*(points[:468] - middle).T) < 25] = middle
    sound = fold_free(mesh_map(points, other, SIDE))
    x, y = np.round(middle).astype(int)
    assert sound[y, x] < 0.05
    assert sound[5, 5] == pytest.approx(1, abs=1e-3)


def test_what_both_show_puts_a_mesh_right(sitting: Sitting) -> None:
    """A mesh that is off by two pixels: flow takes most of it back, by the photograph's own blurred features."""
    points = sitting.landmarks.points
    light = luma(sitting.crop)
    start = mesh_map(points, points + np.float32(2), SIDE)
    better = refined_map(start, gaussian_blur(light, 2), light, 2.0)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[90:200, 80:176] = True
    before, after = (np.hypot(*(places - _grid())[inside].T).mean() for places in (start, better))
    assert before == pytest.approx(2.83, abs=0.05)
    assert after < 0.5 * before


def test_sampling_stays_in_range(sitting: Sitting) -> None:
    shown = sampled(luma(sitting.crop), mesh_map(sitting.landmarks.points, sitting.landmarks.points * 0.7, SIDE))
    assert shown.min() >= 0
    assert shown.max() <= 1
