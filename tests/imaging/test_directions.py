"""Directions of edges, and averages along them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.directions import averaged_along, coherence, structure_tensor

SIDE = 96
INNER = (slice(24, -24), slice(24, -24))


def _stripes(angle: float) -> NDArray[np.float32]:
    """Waves whose crests run at ``angle``."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return np.sin((x * np.sin(angle) - y * np.cos(angle)) / 2).astype(np.float32)


def _all(angle: float) -> NDArray[np.float32]:
    return np.full((SIDE, SIDE, 2), (np.cos(angle), np.sin(angle)), np.float32)


def test_edges_that_run_one_way_are_coherent_and_noise_is_not() -> None:
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    assert coherence(structure_tensor(_stripes(0.7), 1.0, 5.0))[INNER].min() > 0.95
    assert coherence(structure_tensor(noise, 1.0, 5.0))[INNER].mean() < 0.5


def test_the_tensor_tells_the_way_across() -> None:
    xx, xy, yy = structure_tensor(_stripes(0.7), 1.0, 5.0)
    across = 0.5 * np.arctan2(2 * xy, xx - yy)[INNER]
    assert np.abs(np.cos(across - 0.7)).max() < 0.05


def test_an_average_along_crests_keeps_them_and_one_across_takes_them() -> None:
    stripes = _stripes(0.7)
    along, across = (averaged_along(stripes, _all(a), (2.0, 3.0, 4.0))[INNER] for a in (0.7, 0.7 + np.pi / 2))
    assert np.abs(along - stripes[INNER]).max() < 0.1
    assert np.abs(across).max() < 0.2


def test_opposite_directions_mean_the_same_and_colours_go_along() -> None:
    colours = np.random.default_rng(1).random((SIDE, SIDE, 3), dtype=np.float32)
    one, other = (averaged_along(colours, way * _all(0.3), (1.0, 2.0)) for way in (1, -1))
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(one[..., 1], averaged_along(colours[..., 1], _all(0.3), (1.0, 2.0)), atol=1e-6)
