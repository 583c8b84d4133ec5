from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dlib", reason="evaluation needs the extra evaluate")

from likeness.cli import main
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image, Size
from likeness.imaging.portraits import Portraits
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch, WrappedRuntime


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    """One validation portrait."""
    found = Portraits.read(shared / "portraits", 512, split="val")
    (tmp_path / "faces").mkdir()
    write_image(Image(pixels=found.pixels(0)), tmp_path / "faces" / "a.png")
    return tmp_path


def test_a_model(folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "groups.csv").write_text("file,age\na.png,young\n")
    command = [
        "evaluate",
        str(folder / "faces"),
        "--model",
        str(tiny_model),
        "--recipes",
        "clean,mild",
        "--size",
        "512",
    ]
    command += ["--json", str(folder / "x.json"), "--sheets", str(folder / "sheets")]
    assert main([*command, "--groups", str(folder / "groups.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        *(
            "recipe",
            "picture",
            "faces",
            "psnr",
            "ssim",
            "identity",
            "landmarks",
            "found",
            "skin",
            "hair",
            "eye",
            "plastic",
            "piqe",
        )
    ]
    assert [line.split()[1] for line in lines[2:5]] == ["degraded", "restored", "ratio"]
    assert any("age young" in line for line in lines)
    described = json.loads((folder / "x.json").read_text())
    clean, mild = described["tables"]
    assert clean["ratios"]["identity"] is None
    assert mild["ratios"]["identity"] == pytest.approx(mild["restored"]["identity"] / mild["degraded"]["identity"])
    assert [(item["column"], item["value"], item["pictures"]) for item in described["groups"]] == [
        ("age", "young", 1)
    ] * 2
    assert read_image(folder / "sheets" / "mild.jpg").size.width == 3 * 512


def test_a_face_that_fails_does_not_cost_the_others(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that answers the second portrait with what are no numbers, as one that trains may."""
    shutil.copy(folder / "faces" / "a.png", folder / "faces" / "b.png")
    calls: list[int] = []

    class FailsSecond(WrappedRuntime):
        def run(self, faces: Batch) -> Batch:
            calls.append(1)
            answer = super().run(faces)
            return answer * np.float32(np.nan) if len(calls) == 2 else answer

    failing = Restorer(runtime=FailsSecond(Restorer(tiny_model, precision="f32").runtime))
    monkeypatch.setattr("likeness.cli.evaluate._restorer", lambda flags: (failing, Controls.preset(flags.preset)))
    (folder / "groups.csv").write_text("file,age\na.png,young\nb.png,old\n")
    written = ["--json", str(folder / "x.json"), "--sheets", str(folder / "sheets")]
    command = ["evaluate", str(folder / "faces"), "--model", str(tiny_model), "--recipes", "mild", "--size", "512"]
    assert main([*command, *written, "--groups", str(folder / "groups.csv")]) == 1
    shown = capsys.readouterr().out
    assert shown.splitlines()[2].startswith("mild    degraded  1 of 2  ")
    assert "failed: mild: b.png: no face could be restored" in shown
    assert "age old    0 of 1" in shown
    described = json.loads((folder / "x.json").read_text())
    (mild,) = described["tables"]
    assert (mild["pictures"], mild["asked"], mild["failures"][0]["picture"]) == (1, 2, "b.png")
    assert [(group["value"], group["pictures"], group["failed"]) for group in described["groups"]] == [
        ("old", 0, 1),
        ("young", 1, 0),
    ]
    assert read_image(folder / "sheets" / "mild.jpg").size == Size(3 * 512, 512)


def test_another_tool(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces, pairs = str(folder / "faces"), folder / "pairs"
    assert main(["evaluate", faces, "--recipes", "mild", "--write-pairs", str(pairs)]) == 0
    assert sorted(path.name for path in pairs.iterdir()) == ["mild", "original"]
    assert main(["evaluate", faces, "--recipes", "mild", "--outputs", str(pairs)]) == 0
    degraded, restored = (line.split()[2:] for line in capsys.readouterr().out.splitlines()[2:4])
    assert degraded == restored
    (pairs / "mild" / "a.png").unlink()
    assert main(["evaluate", faces, "--recipes", "mild", "--outputs", str(pairs)]) == 2
    assert "holds no result for a " in capsys.readouterr().err


def test_old_pictures(shared: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(shared / "oldphotos" / "wiki-d091158a.jpg", tmp_path / "old")
    write_image(Image(pixels=np.full((80, 80, 3), 0.5, np.float32)), tmp_path / "old" / "blank.png")
    command = ["evaluate", "--old", str(tmp_path / "old"), "--json", str(tmp_path / "x.json")]
    assert main([*command, "--model", str(tiny_model), "--sheets", str(tmp_path / "sheets")]) == 0
    shown = capsys.readouterr().out
    assert "failed: blank.png: no face was found" in shown
    described = json.loads((tmp_path / "x.json").read_text())
    assert described["summary"]["pictures"] == 2
    assert described["summary"]["identity_p90"] >= 0
    assert described["failures"] == [{"picture": "blank.png", "reason": "no face was found"}]
    assert read_image(tmp_path / "sheets" / "old.jpg").size.width == 2 * 512
    # The inputs themselves as another tool's results.
    command += ["--outputs", str(tmp_path / "old")]
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert json.loads((tmp_path / "x.json").read_text()) == described
    assert main([*command, "--overwrite"]) == 0
    assert json.loads((tmp_path / "x.json").read_text())["summary"]["identity_mean"] < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a folder of portraits, or --old"),
        (["faces", "--old", "old"], "a folder of portraits, or --old"),
        (["--old", "old", "--groups", "g.csv"], "--old takes pictures as they are"),
        (["faces", "--outputs", "a", "--write-pairs", "b"], "give one of them"),
        (["faces", "--outputs", "a", "--model", "b"], "no --model"),
        (["faces", "--rows", "65"], "--rows must be 1 to 64"),
        (["faces", "--every", "0"], "--every must be at least 1"),
        (["faces", "--size", "5"], "--size must be 64 to 4096"),
    ],
)
def test_flags_that_do_not_fit(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err
