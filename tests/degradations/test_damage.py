from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.degradations.damage import DAMAGE_KINDS, DamageKind, draw_damage
from likeness.evaluation.damage import drawn_counts, score_damage, total


@pytest.fixture(scope="module")
def wall() -> NDArray[np.float32]:
    """A grey wall that gets lighter, 200 x 160."""
    return np.repeat(np.linspace(0.35, 0.6, 160, dtype=np.float32)[None, :, None], 200, axis=0).repeat(3, axis=2)


@pytest.mark.parametrize("kind", DAMAGE_KINDS)
def test_each_kind_is_drawn_and_its_place_is_known(wall: NDArray[np.float32], kind: DamageKind) -> None:
    found = [draw_damage(wall, {kind: 1}, np.random.default_rng(seed)) for seed in range(12)]
    for damaged in found:
        changed = np.abs(damaged.pixels - wall).max(axis=2)
        assert (changed[~damaged.touched] < 0.03).all()
        for piece in damaged.pieces:
            assert piece.kind == kind
            assert (changed[piece.seen] > 0.04).all()
            step = float((damaged.pixels - wall)[piece.seen].mean())
            assert (step > 0) == piece.lighter
    pieces = [piece for damaged in found for piece in damaged.pieces]
    assert len(pieces) >= 9, "what is drawn beside the picture cannot be seen, but that is rare"
    assert {piece.lighter for piece in pieces} == {True, False}


def test_the_same_seed_draws_the_same(wall: NDArray[np.float32]) -> None:
    one, other = (draw_damage(wall, drawn_counts(rng, 160, 200), rng) for rng in map(np.random.default_rng, (3, 3)))
    assert (one.pixels == other.pixels).all()
    assert one.pixels.min() >= 0
    assert one.pixels.max() <= 1


def test_scores_of_all_nothing_and_half(wall: NDArray[np.float32]) -> None:
    damaged = draw_damage(wall, {"scratch": 2, "speck": 6}, np.random.default_rng(1))
    truth = np.logical_or.reduce([piece.seen for piece in damaged.pieces])
    best = score_damage(truth, damaged)
    assert (best.recall("scratch"), best.recall("speck"), best.mean_recall) == (1, 1, 1)
    assert (best.precision, best.precision_of_patches) == (1, 1)
    nothing = score_damage(np.zeros_like(truth), damaged)
    assert (nothing.mean_recall, nothing.marked, nothing.patches) == (0, 0, 0)
    # Everything is found, and most of what is found is wrong.
    everything = score_damage(np.ones_like(truth), damaged)
    assert everything.mean_recall == 1
    assert everything.precision < 0.5
    assert everything.precision_of_patches == 0
    both = total([best, nothing])
    assert both.mean_recall == pytest.approx(0.5)
    assert both.precision == 1
    assert sum(both.pieces.values()) == 2 * sum(best.pieces.values())


def test_scratches_of_a_part_are_as_long_as_in_the_whole_picture() -> None:
    ground = np.full((96, 96, 3), 0.5, np.float32)

    def longest(span: float | None) -> float:
        reach = []
        for seed in range(30):
            made = draw_damage(ground, {"scratch": 1}, np.random.default_rng(seed), span=span)
            reach += [float(np.ptp(np.argwhere(piece.seen), axis=0).max()) for piece in made.pieces]
        return float(np.mean(reach))

    assert longest(96.0) == longest(None)
    assert longest(480.0) > longest(None) + 10
