"""What a test does to this machine for a while: a user without rights, a database whose disk is full."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def as_nobody() -> Generator[None]:
    """Run as a user without rights, so that permissions bind; root's tests would show nothing otherwise."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def connecting_to_a_full_disk(pages: int) -> Callable[..., sqlite3.Connection]:
    """``sqlite3.connect`` of a machine whose disk is full when a database has so many pages."""
    connect = sqlite3.connect

    def limited(*given: object, **named: object) -> sqlite3.Connection:
        database = connect(*given, **named)  # type: ignore[arg-type]
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    return limited
