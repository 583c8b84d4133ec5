from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from likeness.cli import main
from likeness.cli.timing import Laps, in_turns, machine_facts, processors, start
from likeness.core.memory import peak_megabytes
from likeness.errors import LikenessError

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[dict[str, Any], str]:
    """One quick run with a small network: its JSON, and the tables that it printed."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["bench", "--quick", "--model", str(tiny_model), "--json", str(path)]) == 0
    return json.loads(path.read_text(encoding="utf-8")), printed.getvalue()


def test_every_part_is_measured(measured: tuple[dict[str, Any], str]) -> None:
    content, _ = measured
    assert set(content) == {"machine", "model", "picture", "quick", "network", "job", "folder", "seconds"}
    assert content["quick"] is True
    assert content["model"]["size"] == 128
    assert content["machine"]["cores"] == str(processors())
    processor = [one for one in content["network"] if one["device"] == "cpu"]
    assert {one["threads"] for one in processor} >= {1, processors()}
    assert "f32" in {one["precision"] for one in processor}
    assert len({(one["precision"], one["threads"]) for one in processor}) == len(processor)
    assert [one["what"].split(",")[0] for one in content["job"]] == [
        "first start",
        "later start",
        "restored by a program that runs",
        "a slider moved",
    ]
    for one in content["network"] + content["job"]:
        assert 0 < one["least"] <= one["milliseconds"] <= one["most"]
        assert one["count"] >= 1
    assert set(content["folder"]["pictures_per_hour"]) == {"1", "2"}
    assert min(content["folder"]["pictures_per_hour"].values()) > 0


def test_the_tables_show_what_the_file_holds(measured: tuple[dict[str, Any], str]) -> None:
    content, text = measured
    for one in content["network"]:
        assert f"{one['milliseconds_per_face']:.1f}" in text
    for one in content["job"]:
        assert one["what"] in text
    for value in content["machine"].values():
        assert value in text
    assert "pictures an hour" in text
    assert content["model"]["runtime"] in text


def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--json", str(tmp_path / "missing" / "bench.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["bench", "--json", str(tmp_path)]) == 2
    assert main(["bench", "--model", str(tmp_path / "missing.safetensors")]) == 1
    assert "missing.safetensors" in capsys.readouterr().err


def test_turns_alternate_and_leave_the_first_call_out() -> None:
    calls: list[str] = []

    def call(name: str) -> Callable[[], object]:
        return lambda: calls.append(name)

    laps = in_turns({"a": call("a"), "b": call("b")}, rounds=3)
    assert calls == ["a", "b"] * 4
    assert [len(times.milliseconds) for times in laps.values()] == [3, 3]
    calls.clear()
    settled = in_turns({"a": call("a"), "b": call("b")}, rounds=2, settle=True)
    assert calls == ["a", "b", *(["a"] * 3 + ["b"] * 3) * 2]
    assert len(settled["a"].milliseconds) == 4
    # Out of time from the start: three turns are made all the same, and no more.
    assert len(in_turns({"a": call("a")}, rounds=9, seconds=0.0)["a"].milliseconds) == 3
    with pytest.raises(ValueError, match="rounds"):
        in_turns({"a": call("a")}, rounds=0)


def test_laps_are_told_by_their_median() -> None:
    laps = Laps(milliseconds=(3.0, 1.0, 20.0))
    assert laps.to_dict() == {"milliseconds": 3.0, "least": 1.0, "most": 20.0, "count": 3}
    with pytest.raises(ValueError, match="at least one"):
        Laps(milliseconds=())


def test_a_command_in_a_program_of_its_own(tmp_path: Path) -> None:
    run = start(["presets"], cache=tmp_path)
    assert run.milliseconds > 0
    own = peak_megabytes()
    # Its own peak, and not that of these tests, which have loaded the networks by now.
    assert (run.megabytes is None) if own is None else (run.megabytes is not None and 5 < run.megabytes < own)
    with pytest.raises(LikenessError, match=r"nowhere\.jpg"):
        start(["restore", "nowhere.jpg"], cache=tmp_path)


def test_machine_facts_name_the_libraries() -> None:
    facts = machine_facts()
    assert {"processor", "cores", "system", "python", "likeness", "openvino", "date"} <= set(facts)
    assert all(facts.values())
