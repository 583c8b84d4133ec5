"""The end of commands that are programs of their own, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import atexit, sys, threading, time, weakref
from concurrent.futures import ThreadPoolExecutor
from likeness.cli.leaving import leave

class Thing:
    pass

thing = Thing()
weakref.finalize(thing, lambda: print("finalized", flush=True))
atexit.register(lambda: print("at exit", flush=True))
pool = ThreadPoolExecutor(1)
pool.submit(lambda: (time.sleep(0.3), print("worked", flush=True)))
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for", flush=True))).start()
print("said")
sys.stderr.write("told")
leave(7)
print("never")
"""


def test_what_is_begun_is_finished_and_all_that_was_said_is_written() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7
    assert done.stdout.splitlines()[0] == "said"
    assert sorted(done.stdout.splitlines()) == ["at exit", "finalized", "said", "waited for", "worked"]
    assert done.stderr == "told"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk here is always full")
def test_a_stream_that_takes_no_more_is_told_of_by_python_itself() -> None:
    program = (
        "import sys; from likeness.cli.leaving import leave; print('x'); leave(0); print('goes on', file=sys.stderr)"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, env=buffered
        )
    assert done.returncode != 0
    assert done.stderr.startswith("goes on")
    assert "No space left" in done.stderr
