"""What decoding in a process of its own costs: the pool of decoder processes against reading in this process.

    python benchmarks/decoder.py

Both ways read the same files in turn in one run, so that a busy machine slows both; figures are medians. Writes decoder.md.
"""

from __future__ import annotations

import io
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import read_image
from likeness.imaging.image import Image

SIZES = {"0.1 MP": (365, 274), "1 MP": (1155, 866), "12 MP": (4000, 3000)}
ROUNDS = 9
FOLDER = 24


def picture(width: int, height: int) -> PillowImage.Image:
    """Smooth colours with some noise, which compresses as photographs do."""
    rng = np.random.default_rng(7)
    coarse = PillowImage.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), PillowImage.Resampling.BICUBIC), np.int16)
    return PillowImage.fromarray(np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8))


def timed(read: Callable[[], object]) -> float:
    began = time.perf_counter()
    read()
    return (time.perf_counter() - began) * 1e3


def medians(
    here: Callable[[], object], there: Callable[[], object], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Milliseconds of both, taken in turn, and the median of their differences in a turn."""
    here(), there()
    pairs = [(timed(here), timed(there)) for _ in range(rounds)]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[1] - pair[0] for pair in pairs),
    )


def memory(child: int) -> str:
    """Of a process, in megabytes, on Linux."""
    try:
        lines = Path(f"/proc/{child}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return "not known"
    return f"{int(next(line.split()[1] for line in lines if line.startswith('VmRSS'))) / 1024:.0f} MB"


def folder(read: Callable[[Path], Image], paths: list[Path]) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in threads.map(read, paths):
            pass


def main() -> None:
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as temporary, DecoderPool(processes=2) as pool:
        for name, size in SIZES.items():
            for kind, options in (("JPEG", {"quality": 92}), ("PNG", {"compress_level": 1})):
                path = Path(temporary) / f"{name}.{kind}"
                picture(*size).save(path, kind, **options)
                for how, source in (("file", path), ("bytes", path.read_bytes())):
                    here, there, more = medians(lambda: read_image(source), lambda: pool.read(source))  # noqa: B023
                    rows.append(
                        f"| {name} | {kind}, {how} | {here:.1f} | {there:.1f} | {more:+.1f} | {there / here:.2f} |"
                    )
        for name in SIZES:
            paths = [Path(temporary) / f"{name}.JPEG"] * (FOLDER if name != "12 MP" else 6)
            here, there, more = medians(lambda: folder(read_image, paths), lambda: folder(pool.read, paths), 3)  # noqa: B023
            each = len(paths)
            rows.append(
                f"| {name} | {each} JPEG, two threads, each | {here / each:.1f} | {there / each:.1f} "
                f"| {more / each:+.1f} | {there / here:.2f} |"
            )
        first: list[float] = []
        for _ in range(5):
            with DecoderPool(processes=1) as fresh:
                first.append(timed(lambda: fresh.read(io.BytesIO((Path(temporary) / "0.1 MP.JPEG").read_bytes()))))
                resident = memory(fresh._idle[0].pid)
        calls = [timed(DecoderPool(processes=1).start) for _ in range(5)]
    lines = [
        "# What decoding in a process of its own costs",
        "",
        f"Medians of {ROUNDS} turns, milliseconds; {os.cpu_count()} cores, {platform.machine()}, {platform.system()}.",
        "Made by `benchmarks/decoder.py`.",
        "",
        "| picture | read from | here | pool | difference | ratio |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        f"A process is ready, and has read its first small picture, {statistics.median(first):.0f} ms after it was wanted;",
        f"the call that starts it takes {statistics.median(calls):.1f} ms. It then holds {resident} of memory, with the",
        "libraries that other processes share.",
    ]
    (Path(__file__).parent / "decoder.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
