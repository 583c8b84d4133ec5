from __future__ import annotations

import sqlite3
from collections.abc import Generator
from datetime import date, timedelta
from pathlib import Path

import pytest

from likeness.errors import ConfigError, RecordError
from likeness.studio.acceptance import AcceptanceBook, open_book, rates, to_csv


@pytest.fixture
def book(tmp_path: Path) -> Generator[AcceptanceBook]:
    with open_book(tmp_path / "book.sqlite", create=True) as opened:
        yield opened


def test_outcomes(book: AcceptanceBook) -> None:
    monday = date(2026, 11, 2)
    book.add(["a", "b", "c", "d", "e"], "accepted", client="Ana", day=monday)
    book.add(["b"], "revise", client="Ana", day=monday + timedelta(days=1))  # the client has changed her mind
    book.add(["c"], "rejected", client="Ana", day=monday + timedelta(days=9))
    book.add(["d"], "rejected", client="Ana", day=monday + timedelta(days=1))
    book.add(["d"], "accepted", client="Ana", day=monday + timedelta(days=2))
    book.add(["a"], "revise", client="Wang", day=monday)  # another client's picture of the same name
    states = {(state.client, state.picture): state for state in book.pictures()}
    assert {key: state.outcome for key, state in states.items()} == {
        ("Ana", "a"): "first time",
        ("Ana", "b"): "revised",
        ("Ana", "c"): "rejected",
        ("Ana", "d"): "revised",
        ("Ana", "e"): "first time",
        ("Wang", "a"): "revised",
    }
    assert states["Wang", "a"].open
    assert not states["Ana", "d"].open
    assert states["Ana", "d"].answers == ("accepted", "rejected", "accepted")


def test_the_rate_over_time(book: AcceptanceBook) -> None:
    book.add([f"picture {n}" for n in range(8)], "accepted", day=date(2026, 11, 4))
    book.add(["late 1", "late 2"], "revise", day=date(2026, 11, 8))  # the Sunday of the same week
    book.add(["next"], "accepted", day=date(2026, 11, 9))
    weeks = rates(book.pictures())
    assert [(week.start, week.first_time, week.revised, week.rejected) for week in weeks] == [
        (date(2026, 11, 2), 8, 2, 0),
        (date(2026, 11, 9), 1, 0, 0),
    ]
    assert weeks[0].rate.value == 0.8
    assert (weeks[0].rate.low, weeks[0].rate.high) == (pytest.approx(0.490, abs=5e-4), pytest.approx(0.943, abs=5e-4))
    assert [period.start.day for period in rates(book.pictures(), by="day")] == [4, 8, 9]
    assert [period.rate.n for period in rates(book.pictures(), by="month")] == [11]
    (whole,) = rates(book.pictures(), by="all")
    assert (whole.start, whole.first_time, whole.rate.n) == (date(2026, 11, 4), 9, 11)
    assert rates([]) == ()


def test_corrections_keep_the_history(book: AcceptanceBook) -> None:
    (wrong,) = book.add(["a"], "rejected", client="Ana", day=date(2026, 11, 2))
    book.add(["a"], "revise", client="Ana", day=date(2026, 11, 2))
    right = book.correct(wrong.entry, "accepted", note="typing error")
    assert (right.picture, right.client, right.day, right.corrects) == ("a", "Ana", date(2026, 11, 2), wrong.entry)
    (state,) = book.pictures()
    assert state.answers == ("accepted", "revise")  # the correction stands where the mistake stood
    assert [entry.answer for entry in book.history()] == ["rejected", "revise", "accepted"]
    with pytest.raises(RecordError, match="was corrected by"):
        book.correct(wrong.entry, "revise")
    book.correct(right.entry, "withdrawn")
    (state,) = book.pictures()
    assert state.answers == ("revise",)
    with pytest.raises(RecordError, match="there is no entry nothing"):
        book.correct("nothing", "accepted")
    # It was told as a book that is damaged.
    with pytest.raises(ConfigError, match="revise, rejected, withdrawn, not 'liked'"):
        book.correct(right.entry, "liked")  # type: ignore[arg-type]


