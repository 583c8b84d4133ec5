from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from likeness.batch.journal import Task
from likeness.batch.options import WorkOptions
from likeness.cli.flags import Parser, add_options, typed_settings
from likeness.errors import ConfigError, ControlError
from likeness.evidence.quality_gate import GuardLimits
from likeness.repair.repairs import Repairs
from likeness.restore import options as table
from likeness.restore.command_line import flags_of
from likeness.restore.config import Settings, settings_from
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import FaceControls
from likeness.restore.framing import Framing
from likeness.restore.kinds import Choice, Number, Option, Switch, Words, rows_of
from likeness.restore.options import OPTIONS, row_of
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.selection import Selection

RICH = PictureOptions(
    controls=replace(Controls.natural(), refine=2, strength=0.5, keep_grain=True),
    repairs=Repairs(balance=0.5, fringes=1.0),
    selection=Selection(which=(0, 2), min_size=30.0),
    aligned=True,
    quality=90,
    bit_depth=16,
)


def row(kind: Any, **more: Any) -> Option:
    text = Words("a try", "试验")
    values: dict[str, Any] = {"key": "a_try", "kind": kind, "label": text, "help": text, "group": "controls", **more}
    return Option(**values)


def test_every_option_is_one_row_with_words_in_both_languages() -> None:
    keys = [each.key for each in OPTIONS]
    assert len(set(keys)) == len(keys)
    for each in OPTIONS:
        for words in (each.label, each.help):
            assert words.en, each.key
            assert words.zh, each.key
            assert not words.en.endswith("."), each.key
        assert each.default is None or each.kind.refusal(each.default, each.key) is None or each.part == "controls", (
            each.key
        )
    assert row_of("strength").default == 1.0
    with pytest.raises(
        ConfigError, match=r'unknown key "stength" \(did you mean "strength"\?\); known are model_path, model'
    ):
        row_of("stength")


def test_rows_belong_to_fields_that_are_there() -> None:
    options = PictureOptions()
    for each in OPTIONS:
        if each.part:
            owner = options if each.part == "picture" else getattr(options, each.part)
            assert getattr(owner, each.field_name) == each.default, each.key


def test_options_go_to_settings_and_back() -> None:
    settings = RICH.to_settings()
    assert PictureOptions(**parts_of(settings)) == RICH
    assert json.loads(json.dumps(dict(settings.values))) == settings.values
    assert PictureOptions().to_settings() == Settings()


def test_settings_are_said_as_flags() -> None:
    """What stands in a command line is read as what was written into it."""
    parser = Parser(prog="try", allow_abbrev=False)
    add_options(parser)
    own = FaceControls.of(
        {1: {"strength": 0.5, "keep_grain": False, "face_mask_weights": {"eye": 1.3}}, 4: "film-scan"}
    )
    framing = Framing(turn=90, straighten=-1.5, crop="4:5")
    for options in (RICH, PictureOptions(face_controls=own, framing=framing, provenance=False, on_bad="skip")):
        settings = options.to_settings()
        said = typed_settings(parser.parse_args(flags_of(settings)))
        assert PictureOptions(**parts_of(said)) == options
    # Over a preset only what differs from it is said.
    natural = PictureOptions(controls=Controls.natural().with_weights({"eye": 1.0}), repairs=Repairs(balance=1.0))
    flags = flags_of(natural.to_settings("natural"))
    assert flags == ["--preset", "natural", "--face-weight", "eye=1", "--balance", "1"]
    assert PictureOptions(**parts_of(typed_settings(parser.parse_args(flags)))) == natural
    film = PictureOptions(controls=Controls.film_scan(), repairs=Repairs(sensitivity=0.0))
    plain = ["--preset", "film-scan", "--mend-scratches", "0", "--balance", "0", "--descreen", "0"]
    assert flags_of(film.to_settings("film-scan")) == plain


def test_flags_say_what_files_say() -> None:
    parser = Parser(prog="try", allow_abbrev=False)
    add_options(parser)
    typed = "--preset natural --refine 2 --face-weight eye=1.2 --keep-grain --balance 0.5 --faces 1,3 --quality 90"
    in_file = {
        "preset": "natural",
        "refine": 2,
        "face_mask_weights": {"eye": 1.2},
        "keep_grain": True,
        "balance": 0.5,
        "faces": [1, 3],
        "quality": 90,
    }
    flags = typed_settings(parser.parse_args(typed.split()))
    assert flags == settings_from(in_file, name="a file", folder=Path())
    assert typed_settings(parser.parse_args([])) == Settings()


