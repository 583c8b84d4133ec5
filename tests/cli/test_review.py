from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.cli import main
from likeness.studio.review.session import ReviewSession, Vote


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for seed, side in enumerate(("one", "two")):
        Path(side).mkdir()
        for name in ("a.png", "b.png"):
            samples = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
            PillowImage.fromarray(samples).save(Path(side) / name)
    return ["first=one", "second=two"]


def test_a_session_and_its_report(sides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", *sides, "--session", "s", "--no-serve", "--title", "Tuesday"]) == 0
    assert "s: 2 pictures of 2 sides" in capsys.readouterr().err
    session = ReviewSession(Path("s"))
    rater = session.enter("王芳")
    for ballot in session.ballots():
        score = {"first": 4, "second": 2}[ballot.side]
        session.vote(rater, place=ballot.place, position=ballot.position, vote=Vote(score=score, comment="好\n看"))
    assert main(["review", "--report", "s", "--json", "r.json", "--html", "r.html"]) == 0
    out, err = capsys.readouterr()
    assert "2 pictures, 1 rater, 4 of 4 ratings given" in out
    assert "first is better than second, by 2.00 points" in out
    assert re.search(r"^a +first +王芳 +4 +好 看$", out, re.MULTILINE)
    assert "page written to r.html" in err
    figures = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert [side["name"] for side in figures["sides"]] == ["first", "second"]
    assert figures["pairs"][0]["difference"]["value"] == 2
    assert "<h1>Tuesday: results</h1>" in Path("r.html").read_text(encoding="utf-8")
    Path("photo.jpg").write_bytes(b"a photograph")
    for flag in ("--json", "--html"):
        assert main(["review", "--report", "s", flag, "photo.jpg"]) == 2
        assert "photo.jpg" in capsys.readouterr().err
    assert Path("photo.jpg").read_bytes() == b"a photograph"
    assert main(["review", "--report", "s", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["ratings"] == {"given": 4, "asked": 4}


def test_serving_ends_in_order(sides: list[str]) -> None:
    command = [sys.executable, "-m", "likeness", "review", *sides, "--session", "s", "--port", "0", "--host", "0.0.0.0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
    assert server.stderr is not None
    lines = [server.stderr.readline() for _ in range(3)]
    assert "everybody in this network" in lines[1]
    assert re.search(r"http://0\.0\.0\.0:\d+/#key=[\w-]{12}", lines[2])
    os.kill(server.pid, signal.SIGINT)
    _, rest = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "count the votes with: likeness review --report s" in rest


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "review wants --session DIR"),
        (["--session", "s", "--report", "s"], 2, "review wants --session DIR"),
        (["one", "--session", "s"], 2, '"one" is no side; write NAME=FOLDER'),
        (["a=one", "a=two", "--session", "s"], 2, "two sides have the same name"),
        (["a=one", "--session", "s", "--no-serve"], 2, "compares 2 to 4 sides"),
        (["a=one", "b=missing", "--session", "s", "--no-serve"], 2, "b: missing is no folder"),
        (["--session", "s", "--title", "x"], 2, "are for a new session"),
        (["--session", "s", "--no-serve"], 1, "s holds no review session"),
        (["--report", "s"], 1, "s holds no review session"),
        (["--session", "s", "--html", "x"], 2, "belong to --report"),
        (["--session", "s", "--port", "99999"], 2, "--port must be 0 to 65535"),
        (["a=one", "b=two", "--session", "one", "--no-serve"], 1, "one exists already"),
    ],
)
def test_what_cannot_begin(
    sides: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, sentence: str
) -> None:
    assert main(["review", *arguments]) == status
    assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["one", "two"]
    assert len(sides) == 2
