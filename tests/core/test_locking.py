from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from likeness.core.locking import locked

HOLD = """
import sys, time
from pathlib import Path
from likeness.core.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    inside: list[str] = []

    def work(name: str) -> None:
        with locked(tmp_path / "a.lock"):
            inside.append(name)
            time.sleep(0.05)
            inside.append(name)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ["a", "b", "c"]))
    assert sorted(inside[::2]) == ["a", "b", "c"]
    assert inside[::2] == inside[1::2]  # nobody came between


def test_a_killed_process_leaves_it_open(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as pool:

            def enter() -> float:
                with locked(lock):
                    return time.monotonic()

            waiting = pool.submit(enter)
            time.sleep(0.5)
            assert not waiting.done()
            killed = time.monotonic()
            process.kill()
            assert waiting.result(timeout=10) > killed
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
