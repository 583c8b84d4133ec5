from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from likeness.core import temporary
from likeness.core.temporary import temporary_folder

_WORK = """
import sys
from likeness.core.temporary import temporary_folder
with temporary_folder("test") as folder:
    (folder / "data").mkdir()
    (folder / "data" / "portrait.png").write_bytes(b"a face")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of several machines and users."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def begun() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", _WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.mark.skipif(sys.platform == "win32", reason="a temporary folder is named by TMPDIR on POSIX")
def test_what_a_killed_process_left_goes_and_nothing_else(shared: Path) -> None:
    killed, left = begun()
    alive, in_use = begun()
    killed.kill()
    killed.communicate()
    another = shared / "likeness-test-another_machine-x"
    other_kind = shared / left.name.replace("-test-", "-other-")
    unknown = shared / f"{left.name}x"
    for folder in (another, other_kind, unknown):
        folder.mkdir()
    for folder in (another, other_kind):
        (folder / ".owner").touch()
    link = shared / f"{left.name}y"
    link.symlink_to(other_kind)
    with temporary_folder("test") as own:
        assert left.exists(), "its process may be about to lock it"
    for folder in (left, in_use, another, other_kind):
        os.utime(folder / ".owner", (1, 1))
    with temporary_folder("test") as own:
        assert own.parent == shared
        assert set(shared.iterdir()) == {own, in_use, another, other_kind, unknown, link}
        assert (in_use / "data" / "portrait.png").exists()
    assert not own.exists()
    alive.communicate("")
    assert alive.returncode == 0
    assert not in_use.exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows gives each user a temporary folder")
def test_another_users_folder_stays(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = shared / "likeness-test-here-x"
    theirs.mkdir()
    (theirs / ".owner").touch()
    os.utime(theirs / ".owner", (1, 1))
    with monkeypatch.context() as other:
        other.setattr(os, "getuid", lambda: theirs.stat().st_uid + 1)
        temporary._remove_dead("likeness-test-here-")  # pyright: ignore[reportPrivateUsage]
    assert theirs.exists()
    temporary._remove_dead("likeness-test-here-")  # pyright: ignore[reportPrivateUsage]
    assert not theirs.exists()
