"""The whole pipeline on a real portrait, with a small network that starts as the identity, slightly retuned."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from counting import Counting
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.faces.align import unwarp
from likeness.faces.face import Face
from likeness.imaging.files import read_image
from likeness.imaging.image import Box, Image
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.restore.relaxation import ITERATIONS, weight_map
from likeness.restore.selection import Selection
from likeness.runtimes.base import Batch


@pytest.fixture(scope="module")
def portrait() -> Image:
    return read_image(Path(__file__).parents[1] / "data" / "astronaut.jpg")


@pytest.fixture(scope="module")
def pair(portrait: Image) -> Image:
    """The same portrait twice in one picture."""
    return Image(pixels=np.ascontiguousarray(np.hstack([portrait.pixels, portrait.pixels])))


@pytest.fixture(scope="module")
def projection(restorer: Restorer, portrait: Image) -> FaceProjection:
    return restorer.project(portrait, restorer.find_faces(portrait)[0], Controls())


def _change(restorer: Restorer, portrait: Image, item: FaceProjection, controls: Controls) -> NDArray[np.float32]:
    return restorer.compose(portrait, [item], controls).image.pixels - portrait.pixels


def test_the_face_changes_and_the_rest_does_not(restorer: Restorer, portrait: Image) -> None:
    result = restorer.restore(portrait, Controls(degradation_scale=0))
    assert [outcome.status for outcome in result.faces] == ["restored"]
    outcome = result.faces[0]
    change = np.abs(result.image.pixels - portrait.pixels).max(axis=2)
    rows, columns = outcome.face.box.clipped(portrait.size).to_slices()
    assert change[rows, columns].mean() > 0.01
    assert (change[0] == 0).all()
    assert (change[:, 0] == 0).all()
    assert result.image.size == portrait.size
    assert set(outcome.gains) == set(RegionWeights().to_dict())
    assert outcome.before is not None
    assert outcome.before.size.width == restorer.runtime.spec.side


def test_sliders_never_run_the_network(
    restorer: Restorer, runtime: Counting, portrait: Image, projection: FaceProjection
) -> None:
    calls = runtime.calls
    for controls in (
        Controls(latent_step_decay=0.02),
        Controls(strength=0.3),
        Controls(keep_grain=True),
        Controls().with_weights({"eye": 2.0}),
    ):
        assert projection.serves(controls)
        restorer.compose(portrait, [projection], controls)
    assert runtime.calls == calls
    other = Controls(degradation_scale=0.5)
    assert not projection.serves(other)
    with pytest.raises(ValueError, match="new projection"):
        restorer.compose(portrait, [projection], other)


def test_strength_zero_is_the_input(restorer: Restorer, portrait: Image, projection: FaceProjection) -> None:
    for controls in (
        Controls(strength=0.0),
        Controls(strength=0.0, keep_grain=True),
        Controls().with_weights({"all": 0}),
    ):
        assert np.array_equal(restorer.compose(portrait, [projection], controls).image.pixels, portrait.pixels)


def test_a_smaller_step_stays_closer(restorer: Restorer, portrait: Image, projection: FaceProjection) -> None:
    sizes = [
        np.abs(_change(restorer, portrait, projection, Controls(latent_step_decay=step))).mean()
        for step in (0.02, 0.04, 0.07, 0.1)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.6 * sizes[-1]


def test_a_regions_weight_acts_in_the_region(restorer: Restorer, portrait: Image, projection: FaceProjection) -> None:
    base = Controls(latent_step_decay=0.03)
    plain = _change(restorer, portrait, projection, base)
    eyes = _change(restorer, portrait, projection, base.with_weights({"eye": 2.0}))
    difference = np.abs(eyes - plain).max(axis=2)
    points = projection.face.landmarks.points
    eye, chin = points[468].round().astype(int), points[152].round().astype(int)  # iris centre, chin
    assert difference[eye[1], eye[0]] > 0.005
    assert difference[chin[1], chin[0]] < 1e-4


def test_a_region_weight_changes_nothing_outside_its_soft_mask(
    restorer: Restorer, portrait: Image, projection: FaceProjection
) -> None:
    base = Controls(latent_step_decay=0.03)
    plain = _change(restorer, portrait, projection, base)
    support = projection.masks["eye"] > 0
    reach, box = unwarp(np.repeat(support[:, :, None], 3, axis=2).astype(np.float32), projection.alignment)
    outside = np.ones(portrait.pixels.shape, bool)
    outside[box.to_slices()] = reach == 0
    assert 0.3 < outside.mean() < 0.99
    for weight in (0.0, 0.5, 1.5, 2.0):
        change = _change(restorer, portrait, projection, base.with_weights({"eye": weight}))
        assert np.array_equal(change[outside], plain[outside])
        assert not np.array_equal(change, plain)


def test_no_pixel_goes_further_with_a_smaller_control(
    restorer: Restorer, portrait: Image, projection: FaceProjection
) -> None:
    sliders = (
        [Controls(latent_step_decay=step) for step in (0.01, 0.02, 0.05, 0.1)],
        [Controls(strength=strength) for strength in (0.0, 0.3, 0.6, 1.0)],
        [Controls(latent_step_decay=0.04).with_weights({"cheek": weight}) for weight in (0.0, 0.3, 1.0, 2.0)],
    )
    for slider in sliders:
        results = [restorer.compose(portrait, [projection], controls).faces[0].after for controls in slider]
        changes = [np.abs(after.pixels - projection.crop) for after in results if after is not None]
        assert len(changes) == len(slider)
        for smaller, larger in pairwise(changes):
            assert (larger >= smaller).all()
        assert changes[-1].mean() > 1.2 * changes[0].mean()


def test_windows_are_the_explicit_loop(restorer: Restorer, portrait: Image) -> None:
    """``refine``: 30 steps one by one, the network asked again after 15, arrive where the closed form does."""
    controls = replace(Controls.natural(), refine=2)
    item = restorer.project(portrait, restorer.find_faces(portrait)[0], controls)
    eta_m = 0.04 * weight_map(item.masks, controls.face_mask_weights)[:, :, None].astype(np.float64)
    once = restorer.project(portrait, item.face, replace(controls, refine=1))
    x = item.crop.astype(np.float64)
    for target in (once.target, item.target):
        for _ in range(ITERATIONS // 2):
            x = x + eta_m * (target - x)
    expected = np.clip(item.crop + (x - item.crop) * item.mask[:, :, None], 0, 1)
    after = restorer.compose(portrait, [item], controls).faces[0].after
    assert after is not None
    assert np.abs(after.pixels - expected).max() < 1e-6


def test_gains_are_those_of_all_windows(restorer: Restorer, portrait: Image, projection: FaceProjection) -> None:
    thrice = restorer.project(portrait, projection.face, Controls(refine=3))
    gains = [restorer.compose(portrait, [item], item.controls).faces[0].gains for item in (projection, thrice)]
    assert gains[1] == gains[0]
    assert gains[0]["eye"] == pytest.approx(0.958, abs=1e-3)


def test_a_face_that_did_not_converge_says_so(restorer: Restorer, portrait: Image, projection: FaceProjection) -> None:
    def warnings(controls: Controls) -> str:
        return " ".join(restorer.compose(portrait, [projection], controls).faces[0].warnings)

    assert "not converged" not in warnings(Controls(latent_step_decay=0.02))
    assert "not converged in eye, brow" in warnings(Controls(latent_step_decay=0.015))
    # Less was asked for there, and less was done.
    assert "not converged" not in warnings(Controls().with_weights({"all": 0.1}))


def test_several_faces_and_selection(restorer: Restorer, pair: Image) -> None:
    result = restorer.restore(pair)
    assert [outcome.status for outcome in result.faces] == ["restored", "restored"]
    half = pair.size.width // 2
    left_only = restorer.restore(pair, selection=Selection(which=(0,)))
    assert [outcome.status for outcome in left_only.faces] == ["restored", "skipped"]
    assert left_only.faces[1].reason == "not among the faces selected"
    assert np.array_equal(left_only.image.pixels[:, half + 8 :], pair.pixels[:, half + 8 :])


def test_no_face(restorer: Restorer, portrait: Image) -> None:
    ramp = np.repeat(np.linspace(0, 1, 200, dtype=np.float32)[None, :, None], 200, axis=0).repeat(3, axis=2)
    with pytest.raises(NoFaceError, match="no face was found"):
        restorer.restore(Image(pixels=np.ascontiguousarray(ramp)))
    with pytest.raises(NoFaceError, match="faces found: 1; none was restored: "):
        restorer.restore(portrait, selection=Selection(min_size=5000))


def test_aligned_crops_change_as_a_whole(restorer: Restorer, projection: FaceProjection) -> None:
    crop = Image(pixels=projection.crop)
    result = restorer.restore(crop, Controls(degradation_scale=0), aligned=True)
    change = np.abs(result.image.pixels - crop.pixels).max(axis=2)
    assert (change[:4] > 0).mean() > 0.5  # up to the border
    with pytest.raises(NoFaceError, match="square"):
        restorer.restore(Image(pixels=np.zeros((64, 80, 3), np.float32)), aligned=True)


def test_the_face_of_an_aligned_crop_is_not_its_larger_neighbour(
    restorer: Restorer, projection: FaceProjection
) -> None:
    crop = Image(pixels=projection.crop)
    (own,) = restorer.find_faces(crop)

    class Neighboured:
        def detect(self, _: Image) -> tuple[Face, ...]:
            box = Box(own.box.left + 60, own.box.top, own.box.right + 100, own.box.bottom + 40)
            return replace(own.moved(70, 10), box=box), own

    result = Restorer(runtime=restorer.runtime, detector=Neighboured()).restore(crop, aligned=True)
    assert [outcome.face for outcome in result.faces] == [own]


def test_black_and_white_stays_so(restorer: Restorer, portrait: Image) -> None:
    grey = np.repeat(portrait.pixels.mean(axis=2, keepdims=True), 3, axis=2)
    result = restorer.restore(replace(portrait, pixels=grey, grey=True, native=None, icc_profile=None))
    assert np.array_equal(result.image.pixels[:, :, 0], result.image.pixels[:, :, 2])
    stored_in_colour = restorer.restore(Image(pixels=grey))
    assert np.array_equal(stored_in_colour.image.pixels[:, :, 0], stored_in_colour.image.pixels[:, :, 2])


def test_refine_runs_the_network_once_a_window(restorer: Restorer, runtime: Counting, portrait: Image) -> None:
    face = restorer.find_faces(portrait)[0]
    calls = runtime.calls
    item = restorer.project(portrait, face, Controls(refine=3))
    assert runtime.calls == calls + 3
    assert item.serves(Controls(refine=3, strength=0.5))
    assert not item.serves(Controls(refine=3, latent_step_decay=0.05))
    # A manifold that keeps moving is followed further.
    once = _change(restorer, portrait, restorer.project(portrait, face, Controls()), Controls())
    thrice = _change(restorer, portrait, item, Controls(refine=3))
    assert np.abs(thrice).mean() > np.abs(once).mean()


@pytest.mark.parametrize("no_numbers", [(np.nan, np.nan), (np.inf, -np.inf)])
def test_a_face_that_the_network_answers_without_numbers_fails_alone(
    restorer: Restorer, pair: Image, no_numbers: tuple[float, float]
) -> None:
    def without_numbers(answer: Batch) -> Batch:
        answer = answer.copy()
        answer[0, 0, 60, 60:62] = no_numbers
        return answer

    result = Restorer(runtime=Counting(restorer.runtime, without_numbers)).restore(pair)
    assert [outcome.status for outcome in result.faces] == ["failed", "restored"]
    assert "no numbers" in result.failed[0].reason
    assert np.isfinite(result.image.pixels).all()


def test_one_broken_face_does_not_cost_the_others(restorer: Restorer, pair: Image) -> None:
    class OneBroken:
        def detect(self, image: Image):
            first, second = restorer.find_faces(image)
            return (replace(first, five_points=np.zeros((5, 2))), second)

    result = Restorer(runtime=restorer.runtime, detector=OneBroken()).restore(pair)
    assert sorted(outcome.status for outcome in result.faces) == ["failed", "restored"]
    assert result.failed[0].reason
