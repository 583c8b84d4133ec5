"""Digests of files and of bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["sha256_of", "sha256_of_bytes"]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256 of some bytes, lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()
