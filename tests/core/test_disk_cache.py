from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from likeness.core.disk_cache import DiskCache


def cache_in(folder: Path, limit: int = 1_000_000) -> DiskCache:
    return DiskCache(folder, suffix=".bin", limit=limit)


@pytest.mark.parametrize("content", [b"", b"x", b"12345678", b"of nine b", bytes(range(256)) * 100])
def test_what_is_put_is_there_for_others(tmp_path: Path, content: bytes) -> None:
    cache_in(tmp_path / "new").put("ab/name", content)
    found = cache_in(tmp_path / "new").get("ab/name")
    assert found is not None
    assert found.tobytes() == content
    assert cache_in(tmp_path / "new").get("ab/other") is None


@pytest.mark.parametrize("fault", ["cut", "empty", "header only", "flipped", "foreign", "longer"])
def test_what_is_damaged_is_missing(tmp_path: Path, fault: str) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", b"content" * 20)
    (path,) = cache.files()
    data = bytearray(path.read_bytes())
    flipped = data.copy()
    flipped[-100] ^= 1
    path.write_bytes(
        {
            "cut": data[:-8],
            "empty": b"",
            "header only": data[:4096],
            "flipped": flipped,
            "foreign": b"something else" * 400,
            "longer": data + bytes(8),
        }[fault]
    )
    assert cache.get("a") is None
    cache.put("a", b"again")
    found = cache.get("a")
    assert found is not None
    assert found.tobytes() == b"again"


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    size = 4096 + 8
    cache = cache_in(tmp_path, limit=10 * size)
    for number in range(10):
        cache.put(str(number), bytes([number] * 8))
    for path in cache.files():
        os.utime(path, (1000 + int(path.stem), 1000 + int(path.stem)))
    assert cache.get("0") is not None  # used just now
    cache.put("10", bytes(8))
    assert {path.stem for path in cache.files()} == {"0", "3", "4", "5", "6", "7", "8", "9", "10"}
    assert cache.size == 9 * size


def test_the_limit_holds_for_all_processes_together(tmp_path: Path) -> None:
    size = 4096 + 8
    caches = [cache_in(tmp_path, limit=64 * size) for _ in range(4)]
    for cache in caches:
        cache.put("first", bytes(8))
    for number in range(50):
        for which, cache in enumerate(caches):
            cache.put(f"{which}-{number}", bytes(8))
    assert caches[0].size <= 64 * size + 4 * 2 * size


def test_two_that_trim_at_once_remove_no_more_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4096 + 8
    cache = cache_in(tmp_path, limit=20 * size)
    for number in range(20):
        cache.put(str(number), bytes(8))
    found = DiskCache._found  # pyright: ignore[reportPrivateUsage]

    def after_the_other_has_trimmed(self: DiskCache) -> object:
        files = found(self)
        if self is not other and len(files) > 20:
            other._trim()  # pyright: ignore[reportPrivateUsage]
        return files

    other = cache_in(tmp_path, limit=20 * size)
    monkeypatch.setattr(DiskCache, "_found", after_the_other_has_trimmed)
    cache._size = 20 * size  # pyright: ignore[reportPrivateUsage]
    cache.put("20", bytes(8))
    assert len(found(cache)) == 18


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are POSIX's")
def test_what_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_in(tmp_path).put("a", b"1")

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refused)  # as in a folder of another user, which root would be allowed to change
    found = cache_in(tmp_path).get("a")
    assert found is not None
    assert found.tobytes() == b"1"


def test_what_does_not_fit_takes_no_place(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, limit=5000)
    cache.put("small", b"1")
    cache.put("large", bytes(5000))
    assert cache.get("large") is None
    assert cache.get("small") is not None
    none = cache_in(tmp_path / "none", limit=0)
    none.put("a", b"")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="limit"):
        cache_in(tmp_path, limit=-1)


def test_a_folder_that_cannot_be_used_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = cache_in(tmp_path / "file")
    cache.put("a", b"1")
    assert cache.get("a") is None
    assert cache.files() == ()
    assert cache.clear() == 0


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    old, new = tmp_path / "ab" / ".likeness-1.part", tmp_path / ".likeness-2.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    cache_in(tmp_path).put("a", b"1")
    assert not old.exists()
    assert new.exists(), "another process may be writing it"


def test_processes_that_write_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from likeness.core.disk_cache import DiskCache\n"
        "cache = DiskCache(Path(sys.argv[1]), suffix='.bin', limit=50_000)\n"
        "for number in range(200):\n"
        "    cache.put(str(number % 20), bytes([number % 20]) * 999)\n"
        "    found = cache.get(str(number % 20))\n"
        "    assert found is None or found.tobytes() == bytes([number % 20]) * 999\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert not list(tmp_path.glob(".likeness-*"))
    assert cache_in(tmp_path).clear() > 0
