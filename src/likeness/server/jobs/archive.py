"""The results of a job as one file, made while it is sent."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

__all__ = ["zipped"]


class _Chunks(io.RawIOBase):
    """Where a ZIP file is written to, and taken from piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


_PIECE = 1 << 20


def zipped(entries: Iterable[tuple[str, float, Path | bytes]], report: Callable[[], str]) -> Generator[bytes]:
    """A ZIP file of results and ``report.json``, while it is made; pictures are compressed already, and only stored.

    Args:
        entries: name, time of change (seconds since 1970) and content of each result, made one after the other.
        report: makes the text of the report when all of them are in.
    """
    chunks = _Chunks()
    with zipfile.ZipFile(chunks, "w", zipfile.ZIP_STORED) as archive:
        for name, changed, content in entries:
            info = zipfile.ZipInfo(name, time.localtime(changed)[:6])
            try:
                source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            except FileNotFoundError:  # deleted since: what is left is still a ZIP file
                continue
            with source, archive.open(info, "w", force_zip64=True) as entry:
                while piece := source.read(_PIECE):
                    entry.write(piece)
                    yield chunks.take()
        archive.writestr("report.json", report())
    yield chunks.take()
