from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from likeness.errors import ControlError
from likeness.restore.controls import PRESETS, Controls, RegionWeights


def test_presets_are_those_of_the_field_reports() -> None:
    assert set(PRESETS) == {"standard", "natural", "early-digital", "ai-portrait", "film-scan", "low-light", "plain"}
    natural = Controls.natural()
    assert (natural.degradation_scale, natural.latent_step_decay, natural.keep_grain) == (0.7, 0.04, False)
    assert natural.face_mask_weights == RegionWeights(eye=1.3, lip=1.3, cheek=1.0, forehead=0.8, other=0.7)
    assert Controls.standard() == Controls()
    assert Controls.film_scan().keep_grain
    assert Controls.low_light().face_mask_weights.edge == 0.7
    assert Controls.ai_portrait().face_mask_weights.ear == 1.5
    assert Controls.preset("early-digital") == Controls.early_digital()


def test_unknown_presets_are_refused_with_the_list() -> None:
    with pytest.raises(ControlError, match=r'unknown preset "soft".*natural'):
        Controls.preset("soft")


@pytest.mark.parametrize(
    ("name", "value", "range_"),
    [
        ("degradation_scale", 0.2, "0.3 and 1.2"),
        ("degradation_scale", 1.3, "0.3 and 1.2"),
        ("degradation_scale", float("nan"), "0.3 and 1.2"),
        ("latent_step_decay", 0.11, "0.005 and 0.1"),
        ("latent_step_decay", 0.0, "0.005 and 0.1"),
        ("strength", 1.5, "0 and 1"),
        ("refine", 0, "1 and 8"),
        pytest.param("strength", 10**400, "0 and 1, not 1e.400", id="beyond floats"),
        pytest.param("refine", -(10**400), "1 and 8, not -1e.400", id="whole beyond floats"),
        ("refine", 1.5, "whole number"),
    ],
)
def test_values_out_of_range_are_refused_with_the_range(name: str, value: float, range_: str) -> None:
    with pytest.raises(ControlError, match=range_):
        replace(Controls(), **{name: value})


def test_values_the_field_reports_warn_about_warn() -> None:
    assert Controls().warnings == ()
    assert "moles" in Controls(degradation_scale=1.15).warnings[0]
    assert "does not converge" in Controls(latent_step_decay=0.01).warnings[0]
    assert Controls(degradation_scale=0).warnings == ()
    assert "softer in trials" in Controls(refine=2).warnings[0]


def test_weights_by_region() -> None:
    weights = RegionWeights.of({"all": 0.5, "eye": 1.3})
    assert (weights.eye, weights.hair) == (1.3, 0.5)
    changed = Controls.natural().with_weights({"eye": 0.2})
    assert (changed.face_mask_weights.eye, changed.face_mask_weights.lip) == (0.2, 1.3)
    assert Controls.natural().with_weights({"all": 0.4}).face_mask_weights == RegionWeights.of({"all": 0.4})
    with pytest.raises(ControlError, match='unknown face region "moustache"'):
        RegionWeights.of({"moustache": 1})
    with pytest.raises(ControlError, match="between 0 and 2"):
        RegionWeights(eye=2.5)


def test_controls_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Controls.natural())) == Controls.natural()
    assert hash(Controls.natural()) == hash(Controls.natural())
