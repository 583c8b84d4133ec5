from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from likeness.core.files import write_bytes_atomically


@pytest.mark.skipif(os.name != "posix", reason="permissions of single files are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_what_takes_a_files_place_is_open_to_the_same_people(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "portrait.jpg"
    target.write_bytes(b"before")
    target.chmod(mode)
    write_bytes_atomically(b"after", target)
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode & 0o777 == mode
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="permissions of single files are POSIX's")
def test_a_new_file_is_as_the_user_has_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes_atomically(b"new", tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX systems")
def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes_atomically(b"report", pipe)
    reader.join(10)
    assert read == [b"report"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_stream_of_the_process_is_written_into_and_a_link_to_a_file_is_not(tmp_path: Path) -> None:
    """As /dev/stdout, which is such a link: for root it was a file from then on."""
    with (tmp_path / "redirected").open("wb") as stream:
        stdout = tmp_path / "stdout"
        stdout.symlink_to(f"/proc/self/fd/{stream.fileno()}")
        write_bytes_atomically(b"report", stdout)
        assert stdout.is_symlink()
    assert (tmp_path / "redirected").read_bytes() == b"report"
    original, link = tmp_path / "original.jpg", tmp_path / "result.jpg"
    original.write_bytes(b"original")
    link.symlink_to(original)
    write_bytes_atomically(b"result", link)
    assert original.read_bytes() == b"original"
    assert link.read_bytes() == b"result"
