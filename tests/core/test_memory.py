from __future__ import annotations

import subprocess
import sys

import pytest

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
