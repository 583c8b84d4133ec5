from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from likeness.core.memory import collect_from_now_on, pages_dropped

_PROGRAM = """
import resource, sys, threading
import numpy as np
from likeness.core.memory import keep_freed
assert keep_freed()

def work():
    for _ in range(5):
        np.ones(20_000_000, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(20_000_000, np.float32)
    taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

taken = []
work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(*taken)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told to keep memory")
def test_memory_that_is_given_back_is_used_again() -> None:
    """In a process of its own, as it stays so until the process ends; in the main thread and in others."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert all(int(count) < 100 for count in done.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is told")
def test_pages_of_a_mapped_file_go_and_come_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 65536)
    whole = np.memmap(path, np.uint8, mode="c")
    content = whole[100:-100]
    total = int(content.sum())
    held = _resident(path)
    assert held > 16000
    assert pages_dropped(content)
    assert _resident(path) < 100
    assert int(content.sum()) == total
    assert pages_dropped(whole[5:20]), "less than a page"


def _resident(path: Path) -> int:
    """Of a mapped file, kB."""
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[at:] if line.startswith("Rss:"))


def test_garbage_is_collected_from_then_on() -> None:
    before = gc.get_freeze_count()
    collect_from_now_on()
    assert gc.get_freeze_count() == before, "it was on"
    gc.disable()
    try:
        collect_from_now_on()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.enable()
        gc.unfreeze()
