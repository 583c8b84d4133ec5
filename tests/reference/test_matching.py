from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sittings import Sitting

from likeness.errors import NoFaceError
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Image
from likeness.reference.matching import OTHER_BELOW, SAME_FROM, FaceMatcher, face_view, likeness, verdict
from likeness.reference.photographs import prepare_reference


def test_a_blurred_face_is_the_same_person(sitting: Sitting, matcher: FaceMatcher) -> None:
    assert verdict(likeness(matcher.embed(sitting.blurred), sitting.reference.embedding)) == "same"


def test_an_embedding_does_not_mind_size_and_mirror(sitting: Sitting, matcher: FaceMatcher) -> None:
    plain = matcher.embed(sitting.crop)
    assert np.linalg.norm(plain) == pytest.approx(1, abs=1e-5)
    assert likeness(plain, matcher.embed(np.ascontiguousarray(sitting.crop[:, ::-1]))) == pytest.approx(1, abs=1e-3)
    large = np.repeat(np.repeat(sitting.crop, 2, axis=0), 2, axis=1)
    assert likeness(plain, matcher.embed(large)) > 0.98
    with pytest.raises(ValueError, match="at least one"):
        matcher.embed()


def test_two_forms_of_a_face_together(sitting: Sitting, matcher: FaceMatcher) -> None:
    one, other = matcher.embed(sitting.crop), matcher.embed(sitting.blurred)
    both = matcher.embed(sitting.crop, sitting.blurred)
    assert min(likeness(both, one), likeness(both, other)) >= likeness(one, other) - 1e-4


def test_verdicts_leave_room_for_doubt() -> None:
    assert [
        verdict(value) for value in (1.0, SAME_FROM, SAME_FROM - 0.001, OTHER_BELOW, OTHER_BELOW - 0.001, -1.0)
    ] == [
        "same",
        "same",
        "doubt",
        "doubt",
        "other",
        "other",
    ]


def test_the_view_is_the_middle_of_the_crop(sitting: Sitting) -> None:
    view = face_view(sitting.crop, 80)
    assert view.shape == (80, 80)
    assert view.dtype == np.float32


def test_a_face_without_a_mesh_cannot_serve(astronaut: Image, matcher: FaceMatcher) -> None:
    face = MediaPipeDetector().detect(astronaut)[0]
    unclear = replace(face, landmarks=replace(face.landmarks, source="template"))
    with pytest.raises(NoFaceError, match=r"album\.jpg is too unclear"):
        prepare_reference(astronaut, unclear, matcher=matcher, name="album.jpg")
    assert prepare_reference(astronaut, face, matcher=matcher).light.shape == (512, 512)
