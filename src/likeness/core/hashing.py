"""Digests of files and of bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from likeness.core.recent import Recent

__all__ = ["facts_of", "known_sha256_of", "sha256_of", "sha256_of_bytes"]

_known: Recent[tuple[int, ...], str] = Recent(16)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def known_sha256_of(path: Path) -> str:
    """`sha256_of`, but a large file that lies there unchanged is read once in a process, not each time.

    Unchanged is what has the inode, size and times of before; so this is for telling files apart, not for checking them.
    """
    return _known.get(facts_of(path), lambda: sha256_of(path))


def facts_of(path: Path) -> tuple[int, ...]:
    """What `known_sha256_of` tells an unchanged file by: its place on the disk, its size and its times, the latest last."""
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, *sorted((found.st_mtime_ns, found.st_ctime_ns)))


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256 of some bytes, lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()
