"""Heavily blurred faces are drawn anew, no others are, and it is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ControlError
from likeness.faces.align import align, warp
from likeness.faces.regions import REGIONS, RegionMasks
from likeness.imaging.filters import gaussian_blur, to_channels
from likeness.imaging.image import Image, Pixels
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.features.architecture import WINDOWS
from likeness.models.formats import read_spec
from likeness.models.store import Store
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.features import share_drawn, with_features
from likeness.restore.outcome import face_warnings, gain_maps
from likeness.restore.pipeline import Restorer
from likeness.restore.references import FaceReferences, Gift
from likeness.restore.report import drawn_anew, face_record
from likeness.restore.tasks.registry import TASKS, task_of
from likeness.runtimes import features as runtime
from likeness.runtimes.features import redrawn

SIDE, BLUR = 512, 7.0 / 512


def _masks(occluder: NDArray[np.float32] | None = None) -> RegionMasks:
    nothing = np.zeros((SIDE, SIDE), np.float32)
    front = nothing if occluder is None else occluder
    masks = dict.fromkeys(REGIONS, nothing) | {"occluder": front, "other": 1 - front}
    return RegionMasks(masks=masks, side=SIDE, seen=True)


@pytest.fixture(scope="module")
def faces(astronaut: Image) -> tuple[Pixels, Pixels]:
    """An aligned face of which nothing finer than 7 px is left, and the network's answer to it."""
    with Restorer() as restorer:
        face = restorer.find_faces(astronaut)[0]
        sharp = warp(astronaut.pixels, align(face.five_points, astronaut.size, SIDE, "ffhq"))
        blurred = Image(pixels=np.clip(gaussian_blur(sharp, BLUR * SIDE), 0, 1))
        seen = restorer.find_faces(blurred)[0]
        answer = restorer.project(blurred, seen, Controls(features=0.0), aligned=True).projection
    return blurred.pixels, answer


def test_features_are_drawn_where_they_were(faces: tuple[Pixels, Pixels]) -> None:
    crop, answer = faces
    found = with_features(answer, crop, _masks(), BLUR, 1.0)
    for window in WINDOWS.values():
        rows, columns = (slice(2 * side.start, 2 * side.stop) for side in window.half)
        change = (found - answer)[rows, columns]
        assert 0.01 < np.abs(change).mean() < 0.06
        # What is coarse stays.
        assert np.abs(gaussian_blur(change, 10.0)).mean() < 0.5 * np.abs(change).mean()
    assert 0 <= found.min() <= found.max() <= 1
    assert np.array_equal(with_features(answer, crop, _masks(), BLUR, 1.0), found)


