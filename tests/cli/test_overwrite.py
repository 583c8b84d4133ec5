"""A file that is there is replaced by the command line that wrote it, and by --overwrite."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from likeness.cli import main
from likeness.cli.ledger import Ledger
from likeness.errors import ConfigError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments: list[str], writes: dict[str, str], *, overwrite: bool = False) -> None:
    """What a command does: claims, writes, remembers."""
    ledger = Ledger(arguments)
    ledger.claim([Path(name) for name in writes], overwrite=overwrite)
    for name, text in writes.items():
        Path(name).write_text(text)
    ledger.save()


def test_the_same_command_line_writes_again_and_no_other() -> None:
    run(["restore", "a.jpg"], {"out.png": "1", "sheet.png": "1"})
    run(["restore", "a.jpg", "-v"], {"out.png": "2", "sheet.png": "2"})
    with pytest.raises(ConfigError, match=r"out\.png and 1 more files are there already.*--overwrite"):
        run(["restore", "a.jpg", "--preset", "natural"], {"out.png": "3", "sheet.png": "3"})
    run(["restore", "a.jpg", "--preset", "natural", "--overwrite"], {"out.png": "3"}, overwrite=True)
    run(["restore", "a.jpg", "--preset", "natural"], {"out.png": "4"})
    with pytest.raises(ConfigError, match="this command line did not write it"):
        run(["restore", "a.jpg"], {"out.png": "5"})
    assert Path("out.png").read_text() == "4"


def test_a_file_that_somebody_changed_since_stays() -> None:
    run(["restore", "a.jpg"], {"out.png": "1"})
    Path("out.png").write_text("retouched by hand")
    with pytest.raises(ConfigError):
        run(["restore", "a.jpg"], {"out.png": "2"})


def test_what_was_claimed_and_not_written_is_not_ours() -> None:
    Path("out.png").write_text("theirs")
    ledger = Ledger(["restore"])
    ledger.claim([Path("out.png")], overwrite=True)
    ledger.save()  # the picture had no face, say
    with pytest.raises(ConfigError):
        run(["restore"], {"out.png": "1"})


def test_the_same_words_in_another_folder_are_another_command_line(here: Path) -> None:
    run(["restore"], {str(here / "out.png"): "1"})
    (here / "other").mkdir()
    os.chdir(here / "other")
    with pytest.raises(ConfigError):
        run(["restore"], {str(here / "out.png"): "2"})


def test_devices_take_anything_and_damaged_memory_knows_nothing(here: Path) -> None:
    run(["check"], {os.devnull: "x"})
    run(["restore"], {"out.png": "1"})
    for file in (here / "state").rglob("*.json"):
        file.write_text(json.dumps({"out.png": "no stamp"}))
    with pytest.raises(ConfigError):
        run(["restore"], {"out.png": "2"})


def test_a_program_may_replace_what_it_likes() -> None:
    Path("out.png").write_text("1")
    Ledger(None).claim([Path("out.png")], overwrite=False)


def test_check_and_restore_keep_to_it(
    astronaut_file: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["check", str(astronaut_file), "--json", "found.json"]
    assert main(check) == 0
    assert main(check) == 0
    assert main([*check, "--ignore", "grey"]) == 2
    restore = ["restore", str(astronaut_file), "--model", str(tiny_model), "-o", "out.png", "--save-faces", "faces/"]
    assert main(restore) == 0
    before = Path("out.png").read_bytes()
    assert main(restore) == 0
    capsys.readouterr()
    assert main([*restore, "--strength", "0"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert Path("out.png").read_bytes() == before
    assert main([*restore, "--strength", "0", "--overwrite"]) == 0
    assert Path("out.png").read_bytes() != before
