from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness.cli import main
from likeness.imaging.files import read_image, write_image

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLE, "before.jpg")
    image = read_image(SAMPLE)
    soft = cv2.GaussianBlur(np.asarray(image.pixels), (0, 0), 4)
    write_image(image.with_pixels(np.asarray(soft, np.float32)), Path("after.png"))
    return "before.jpg", "after.png"


def test_table_json_and_page(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *pair, "--json", "figures.json", "--html", "page.html"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Face 1: ")
    assert "Radial texture" in out
    assert "page written to page.html" in err
    content = json.loads(Path("figures.json").read_text(encoding="utf-8"))
    assert (content["before"], content["after"]) == pair
    assert content["verdict"] == "bad"
    assert len(content["faces"][0]["figures"]) == 22
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_strict_and_json_on_standard_output(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *pair, "--strict", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "bad"
    assert main(["inspect", pair[0], pair[0], "--strict", "-q"]) == 0


def test_what_cannot_be_inspected_is_a_sentence(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", pair[0], "missing.jpg"]) == 1
    assert "missing.jpg" in capsys.readouterr().err
    assert main(["inspect", *pair, "--json", "before.jpg"]) == 2
    assert "before.jpg is an input and would be overwritten" in capsys.readouterr().err
    assert main(["inspect", *pair, "--html", "-"]) == 2
    assert main(["inspect", *pair, "--html", "x", "--json", "x"]) == 2
    assert main(["inspect", pair[0]]) == 2
    capsys.readouterr()
    assert main(["inspect", "--help"]) == 0
    assert "--strict" in capsys.readouterr().out
