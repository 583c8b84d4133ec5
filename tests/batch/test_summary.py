"""The summary: its JSON file is put together from texts, and is what one dump of all of it would be; who was drawn anew."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from likeness.batch.journal import Journal, Task
from likeness.batch.storage import Storage
from likeness.batch.summary import RunFigures, write_summary
from likeness.messages.notice import Notice

NAMES = ("a.jpg", "b \u2028 c\udcff.jpg", 'd"\n.jpg')
"""The second has a separator of lines that JSON leaves as it is, and a byte that is no UTF-8."""


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_json_file_is_as_if_dumped_at_once(tmp_path: Path, count: int) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        tasks = [Task(target=f"{n}.jpg", source=NAMES[n], content="c", model="m", options={}) for n in range(count)]
        journal.put(tasks)
        outcome = {
            "findings": [{"code": "no-face", "level": "note", "message": "none", "face": None}],
            "width": 60,
            "height": 60,
        }
        while (item := journal.claim()) is not None:
            journal.finish(item, "skipped", reason="two\nlines", outcome=outcome)
        write_summary(journal, Storage(str(tmp_path)), RunFigures(model="m", seconds=1.0, done=count))
    data = (tmp_path / "summary.json").read_bytes()
    told = json.loads(data)
    assert json.dumps(told, indent=2, ensure_ascii=False).encode("utf-8", errors="backslashreplace") == data
    assert [picture["source"] for picture in told["pictures"]] == list(NAMES[:count])
    summary = told["summary"]
    assert (summary["pictures"], summary["skipped"], summary["without_a_face"]) == (count, count, count)
    assert summary["findings"] == ({"no-face": count} if count else {})


def _face(drawn: float) -> dict[str, Any]:
    told = [Notice("outcome.drawn-anew")] * (drawn > 0)
    return {
        "index": 0,
        "status": "restored",
        "drawn_anew": drawn,
        "verdict": {"level": "good", "sentence": ""},
        "warnings": [str(notice) for notice in told],
        "notices": [notice.to_dict() for notice in told],
    }


def test_a_face_that_was_drawn_anew_is_worth_a_look_however_well_it_came_out(tmp_path: Path) -> None:
    drawn = {"drawn.jpg": 0.6, "shown.jpg": 0.0}
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put([Task(target=name, source=name, content=name, model="m", options={}) for name in drawn])
        while (item := journal.claim()) is not None:
            outcome = {"output": f"final/{item.target}", "faces": [_face(drawn[item.target])], "findings": []}
            journal.finish(item, "final", outcome=outcome)
        write_summary(journal, Storage(str(tmp_path)), RunFigures(model="m", seconds=1.0, done=2))
    rows = csv.DictReader((tmp_path / "summary.csv").read_text(encoding="utf-8-sig").splitlines())
    assert {row["source"]: (row["state"], row["drawn_anew"]) for row in rows} == {
        "drawn.jpg": ("final", "0.6"),
        "shown.jpg": ("final", "0.0"),
    }
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    warned, delivered = page[page.index("id='warned'") :].split("id='final'")
    assert "drawn.jpg" in warned
    assert "Not in the photograph</b>, face 1: drawn anew where" in warned
    assert "shown.jpg" in delivered
    assert "drawn anew" not in delivered
