from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from faults import write_faults

from likeness.cli import main
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.findings import CODES

MADE = {code for code in CODES if code != "face-unclear"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of each fault, and a clean one."""
    path = tmp_path_factory.mktemp("faults")
    write_faults(path, MediaPipeDetector())
    return path


def test_a_folder_with_each_fault(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "check.json"
    assert main(["check", str(folder), "--json", str(report)]) == 1
    out, err = capsys.readouterr()
    assert err == ""  # what the decoder remarks on profiles is told once
    assert "\x1b" not in out
    assert f"{folder / 'clean.png'}: fine\n" in out
    assert f"{folder / 'unreadable.jpg'}: refused\n  refuse  unreadable " in out
    record = json.loads(report.read_text(encoding="utf-8"))
    pictures = {Path(item["input"]).stem: item for item in record["pictures"]}
    assert set(pictures) == {"clean", *MADE}
    for code, item in pictures.items():
        codes = [finding["code"] for finding in item["findings"]]
        assert codes == [] if code == "clean" else code in codes
        levels = {finding["level"] for finding in item["findings"]}
        assert item["status"] == ("refuse" if "refuse" in levels else "warn" if "warn" in levels else "fine")
    assert record["summary"]["refuse"] == sum(item["status"] == "refuse" for item in pictures.values()) == 4
    assert set(record["summary"]["findings"]) == MADE
    assert record["limits"]["min_side"] == 150
    assert not record["interrupted"]
    assert "31 pictures:" in out
    assert all(any(line.startswith(f"{code} ") for line in out.splitlines()) for code in MADE)


def test_a_clean_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "clean.png"
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: fine\n"
    assert main(["check", str(path), "-q"]) == 0
    assert capsys.readouterr().out == ""


def test_warnings_are_no_failure_unless_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder / "eyes-closed.png")
    assert main(["check", path]) == 0
    assert "look at it\n  warn    eyes-closed       face 1: both eyes look closed" in capsys.readouterr().out
    assert main(["check", path, "--refuse", "eyes-closed"]) == 1
    assert "refused\n  refuse  eyes-closed" in capsys.readouterr().out
    assert main(["check", path, "--ignore", "eyes-closed,grey"]) == 0
    assert capsys.readouterr().out == f"{path}: fine\n"


def test_the_smallest_size_is_the_users(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder / "size-small.png")
    assert main(["check", path]) == 1
    assert "[120, limit 150 px]" in capsys.readouterr().out
    assert main(["check", path, "--min-size", "100", "--min-face", "20"]) == 0
    assert capsys.readouterr().out == f"{path}: fine\n"


def test_faces_with_the_same_finding_share_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "several-faces.png"), "--min-face", "300"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("  warn    face-small        face 1: ")
    assert lines[2].endswith("(also face 2)") or "(also face 2)" in lines[1]


def test_standard_input(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "clean.png").read_bytes())))
    assert main(["check", "-"]) == 0
    assert capsys.readouterr().out == "-: fine\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing*.jpg"], 'no picture matches "nothing'),
        (["clean.png", "-"], "cannot be mixed"),
        (["clean.png", "--refuse", "blurred"], 'there is no finding "blurred"'),
        (["clean.png", "--min-size", "-1"], "min_side must be 0 or more"),
        (["clean.png", "--json", "missing/check.json"], "does not exist; make it first"),
        (["clean.png", "--json", "clean.png"], "is an input and would be overwritten"),
        (["clean.png", "--max-pixels", "0"], "must be at least 1"),
    ],
)
def test_what_cannot_begin(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(folder)
    before = (folder / "clean.png").read_bytes()
    assert main(["check", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert (folder / "clean.png").read_bytes() == before


def test_a_missing_file_does_not_stop_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "missing.jpg"), str(folder / "clean.png")]) == 1
    out = capsys.readouterr().out
    assert "does not exist; check the name and the folder" in out
    assert f"{folder / 'clean.png'}: fine" in out
    assert "2 pictures: 1 fine, 0 to look at, 1 refused" in out
