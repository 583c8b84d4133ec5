from __future__ import annotations

from dataclasses import replace

import pytest

from likeness.batch.fixes import FIXES, fixable, treat
from likeness.batch.options import WorkOptions
from likeness.errors import ConfigError, ControlError
from likeness.faces.findings import CODES, Finding, Limits
from likeness.repair.repairs import Repairs
from likeness.restore.config import Settings
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import FaceControls
from likeness.restore.selection import Selection


def finding(code: str, face: int | None = 0) -> Finding:
    return Finding(code=code, level="warn", message="m", face=face)


@pytest.mark.parametrize("code", FIXES)
def test_every_remedy_answers_a_finding_and_changes_something(code: str) -> None:
    assert code in CODES
    treatment = treat(WorkOptions(), [finding(code)], 1)
    assert treatment.options.controls != Controls()
    assert {text.split(":")[0] for text in treatment.done} == {code}
    assert treat(treatment.options, [finding(code)], 1).options == treatment.options, "twice is once"


def test_what_they_do() -> None:
    closed = treat(WorkOptions(), [finding("eyes-closed")], 1).options.controls
    assert closed.face_mask_weights.eye == 0
    gentle = WorkOptions(controls=Controls(latent_step_decay=0.02))
    turned = treat(gentle, [finding("face-turned")], 1).options.controls
    assert (turned.latent_step_decay, turned.degradation_scale) == (0.02, 0.7), "never stronger than it was asked for"


def test_what_is_small_is_enlarged() -> None:
    for code, face in (("face-small", 1), ("size-small", None)):
        treatment = treat(WorkOptions(), [finding(code, face)], 2)
        assert treatment.options.enlargement == Enlargement(upscale="auto")
        assert any("upscale auto" in text for text in treatment.done)
    wanted = WorkOptions(enlargement=Enlargement(upscale=2))
    assert treat(wanted, [finding("face-small")], 1).options.enlargement == wanted.enlargement
    drawn = [finding("drawing", 0), finding("face-small", 0)]
    assert treat(WorkOptions(), drawn, 2).options.enlargement == Enlargement()
    assert fixable(finding("size-small", None), WorkOptions())
    assert not fixable(finding("size-small", None), WorkOptions(limits=Limits(refuse=frozenset({"size-small"}))))
    assert not fixable(finding("no-face", None), WorkOptions())


def test_a_remedy_for_one_of_several_faces_is_that_ones() -> None:
    treatment = treat(WorkOptions(), [finding("eyes-closed", 1)], 2)
    assert treatment.options.controls == Controls()
    assert treatment.options.face_controls.changes == {1: {"face_mask_weights": {"eye": 0.0}}}
    assert treatment.done == ("eyes-closed: face 2, the eyes were left alone (eye=0)",)
    assert treat(treatment.options, [finding("eyes-closed", 1)], 2).done == (), "twice is once"
    both = treat(WorkOptions(), [finding("eyes-closed", 0), finding("eyes-closed", 1)], 2)
    assert both.options.controls.face_mask_weights.eye == 0
    assert both.options.face_controls == FaceControls()


def test_remedies_of_single_faces_and_of_all_go_together_with_what_was_asked_for() -> None:
    asked = WorkOptions(face_controls=FaceControls.of({1: {"strength": 0.5, "face_mask_weights": {"lip": 0.2}}}))
    found = [finding("face-turned", 1), finding("eyes-closed", 1), *(finding("face-dark", face) for face in range(3))]
    options = treat(asked, found, 3).options
    each = options.face_controls.over(options.controls)
    assert each[0].latent_step_decay == each[1].latent_step_decay == options.controls.latent_step_decay == 0.03
    assert (each[1].strength, each[1].face_mask_weights.lip, each[1].face_mask_weights.eye) == (0.5, 0.2, 0.0)
    assert (each[2].strength, each[2].face_mask_weights.eye) == (1.0, 1.0)
    assert each[0].degradation_scale == 0.9
    assert each[1].degradation_scale == 0.7


def test_drawn_faces_are_left_alone_and_do_not_count() -> None:
    treatment = treat(WorkOptions(), [finding("drawing", 1), finding("eyes-closed", 0)], 2)
    assert treatment.leave == {1}
    assert treatment.options.controls.face_mask_weights.eye == 0
    assert treatment.done[0] == "drawing: face 2 left alone, as it would be pulled toward a photograph"


def test_ageing_and_printed_dots_are_looked_for() -> None:
    assert treat(WorkOptions(), [], 1).options.repairs == Repairs(balance=1, screen=1)
    asked = WorkOptions(repairs=Repairs(balance=0.5, screen=0.3))
    assert treat(asked, [], 1).options.repairs == Repairs(balance=0.5, screen=0.3)


def test_options_come_back_from_json() -> None:
    import json

    options = WorkOptions(
        controls=Controls(strength=0.4).with_weights({"eye": 1.5}),
        repairs=Repairs(scratches=0.5),
        selection=Selection(which=(0, 2), min_size=40),
        limits=Limits(refuse=frozenset({"eyes-closed"}), min_side=100),
        on_finding="fix",
        guard=None,
        bit_depth=16,
    )
    assert WorkOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert WorkOptions.from_dict(WorkOptions().to_dict()) == WorkOptions()
    assert WorkOptions.from_dict({}) == WorkOptions()


def test_options_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="unknown options: sharpness"):
        WorkOptions.from_dict({"sharpness": 1})
    with pytest.raises(ConfigError, match="cannot be used"):
        WorkOptions.from_dict({"repairs": {"rust": 1}})
    with pytest.raises(ControlError, match="strength"):
        WorkOptions.from_dict({"controls": {"strength": 7}})
    with pytest.raises(ConfigError, match="flag, fix or skip"):
        WorkOptions.from_dict({"on_finding": "panic"})
    for bad in ({"quality": 0}, {"bit_depth": 12}, {"max_pixels": 0}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            replace(WorkOptions(), **bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="copy_unrestored"):
        WorkOptions.of(Settings({"copy_unrestored": True}))
