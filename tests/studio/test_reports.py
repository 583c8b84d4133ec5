from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness.errors import ConfigError
from likeness.studio.reports import read_report


def test_a_report_of_restore(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    pictures = [
        {"input": "in/a.jpg", "output": "out/a.jpg", "faces": []},
        {"input": "in/b.jpg", "output": None, "faces": []},
    ]
    path.write_text(json.dumps({"preset": "natural", "controls": {"strength": 1.0}, "pictures": pictures}))
    report = read_report(path)
    found = report.record(Path("in/a.jpg"), Path("out/a.jpg"))
    assert found is not None
    assert found["preset"] == "natural"
    # The results were moved since: input and name say which it is.
    assert report.record(Path("in/a.jpg"), Path("elsewhere/a.jpg")) is not None
    assert report.record(Path("other/a.jpg"), Path("elsewhere/a.jpg")) is None
    assert report.record(Path("in/b.jpg"), Path("out/b.jpg")) is None


def test_a_summary_of_batch(tmp_path: Path) -> None:
    outcome = {
        "output": "final/a.jpg",
        "preset": "film-scan",
        "controls": {"strength": 0.5, "keep_grain": True},
        "faces": [{"status": "restored"}],
        "repairs": None,
    }
    pictures = [
        {"source": "in/a.heic", "target": "a.jpg", "outcome": outcome},
        {"source": "in/b.jpg", "target": "b.jpg", "outcome": {}},
    ]
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"schema": 1, "pictures": pictures}))
    report = read_report(path)
    found = report.record(Path("moved/a.heic"), tmp_path / "final" / "a.jpg")
    assert found is not None
    assert (found["preset"], found["controls"]["strength"], len(found["faces"])) == ("film-scan", 0.5, 1)
    assert report.record(Path("in/a.heic"), Path("sent/a.jpg")) is found
    assert report.record(Path("in/b.jpg"), tmp_path / "final" / "b.jpg") is None


def test_what_is_no_report_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_report(tmp_path / "missing.json")
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match="is neither"):
        read_report(path)
    for pictures in ("3", "[3]", '["a.jpg"]', '[{"source": "a.jpg", "outcome": null}]'):
        path.write_text(f'{{"pictures": {pictures}}}')
        with pytest.raises(ConfigError, match="it has no pictures"):
            read_report(path)
