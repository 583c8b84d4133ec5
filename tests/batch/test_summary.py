"""The summary's JSON file is put together from texts, and is what one dump of all of it would be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness.batch.journal import Journal, Task
from likeness.batch.storage import Storage
from likeness.batch.summary import RunFigures, write_summary

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
