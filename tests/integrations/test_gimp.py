"""The plug-in of GIMP: its arguments against the table of options, and where GIMP 3 is installed, run by it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles import ADOBE, gamma_curve, matrix_profile

from likeness.cli.flags import typed_settings
from likeness.cli.restore import make_parser
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.integrations import gimp
from likeness.integrations.gimp import command
from likeness.integrations.gimp.command import (
    Argument,
    CommandError,
    arguments,
    find_program,
    flags,
    preset_values,
    remove_old_folders,
    shown_values,
    usual_values,
)
from likeness.messages.notice import Notice, catalogue
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.kinds import Weights
from likeness.restore.options import row_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(gimp.__file__).parent
LIKENESS = str(Path(sys.executable).with_name("likeness"))
_SPEC = importlib.util.spec_from_file_location("gimp_table", ROOT / "tools" / "gimp_table.py")
assert _SPEC is not None
assert _SPEC.loader is not None
gimp_table = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(gimp_table)


def settings_of(given: list[str]) -> dict[str, Any]:
    """What ``likeness restore`` understands."""
    parsed = make_parser("likeness restore").parse_args(["layer.png", *given])
    return {key: value for key, value in typed_settings(parsed).values.items() if value is not None}


def another(argument: Argument) -> Any:
    """A value that nobody has set."""
    return {
        "number": argument.low if argument.usual != argument.low else argument.high / 2,
        "whole": argument.high,
        "switch": not argument.usual,
        "choice": argument.values[-1] if argument.values else None,
        "text": "largest",
        "folder": str(FOLDER),
    }[argument.kind]


def test_the_table_is_todays() -> None:
    written = gimp_table.TABLE.read_text(encoding="utf-8")
    assert written == gimp_table.made(), "run python tools/gimp_table.py"


@pytest.mark.parametrize("argument", arguments(), ids=lambda argument: argument.name)
def test_each_argument_is_an_option_of_the_command(argument: Argument) -> None:
    value = another(argument)
    understood = settings_of(argument.given(value))
    ((key, read),) = understood.items()
    row = row_of(key)
    if isinstance(row.kind, Weights):
        assert read == {argument.prefix.rstrip("="): pytest.approx(value)}
        assert row.default.to_dict()[argument.prefix.rstrip("=")] == argument.usual
    else:
        assert argument.name == key.replace("_", "-")
        assert (read[0] if isinstance(read, tuple) else read) == (
            pytest.approx(value) if argument.kind == "number" else Path(value) if argument.kind == "folder" else value
        )
        assert argument.usual in (row.default, 0, "", *argument.values[:1])
    assert argument.label["zh"] != argument.label["en"]
    assert re.fullmatch("[a-z]+(-[a-z]+)*", argument.name)


def test_the_command_is_told_of_what_is_set_only() -> None:
    usual = usual_values()
    assert flags(usual, usual) == []
    given = flags({**usual, "preset": "film-scan", "strength": 0.5, "weight-eye": 1.3, "keep-grain": True}, usual)
    assert settings_of(given) == {
        "preset": "film-scan",
        "strength": 0.5,
        "face_mask_weights": {"eye": 1.3},
        "keep_grain": True,
    }
    assert flags({"strength": 0.5000001}, {**usual, "strength": 0.5}) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_in_the_dialog_what_it_sets(preset: str) -> None:
    values = {**usual_values(), **preset_values(preset)}
    told = settings_of(flags({**values, "preset": "standard"}, usual_values()))
    weights = told.pop("face_mask_weights", {})
    keys = ("balance", "mend_scratches", "mend_sensitivity", "defringe", "descreen")
    repairs = {key: told.pop(key) for key in keys if key in told}
    assert Controls().with_changes(told).with_weights(weights) == PRESETS[preset]
    film = {"balance": 0.8, "mend_scratches": 1, "mend_sensitivity": 0, "descreen": 1}
    assert repairs == (film if preset == "film-scan" else {})
    # What the preset has set already is not said again, and what is set back to the plain value is.
    known = {**usual_values(), **preset_values(preset)}
    assert settings_of(flags({**values, "preset": preset}, known)).keys() <= {"preset"}
    assert "--latent-step-decay" in flags({**values, "latent-step-decay": 0.077}, known)


def test_auto_leaves_the_controls_to_the_command() -> None:
    assert preset_values("auto") == {}
    usual = usual_values()
    film = {**usual, "preset": "film-scan", **shown_values("film-scan")}
    assert "--keep-grain" in flags(film, usual)
    # Chosen after another preset it is said alone: no slider stays where the other one had it.
    assert flags({**film, "preset": "auto", **shown_values("auto")}, usual) == ["--preset", "auto"]


def test_gimps_python_needs_no_likeness() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import command; command.arguments(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code, str(FOLDER)], capture_output=True, text=True, check=True)
    assert "command" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith(("likeness", "numpy"))]


def test_a_command_that_is_not_there_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CommandError) as raised:
        find_program("likeness-that-is-nowhere")
    sentence = catalogue("en")["gimp.no-program"].format(program="likeness-that-is-nowhere")
    assert str(raised.value) == sentence
    place = tmp_path / ".local" / "bin"
    place.mkdir(parents=True)
    found = place / "likeness-that-is-nowhere"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    assert find_program("likeness-that-is-nowhere") == str(found)  # a desktop's programs have a short PATH
    assert find_program("~/.local/bin/likeness-that-is-nowhere") == str(found)


def test_an_empty_field_means_the_usual_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(command, "_BESIDE_PATH", ())
    with pytest.raises(CommandError, match="The command likeness was not found"):
        find_program("")
    (tmp_path / "likeness").write_text("#!/bin/sh\n")
    (tmp_path / "likeness").chmod(0o755)
    assert find_program("") == str(tmp_path / "likeness")


def test_what_cancel_left_is_removed_a_day_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = time.time() - 25 * 60 * 60
    old, fresh, others = (tmp_path / name for name in ("likeness-gimp-old", "likeness-gimp-fresh", "likeness-other"))
    for folder in (old, fresh, others):
        folder.mkdir()
        (folder / "layer.png").write_bytes(b"a photograph")
    (tmp_path / "likeness-gimp-link").symlink_to(others)
    for folder in (old, others):
        os.utime(folder, (before, before))
    os.utime(tmp_path / "likeness-gimp-link", (before, before), follow_symlinks=False)
    remove_old_folders()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"likeness-gimp-fresh", "likeness-gimp-link", "likeness-other"}
    assert (others / "layer.png").exists()
    # Another user's are left alone.
    os.utime(fresh, (before, before))
    monkeypatch.setattr(os, "getuid", lambda: fresh.stat().st_uid + 1)
    remove_old_folders()
    assert (fresh / "layer.png").exists()


@pytest.mark.parametrize(
    ("named", "said"), [("zh_CN.UTF-8", "人脸 2：x。"), ("de:en", "Face 2: x."), ("", "Face 2: x.")]
)
def test_it_speaks_gimps_language(monkeypatch: pytest.MonkeyPatch, named: str, said: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LANGUAGE", named)
    command.language.cache_clear()
    try:
        assert command.said("gimp.face", number=2, reason="x") == said
    finally:
        command.language.cache_clear()


def test_a_part_is_restored_as_the_command_restores_it(tiny_model: Path, astronaut: Image, tmp_path: Path) -> None:
    source, target, expected = tmp_path / "layer.png", tmp_path / "restored.png", tmp_path / "expected.png"
    write_image(astronaut, source)
    ticks: list[int] = []
    remarks = command.restore(LIKENESS, source, target, ["--model", str(tiny_model)], lambda: ticks.append(1))
    assert ticks
    run = [LIKENESS, "restore", str(source), "-o", str(expected), "--model", str(tiny_model), "-q"]
    subprocess.run(run, check=True)
    assert target.read_bytes() == expected.read_bytes()
    assert all(remark.startswith("Face 1: ") for remark in remarks)


def test_why_nothing_was_restored_is_said_in_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "layer.png"
    write_image(Image(pixels=np.full((80, 80, 3), 0.5, np.float32)), source)
    for given, sentence in {
        (): "No face was found in the picture; nothing was written.",
        ("--strength", "3"): "Strength must be between 0 and 1, not 3.",
    }.items():
        with pytest.raises(CommandError) as raised:
            command.restore(LIKENESS, source, tmp_path / f"{len(given)}.png", list(given), lambda: None)
        assert str(raised.value) == sentence


@pytest.mark.parametrize("ending", ["", "."])
def test_a_reason_ends_with_one_point(tmp_path: Path, ending: str) -> None:
    program = tmp_path / "fails"
    program.write_text(f"#!/bin/sh\necho 'error: '$2': the store is empty{ending}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(CommandError) as raised:
        command.restore(str(program), tmp_path / "layer.png", tmp_path / "restored.png", [], lambda: None)
    assert str(raised.value) == "The store is empty."


def test_a_face_that_came_out_badly_or_was_drawn_anew_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    drawn = Notice("outcome.drawn-anew")
    told = {"warnings": ["it is small", str(drawn)], "notices": [{"code": "outcome.face-small"}, drawn.to_dict()]}
    good = {"number": 1, "reason": "", "verdict": {"level": "good", "sentence": ""}, "warnings": [], "notices": []}
    bad = {**good, "number": 2, "verdict": {"level": "bad", "sentence": "sand in the hair"}, "drawn_anew": 0.6, **told}
    report = tmp_path / "told.json"
    report.write_text(json.dumps({"pictures": [{"faces": [good, bad]}]}))
    program = tmp_path / "restores"
    program.write_text(f"""#!/bin/sh\necho > "$4"; cat {report} > "$6"\n""")
    program.chmod(0o755)
    remarks = command.restore(str(program), tmp_path / "layer.png", tmp_path / "restored.png", [], lambda: None)
    assert remarks == ["Face 2: sand in the hair.", f"Face 2: {drawn}."]