def test_the_parts_own_networks_draw_them_and_pass_into_the_face(
    faces: tuple[Pixels, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the face is another one in their windows, and nearly the same around them."""
    crop, answer = faces
    whole = redrawn(answer, crop)
    networks = vars(runtime)["_networks"]()
    monkeypatch.setattr(runtime, "_networks", lambda: {"face": networks["face"]})
    changed = np.abs(redrawn(answer, crop) - whole).max(axis=2)
    outside = np.ones((SIDE, SIDE), bool)
    for part in ("eyes", "mouth"):
        rows, columns = (slice(2 * side.start, 2 * side.stop) for side in WINDOWS[part].half)
        outside[rows, columns] = False
        assert changed[rows, columns].max() > 0.1
    assert changed[outside].mean() < 0.2 * changed[~outside].mean()
    jumps = [np.abs(np.diff(whole, axis=axis)).mean() for axis in (0, 1)]
    for part in ("eyes", "mouth"):
        rows, columns = (slice(2 * side.start, 2 * side.stop) for side in WINDOWS[part].half)
        across = np.abs(whole[rows.start, columns] - whole[rows.start - 1, columns]).mean()
        assert across < 2 * jumps[0]


def test_eyes_that_are_alike_are_drawn_alike(faces: tuple[Pixels, Pixels]) -> None:
    """A face that is its own mirror image gets two eyes alike, and hair and cheeks that are not."""
    crop, answer = (np.ascontiguousarray((pixels + pixels[:, ::-1]) / 2) for pixels in faces)
    change = redrawn(answer, crop)
    apart = np.abs(change - change[:, ::-1]).mean(axis=2)
    rows, columns = (slice(2 * side.start + 20, 2 * side.stop - 20) for side in WINDOWS["eyes"].half)
    eyes, hair = apart[rows, columns].mean(), apart[40:140].mean()
    assert eyes < 0.5 * hair


def test_half_of_it_is_half_way(faces: tuple[Pixels, Pixels]) -> None:
    crop, answer = faces
    whole, half = (with_features(answer, crop, _masks(), BLUR, amount) for amount in (1.0, 0.5))
    inside = (whole > 0) & (whole < 1)
    assert np.abs((half - answer) - (whole - answer) / 2)[inside].max() < 1e-5


def test_a_face_that_shows_its_features_keeps_them(faces: tuple[Pixels, Pixels]) -> None:
    crop, answer = faces
    assert with_features(answer, crop, _masks(), 3.9 / SIDE, 1.0) is answer
    assert with_features(answer, crop, _masks(), BLUR, 0.0) is answer


def test_black_and_white_stays_so_and_what_is_in_front_of_the_face_stays(faces: tuple[Pixels, Pixels]) -> None:
    crop, answer = (to_channels(pixels.mean(axis=2)) for pixels in faces)
    front = np.zeros((SIDE, SIDE), np.float32)
    front[300:] = 1
    found = with_features(answer, crop, _masks(front), BLUR, 1.0)
    assert np.ptp(found, axis=2).max() == 0
    assert np.array_equal(found[300:], answer[300:])
    assert not np.array_equal(found[:300], answer[:300])


def test_only_answers_of_the_packages_own_network_are_drawn_in() -> None:
    own = read_spec(Store().path(DEFAULT_MODEL))
    assert own.features
    assert task_of(own, Controls()) is not TASKS["restore"]
    assert task_of(own, Controls(features=0.0)) is TASKS["restore"]
    assert task_of(replace(own, features=False), Controls()) is TASKS["restore"]
    assert task_of(replace(own, purpose="colourise"), Controls()) is TASKS["colourise"]


def test_through_the_pipeline(faces: tuple[Pixels, Pixels]) -> None:
    picture = Image(pixels=faces[0])
    with Restorer() as restorer:
        drawn, kept = (restorer.restore(picture, Controls(features=amount), aligned=True) for amount in (1.0, 0.0))
    changed = np.abs(drawn.image.pixels - kept.image.pixels).max(axis=2)
    assert changed[200:450, 150:360].max() > 0.05


def test_how_far_goes_with_the_blur() -> None:
    assert [share_drawn(blur / SIDE, 1.0) for blur in (0, 4.0, 4.75, 5.5, 20)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert share_drawn(20 / SIDE, 0.25) == pytest.approx(0.25)


def test_it_is_told_in_outcome_and_record(faces: tuple[Pixels, Pixels], astronaut: Image) -> None:
    picture = Image(pixels=faces[0])
    with Restorer() as restorer:
        for controls, drawn in (
            (Controls(), 1.0),
            (Controls(features=0.5, strength=0.5), 0.25),
            (Controls(features=0.0), 0.0),
            (Controls(strength=0.0), 0.0),
            (PRESETS["plain"], 0.0),
        ):
            (outcome,) = restorer.restore(picture, controls, aligned=True).faces
            assert outcome.drawn_anew == pytest.approx(drawn)
            record = face_record(outcome, picture.size)
            assert record["drawn_anew"] == pytest.approx(drawn)
            told = [notice for notice in outcome.warnings if notice.code == "outcome.drawn-anew"]
            assert len(told) == (drawn > 0)
            assert drawn_anew([record]) == dict(enumerate(told))
        (sharp,) = restorer.restore(astronaut).faces
    assert sharp.drawn_anew == 0
    assert not any("drawn anew" in warning for warning in sharp.warnings)
    # Records of before faces were drawn anew say nothing of it.
    assert drawn_anew([{"index": 0, "warnings": [], "notices": []}]) == {}


def test_where_other_photographs_lend_detail_it_is_told_otherwise(faces: tuple[Pixels, Pixels]) -> None:
    picture, controls = Image(pixels=faces[0]), Controls()
    gifts = (Gift(region="eye", name="sharp.jpg", share=0.8),)
    lent, none = (cast("FaceReferences", SimpleNamespace(gifts=some, warnings=())) for some in (gifts, ()))
    with Restorer() as restorer:
        item = restorer.project(picture, restorer.find_faces(picture)[0], controls, aligned=True)
    gain = gain_maps(item.masks, controls, item.held)[0]

    def told(references: FaceReferences | None, strength: float = 1.0) -> list[str]:
        warnings = face_warnings(
            replace(item, references=references), replace(controls, reference_strength=strength), gain
        )
        return [warning.code for warning in warnings if "drawn" in warning.code]

    assert told(lent) == ["outcome.drawn-beside-lent"]
    assert told(lent, 0.0) == told(none) == told(None) == ["outcome.drawn-anew"]


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ControlError, match="features"):
        Controls(features=1.5)
