"""The samples and the demo."""

from __future__ import annotations

import ast
import configparser
import json
import plistlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness import PRESETS, Image, Restorer, Size, read_image
from likeness.cli import COMMANDS, main
from likeness.cli.demo import SAMPLES
from likeness.metrics import band_energy, psnr

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def samples() -> Iterator[ModuleType]:
    """The module `examples/make_samples.py`."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import make_samples  # pyright: ignore[reportMissingImports]

        yield make_samples
    finally:
        sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `make demo` has put its results."""
    out = tmp_path_factory.mktemp("demo") / "out"
    picture = out / "before-after.jpg"
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(out), "--picture", str(picture)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return out


def test_the_notebook_runs_from_its_beginning_to_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES)
    notebook = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names: dict[str, object] = {}
    shown: list[object] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [], "what it shows is made anew, and not kept in the repository"
        code = ast.parse("".join(cell["source"]))
        last = code.body[-1]
        if isinstance(last, ast.Expr):
            code.body.pop()
        exec(compile(code, "tour.ipynb", "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), "tour.ipynb", "eval"), names))
    # What a notebook shows as a picture: by the method that it looks for.
    pictures = [value for value in shown if value is not None]
    assert len(pictures) == 6
    assert all(value._repr_png_().startswith(b"\x89PNG") for value in pictures)  # type: ignore[attr-defined]
    said = capsys.readouterr().out
    assert "0 restored -" in said
    assert "strengths: [1.0, 0.5]" in said
    assert "(120, 120) -> 480x480" in said
    assert "missing.jpg does not exist" in said


def test_every_preset_has_a_sample_and_the_formats_vary(samples: ModuleType) -> None:
    table = samples.SAMPLES
    # "plain" is what other people's networks are compared by, not what anybody's photograph wants.
    assert {sample.shown.preset for sample in table} == set(PRESETS) - {"plain"}
    assert len({Path(sample.file).suffix for sample in table}) >= 4
    assert {sample.file for sample in table} == {
        path.name for path in EXAMPLES.iterdir() if path.suffix not in (".py", ".ipynb", "")
    }
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.suffix != ".pyc") < 1_500_000


def test_samples_are_what_they_are_said_to_be(samples: ModuleType) -> None:
    for sample in samples.SAMPLES:
        image = read_image(EXAMPLES / sample.file)
        assert image.size.height >= image.size.width, f"{sample.file} should stand upright"
        assert image.grey == sample.grey
    with PillowImage.open(EXAMPLES / "low-light.jpg") as stored:
        assert stored.width > stored.height, "a phone's picture lies on its side in the file"


def test_making_the_samples_again_gives_the_same_pictures(
    samples: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(samples, "HERE", tmp_path)
    samples.main()
    assert "portrait.jpg" in capsys.readouterr().out
    for sample in samples.SAMPLES:
        again, stored = read_image(tmp_path / sample.file), read_image(EXAMPLES / sample.file)
        # Another build of the codecs or of OpenCV may round otherwise; the picture is the same.
        assert mean_difference(again, stored) < 0.01


def test_the_demo_restores_every_sample(samples: ModuleType, demo: Path) -> None:
    for sample in samples.SAMPLES:
        before, after = read_image(EXAMPLES / sample.file), read_image(demo / sample.file)
        if sample.small:
            assert before.size == Size(*sample.small)
            assert 450 <= after.size.width <= 512
            assert abs(after.size.height / after.size.width - before.size.height / before.size.width) < 1e-6
            continue
        assert after.size == before.size
        # The corner of the picture is background, and re-encoding is all that may change it.
        assert np.abs(after.pixels - before.pixels).max() > 0.02, f"{sample.file} was not changed"
        assert np.abs(after.pixels[:16, :16] - before.pixels[:16, :16]).mean() < 0.02
    sheet, picture = read_image(demo / "sheet.jpg"), read_image(demo / "before-after.jpg")
    assert sheet.size.width > 1500
    assert sheet.size.height > 1500
    assert picture.size.width > picture.size.height


def test_the_command_does_the_same(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = SAMPLES[:2]
    monkeypatch.setattr("likeness.cli.demo.SAMPLES", few)
    out = tmp_path / "tour"
    assert main(["demo", str(out), "--model", str(tiny_model)]) == 0
    assert f"Look at {out / 'sheet.jpg'}" in capsys.readouterr().out
    assert len(list(out.iterdir())) == len(few) + 1
    assert main(["demo", str(out), "--model", str(tiny_model)]) == 0
    assert main(["demo", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_the_main_sample_is_nearer_to_its_original_in_texture(samples: ModuleType, demo: Path) -> None:
    sample = samples.SAMPLES[0]
    original = samples.sharp(sample)
    before, after = read_image(EXAMPLES / sample.file), read_image(demo / sample.file)
    (face,) = Restorer().find_faces(before)
    place = face.box.to_slices()
    wanted, had, has = (x[place] for x in (original, before.pixels, after.pixels))
    everywhere = np.ones(wanted.shape[:2], np.float32)
    energy = [band_energy(x, everywhere) / band_energy(wanted, everywhere) for x in (had, has)]
    assert abs(np.log(energy[1])) < abs(np.log(energy[0])), energy
    # Sharpness made up costs some likeness sample by sample; more than a decibel would be another picture.
    assert psnr(has, wanted) > psnr(had, wanted) - 1


def test_the_demo_says_what_is_wrong_in_one_sentence(tmp_path: Path) -> None:
    nowhere = ["--out", str(tmp_path / "out"), "--picture", str(tmp_path / "a.jpg"), "--model", "no-such-model"]
    command = [sys.executable, str(EXAMPLES / "demo.py"), *nowhere]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "no-such-model" in done.stderr


def mean_difference(one: Image, other: Image) -> float:
    assert one.size == other.size
    return float(np.abs(one.pixels - other.pixels).mean())


def test_what_a_desktop_starts_are_commands_that_there_are() -> None:
    desktop = EXAMPLES / "desktop"
    entry, unit = (configparser.RawConfigParser(strict=True) for _ in range(2))
    for parser, name in ((entry, "likeness.desktop"), (unit, "likeness-watch.service")):
        parser.optionxform = str  # type: ignore[assignment]
        parser.read(desktop / name, encoding="utf-8")
    with (desktop / "likeness-watch.plist").open("rb") as file:
        shell = plistlib.load(file)["ProgramArguments"]
    task = ElementTree.fromstring((desktop / "likeness-watch.xml").read_bytes())
    (arguments,) = (item.text or "" for item in task.iter() if item.tag.endswith("Arguments"))
    (program,) = (item.text for item in task.iter() if item.tag.endswith("Command"))
    assert program == "likeness.exe"
    lines = [
        entry["Desktop Entry"]["Exec"],
        shlex.split(unit["Service"]["ExecStart"])[-1].removeprefix("exec "),
        shell[-1].removeprefix("exec "),
        f"likeness {arguments}",
    ]
    for line in lines:
        likeness, command, *rest = shlex.split(line)
        assert likeness == "likeness"
        COMMANDS[command].load().make_parser().parse_args(rest)
