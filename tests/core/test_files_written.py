from __future__ import annotations

import os
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
