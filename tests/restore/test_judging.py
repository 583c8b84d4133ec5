"""Verdicts on faces that were laid back, and what bad ones get instead, with the network that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ArgumentError, NoFaceError
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.restore.controls import Controls
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.judging import compose_judged
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "original" / "astronaut.jpg"


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    # A verdict near its limit would be another one with the bfloat16 that some processors have.
    return Restorer(device="cpu", precision="f32")


@pytest.fixture(scope="module")
def portrait() -> Image:
    return read_image(PORTRAIT)


@pytest.fixture(scope="module")
def pair(portrait: Image) -> Image:
    """The portrait, and beside it the same one shaken from side to side by 8 px."""
    shaken = np.stack([np.roll(portrait.pixels, x, axis=1) for x in range(-8, 9)]).mean(axis=0, dtype=np.float32)
    return Image(pixels=np.ascontiguousarray(np.hstack([portrait.pixels, shaken])))


@pytest.fixture(scope="module")
def projections(restorer: Restorer, pair: Image) -> tuple[FaceProjection, ...]:
    return restorer.project_all(pair, restorer.find_faces(pair), Controls())


def test_each_face_has_its_own_verdict(pair: Image, projections: tuple[FaceProjection, ...]) -> None:
    kept = compose_judged(pair, projections, ControlsByFace(Controls()))
    levels = [outcome.verdict.level for outcome in kept.faces if outcome.verdict is not None]
    assert levels == ["good", "bad"]
    assert kept.level == "bad"
    assert [outcome.strength for outcome in kept.faces] == [1.0, 1.0]


def test_a_bad_face_is_lowered_as_far_as_it_helps(pair: Image, projections: tuple[FaceProjection, ...]) -> None:
    kept, lowered = (
        compose_judged(pair, projections, ControlsByFace(Controls()), None, how) for how in ("keep", "lower")
    )
    good, bad = lowered.faces
    assert bad.verdict is not None
    assert bad.verdict.level == "look"
    assert bad.strength in (0.25, 0.5, 0.75)
    assert bad.warnings[0].code == "outcome.lowered"
    assert f"restored at {bad.strength:.0%}" in bad.warnings[0]
    # The other face is what it was, and the change of this one is that share of it.
    assert good.strength == 1.0
    middle = pair.size.width // 2
    assert np.array_equal(lowered.image.pixels[:, :middle], kept.image.pixels[:, :middle])
    changes = [float(np.abs(x.image.pixels - pair.pixels)[:, middle:].mean()) for x in (lowered, kept)]
    assert changes[0] == pytest.approx(bad.strength * changes[1], rel=0.02)


def test_a_bad_face_is_left_alone(pair: Image, projections: tuple[FaceProjection, ...]) -> None:
    skipped = compose_judged(pair, projections, ControlsByFace(Controls()), None, "skip")
    good, bad = skipped.faces
    assert (good.status, bad.status, bad.verdict) == ("restored", "skipped", None)
    assert isinstance(bad.reason, str)
    assert bad.reason.startswith("left as it was, as it came out bad: the photograph holds only")
    middle = pair.size.width // 2
    assert np.array_equal(skipped.image.pixels[:, middle:], pair.pixels[:, middle:])


def test_what_a_verdict_was_told_from_is_kept_only_if_asked_for(
    restorer: Restorer, pair: Image, projections: tuple[FaceProjection, ...]
) -> None:
    """It is some 10 MB a face."""
    plain = restorer.restore(pair, on_bad="lower")
    composed = restorer.judge(restorer.compose(pair, projections, Controls()), projections)
    for outcome in (*plain.faces, *composed.faces):
        assert outcome.verdict is not None
        assert outcome.scene is None
    asked = restorer.restore(pair, on_bad="lower", keep_scenes=True)
    assert [outcome.verdict for outcome in asked.faces] == [outcome.verdict for outcome in plain.faces]
    assert all(outcome.scene is not None for outcome in asked.faces)


def test_what_no_strength_mends_is_kept_or_refused(restorer: Restorer, portrait: Image) -> None:
    blurred = portrait.with_pixels(gaussian_blur(portrait.pixels, 5.0))
    kept, lowered = (restorer.restore(blurred, on_bad=how) for how in ("keep", "lower"))
    assert kept.level == lowered.level == "bad"
    assert lowered.faces[0].strength == 1.0
    assert np.array_equal(kept.image.pixels, lowered.image.pixels)
    with pytest.raises(NoFaceError, match="came out bad"):
        restorer.restore(blurred, on_bad="skip")
    with pytest.raises(ArgumentError, match="on_bad must be one of keep, lower, skip"):
        restorer.restore(blurred, on_bad="discard")  # pyright: ignore[reportArgumentType]
