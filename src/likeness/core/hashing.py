"""Digests of files and of bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from likeness.core.recent import Recent

__all__ = ["known_sha256_of", "sha256_of", "sha256_of_bytes"]

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
    found = path.stat()
    facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _known.get(facts, lambda: sha256_of(path))


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256 of some bytes, lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()