def _gimp() -> str:
    """GIMP 3 without a window."""
    program = next(filter(None, map(shutil.which, ("gimp-console-3.0", "gimp-console-3", "gimp-console"))), None)
    if program is None:
        pytest.skip("GIMP 3 is not installed here")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    if re.search(r"\b3\.\d+\.\d+", version) is None:
        pytest.skip(f"GIMP 3 is not installed here: {version.strip()}")
    return program


def test_gimp_restores_layers(astronaut: Image, tmp_path: Path) -> None:
    """One start of the real GIMP for all cases, as its start takes seconds."""
    program = _gimp()
    own = tmp_path / "gimp"
    shutil.copytree(FOLDER, own / "plug-ins" / "likeness")
    rng = np.random.default_rng(2)
    deep = np.clip(astronaut.pixels + rng.uniform(-1e-3, 1e-3, astronaut.pixels.shape), 0, 1).astype(np.float32)
    adobe = matrix_profile(ADOBE, gamma_curve(2.2))
    files = {name: tmp_path / f"{name}.png" for name in ("deep", "grey", "empty")}
    write_image(replace(astronaut, pixels=deep, bit_depth=16, icc_profile=None), tmp_path / "plain.png")
    _with_profile(tmp_path / "plain.png", files["deep"], adobe)
    grey = np.repeat(astronaut.pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    alpha = np.ones(grey.shape[:2], np.float32)
    alpha[:, :20] = 0
    write_image(Image(pixels=grey, grey=True, alpha=alpha), files["grey"])
    write_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), files["empty"])
    mine = {"program": LIKENESS}
    broken = tmp_path / "broken"
    broken.write_text("""#!/bin/sh\necho no PNG file > "$4"; echo '{"pictures": [{"faces": []}]}' > "$6"\n""")
    broken.chmod(0o755)
    cases: dict[str, dict[str, Any]] = {
        "deep": {"file": "deep", "set": {**mine, "preset": "natural", "strength": 0.8, "weight-hair": 0.5}},
        "translucent": {
            "file": "deep",
            "opacity": 40.0,
            "set": {**mine, "preset": "natural", "strength": 0.8, "weight-hair": 0.5},
        },
        "float": {"file": "deep", "precision": "FLOAT_LINEAR", "set": mine},
        "grey": {"file": "grey", "set": mine},
        "part": {"file": "deep", "offsets": [30, 10], "select": [70, 20, 160, 150], "set": mine},
        "elsewhere": {"file": "deep", "select": [0, 0, 10, 10], "offsets": [50, 50], "set": mine},
        "empty": {"file": "empty", "set": mine},
        "missing": {"file": "deep", "set": {"program": "likeness-that-is-nowhere"}},
        "broken": {"file": "deep", "set": {"program": str(broken)}},
    }
    for name, case in cases.items():
        case |= {"file": str(files[case["file"]]), "result": str(tmp_path / f"{name}-result.png")}
    told = tmp_path / "cases.json"
    told.write_text(json.dumps(cases))
    code = f"CASES = {str(told)!r}; exec(open({str(Path(__file__).with_name('gimp_batch.py'))!r}).read())"
    run = [program, "--quit", "--no-interface", "--no-data", "--no-fonts"]
    run += ["--batch-interpreter=python-fu-eval", "-b", code]
    surroundings = {**os.environ, "GIMP3_DIRECTORY": str(own), "LANGUAGE": "en"}
    done = subprocess.run(run, env=surroundings, capture_output=True, text=True, timeout=600, check=False)
    written = told.with_suffix(".answers.json")
    assert written.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    answered = json.loads(written.read_text())
    answers = answered["answers"]

    # Every argument is GIMP's as well, with its kind and its name.
    kinds = {"number": "gdouble", "whole": "gint", "switch": "gboolean", "text": "gchararray", "folder": "GFile"}
    for argument in arguments():
        kind, nick = answered["arguments"][argument.name]
        assert (kind, nick) == (kinds.get(argument.kind, "gchararray"), argument.label["en"])

    # 16 bit and the profile stay, and the layer is what the command makes of the file, to the last bit.
    whole = answers["deep"]
    assert whole["status"] == "success"
    assert [layer[0] for layer in whole["layers"]][:1] == whole["selected"] == ["Likeness: natural"]
    assert whole["layers"][0][1:] == whole["layers"][1][1:] == [256, 256, 0, 0, False]
    assert whole["precision"].startswith("u16")
    assert whole["profile"] == adobe.hex()
    expected = tmp_path / "expected.png"
    settings = ["--preset", "natural", "--strength", "0.8", "--face-weight", "hair=0.5"]
    subprocess.run([LIKENESS, "restore", str(files["deep"]), "-o", str(expected), "-q", *settings], check=True)
    by_command, by_gimp = (read_image(path) for path in (expected, Path(cases["deep"]["result"])))
    assert by_gimp.bit_depth == 16
    assert by_gimp.icc_profile == adobe
    np.testing.assert_array_equal(by_gimp.pixels, by_command.pixels)
    before = read_image(files["deep"])
    changed = np.abs(by_gimp.pixels - before.pixels).max(axis=-1)
    assert changed.max() > 0.02
    assert (changed == 0).mean() > 0.3
    translucent = read_image(cases["translucent"]["result"])
    np.testing.assert_array_equal(translucent.pixels, by_gimp.pixels)

    # Samples with a point are handed over in 16 bit.
    assert answers["float"]["precision"].startswith("float")
    assert answers["float"]["layers"][0][0] == "Likeness: standard"
    untouched = changed == 0
    floating = read_image(cases["float"]["result"])
    assert np.abs(floating.pixels - before.pixels)[untouched].max() < 0.5 / 255  # GIMP's own way there and back

    as_grey = read_image(cases["grey"]["result"])
    assert answers["grey"]["status"] == "success"
    assert as_grey.alpha is not None
    np.testing.assert_array_equal(as_grey.alpha, alpha)
    np.testing.assert_array_equal(as_grey.pixels[..., 0], as_grey.pixels[..., 1])

    # A selection bounds the part, and is the new layer's mask; a layer may stand anywhere.
    assert answers["part"]["status"] == "success"
    assert answers["part"]["layers"][0][1:] == [160, 150, 70, 20, True]
    part = read_image(cases["part"]["result"]).pixels
    there = before.pixels[10:160, 40:200]
    assert np.abs(part - there).max() > 0.02
    assert (np.abs(part - there).max(axis=-1) == 0).mean() > 0.1

    # What cannot be done is one sentence, and nothing has changed.
    for name, sentence in {
        "elsewhere": catalogue("en")["gimp.not-there"],
        "empty": "No face was found in the picture; nothing was written.",
        "missing": catalogue("en")["gimp.no-program"].format(program="likeness-that-is-nowhere"),
        "broken": catalogue("en")["gimp.not-passed"].partition("{why}")[0],
    }.items():
        assert answers[name]["status"] == "execution-error"
        assert sentence in answers[name]["error"]
        assert len(answers[name]["layers"]) == 1


def _with_profile(source: Path, target: Path, profile: bytes) -> None:
    """The samples of a PNG file, with a profile beside them."""
    import struct
    import zlib

    data = source.read_bytes()
    body = b"iCCP" + b"test\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    target.write_bytes(data[:33] + chunk + data[33:])
