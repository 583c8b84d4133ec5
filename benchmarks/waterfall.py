"""Where the processor's time goes in `likeness batch`, by steps: `python benchmarks/waterfall.py`.

Method: a folder of portraits is worked on by the command itself, one at a time, in this process; the functions that make up
the steps are wrapped for it, and each step is charged with the processor time of the process that it took less that of steps
within it. The first picture, which loads everything, is left out; each figure is the least of the others, so that the parts
add up to a little less than the whole. The decoder works in a process of its own, whose time Linux tells in hundredths of a
second: there the mean of the pictures stands. One core (`taskset -c 1`) keeps threads that wait for each other out of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pictures import of_megapixels

import likeness.batch.work as work
import likeness.restore.composing as composing
import likeness.restore.judging as judging
import likeness.restore.projecting as projecting
from likeness.batch.cache import CachedRuntime
from likeness.batch.network import PictureWork
from likeness.cli import main as likeness
from likeness.cli.timing import machine_facts
from likeness.evidence.quality_gate import Guard
from likeness.faces.detect import MediaPipeDetector
from likeness.restore.job import RestoreJob
from likeness.restore.outcome import FaceProjection
from likeness.restore.tasks.restoring import Restoring
from likeness.runtimes.openvino_ import OpenVinoRuntime

__all__ = ["main"]

STEPS: tuple[tuple[str, object, str], ...] = (
    ("read: the samples become float32", RestoreJob, "read"),
    ("detect: the windows of all sizes", MediaPipeDetector, "_boxes"),
    ("detect: second look and mesh", MediaPipeDetector, "detect"),
    ("preflight", work, "preflight"),
    ("align: warp the face to the network's size", projecting, "warp"),
    ("what the photograph holds of the face", projecting, "_resolution"),
    ("parts: hair, glasses, what lies in front", projecting, "face_parts"),
    ("regions and paste-back mask", projecting, "region_masks"),
    ("regions and paste-back mask", projecting, "face_mask"),
    ("pre-degradation", Restoring, "to_network"),
    ("network", OpenVinoRuntime, "run"),
    ("the answer is kept", CachedRuntime, "run"),
    ("arbitration: detail that is held", Restoring, "held_detail"),
    ("arbitration: detail that is held", Restoring, "target"),
    ("controls", composing, "compose"),
    ("controls", judging, "compose"),
    ("lay back", composing, "paste"),
    ("verdict on the face", judging, "_verdict"),
    ("mesh of the face before", FaceProjection, "followed"),
    ("guard", Guard, "judge"),
    ("encode", RestoreJob, "encode"),
    ("write", work, "deliver"),
    ("thumbnails", work, "thumbnail"),
    ("all else", PictureWork, "work"),
)
"""What is charged with a step: its name, and the owner and name of a function; one step may have several."""


class Clock:
    """Processor time by steps, picture by picture."""

    def __init__(self) -> None:
        self.pictures: list[dict[str, float]] = []
        self.others: list[float] = []
        """Processor time of this process's children, after each picture."""
        self._within: list[float] = []
        self._now: dict[str, float] = {}

    def wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            self._within.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                took = time.process_time() - began
                self._now[step] = self._now.get(step, 0.0) + took - self._within.pop()
                if self._within:
                    self._within[-1] += took
                else:
                    self.pictures.append(self._now)
                    self.others.append(children())
                    self._now = {}

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the processor's time goes in `likeness batch`.")
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=[1.0, 12.0], help="sizes of the portraits (1 12)"
    )
    parser.add_argument("--pictures", type=int, default=8, help="pictures of each size (8)")
    parser.add_argument("--folder", type=Path, help="pictures of your own, all of one kind, instead")
    options = parser.parse_args()
    clock = Clock()
    for step, owner, name in STEPS:
        found = vars(owner)[name]
        if hasattr(found, "func"):  # a cached property
            found.func = clock.wrapped(step, found.func)
        else:
            setattr(owner, name, clock.wrapped(step, found))
    for fact, value in machine_facts().items():
        print(f"- {fact}: {value}")
    if options.folder is not None:
        table(clock, str(options.folder), options.folder)
        return
    for size in options.megapixels:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for number in range(options.pictures):
                # Of slightly different sizes: the same picture would be answered from the kept projections.
                of_megapixels(folder / f"{number}.jpg", size * (1 - number / 200))
            table(clock, f"{size:g} MP, one face", folder)


def table(clock: Clock, title: str, folder: Path) -> None:
    """Work on a folder, and print the table of its steps."""
    clock.pictures.clear()
    clock.others.clear()
    with tempfile.TemporaryDirectory() as out:
        status = likeness(["batch", str(folder), out, "--workers", "1", "--quiet"])
    if status not in (0, 3):
        sys.exit(f"likeness batch ended with {status}")
    # What comes first loads the networks.
    pictures = clock.pictures[1:]
    rows = {"decode, in a process of its own": (clock.others[-1] - clock.others[0]) / len(pictures)}
    whole = rows["decode, in a process of its own"] + min(sum(one.values()) for one in pictures)
    rows |= {step: min(one.get(step, 0.0) for one in pictures) for step in dict.fromkeys(step for step, _, _ in STEPS)}
    print(f"\n## {title}\n\n| step | ms of one core |\n| --- | ---: |")
    for step, seconds in rows.items():
        print(f"| {step} | {seconds * 1e3:.0f} |")
    print(f"| **all** | {whole * 1e3:.0f} |")


def children() -> float:
    """Processor time of this process's children that are alive, s; 0 where the system does not tell."""
    total = 0
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text(encoding="ascii").split():
            with suppress(OSError):
                told = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                total += int(told[11]) + int(told[12])
    return total / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
