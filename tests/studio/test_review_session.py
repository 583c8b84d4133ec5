from __future__ import annotations

import math
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError, ImageReadError, PairError, RecordError
from likeness.imaging.files import read_image
from likeness.studio.review.blinding import schedule
from likeness.studio.review.making import SessionOptions, make_session
from likeness.studio.review.report import page, to_dict
from likeness.studio.review.results import count
from likeness.studio.review.session import ORIGINAL, ReviewSession, Vote

NAMES = ("aunt", "sub/uncle", "王")


def picture(path: Path, seed: int, size: tuple[int, int] = (48, 64), **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    PillowImage.fromarray(samples).save(path, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of two sides in different formats, one with a telltale in its metadata, and their originals."""
    root = tmp_path_factory.mktemp("sides")
    exif = PillowImage.Exif()
    exif[0x0131] = "Tool One 2.0"  # Software
    for number, name in enumerate(NAMES):
        picture(root / "one" / f"{name}.jpg", number, exif=exif, quality=95)
        picture(root / "two" / f"{name}.png", 10 + number, size=(96, 128))
        picture(root / "originals" / f"{name}.webp", 20 + number, size=(24, 32), lossless=True)
    picture(root / "two" / "only here.png", 99)
    return root


@pytest.fixture
def session(folders: Path, tmp_path: Path) -> ReviewSession:
    sides = {"Tool One": folders / "one", "Tool Two": folders / "two"}
    return make_session(tmp_path / "session", sides, SessionOptions(originals=folders / "originals", seed="a secret"))


def test_an_order_of_one_s_own() -> None:
    first, second = (schedule("seed", rater=rater, items=40, sides=2) for rater in (1, 2))
    assert first == schedule("seed", rater=1, items=40, sides=2)
    assert first != second
    assert sorted(showing.item for showing in first) == list(range(40))
    assert first != schedule("another", rater=1, items=40, sides=2)


@pytest.mark.parametrize("sides", [2, 3, 4])
def test_sides_stand_everywhere_equally_often(sides: int) -> None:
    items = 2 * math.factorial(sides)
    found = Counter(
        (position, side)
        for showing in schedule("seed", rater=1, items=items, sides=sides)
        for position, side in enumerate(showing.sides)
    )
    assert set(found.values()) == {items // sides}
    assert len(found) == sides * sides


def test_pictures_tell_nothing_of_their_side(session: ReviewSession, folders: Path) -> None:
    assert session.items == NAMES
    files = sorted((session.folder / "pictures").iterdir())
    assert len(files) == 9
    assert len({len(file.name) for file in files}) == 1
    for file in files:
        data = file.read_bytes()
        assert data[:4] + data[8:16] == b"RIFFWEBPVP8L"  # lossless
        assert b"Tool" not in data
        assert b"EXIF" not in data
        assert b"ICCP" not in data
    for item, name in enumerate(NAMES):
        for side in (ORIGINAL, 0, 1):
            assert read_image(session.file(item, side)).size == read_image(folders / "two" / f"{name}.png").size
        exact = read_image(session.file(item, 1)).to_uint8()
        assert np.array_equal(exact, read_image(folders / "two" / f"{name}.png").to_uint8())


def test_large_pictures_are_reduced_and_missing_ones_told(
    folders: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sides = {"one": folders / "one", "two": folders / "two"}
    session = make_session(tmp_path / "session", sides, SessionOptions(max_side=64))
    assert read_image(session.file(0, 0)).size == read_image(session.file(0, 1)).size
    assert max(read_image(session.file(0, 0)).to_uint8().shape) == 64
    assert "one lacks only here: left out" in caplog.text
    assert not session.has_originals


def test_pictures_of_one_name_are_told_apart_by_their_suffixes_and_a_batch_gives_its_final(tmp_path: Path) -> None:
    for place in ("one/final", "two", "originals"):
        for name in ("aunt.png", "aunt.jpg", "uncle.png"):
            picture(tmp_path / place / name, 1)
    picture(tmp_path / "one" / "review" / "doubtful.png", 1)
    picture(tmp_path / "originals" / "refused.png", 1)
    sides = {"one": tmp_path / "one", "two": tmp_path / "two"}
    session = make_session(tmp_path / "session", sides, SessionOptions(originals=tmp_path / "originals"))
    assert session.items == ("aunt.jpg", "aunt.png", "uncle")


def test_a_session_that_cannot_be_made_leaves_nothing(folders: Path, tmp_path: Path) -> None:
    one, two = folders / "one", folders / "two"
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "other" / "aunt.png", 1, size=(50, 50))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "aunt.png").write_bytes((two / "aunt.png").read_bytes()[:900])
    target = tmp_path / "session"
    for sides, error, sentence in (
        ({"one": one}, ConfigError, "compares 2 to 4 sides"),
        ({"one": one, "ONE": two}, ConfigError, "the same name"),
        ({"one": one, "": two}, ConfigError, "is no name for a side"),
        ({"one": one, "two": tmp_path / "missing"}, ConfigError, "is no folder"),
        ({"one": one, "two": tmp_path / "empty"}, ConfigError, "holds no picture"),
        ({"one": one, "two": tmp_path / "other"}, PairError, "not the same picture"),
        ({"one": one, "two": tmp_path / "broken"}, ImageReadError, "aunt.png"),
        ({"one": one / "sub", "two": two}, ConfigError, "no picture has the same name"),
    ):
        with pytest.raises(error, match=sentence):
            make_session(target, sides)
        assert not target.exists()
    assert not list(tmp_path.glob(".*"))
    make_session(target, {"one": one, "two": two})
    with pytest.raises(RecordError, match="exists already"):
        make_session(target, {"one": one, "two": two})
    with pytest.raises(RecordError, match="holds no review session"):
        ReviewSession(tmp_path)
    with pytest.raises(ConfigError, match="longest side"):
        SessionOptions(max_side=10)


def test_votes_and_going_on(session: ReviewSession) -> None:
    ana = session.enter("  Ana  Lima ")
    assert ana.name == "Ana Lima"
    session.vote(ana, place=0, position=1, vote=Vote(score=4, comment="好"))
    session.vote(ana, place=0, position=1, vote=Vote(score=2, comment="no"))
    again = ReviewSession(session.folder)
    assert again.enter("ana LIMA") == ana
    assert again.rater(ana.token) == ana
    assert again.rater("somebody") is None
    trials = again.trials(ana)
    assert trials[0].votes == (Vote(), Vote(score=2, comment="no"))
    assert len(trials) == 3
    assert [b.score for b in again.ballots()].count(None) == 5
    bo = again.enter("Bo")
    assert bo.token != ana.token
    assert all(vote.score is None for trial in again.trials(bo) for vote in trial.votes)
    for place, position in ((3, 0), (0, 2), (-1, 0), (0, -2)):
        with pytest.raises(LookupError):
            again.vote(ana, place=place, position=position, vote=Vote(score=1))
    for name in ("", " \n ", "x" * 61, "a\0b"):
        with pytest.raises(ConfigError):
            again.enter(name)
    with pytest.raises(ConfigError, match="a score must be 1 to 5"):
        Vote(score=6)


def test_the_key_leads_from_the_screen_to_the_side(session: ReviewSession, folders: Path) -> None:
    ana = session.enter("Ana")
    for ballot in session.ballots():
        shown = read_image(session.picture(ana, place=ballot.place, position=ballot.position)).to_uint8()
        original = read_image(session.picture(ana, place=ballot.place, position=ORIGINAL)).to_uint8()
        item = session.items.index(ballot.item)
        assert np.array_equal(shown, read_image(session.file(item, session.sides.index(ballot.side))).to_uint8())
        assert np.array_equal(original, read_image(session.file(item, ORIGINAL)).to_uint8())
        if ballot.side == "Tool Two":
            assert np.array_equal(shown, read_image(folders / "two" / f"{ballot.item}.png").to_uint8())


def rate(session: ReviewSession, name: str, scores: dict[tuple[str, str], int]) -> None:
    """Rate by item and side, as a rater who could see through the blind would."""
    rater = session.enter(name)
    for ballot in session.ballots():
        score = scores.get((ballot.item, ballot.side))
        if ballot.rater == rater.name and score is not None:
            comment = f"{name} on <{ballot.side}>" if ballot.item == "王" else ""
            vote = Vote(score=score, comment=comment)
            session.vote(rater, place=ballot.place, position=ballot.position, vote=vote)


def test_results(session: ReviewSession) -> None:
    one, two = session.sides
    rate(session, "Ana", {(item, side): {one: 4, two: 2}[side] for item in NAMES for side in session.sides})
    rate(session, "Bo", {("aunt", one): 5, ("aunt", two): 1, ("王", one): 3, ("王", two): 3, ("sub/uncle", one): 1})
    results = count(session)
    assert (results.given, results.asked) == (11, 12)
    first, second = results.sides
    assert first.items == pytest.approx({"aunt": 4.5, "sub/uncle": 2.5, "王": 3.5})
    assert first.mean.value == pytest.approx(3.5)
    assert first.mean.high - first.mean.value == pytest.approx(4.30265 / math.sqrt(3), abs=1e-4)
    assert second.items == pytest.approx({"aunt": 1.5, "sub/uncle": 2, "王": 2.5})
    assert first.scores == (1, 0, 1, 3, 1)
    (pair,) = results.pairs
    # Pairs only where a rater gave both: aunt (2 + 4) / 2, uncle 2 (Ana alone), 王 (2 + 0) / 2.
    assert pair.difference.value == pytest.approx(2)
    assert (pair.wins, pair.losses, pair.ties) == (3, 0, 0)
    assert pair.ballots == (4, 0, 1)
    assert (pair.preference.value, pair.preference.low) == (1, pytest.approx(0.4385, abs=1e-4))
    assert pair.sentence.startswith("no difference between Tool One and Tool Two could be shown (-0.48 to +4.48)")
    assert [(rater.name, rater.given, rater.asked) for rater in results.raters] == [("Ana", 6, 6), ("Bo", 5, 6)]
    assert {(b.rater, b.side, b.comment) for b in results.comments} == {
        (name, side, f"{name} on <{side}>") for name in ("Ana", "Bo") for side in session.sides
    }
    assert len(results.ballots) == 12
    html = page(session, results)
    assert "Ana on &lt;Tool One&gt;" in html
    assert "<script" not in html
    assert html.count("data:image/jpeg") == 9
    assert "1 of 12 ratings are still open" in html
    content = to_dict(session, results)
    assert content["pairs"][0]["wins"] == 3
    assert len(content["key"]) == 12
    assert content["agreement"]["krippendorff_alpha_ordinal"] == pytest.approx(results.alpha)


def test_a_clear_winner(folders: Path, tmp_path: Path) -> None:
    sides = {"one": folders / "one", "two": folders / "two", "again": folders / "one"}
    session = make_session(tmp_path / "session", sides)
    better = {("aunt", "two"): 5, ("sub/uncle", "two"): 4, ("王", "two"): 5}
    worse = {(item, side): score - 3 for (item, _), score in better.items() for side in ("one", "again")}
    rate(session, "Ana", better | worse)
    results = count(session)
    assert [pair.sentence for pair in results.pairs] == [
        "two is better than one, by 3.00 points (3.00 to 3.00)",
        "no difference between one and again could be shown (+0.00 to +0.00)",
        "two is better than again, by 3.00 points (3.00 to 3.00)",
    ]
    assert math.isnan(results.alpha)


def test_results_of_nobody(session: ReviewSession) -> None:
    results = count(session)
    assert (results.given, results.asked, results.raters) == (0, 0, ())
    assert "nobody has rated" in results.pairs[0].sentence
    assert to_dict(session, results)["sides"][0]["mean"]["value"] is None
    assert "0 raters" in page(session, results)


def test_a_damaged_session(session: ReviewSession) -> None:
    os.truncate(session.folder / "session.sqlite", 5000)
    with pytest.raises(RecordError):
        ReviewSession(session.folder)


@pytest.mark.parametrize("file", ["../../secret.webp", "/etc/passwd", "a" * 24 + ".webp\n", b"\xff"])
def test_a_session_that_somebody_changed_shows_no_other_file(session: ReviewSession, file: object) -> None:
    with closing(sqlite3.connect(session.folder / "session.sqlite")) as connection, connection:
        connection.execute("UPDATE files SET file = ?", (file,))
    rater = session.enter("Ann")
    with pytest.raises(RecordError, match="damaged"):
        session.picture(rater, place=0, position=0)
    with pytest.raises(RecordError, match="damaged"):
        session.file(0, 0)
