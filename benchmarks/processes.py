"""Programs that are measured from outside: a server, and what a process holds in memory (Linux only, as it reads /proc)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

__all__ = ["family", "memory", "served"]


@contextmanager
def served(data: Path, *flags: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`likeness serve` on a free port as a program of its own, and its address."""
    command = [sys.executable, "-m", "likeness", "serve", "--port", "0", "--data", str(data), "-q", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(60)


def memory(pid: int, figure: Literal["VmRSS", "VmHWM"]) -> float:
    """What a process holds (VmRSS), or the most it ever held (VmHWM), MB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(figure)), 0.0)


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started and that have not ended."""
    yield pid
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            for child in told.read_text(encoding="ascii").split():
                yield from family(int(child))
