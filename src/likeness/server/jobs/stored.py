"""How much lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from likeness.server.http.problems import ProblemError

__all__ = ["bytes_under", "storage_full"]


def storage_full() -> ProblemError:
    """What is said where as much lies there as may."""
    return ProblemError("storage-full", "the server keeps as many pictures as it may; delete jobs, or try again later")


def bytes_under(folder: Path) -> int:
    """Bytes of all files under a folder; one that goes away meanwhile counts nothing."""
    return sum(_bytes(path) for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                yield from _files(path)
            else:
                yield path


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
