from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.mesh import average_face
from likeness.faces.regions import REGIONS, RegionMasks, region_masks
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.relaxation import (
    CONVERGED,
    ITERATIONS,
    PLAIN_STEP,
    advance,
    relaxation_gain,
    step_in_grain,
    weight_map,
)

_Map = NDArray[np.float32]


@pytest.mark.parametrize(("step", "gain"), [(0.1, 0.958), (0.05, 0.785), (0.04, 0.706), (0.03, 0.599), (0.02, 0.455)])
def test_anchor_values(step: float, gain: float) -> None:
    assert relaxation_gain(step, np.ones((1, 1), np.float32))[0, 0] == pytest.approx(gain, abs=5e-4)


@pytest.fixture(scope="module")
def masks() -> RegionMasks:
    return region_masks(np.ascontiguousarray(average_face()[:, :2]) / 4, 128)


@pytest.fixture(scope="module")
def start() -> _Map:
    return np.random.default_rng(0).random((128, 128, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def target() -> _Map:
    return np.random.default_rng(1).random((128, 128, 3)).astype(np.float32)


@pytest.mark.parametrize("controls", [Controls(), Controls.natural(), Controls.ai_portrait()])
def test_closed_form_is_the_loop(masks: RegionMasks, start: _Map, target: _Map, controls: Controls) -> None:
    """With region weights, to float32's precision."""
    weights = weight_map(masks, controls.face_mask_weights)
    loop = start.astype(np.float64)
    for _ in range(ITERATIONS):
        loop = loop + controls.latent_step_decay * weights[:, :, None].astype(np.float64) * (target - loop)
    closed = start + advance(start, target, relaxation_gain(controls.latent_step_decay, weights))
    assert np.abs(closed - loop).max() < 5e-7


def test_windows_of_the_closed_form_are_the_loop(masks: RegionMasks, start: _Map) -> None:
    """``refine``: the target is computed again after 10 iterations each; between, the closed form stands for the loop."""
    weights = weight_map(masks, RegionWeights(eye=2.0, cheek=0.3))

    def project(x: _Map) -> _Map:
        return np.square(x)

    loop, target = start.astype(np.float64), start
    for iteration in range(ITERATIONS):
        if iteration % 10 == 0:
            target = project(loop.astype(np.float32))
        loop = loop + 0.06 * weights[:, :, None].astype(np.float64) * (target - loop)
    closed = start
    for _ in range(3):
        closed = closed + advance(closed, project(closed), relaxation_gain(0.06, weights, iterations=10))
    assert np.abs(closed - loop).max() < 2e-6


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_weight_is_monotone_and_local_to_the_last_bit(
    masks: RegionMasks, start: _Map, target: _Map, region: str
) -> None:
    def change(weight: float) -> _Map:
        weights = weight_map(masks, RegionWeights.of({"all": 0.7, region: weight}))
        return advance(start, target, relaxation_gain(0.05, weights))

    changes = [change(weight) for weight in (0.0, 0.1, 0.5, 1.0, 1.5, 2.0)]
    for smaller, larger in pairwise(changes):
        assert (np.abs(larger) >= np.abs(smaller)).all()
        assert (larger * smaller >= 0).all()
        assert np.array_equal(larger[masks[region] == 0], smaller[masks[region] == 0])
    if masks[region].max() > 0.1:
        assert np.abs(changes[-1] - changes[0]).max() > 0.05


def test_the_masks_are_zero_somewhere(masks: RegionMasks) -> None:
    """Without that, the test above would say nothing about what is local."""
    for region in REGIONS:
        assert (masks[region] == 0).mean() > 0.3


def test_a_smaller_step_never_goes_further(masks: RegionMasks, start: _Map, target: _Map) -> None:
    weights = weight_map(masks, Controls.natural().face_mask_weights)
    changes = [np.abs(advance(start, target, relaxation_gain(s, weights))) for s in np.linspace(0.005, 0.1, 20)]
    assert all((larger >= smaller).all() for smaller, larger in pairwise(changes))


def test_grain_that_goes_sooner_breaks_no_promise(masks: RegionMasks, start: _Map, target: _Map) -> None:
    """A smaller step takes no sample further, nor to the other side; at the plain step nothing is told apart."""
    weights = weight_map(masks, Controls.natural().face_mask_weights)
    grain = np.random.default_rng(2).standard_normal(start.shape).astype(np.float32)

    def change(step: float) -> _Map:
        sooner = relaxation_gain(step_in_grain(step, 0.9), weights)
        return advance(start, target, relaxation_gain(step, weights), grain=grain, grain_gain=sooner)

    changes = [change(step) for step in np.linspace(0.005, PLAIN_STEP, 20)]
    way = target - start
    assert all((np.abs(larger) >= np.abs(smaller)).all() for smaller, larger in pairwise(changes))
    assert all((moved * way >= 0).all() and (np.abs(moved) <= np.abs(way)).all() for moved in changes)
    assert np.abs(changes[-1] - advance(start, target, relaxation_gain(PLAIN_STEP, weights))).max() < 1e-6


def test_grain_goes_by_its_own_gain_and_the_rest_by_the_step() -> None:
    start = np.zeros((2, 2, 3), np.float32)
    target = np.full((2, 2, 3), 0.4, np.float32)
    gain, sooner = np.full((2, 2), 0.5, np.float32), np.full((2, 2), 0.9, np.float32)
    # Grain of -0.3 is taken out on the way up; of +0.3 it is not, as that would be the other way.
    for grain, expected in ((-0.3, 0.5 * 0.1 + 0.9 * 0.3), (-0.7, 0.9 * 0.4), (0.3, 0.5 * 0.4)):
        moved = advance(start, target, gain, grain=np.full_like(start, grain), grain_gain=sooner)
        assert np.allclose(moved, expected, atol=1e-6)


def test_no_slider_jumps(masks: RegionMasks, start: _Map, target: _Map) -> None:
    def result(step: float, eye: float) -> _Map:
        return start + advance(start, target, relaxation_gain(step, weight_map(masks, RegionWeights(eye=eye))))

    # No faster than the derivative of the gain, at most T by step times weight.
    for step in np.linspace(0.005, 0.0999, 12):
        assert np.abs(result(step + 1e-4, 1.0) - result(step, 1.0)).max() <= ITERATIONS * 1e-4 * 1.01
    for eye in np.linspace(0, 1.99, 12):
        assert np.abs(result(0.1, eye + 0.01) - result(0.1, eye)).max() <= ITERATIONS * 0.1 * 0.01 * 1.01


def test_the_least_useful_step_just_converges() -> None:
    one = np.ones((1, 1), np.float32)
    assert relaxation_gain(0.02, one)[0, 0] > CONVERGED > relaxation_gain(0.0195, one)[0, 0]


def test_gain_rises_with_step_and_weight() -> None:
    weights = np.linspace(0, 2, 21, dtype=np.float32)
    gains = np.stack([relaxation_gain(step, weights) for step in (0.02, 0.04, 0.07, 0.1)])
    assert (np.diff(gains, axis=1) > 0).all()
    assert (np.diff(gains, axis=0)[:, 1:] > 0).all()
    assert (gains[:, 0] == 0).all()


def test_grain_makes_steps_longer_but_for_the_plain_one() -> None:
    steps = np.linspace(0.005, PLAIN_STEP, 40).tolist()
    for grain in (0.0, 0.3, 1.0):
        taken = [step_in_grain(step, grain) for step in steps]
        assert all(larger > smaller for smaller, larger in pairwise(taken))
        assert all(own - 1e-12 <= step <= PLAIN_STEP for own, step in zip(steps, taken, strict=True))
        assert step_in_grain(PLAIN_STEP, grain) == PLAIN_STEP
    assert [step_in_grain(step, 0.0) for step in steps] == pytest.approx(steps, abs=1e-12)
    one = np.ones((1, 1), np.float32)
    assert relaxation_gain(step_in_grain(0.04, 1.0), one)[0, 0] == pytest.approx(0.914, abs=5e-4)


def test_steps_beyond_the_closed_form_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        relaxation_gain(0.6, np.full((2, 2), 2, np.float32))
