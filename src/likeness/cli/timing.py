"""How ``likeness bench`` and the project's benchmarks measure: in turns, by medians, cold starts as programs."""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import numpy as np

from likeness.core.parallel import map_in_order
from likeness.errors import LikenessError, NoFaceError
from likeness.faces.align import align, warp
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch

__all__ = [
    "Laps",
    "Start",
    "folder_laps",
    "in_turns",
    "machine_facts",
    "network_face",
    "processors",
    "start",
    "timed",
]

_Name = TypeVar("_Name")

_CHILD = """
import sys
from likeness.cli import main
status = main(sys.argv[1:])
from likeness.core.memory import peak_megabytes
print(peak_megabytes() or "")
sys.exit(status)
"""


@dataclass(frozen=True, kw_only=True)
class Laps:
    """The times of one thing, at least one, in milliseconds."""

    milliseconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.milliseconds:
            raise ValueError("there must be at least one time")

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    def to_dict(self) -> dict[str, float]:
        """Median, least and most, rounded to a hundredth of a millisecond, and how many there were."""
        return {
            "milliseconds": round(self.median, 2),
            "least": round(min(self.milliseconds), 2),
            "most": round(max(self.milliseconds), 2),
            "count": len(self.milliseconds),
        }


@dataclass(frozen=True, kw_only=True)
class Start:
    """A command line from its start to its end: milliseconds, and its peak memory in MB (None where the system does not
    tell)."""

    milliseconds: float
    megabytes: float | None


def timed(run: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1e3


def in_turns(
    runs: Mapping[_Name, Callable[[], object]], *, rounds: int, settle: bool = False, seconds: float = math.inf
) -> dict[_Name, Laps]:
    """Time several things in turns, so that a disturbance hits all alike; the first call of each is left out.

    Args:
        runs: what is compared.
        rounds: turns of each, at least 1.
        settle: a turn is one call that does not count, so that caches hold what it needs, and two that do.
        seconds: no further round is begun after so long, but three are in any case (or ``rounds``, if that is fewer).

    Raises:
        ValueError: if ``rounds`` is below 1.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    laps: dict[_Name, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    began = time.perf_counter()
    for number in range(rounds):
        if number >= 3 and time.perf_counter() - began > seconds:
            break
        for name, run in runs.items():
            if settle:
                run()
                laps[name].append(timed(run))
            laps[name].append(timed(run))
    return {name: Laps(milliseconds=tuple(times)) for name, times in laps.items()}


def start(arguments: Sequence[str], *, cache: Path) -> Start:
    """Run ``likeness`` with these arguments as a program of its own, from the start of Python to its end.

    Args:
        arguments: of the command line.
        cache: the folder of compiled networks; an empty one makes it the first start after an installation.

    Raises:
        LikenessError: if the command fails; the message holds what it said.
    """
    environment = {**os.environ, "LIKENESS_CACHE": str(cache)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    milliseconds = (time.perf_counter() - began) * 1e3
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit status {done.returncode}"
        raise LikenessError(Notice("cli.command-failed", {"arguments": " ".join(arguments), "said": said}))
    peak = done.stdout.split()
    return Start(milliseconds=milliseconds, megabytes=float(peak[-1]) if peak else None)


def network_face(restorer: Restorer, image: Image) -> Batch:
    """The largest face of a picture as the network takes it.

    Raises:
        NoFaceError: if there is none.
    """
    faces = restorer.find_faces(image)
    if not faces:
        raise NoFaceError(Notice("no-face.none"))
    face = max(faces, key=lambda face: face.box.width)
    crop = warp(image.pixels, align(face.five_points, image.size, restorer.runtime.spec.side))
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None]) * np.float32(2) - np.float32(1)


def folder_laps(
    restorer: Restorer, pictures: Sequence[Path], out: Path, *, workers: Sequence[int], rounds: int
) -> tuple[dict[int, Laps], Laps]:
    """Read, restore and write a folder's pictures with each number of workers, as ``likeness restore`` does.

    Args:
        restorer: used by all workers.
        pictures: with one face each.
        out: where results go; exists.
        workers: the numbers of pictures at a time that are compared.
        rounds: turns of each.

    Returns:
        the whole folder's times by number of workers, and that of as many faces through the network, one after the other,
        with nothing else around it.

    Raises:
        LikenessError: if a picture cannot be read or restored, or a result cannot be written.
    """
    face = network_face(restorer, read_image(pictures[0]))

    def one(path: Path) -> None:
        write_image(restorer.restore(read_image(path)).image, out / path.name)

    def all_with(count: int) -> Callable[[], object]:
        return lambda: sum(1 for _ in map_in_order(one, pictures, workers=count))

    runs = {count: all_with(count) for count in workers}
    runs[0] = lambda: [restorer.runtime.run(face) for _ in pictures]
    laps = in_turns(runs, rounds=rounds)
    alone = laps.pop(0)
    return laps, alone


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def machine_facts() -> dict[str, str]:
    """What the figures depend on: processor, system, and versions of the libraries that compute."""
    facts = {
        "processor": _processor(),
        "cores": str(processors()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    # OpenCV goes by two names; one of them is installed.
    for package in (
        "likeness",
        "openvino",
        "torch",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
        "numpy",
    ):
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    if hasattr(os, "getloadavg"):
        facts["load when it began"] = f"{os.getloadavg()[0]:.1f}"
    facts["date"] = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return facts


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return platform.processor() or platform.machine()
    lines = information.read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    found = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{model} ({', '.join(found)})" if found else model
