from __future__ import annotations

import pytest

from likeness.cli import main
from likeness.restore.controls import AUTO, PRESETS


def test_the_table_shows_what_every_preset_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    head, line, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["preset", "degradation", "step"]
    assert set(line) == {"-", " "}
    assert [row.split()[0] for row in rows] == [*PRESETS, AUTO]
    natural = rows[list(PRESETS).index("natural")]
    for part in ("0.7", "0.04", "eye 1.3", "lip 1.3", "forehead 0.8", "other 0.7"):
        assert part in natural
    assert "kept" in rows[list(PRESETS).index("film-scan")]
