from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_book(capsys: pytest.CaptureFixture[str]) -> None:
    add = ["acceptance", "add"]
    assert main([*add, "accepted", "a.jpg", "b.jpg", "--client", "Ana Lima", "--day", "2026-11-02"]) == 0
    assert main([*add, "revise", "c.jpg", "--client", "王小宝", "--day", "2026-11-10", "--note", "头发太软"]) == 0
    assert main([*add, "rejected", "d.jpg", "--day", "2026-11-10"]) == 0
    entry = capsys.readouterr().err.splitlines()[-1].split()[0]
    assert main(["acceptance", "correct", entry, "accepted"]) == 0
    assert f"(instead of {entry})" in capsys.readouterr().err
    assert main(["acceptance", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["a.jpg", "Ana", "Lima", "2026-11-02", "accepted", "first", "time", "accepted"]
    assert lines[4].split() == ["c.jpg", "王小宝", "2026-11-10", "being", "revised", "revise"]
    assert main(["acceptance", "rate", "--by", "week"]) == 0
    assert [line.split()[:5] for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["2026-11-02", "2", "2", "0", "0"],
        ["2026-11-09", "2", "1", "1", "0"],
        ["all", "4", "3", "1", "0"],
    ]
    assert main(["acceptance", "rate", "--by", "day", "--client", "Ana Lima", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["periods"][0]["rate"] == 1
    assert figures["periods"][0]["low"] == pytest.approx(0.342, abs=5e-4)
    assert main(["acceptance", "list", "--history"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert main(["acceptance", "export", "book.csv"]) == 0
    assert main(["acceptance", "import", "book.csv", "--book", "copy.sqlite"]) == 0
    assert "5 entries added, 0 there already" in capsys.readouterr().err
    assert main(["acceptance", "export", "--book", "copy.sqlite"]) == 0
    assert capsys.readouterr().out == Path("book.csv").read_text(encoding="utf-8")


def test_an_export_replaces_neither_the_book_nor_a_file_of_somebody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acceptance", "add", "accepted", "a.jpg"]) == 0
    Path("letter.csv").write_text("mine")
    for given in (["letter.csv"], ["acceptance.sqlite"], ["acceptance.sqlite", "--overwrite"]):
        assert main(["acceptance", "export", *given]) == 2
    assert Path("letter.csv").read_text() == "mine"
    assert main(["acceptance", "export", "letter.csv", "--overwrite"]) == 0
    assert main(["acceptance", "export", "letter.csv", "--overwrite"]) == 0
    capsys.readouterr()
    assert main(["acceptance", "list", "--history"]) == 0
    assert "a.jpg" in capsys.readouterr().out


def test_a_rate_without_pictures_is_valid_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acceptance", "add", "accepted", "a.jpg", "--day", "2026-11-02"]) == 0
    capsys.readouterr()
    assert main(["acceptance", "rate", "--since", "2026-11-03", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"by": "week", "periods": [], "all": []}


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "missing: COMMAND"),
        (["list"], 1, "acceptance.sqlite does not exist"),
        (["rate"], 1, "acceptance.sqlite does not exist"),
        (["add", "liked", "a.jpg"], 2, '"liked" is not one of '),
        (["add", "accepted", ""], 2, "an entry must name its picture"),
        (["add", "accepted", "a.jpg", "--day", "2.11.2026"], 2, "is no day; write it as 2026-11-21"),
        (["add", "accepted", "a.jpg", "--book", "no/book"], 2, "the folder no does not exist"),
        (["import", "missing.csv"], 2, "missing.csv cannot be read"),
    ],
)
def test_what_cannot_be_done(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, sentence: str
) -> None:
    assert main(["acceptance", *arguments]) == status
    assert sentence in capsys.readouterr().err
