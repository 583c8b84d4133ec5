"""A fork of a process that has networks: a sentence, and no waiting for ever. In a process of its own, as it has threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from likeness import Restorer, ForkError, read_image
from likeness.faces.detect import MediaPipeDetector

image = read_image(Path(sys.argv[1]))
restorer = Restorer(Path(sys.argv[2]))
assert restorer.find_faces(image)
restorer.restore(image)
import numpy as np
faces = np.zeros((1, 3, restorer.runtime.spec.side, restorer.runtime.spec.side), np.float32)
work = {
    "restore": lambda: restorer.restore(image),
    "find": lambda: restorer.find_faces(image),
    "project": lambda: restorer.runtime.run(faces),
    "detect": lambda: MediaPipeDetector().detect(image),
    "new": lambda: Restorer(Path(sys.argv[2])),
}
for name, action in work.items():
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        status = 1
        try:
            action()
        except ForkError as error:
            status = 0 if "spawn" in str(error) else 2
        finally:
            os._exit(status)
    print(name, os.waitpid(child, 0)[1], flush=True)
restorer.restore(image)
print("parent", 0)
"""

_UNUSED = """
import os, signal, sys
from pathlib import Path
from likeness import Restorer, read_image
image = read_image(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    signal.alarm(100)
    Restorer(Path(sys.argv[2])).restore(image)
    os._exit(0)
print("child", os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("program", [_PROGRAM, _UNUSED], ids=["loaded", "not-loaded"])
def test_a_forked_child(program: str, astronaut_file: Path, tiny_model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, str(astronaut_file), str(tiny_model)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == (6 if program is _PROGRAM else 1)
    assert all(line.endswith(" 0") for line in lines), lines
