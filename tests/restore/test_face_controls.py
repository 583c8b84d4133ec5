"""Settings of single faces: what a face has of its own lies over what all share, and the others stay to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting import Counting

from likeness.batch.options import WorkOptions
from likeness.cli.flags import Parser, add_options, typed_settings
from likeness.errors import ArgumentError, ConfigError, ControlError
from likeness.faces.align import unwarp
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.restore.by_face import ByFace
from likeness.restore.config import Settings, read_settings, settings_from
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.face_controls import ControlsByFace, FaceControls
from likeness.restore.kinds import rows_of
from likeness.restore.options import OPTIONS, row_of
from likeness.restore.outcome import Restoration
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.pipeline import Restorer
from likeness.restore.report import face_record
from likeness.restore.selection import Selection


def kind() -> ByFace:
    found = row_of("face_controls").kind
    assert isinstance(found, ByFace)
    return found


class TestResolving:
    def test_what_a_face_has_of_its_own_lies_over_the_shared_controls(self) -> None:
        shared = Controls(latent_step_decay=0.05, keep_grain=True).with_weights({"lip": 0.5, "eye": 1.5})
        own = FaceControls.of({1: {"strength": 0.4, "face_mask_weights": {"eye": 1.0}}}).over(shared)
        assert own[0] is shared
        assert own[1] == replace(shared, strength=0.4).with_weights({"eye": 1.0})
        assert own[1].face_mask_weights.lip == 0.5

    def test_it_follows_the_shared_controls_in_all_else(self) -> None:
        own = FaceControls.of({0: {"strength": 0.4}})
        for shared in (Controls(), Controls.natural(), Controls.film_scan()):
            assert own.over(shared)[0] == replace(shared, strength=0.4)

    def test_a_preset_sets_what_presets_set(self) -> None:
        shared = Controls(strength=0.7, grain_amount=1.5, reference_strength=0.2, refine=2)
        one = FaceControls.of({0: "natural", 1: {"preset": "film-scan", "strength": 1}}).over(shared)
        assert one[0].preset_name == "natural"
        assert (one[0].strength, one[0].refine) == (0.7, 2)
        assert one[1].keep_grain
        assert one[1].strength == 1

    def test_controls_as_a_whole_take_the_place_of_all(self) -> None:
        whole = Controls(strength=0.3).with_weights({"hair": 0.0})
        assert FaceControls.of({2: whole}).over(Controls.natural())[2] == whole

    def test_a_face_that_comes_to_the_same_has_none_of_its_own(self) -> None:
        assert FaceControls.of({0: {"strength": 1.0}}).over(Controls()).own == {}
        assert FaceControls.of({0: {}}).changes == {}

    def test_weights_may_be_given_as_the_library_has_them(self) -> None:
        own = FaceControls.of({0: {"face_mask_weights": RegionWeights(eye=1.5)}})
        assert own.over(Controls())[0].face_mask_weights.eye == 1.5

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({0: {"strength": 1.5}}, r"face 1: strength must be between 0 and 1, not 1\.5"),
            ({1: {"stregth": 0.5}}, r'face 2: a face has no setting called "stregth" \(did you mean "strength"\?\)'),
            ({0: {"face_mask_weights": {"eyes": 1}}}, r'face 1: unknown face region "eyes" \(did you mean "eye"\?\)'),
            ({0: "naturl"}, r'face 1: unknown preset "naturl" \(did you mean "natural"\?\)'),
            ({0: {"upscale": 2}}, r'face 1: a face has no setting called "upscale"'),
            ({0: {"keep_grain": 1}}, "face 1: keep_grain must be true or false, not 1"),
        ],
    )
    def test_wrong_values_get_one_sentence(self, given: Any, why: str) -> None:
        with pytest.raises(ControlError, match=f"^{why}"):
            FaceControls.of(given)

    @pytest.mark.parametrize("given", [{"1": {"strength": 0.5}}, {-1: {}}, {True: {}}, [0.5], {0: 0.5}])
    def test_wrong_types_get_one_sentence(self, given: Any) -> None:
        with pytest.raises(ArgumentError, match="face_controls"):
            FaceControls.of(given)


class TestWritten:
    def test_every_option_of_a_face_can_be_typed(self) -> None:
        own = [row.key for row in OPTIONS if row.per_face]
        assert own == ["preset", *(row.key for row in rows_of(Controls))]
        text = (
            "2:preset=natural,strength=.5,degradation=.7,step=.04,eye=1.3,all=.9,grain,grain-amount=.5,features=.5,refine=2,"
            "plain=off,references=0"
        )
        found = kind().read(text)
        assert found is not None
        assert set(found["2"]) == set(own)
        assert found["2"]["face_mask_weights"] == {"eye": 1.3, "all": 0.9}
        assert (found["2"]["keep_grain"], found["2"]["plain"], found["2"]["refine"]) == (True, False, 2)

    @pytest.mark.parametrize(
        ("typed", "same"),
        [
            ("2:step=.05", {"2": {"latent_step_decay": 0.05}}),
            ("2:latent-step-decay=.05", {"2": {"latent_step_decay": 0.05}}),
            ("2:latent_step_decay=.05", {"2": {"latent_step_decay": 0.05}}),
            (" 1,3 : natural ; 2: grain , eye=0 ", {"1": {"preset": "natural"}, "3": {"preset": "natural"},
             "2": {"keep_grain": True, "face_mask_weights": {"eye": 0.0}}}),
            ("2:natural,strength=0.5;2:strength=.7", {"2": {"preset": "natural", "strength": 0.7}}),
            ("2:strength=0.5;2:natural", {"2": {"preset": "natural"}}),
        ],
    )  # fmt: skip
    def test_it_comes_to_a_table(self, typed: str, same: dict[str, Any]) -> None:
        assert kind().read(typed) == same
        assert kind().read(json.loads(json.dumps(same))) == same

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            ("2", '"2" says which face, and not what is different there; write it as 2:strength=0.5 (--faces says'),
            ("eye=2", '"eye=2" says nothing of a face; write it as 2:strength=0.5,step=0.04'),
            ("", '"" says nothing of a face'),
            ("strength=0.5", '"strength=0.5" says nothing of a face'),
            ("0:strength=0.5", 'faces are numbered from 1, so "0" is none'),
            ("all:strength=0.5", 'faces are numbered from 1, so "all" is none'),
            ("2:strenth=0.5", 'a face has no setting called "strenth" (did you mean "strength"?)'),
            ("2:naturel", 'a face has no setting called "naturel" (did you mean "natural"?)'),
            ("2:eyes=1", 'a face has no setting called "eyes" (did you mean "eye"?)'),
            ("2:strength", '"strength" says nothing of a face'),
            ("2:strength=much", 'strength must be a number, not "much"'),
            ("2:step=5", "face 2: latent_step_decay must be between 0.005 and 0.1"),
            ("2:grain=maybe", "grain must be true or false, not maybe"),
            ("2:eye=3", "face 2: face weight eye must be between 0 and 2, not 3"),
        ],
    )
    def test_what_cannot_be_used_is_told(self, typed: str, why: str) -> None:
        with pytest.raises(ControlError) as told:
            kind().read(typed)
        assert why in str(told.value)

    def test_flags_files_and_lists_say_the_same(self, tmp_path: Path) -> None:
        parser = Parser(prog="try")
        add_options(parser)
        typed = typed_settings(parser.parse_args(["--face", "2:strength=.5,eye=1.3", "--face", "3:natural"]))
        table = {"2": {"strength": 0.5, "face_mask_weights": {"eye": 1.3}}, "3": {"preset": "natural"}}
        assert typed["face_controls"] == table
        written = tmp_path / "own.toml"
        written.write_text(
            '[face_controls.2]\nstrength = 0.5\nface_mask_weights = { eye = 1.3 }\n[face_controls.3]\npreset = "natural"\n'
        )
        assert read_settings(written) == typed
        for value in ("2:strength=.5,eye=1.3;3:natural", ["2:strength=.5,eye=1.3", "3:natural"], table):
            assert settings_from({"face_controls": value}, name="a row", folder=Path()) == typed

    def test_a_file_with_a_wrong_one_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"^own\.toml: face 2: strength must be between 0 and 1"):
            settings_from({"face_controls": {"2": {"strength": 2.0}}}, name="own.toml", folder=Path())
        with pytest.raises(ConfigError, match="face_controls must be a table of faces"):
            settings_from({"face_controls": 2}, name="own.toml", folder=Path())

    def test_flags_lie_over_the_file_face_by_face(self) -> None:
        file = Settings(
            {"face_controls": {"1": {"strength": 0.2}, "2": {"strength": 0.5, "face_mask_weights": {"eye": 1.0}}}}
        )
        flags = Settings({"face_controls": {"2": {"face_mask_weights": {"lip": 0.5}, "keep_grain": True}}})
        assert flags.over(file)["face_controls"] == {
            "1": {"strength": 0.2},
            "2": {"strength": 0.5, "face_mask_weights": {"eye": 1.0, "lip": 0.5}, "keep_grain": True},
        }

    def test_options_hold_them_through_settings_journals_and_clients(self) -> None:
        options = PictureOptions(
            face_controls=FaceControls.of({1: {"strength": 0.5, "face_mask_weights": {"eye": 1.3}}})
        )
        settings = options.to_settings()
        assert json.loads(json.dumps(dict(settings.values))) == settings.values
        assert PictureOptions(**parts_of(settings)) == options
        work = WorkOptions.of(settings)
        assert WorkOptions.from_dict(json.loads(json.dumps(work.to_dict()))) == work
        assert work.face_controls == options.face_controls
        # A journal of before does not change.
        assert "face_controls" not in WorkOptions().to_dict()


@pytest.fixture(scope="module")
def pair(astronaut: Image) -> Image:
    """Two of the same, apart, with grain."""
    noise = np.random.default_rng(3).normal(0, 5 / 255, astronaut.pixels.shape[:2]).astype(np.float32)
    one = np.clip(gaussian_blur(astronaut.pixels, 1.0) + noise[:, :, None], 0, 1)
    gap = np.full((one.shape[0], 200, 3), 0.5, np.float32)
    return Image(pixels=np.ascontiguousarray(np.hstack([one, gap, one])))


def parts(restoration: Restoration) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    pixels = restoration.image.pixels
    return pixels[:, :300], pixels[:, -300:]


class TestRestoring:
    def test_one_face_gets_its_own_and_the_other_stays_to_the_last_bit(self, restorer: Restorer, pair: Image) -> None:
        faces = restorer.find_faces(pair)
        assert len(faces) == 2
        plain = restorer.restore(pair, faces=faces, seed=1)
        gentle = restorer.restore(pair, Controls(strength=0.25), faces=faces, seed=1)
        mixed = restorer.restore(pair, faces=faces, face_controls={1: {"strength": 0.25}}, seed=1)
        assert (parts(mixed)[0] == parts(plain)[0]).all()
        assert (parts(mixed)[1] == parts(gentle)[1]).all()
        assert (parts(plain)[1] != parts(gentle)[1]).any()
        assert [face.strength for face in mixed.faces] == [1.0, 0.25]
        assert [face.own_controls for face in mixed.faces] == [None, Controls(strength=0.25)]
        assert mixed.controls == Controls()

    @pytest.mark.parametrize(
        "own",
        [
            {"latent_step_decay": 0.02},
            {"degradation_scale": 0.4},
            {"keep_grain": True, "grain_amount": 1.5},
            {"refine": 2, "latent_step_decay": 0.04},
            {"plain": True, "degradation_scale": 0},
            {"face_mask_weights": {"all": 0.3}},
            "film-scan",
        ],
    )
    def test_each_setting_comes_to_what_it_does_for_all(self, restorer: Restorer, pair: Image, own: Any) -> None:
        """The second face alone with these controls for everything, and with them for it alone."""
        faces = restorer.find_faces(pair)
        only = Selection(which=(1,))
        alone = FaceControls.of({1: own}).over(Controls())[1]
        one = restorer.restore(pair, alone, faces=faces, selection=only, seed=1)
        other = restorer.restore(pair, faces=faces, selection=only, face_controls={1: own}, seed=1)
        assert (one.image.pixels == other.image.pixels).all()
        both = restorer.restore(pair, faces=faces, face_controls={1: own}, seed=1)
        assert (parts(both)[0] == parts(restorer.restore(pair, faces=faces, seed=1))[0]).all()
        assert (parts(both)[1] == parts(one)[1]).all()

    def test_a_face_that_is_not_there_is_refused(self, restorer: Restorer, pair: Image) -> None:
        with pytest.raises(
            ControlError, match="there is no face 3 to have settings of its own; faces found in the picture: 2"
        ):
            restorer.restore(pair, face_controls={2: {"strength": 0.5}})

    def test_chosen_controls_are_what_it_lies_over(self, restorer: Restorer, pair: Image) -> None:
        done = restorer.restore(pair, "auto", face_controls={0: {"strength": 0.5}})
        assert done.chosen is not None
        assert done.faces[0].own_controls == replace(done.controls, strength=0.5)

    def test_kept_projections_serve_each_face_by_its_own(
        self, restorer: Restorer, runtime: Counting, pair: Image
    ) -> None:
        faces = restorer.find_faces(pair)
        kept = restorer.project_all(pair, faces, Controls(), indices=[0, 1])
        calls = runtime.calls
        own = FaceControls.of({1: {"strength": 0.5, "latent_step_decay": 0.03}}).over(Controls())
        composed = restorer.compose(pair, kept, own)
        assert runtime.calls == calls
        assert (
            composed.image.pixels == restorer.compose(pair, restorer.project_all(pair, faces, own), own).image.pixels
        ).all()
        with pytest.raises(ValueError, match="need a new projection"):
            restorer.compose(pair, kept, FaceControls.of({1: {"degradation_scale": 0.5}}).over(Controls()))
        half = Image(pixels=np.ascontiguousarray(pair.pixels[::2, ::2]))
        with pytest.raises(ValueError, match=f"of a picture of {pair.size}, not of this one of {half.size}"):
            restorer.compose(half, kept, Controls())

    def test_a_bad_face_is_lowered_from_its_own_strength(self, restorer: Restorer, pair: Image) -> None:
        own = FaceControls.of({0: {"strength": 0.5}}).over(Controls())
        lowered = replace(own, strengths={0: 0.125, 1: 0.25})
        assert (lowered[0].strength, lowered[1].strength) == (0.125, 0.25)
        done = restorer.compose(pair, restorer.project_all(pair, restorer.find_faces(pair), Controls()), lowered)
        assert [face.strength for face in done.faces] == [0.125, 0.25]
        # Its own settings are what somebody gave it.
        assert [face.own_controls for face in done.faces] == [Controls(strength=0.5), None]

    def test_reports_say_what_each_face_got(self, restorer: Restorer, pair: Image) -> None:
        own = {1: {"strength": 0.5, "latent_step_decay": 0.01}}
        done = restorer.restore(pair, face_controls=own)
        first, second = (face_record(face, pair.size) for face in done.faces)
        assert first["controls"] is None
        assert (second["controls"]["strength"], second["controls"]["latent_step_decay"]) == (0.5, 0.01)
        assert second["controls"]["face_mask_weights"]["eye"] == 1.0
        json.dumps(second)
        # What is to be said of its settings is said of it, and of no other.
        assert any("does not converge" in text or "0.01" in text for text in second["warnings"])
        assert not any("0.01" in text for text in first["warnings"])


def test_one_set_of_controls_is_every_faces() -> None:
    controls = Controls(strength=0.5)
    assert ControlsByFace.of(controls)[7] is controls
    assert ControlsByFace.of(ControlsByFace(controls)) == ControlsByFace(controls)
    grainless = FaceControls.of({1: {"keep_grain": True}}).over(Controls(keep_grain=True, strength=0.9))
    off = grainless.each(lambda one: replace(one, keep_grain=False))
    assert not off[0].keep_grain
    assert not off[1].keep_grain


def test_masks_of_the_faces_are_apart(restorer: Restorer, pair: Image) -> None:
    """What the tests above stand on: neither face reaches the other's part."""
    done = restorer.restore(pair)
    for face, outside in zip(done.faces, (np.s_[:, -300:], np.s_[:, :300]), strict=True):
        assert face.mask is not None
        assert face.alignment is not None
        reach = np.zeros(pair.pixels.shape[:2], np.float32)
        mask, box = unwarp(face.mask, face.alignment)
        reach[box.to_slices()] = mask
        assert not reach[outside].any()