def test_nothing_can_be_changed_or_deleted(book: AcceptanceBook, tmp_path: Path) -> None:
    book.add(["a"], "accepted")
    connection = sqlite3.connect(tmp_path / "book.sqlite")
    for statement in ("UPDATE entries SET answer = 'rejected'", "DELETE FROM entries"):
        with pytest.raises(sqlite3.IntegrityError, match="entries are never"):
            connection.execute(statement)
    connection.close()
    assert [entry.answer for entry in book.history()] == ["accepted"]


def test_an_export_is_the_same_book_elsewhere(book: AcceptanceBook, tmp_path: Path) -> None:
    (wrong,) = book.add(['comma, "quote"\nand line'], "rejected", client="王小宝", note="太软；=1+1")
    book.correct(wrong.entry, "revise")
    text = to_csv(book.history())
    with open_book(tmp_path / "other.sqlite", create=True) as other:
        assert other.import_csv(text.encode(), name="export.csv") == (2, 0)
        assert other.history() == book.history()
        assert other.pictures() == book.pictures()
        assert other.import_csv(text.encode(), name="export.csv") == (0, 2)


def test_a_table_without_days_may_be_taken_in_on_another_day(
    book: AcceptanceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"picture,answer\na.jpg,revise\n"
    assert book.import_csv(data, name="answers.csv") == (1, 0)
    tomorrow = date.today() + timedelta(days=1)
    monkeypatch.setattr("likeness.studio.acceptance._today", lambda: tomorrow)
    book.add(["a.jpg"], "accepted")
    assert book.import_csv(data, name="answers.csv") == (0, 1)
    (state,) = book.pictures()
    assert state.answers == ("revise", "accepted")


def test_a_table_from_elsewhere(book: AcceptanceBook) -> None:
    data = "Picture;Answer;Client;Day\na.jpg;accepted;王;2026-11-02\nb.jpg;Revise;王;2026-11-03\n".encode("gb18030")
    assert book.import_csv(data, name="answers.csv") == (2, 0)
    assert book.import_csv(data, name="answers.csv") == (0, 2)
    assert [(entry.picture, entry.client, entry.answer) for entry in book.history()] == [
        ("a.jpg", "王", "accepted"),
        ("b.jpg", "王", "revise"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("picture,day\na,2026-11-02\n", "has no column answer"),
        ("picture,answer\na,accepted\nb,liked\n", 'line 3: the answer "liked" is none of accepted, revise, rejected'),
        ("picture,answer,day\na,accepted,2.11.2026\n", "line 2: a day is written as 2026-11-21, not 2.11.2026"),
        ("picture,answer,day\na,accepted,2126-11-02\n", "line 2: 2126-11-02 has not come yet"),
        ("picture,answer\n,accepted\n", "line 2: an entry must name its picture"),
        ("picture,answer\na,withdrawn\n", 'line 2: the answer "withdrawn"'),
        ("picture,answer,corrects\na,accepted,abc\n", "line 2: corrects abc, which is not there"),
        ("picture,answer\na,accepted,x,y\n", "line 2: more cells than columns"),
        ("picture,picture,answer\na,b,accepted\n", "two columns picture"),
    ],
)
def test_a_table_with_a_fault_adds_nothing(book: AcceptanceBook, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        book.import_csv(text.encode(), name="answers.csv")
    assert book.history() == ()


def test_answers_that_cannot_be_recorded(book: AcceptanceBook) -> None:
    with pytest.raises(ConfigError, match="must name its picture"):
        book.add(["a", " "], "accepted")
    with pytest.raises(ConfigError, match="an answer is one of"):
        book.add(["a"], "withdrawn")
    assert book.history() == ()