def test_a_number_may_be_a_word_and_a_flag_have_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = row(Number(low=1.0, high=8.0, words=("auto",)), aliases=("-s", "--sr_scale"))
    monkeypatch.setattr("likeness.cli.flags.OPTIONS", (scale,))
    monkeypatch.setattr(table, "_BY_KEY", {"a_try": scale})
    parser = Parser(prog="try", allow_abbrev=False)
    add_options(parser)
    for typed, value in (("--a-try=2", 2.0), ("-s auto", "auto"), ("--sr_scale 4", 4.0)):
        assert typed_settings(parser.parse_args(typed.split()))["a_try"] == value
    assert "1 to 8, or auto: a try" in parser.format_help()
    assert "sr_scale" not in parser.format_help()
    assert settings_from({"a_try": "auto"}, name="a file", folder=Path())["a_try"] == "auto"
    assert scale.kind.schema()["anyOf"][1] == {"type": "string", "enum": ["auto"]}
    with pytest.raises(ControlError, match=r"a_try must be auto or between 1 and 8, not 9"):
        scale.check(9.0)
    with pytest.raises(ConfigError, match='a_try must be "auto" or a number, not "much"'):
        settings_from({"a_try": "much"}, name="a file", folder=Path())
    with pytest.raises(SystemExit):
        parser.parse_args(["-s", "much"])
    switch = row(Switch(), flag="--try-it", aliases=("--tryit",))
    monkeypatch.setattr("likeness.cli.flags.OPTIONS", (switch,))
    parser = Parser(prog="try", allow_abbrev=False)
    add_options(parser)
    for typed, value in (("--try-it", True), ("--tryit", True), ("--no-try-it", False), ("", None)):
        assert typed_settings(parser.parse_args(typed.split()))["a_try"] is value


@pytest.mark.parametrize(
    ("kind", "good", "bad", "why"),
    [
        (Number(low=0.0, high=2.0), 2, 2.1, "between 0 and 2, not 2.1"),
        (Number(low=0.0, high=2.0), 0.5, float("nan"), "between 0 and 2, not nan"),
        (Number(low=0.0, high=2.0), 0.5, True, "a number from 0 to 2, not bool"),
        (Number(low=0.3, high=1.2, off=True), 0, 0.1, "or 0 to turn it off"),
        (Number(low=1, whole=True), 5, 0, "at least 1, not 0"),
        (Number(low=1, high=8, whole=True), 8, 1.5, "a whole number from 1 to 8, not 1.5"),
        (Switch(), False, 0, "true or false, not 0"),
        (Choice(values=(8, 16)), 16, 12, "8 or 16, not 12"),
        (Choice(values=("off", "on")), "on", "maybe", '"off" or "on", not'),
    ],
)
def test_each_kind_refuses_what_it_is_not(kind: Any, good: object, bad: object, why: str) -> None:
    assert kind.refusal(good, "it") is None
    refusal = kind.refusal(bad, "it")
    assert refusal is not None
    assert why in refusal
    assert refusal.coded
    assert refusal.say("zh").startswith("it 必须")


def test_what_is_refused_is_said_in_other_languages() -> None:
    with pytest.raises(ControlError) as refused:
        Controls(latent_step_decay=0.5)
    said = refused.value.notice.say("zh")
    assert said == "latent_step_decay 必须在 0.005 到 0.1 之间（常用范围为 0.02 到 0.1），不能是 0.5"
    with pytest.raises(ConfigError) as refused_size:
        Enlargement(upscale=9)
    assert refused_size.value.notice.say("zh") == "upscale 必须是 auto，或者在 1 到 8 之间，不能是 9"
    with pytest.raises(ControlError) as unknown:
        Controls.preset("naturl")
    assert unknown.value.notice.say("zh").startswith(
        "没有名为“naturl”的预设（是不是“natural”？）；可用的预设是 standard"
    )


def test_a_list_takes_what_is_a_pictures_own() -> None:
    own = {each.key for each in OPTIONS if each.per_picture}
    assert {"strength", "eye"} & own == {"strength"}
    assert {"model", "device", "threads", "max_pixels", "copy_unrestored"}.isdisjoint(own)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (WorkOptions(guard=GuardLimits(seam=8.0)), "83a056b5ac61a1b7754737c10b5a44b1b9242b9cf582c3cbb06646d9b8bd9c28"),
        (
            WorkOptions(
                controls=Controls.natural(),
                repairs=Repairs(balance=0.5),
                selection=Selection(which=(0, 2), min_size=30.0),
                quality=90,
                damage_mask="m.png",
                damage_digest="d",
                on_finding="fix",
                guard=None,
            ),
            "3e561f6bb66f779164a40d2e8e408fb161b2fc7e6a204ab099d33b78031e1bcd",
        ),
    ],
)
def test_journals_of_before_hold_the_same_work(options: WorkOptions, key: str) -> None:
    """Written by the version before there was a table: a picture that was done then is not done again."""
    task = Task(target="a.jpg", source="a.jpg", content="c", model="m", options=options.to_dict())
    assert task.key == key
    assert WorkOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_an_option_that_was_added_since_stands_in_the_journal_only_if_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from likeness.batch import options as module

    first: dict[str, str] = vars(module)["_FIRST"]
    monkeypatch.setattr(module, "_FIRST", dict(first, Controls=first["Controls"].replace(" refine", "")))
    assert "refine" not in WorkOptions().to_dict()["controls"]
    assert WorkOptions(controls=Controls(refine=2)).to_dict()["controls"]["refine"] == 2


def test_controls_are_their_rows() -> None:
    assert [each.key for each in rows_of(Controls)] == [item.name for item in fields(Controls)]
    needs_network = {each.key for each in rows_of(Controls) if each.projects}
    assert needs_network == {"degradation_scale", "features", "plain", "refine"}


def test_the_table_loads_no_numpy() -> None:
    script = "import sys, likeness.restore.options, likeness.cli.flags; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_flag_stands_for_two_options() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)  # type: ignore[arg-type]  # argparse refuses a name that is taken
