from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from likeness.errors import ConfigError, ControlError
from likeness.restore.config import Settings, read_settings
from likeness.restore.controls import PRESETS, Controls, RegionWeights
from likeness.restore.kinds import rows_of
from likeness.restore.options import OPTIONS
from likeness.restore.picture_options import parts_of

FIELD_REPORT = """
model_path = "weights/GPEN-BFR-512.pth"
size = 512
channel_multiplier = 2
degradation_scale = 0.7
latent_step_decay = 0.04

[face_mask_weights]
eye = 1.3
lip = 1.3
other = 0.7
"""


def write(tmp_path: Path, text: str, name: str = "studio.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_keys_of_the_field_reports_are_read_and_the_model_lies_beside_the_file(tmp_path: Path) -> None:
    model = tmp_path / "weights" / "GPEN-BFR-512.pth"
    model.parent.mkdir()
    model.touch()

    settings = read_settings(write(tmp_path, FIELD_REPORT))

    assert settings == Settings(
        {
            "model": model,
            "size": 512,
            "channel_multiplier": 2.0,
            "degradation_scale": 0.7,
            "latent_step_decay": 0.04,
            "face_mask_weights": {"eye": 1.3, "lip": 1.3, "other": 0.7},
        }
    )
    controls = settings.controls()
    assert controls.face_mask_weights == RegionWeights(eye=1.3, lip=1.3, other=0.7)
    assert (controls.degradation_scale, controls.latent_step_decay) == (0.7, 0.04)


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    toml = write(tmp_path, 'preset = "natural"\nkeep_grain = true\nstrength = 1\nfaces = [0, 2]\nquality = 90\n')
    values = {"preset": "natural", "keep_grain": True, "strength": 1, "faces": [0, 2], "quality": 90}
    written_by_a_windows_editor = "\ufeff" + json.dumps(values)

    assert read_settings(toml) == read_settings(write(tmp_path, written_by_a_windows_editor, "studio.json"))


def test_every_setting_can_be_in_a_file(tmp_path: Path) -> None:
    values = {
        "model": "likeness-512",
        "face_controls": {"2": {"preset": "natural", "strength": 0.5, "face_mask_weights": {"eye": 1.3}}},
        "task": "restore",
        "picture_model": "big-lama",
        "fidelity": 0.7,
        "size": 512,
        "channel_multiplier": 1,
        "preset": "film-scan",
        "degradation_scale": 0.5,
        "latent_step_decay": 0.05,
        "face_mask_weights": {"all": 0.5},
        "keep_grain": False,
        "grain_amount": 0.8,
        "strength": 0.5,
        "refine": 2,
        "mend_scratches": True,
        "mend_sensitivity": 0.7,
        "balance": 0.5,
        "defringe": False,
        "descreen": 0.25,
        "turn": 90,
        "straighten": -1.5,
        "crop": "4:5",
        "damage_mask": "mask.png",
        "faces": "largest",
        "min_face": 24,
        "max_face": 400.5,
        "aligned": True,
        "references": ["sharp.jpg", "album"],
        "album": "people.json",
        "on_bad": "lower",
        "trust_references": True,
        "provenance": False,
        "copy_unrestored": True,
        "upscale": "auto",
        "long_side": 900,
        "background": "clean",
        "match_sharpness": False,
        "max_output_pixels": 200_000_000,
        "device": "cpu",
        "runtime": "onnx",
        "precision": "f32",
        "threads": 2,
        "quality": 92,
        "bit_depth": 16,
        "max_pixels": 200_000_000,
    }
    values = {row.key: row.default for row in rows_of(Controls)} | values
    settings = read_settings(write(tmp_path, json.dumps(values), "all.json"))

    assert set(settings.values) == {row.key for row in OPTIONS} - {"model_path"}
    assert settings["references"] == (tmp_path / "sharp.jpg", tmp_path / "album")
    assert (settings["mend_scratches"], settings["balance"], settings["defringe"]) == (1, 0.5, 0)
    assert settings["damage_mask"] == tmp_path / "mask.png"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "degradation = 0.7",
            'unknown key "degradation" (did you mean "degradation_scale"?); known are model_path',
        ),
        ('degradation_scale = "0.7"', 'degradation_scale must be a number, not "0.7"'),
        ("keep_grain = 1", "keep_grain must be true or false, not 1"),
        ("refine = 1.5", "refine must be a whole number, not 1.5"),
        ("refine = true", "refine must be a whole number, not true"),
        ("face_mask_weights = 1.3", "face_mask_weights must be a table of regions and numbers"),
        ('face_mask_weights = { eye = "strong" }', "face_mask_weights must be a table of regions and numbers"),
        ('faces = ["first"]', "faces must be"),
        ("faces = []", "faces must be"),
        ('precision = "f8"', 'precision must be "auto" or "f32" or "bf16", not "f8"'),
        ('model_path = "lost.pth"', 'which is no file; use "model"'),
        ("degradation_scale = ", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_file_and_the_key(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", '{"upscale": 2, "keep_grain": true, "upscale": 3}'),
        ("s.json", '{"face_mask_weights": {"eye": 1, "eye": 2}}'),
        ("s.toml", "upscale = 2\nupscale = 3\n"),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"twice|overwrite"):
        read_settings(write(tmp_path, text, name))


@pytest.mark.parametrize(
    "text", ['{"strength": %s}', '{"face_mask_weights": {"eye": %s}}', '{"face_controls": {"1": {"strength": %s}}}']
)
def test_a_number_larger_than_any_is_refused_as_others_out_of_range_are(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"strength|face_mask_weights"):
        read_settings(write(tmp_path, text % ("9" * 400), "studio.json"))


def test_two_models_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    with pytest.raises(ConfigError, match="two models"):
        read_settings(write(tmp_path, 'model = "likeness-512"\nmodel_path = "a.pth"\n'))


@pytest.mark.parametrize(("name", "text"), [("s.json", "[1, 2]"), ("s.json", "{'a': 1}"), ("s.yaml", "a: 1")])
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read_settings(write(tmp_path, text, name))


def test_a_missing_file_and_a_binary_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lost\.toml.*cannot be read \(No such file"):
        read_settings(tmp_path / "lost.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match=r"binary\.toml is no text in UTF-8"):
        read_settings(binary)


def test_flags_win_over_the_file_and_the_file_over_the_preset() -> None:
    in_file = Settings({"preset": "natural", "degradation_scale": 0.5, "face_mask_weights": {"eye": 1.5, "lip": 0.0}})
    flags = Settings({"latent_step_decay": 0.03, "face_mask_weights": {"lip": 0.4}})

    controls = flags.over(in_file).controls()

    natural = PRESETS["natural"]
    assert controls.degradation_scale == 0.5
    assert controls.latent_step_decay == 0.03
    assert controls.face_mask_weights.eye == 1.5
    assert controls.face_mask_weights.lip == 0.4
    assert controls.face_mask_weights.forehead == natural.face_mask_weights.forehead


def test_all_on_the_command_line_sets_aside_the_weights_of_file_and_preset() -> None:
    settings = Settings({"face_mask_weights": {"all": 0.5, "eye": 1.0}}).over(
        Settings({"preset": "natural", "face_mask_weights": {"lip": 2.0}})
    )
    weights = settings.controls().face_mask_weights
    assert weights == RegionWeights.of({"all": 0.5, "eye": 1.0})


def test_false_and_zero_win_too() -> None:
    settings = Settings({"keep_grain": False, "degradation_scale": 0.0}).over(
        Settings({"preset": "film-scan", "keep_grain": True})
    )
    assert settings.controls().keep_grain is False
    assert settings.controls().degradation_scale == 0.0


def test_numbers_of_faces_that_count_from_0_are_read_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings({"strength": 0.5}).over(read_settings(write(tmp_path, "faces = [0, 2]\n")))
    assert [parts_of(settings)["selection"].which for _ in range(3)] == [(0, 2)] * 3
    assert (settings["faces"], len(caplog.records)) == ("1,3", 1)
    for text in ("1,3", "largest", "0,x"):
        assert Settings({"faces": text})["faces"] == text
    assert len(caplog.records) == 1


def test_a_value_out_of_range_holds_the_range() -> None:
    with pytest.raises(ControlError, match=r"between 0\.3 and 1\.2"):
        Settings({"degradation_scale": 3.0}).controls()
    with pytest.raises(ControlError, match=r"presets are standard, natural.*, auto$"):
        Settings({"preset": "glamour"}).controls()


@pytest.mark.parametrize(
    ("in_file", "given"),
    [
        ({"upscale": 2.0}, {"long_side": 3000}),
        ({"long_side": 3000}, {"upscale": "auto"}),
        ({"references": (Path("a.jpg"),)}, {"album": Path("family")}),
        ({"album": Path("family")}, {"references": (Path("a.jpg"),)}),
    ],
)
def test_what_says_the_same_in_another_way_wins_too(in_file: dict[str, Any], given: dict[str, Any]) -> None:
    assert Settings(given).over(Settings({**in_file, "keep_grain": True})).values == {**given, "keep_grain": True}
    # Together in one place they contradict each other, which is not for us to settle.
    assert Settings({**given, **in_file}).over(Settings()).values == {**given, **in_file}
