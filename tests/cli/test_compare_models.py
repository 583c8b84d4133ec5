"""``likeness compare``: two real networks under two presets on two pictures, and what is written of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.cli import main
from likeness.core.tables import read_csv
from likeness.evaluation.comparison import skin_texture
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.studio.review.making import make_session
from likeness.studio.review.session import Vote


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut_file: Path, tiny_model: Path) -> Path:
    """A folder with a portrait and a picture without a face, compared."""
    root = tmp_path_factory.mktemp("compare")
    shutil.copy(astronaut_file, root / "portrait.jpg")
    write_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), root / "wall.png")
    shutil.copy(tiny_model, root / "other.safetensors")
    models = f"{tiny_model},{root / 'other.safetensors'},GPEN-BFR-512,gfpgan-1.4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(root / "home"))
        arguments = [str(root), "--models", models, "--presets", "natural,plain", "-o", str(root / "out")]
        assert main(["compare", *arguments]) == 1  # two networks are not here
    return root


def _rows(path: Path) -> list[dict[str, str]]:
    _, rows = read_csv(path.read_bytes(), name=path.name)
    return [row.cells for row in rows]


def test_every_network_under_every_preset_is_a_line(folder: Path) -> None:
    rows = _rows(folder / "out" / "comparison.csv")
    assert [(Path(row["model"]).name, row["preset"]) for row in rows] == [
        ("input", ""),
        ("tiny.safetensors", "natural"),
        ("tiny.safetensors", "plain"),
        ("other.safetensors", "natural"),
        ("other.safetensors", "plain"),
    ]
    for row in rows[1:]:
        assert row["restored"] == "1"
        assert row["failed"] == "1"  # the wall
        assert float(row["seconds"]) > 0
        assert row["size"] == "128"
        assert row["least"] == row["identity"]  # of the one face
        assert 0.9 < float(row["identity"]) <= 1  # it hardly changes anything
    # The same network twice.
    assert [rows[1][key] for key in ("identity", "texture")] == [rows[3][key] for key in ("identity", "texture")]
    assert rows[1]["texture"] != rows[2]["texture"]


def test_json_holds_every_face_and_what_is_missing(folder: Path) -> None:
    content: dict[str, Any] = json.loads((folder / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert set(content["missing"]) == {"GPEN-BFR-512", "gfpgan-1.4"}
    assert "likeness models fetch GFPGANv1.4" in content["missing"]["gfpgan-1.4"]
    assert "likeness models fetch GPEN-BFR-512" in content["missing"]["GPEN-BFR-512"]
    faces = content["faces"]
    assert len(_rows(folder / "out" / "faces.csv")) == len(faces)
    walls = [face for face in faces if face["picture"] == "wall.png"]
    assert {(wall["status"], wall["face"]) for wall in walls} == {("failed", None)}
    assert all("no face" in wall["reason"] for wall in walls)
    (own,) = [face for face in faces if face["status"] == "input"]
    assert own["face"] == own["identity"] == 1


def test_the_page_shows_each_crop_once_and_needs_no_other_file(folder: Path) -> None:
    page = (folder / "out" / "portrait.jpg.html").read_text(encoding="utf-8")
    assert page.count("class='view'") == 5
    assert not re.search(r"(src|href)='(?!data:)", page)
    assert "tiny.safetensors, plain" in page
    assert "<h2>Not compared</h2><ul><li><b>GPEN-BFR-512</b>: " in page
    assert "<code>likeness models fetch GFPGANv1.4</code>" in page
    wall = (folder / "out" / "wall.png.html").read_text(encoding="utf-8")
    assert "no face was found" in wall
    assert "class='view'" not in wall


def test_the_sheet_has_the_photograph_first(folder: Path) -> None:
    sheet = read_image(folder / "out" / "portrait.jpg.jpg")
    assert sheet.size.width == 5 * 520 + 8
    tiles = [sheet.pixels[60:500, 8 + i * 520 : 8 + i * 520 + 512] for i in range(5)]
    assert np.abs(tiles[0] - tiles[1]).mean() < 0.03
    assert np.array_equal(tiles[1].shape, tiles[2].shape)
    assert not (folder / "out" / "wall.png.jpg").exists()


def test_what_cannot_be_compared_is_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(folder / "portrait.jpg")
    out = ["-o", str(folder / "none")]
    assert main(["compare", picture, "--presets", "soft", *out]) == 2
    assert 'unknown preset "soft"' in capsys.readouterr().err
    assert main(["compare", picture, "--models", ",", *out]) == 2
    assert "--models" in capsys.readouterr().err
    assert main(["compare", picture, "--models", "nobody", *out]) == 1
    assert "no model or file nobody" in capsys.readouterr().err
    (folder / "empty").mkdir()
    assert main(["compare", str(folder / "empty"), *out]) == 2
    assert "no picture in" in capsys.readouterr().err
    assert not (folder / "none").exists()


def test_a_network_that_cannot_be_loaded_does_not_cost_the_others(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tiny_model.read_bytes()
    (folder / "cut-short.safetensors").write_bytes(whole[: len(whole) // 2])
    for models in (
        f"{tiny_model},{folder / 'cut-short.safetensors'}",
        f"{folder / 'cut-short.safetensors'},{tiny_model}",
    ):
        out = folder / "cut"
        arguments = [str(folder / "portrait.jpg"), "--models", models, "-o", str(out), "--overwrite"]
        assert main(["compare", *arguments]) == 1
        assert "cut-short.safetensors is not a readable safetensors file" in capsys.readouterr().err
        assert [Path(row["model"]).name for row in _rows(out / "comparison.csv")] == ["input", "tiny.safetensors"]
        assert "<h2>Not compared</h2><ul><li><b>" in (out / "portrait.jpg.html").read_text(encoding="utf-8")
    alone = [
        str(folder / "portrait.jpg"),
        "--models",
        str(folder / "cut-short.safetensors"),
        "-o",
        str(folder / "none"),
    ]
    assert main(["compare", *alone]) == 1
    assert not (folder / "none").exists()


def test_pictures_of_one_name_have_pages_of_their_own(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wall = Image(pixels=np.full((64, 64, 3), 0.5, np.float32))
    paths = [tmp_path / name for name in ("a/wall.png", "b/wall.png", "wall-2.png", "c/wall.png")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        write_image(wall, path)
    arguments = ["compare", *map(str, paths), "--models", str(tiny_model), "-o", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "no face was restored" in capsys.readouterr().err
    pages = {path.name for path in (tmp_path / "out").glob("*.html")}
    assert pages == {"wall.png.html", "wall-2.png.html", "wall-3.png.html", "wall-4.png.html"}


def test_memory_is_counted_anew() -> None:
    """In a process of its own: here other tests' threads take memory as well."""
    script = """
from likeness.core.memory import forget_peak, peak_megabytes
if not forget_peak():
    raise SystemExit(5)
before = peak_megabytes()
held = bytearray(64 << 20)
held[::4096] = bytes([1]) * len(held[::4096])
most = peak_megabytes()
del held
forget_peak()
print(most - before > 50, peak_megabytes() - before < 30)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 5:
        pytest.skip("this system does not forget a process's peak")
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_texture_is_that_of_skin_alone() -> None:
    from likeness.faces.mesh import average_face

    points = average_face()[:, :2].astype(np.float32)
    noise = np.random.default_rng(0).standard_normal((512, 512, 1)).astype(np.float32) / 255
    flat = np.full((512, 512, 3), 0.5, np.float32)
    assert skin_texture(flat, points) < 0.01
    assert 0.85 < skin_texture(flat + noise, points) < 1.05  # of noise of one level, what is finer than 2 px
    noise[150:450, 100:400] = 0
    assert skin_texture(flat + noise, points) < 0.5


def test_results_are_rated_blind_and_what_is_accepted_is_a_column(
    tmp_path: Path, astronaut_file: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(astronaut_file), "--models", str(tiny_model), "--presets", "natural,plain"]
    assert main(["compare", *arguments, "--results", "-o", str(tmp_path / "out")]) == 0
    commands = [line for line in capsys.readouterr().err.splitlines() if "likeness review" in line]
    assert len(commands) == 1
    sides = {f"tiny.safetensors, {preset}": tmp_path / "out/results" / f"tiny.safetensors, {preset}" for preset in _TWO}
    assert all(f"{name}={folder}" in commands[0] for name, folder in sides.items())
    for folder in sides.values():
        assert [path.name for path in folder.iterdir()] == ["astronaut.jpg.png"]
        assert read_image(folder / "astronaut.jpg.png").size == read_image(astronaut_file).size
    session = make_session(tmp_path / "session", sides)
    for name, grades in (("Ann", {"natural": 5, "plain": 3}), ("Bob", {"natural": 2, "plain": 1})):
        rater = session.enter(name)
        keys = {ballot.position: ballot.side for ballot in session.ballots() if ballot.rater == name}
        for position, side in keys.items():
            session.vote(rater, place=0, position=position, vote=Vote(score=grades[side.split(", ")[1]]))
    assert main(["compare", *arguments, "--review", str(session.folder), "-o", str(tmp_path / "table")]) == 0
    assert [row["accepted"] for row in _rows(tmp_path / "table" / "comparison.csv")] == ["", "50.0", "0.0"]
    assert "Accepted, %" in (tmp_path / "table" / "astronaut.jpg.html").read_text(encoding="utf-8")
    others = [*arguments[:-1], "standard", "--review", str(session.folder), "-o", str(tmp_path / "none")]
    assert main(["compare", *others]) == 2
    assert "is a review of other sides" in capsys.readouterr().err
    twice = tmp_path / "twice" / tiny_model.name
    twice.parent.mkdir()
    shutil.copy(tiny_model, twice)
    same = [str(astronaut_file), "--models", f"{tiny_model},{twice}", "--results", "-o", str(tmp_path / "none")]
    assert main(["compare", *same]) == 2
    assert "files of the same name" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


_TWO = ("natural", "plain")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_text_costs_no_result(astronaut_file: Path, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copy(astronaut_file, tmp_path / "caf\udce9.jpg")
    out = tmp_path / "out"
    assert main(["compare", str(tmp_path), "--models", str(tiny_model), "--presets", "plain", "-o", str(out)]) == 0
    assert r"caf\udce9.jpg" in (out / "faces.csv").read_text(encoding="utf-8-sig")
    assert json.loads((out / "comparison.json").read_text())["faces"]
