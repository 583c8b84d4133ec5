"""Cost against size: `python benchmarks/scale.py` writes benchmarks/scale.md, scale.json and docs/images/scale.svg.

Faces: 1 to 60 of them in one picture of 4000 x 3000, each about 135 px wide. Size: one portrait of 0.3 to 24 megapixels, its
face growing with it. Batch: faces in one call of the runtime. Threads of the network, and pictures at a time. What is
compared takes turns, the first call is left out, figures are medians; peak memory is VmHWM of `likeness restore` on that
picture as a program of its own. Exponents are slopes of the least-squares line of log time against log size: 1 is linear,
less is better than linear. Memory: one `likeness restore` over 1000 small pictures, watched from outside (VmRSS, Linux).

    python benchmarks/scale.py                       everything
    python benchmarks/scale.py --parts faces,size    some of it; the rest stays as it was
    python benchmarks/scale.py --memory              only the 1000 pictures
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import processes
from pictures import many_faces, of_megapixels, small_portraits
from plots import draw

from likeness import Restorer, read_image, write_image
from likeness.cli.timing import folder_laps, in_turns, machine_facts, network_face, processors, start
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.formats import Checkpoint
from likeness.models.store import Store
from likeness.runtimes.openvino_ import OpenVinoRuntime

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
PLOT = HERE.parent / "docs" / "images" / "scale.svg"
FACES = (1, 2, 5, 10, 20, 40, 60)
MEGAPIXELS = (0.3, 1.0, 3.0, 6.0, 12.0, 24.0)
BATCHES = (1, 2, 4, 8)
WORKERS = (1, 2, 3, 4)

Rows = list[dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure cost against size on this machine.")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure; the rest stays as it was (all)")
    parser.add_argument("--memory", action="store_true", help="the same as --parts memory")
    parser.add_argument("--pictures", type=int, default=1000, help="pictures of the part memory (1000)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for scale.md and scale.json")
    parser.add_argument("--plot", type=Path, default=PLOT, help="the plots, SVG")
    options = parser.parse_args()
    parts = ["memory"] if options.memory else options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    path = options.out / "scale.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"parts": {}}
    content["machine"] = machine_facts()
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            rows = memory(Path(folder), options.pictures) if part == "memory" else PARTS[part](Path(folder))
            content["parts"][part] = [{name: round(value, 3) for name, value in row.items()} for row in rows]
            # At once, so that what was measured stays when a later part is broken off.
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    text = to_markdown(content["machine"], content["parts"])
    (options.out / "scale.md").write_text(text, encoding="utf-8")
    draw(content["parts"], options.plot)
    print(text)


def faces(folder: Path) -> Rows:
    """Seconds and peak memory against the number of faces in one picture."""
    return pictures_table({count: many_faces(folder / f"faces-{count}.jpg", count) for count in FACES}, "faces", folder)


def size(folder: Path) -> Rows:
    """Seconds and peak memory against megapixels, and what decoding and encoding alone take of that."""
    paths = {count: of_megapixels(folder / f"size-{count}.jpg", count) for count in MEGAPIXELS}
    rows = pictures_table(paths, "megapixels", folder)
    images = {count: read_image(path) for count, path in paths.items()}
    coding: dict[float, Callable[[], object]] = {
        count: lambda path=path: write_image(read_image(path), folder / "coded.jpg") for count, path in paths.items()
    }
    laps = in_turns(coding, rounds=2)
    for row, count in zip(rows, paths, strict=True):
        row["megapixels"] = images[count].size.pixels / 1e6
        row["coding"] = laps[count].median / 1e3
    return rows


def pictures_table(paths: dict[Any, Path], name: str, folder: Path) -> Rows:
    """Warm seconds of `Restorer.restore` in turns, then each picture once as a program of its own for its memory."""
    restorer = Restorer()
    images = {count: read_image(path) for count, path in paths.items()}
    runs: dict[Any, Callable[[], object]] = {
        count: lambda image=image: restorer.restore(image) for count, image in images.items()
    }
    laps = in_turns(runs, rounds=2)
    found = {count: len(restorer.find_faces(image)) for count, image in images.items()}
    rows: Rows = []
    # Once for nothing: it compiles the networks, which takes memory that later starts do not need.
    start(["restore", str(next(iter(paths.values()))), "-q", "-o", str(folder / "out.jpg")], cache=folder / "compiled")
    for count, path in paths.items():
        run = start(["restore", str(path), "-q", "-o", str(folder / "out.jpg")], cache=folder / "compiled")
        rows.append(
            {
                name: count,
                "found": found[count],
                "seconds": laps[count].median / 1e3,
                "megabytes": run.megabytes or 0.0,
            }
        )
    return rows


def batch(folder: Path) -> Rows:
    """Milliseconds a face against the faces in one call of `Runtime.run`."""
    restorer = Restorer()
    face = network_face(restorer, read_image(of_megapixels(folder / "batch.jpg", 1.0)))
    rows: Rows = []
    checkpoint = Store().load(DEFAULT_MODEL)
    precisions = precisions_of(checkpoint)
    laps: dict[tuple[str, int], float] = {}
    for precision in precisions:
        runtime = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision=precision)
        batches = {count: np.repeat(face, count, axis=0) for count in BATCHES}
        runs: dict[int, Callable[[], object]] = {
            count: lambda faces=faces, runtime=runtime: runtime.run(faces) for count, faces in batches.items()
        }
        laps |= {(precision, count): times.median for count, times in in_turns(runs, rounds=3).items()}
    for count in BATCHES:
        rows.append({"batch": count, **{precision: laps[precision, count] for precision in precisions}})
    return rows


def threads(folder: Path) -> Rows:
    """Milliseconds a face against the threads of the network."""
    face = network_face(Restorer(), read_image(of_megapixels(folder / "threads.jpg", 1.0)))
    checkpoint = Store().load(DEFAULT_MODEL)
    counts = range(1, processors() + 1)
    rows: Rows = [{"threads": count} for count in counts]
    for precision in precisions_of(checkpoint):
        runs: dict[int, Callable[[], object]] = {}
        for count in counts:
            runtime = OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision=precision, threads=count)
            runs[count] = lambda runtime=runtime: runtime.run(face)
        for row, times in zip(rows, in_turns(runs, rounds=8, settle=True).values(), strict=True):
            row[precision] = times.median
    return rows


def precisions_of(checkpoint: Checkpoint) -> tuple[Literal["bf16", "f32"], ...]:
    """What this processor can do, the fastest first."""
    fastest = OpenVinoRuntime(checkpoint.state, checkpoint.spec).precision
    return ("bf16", "f32") if fastest == "bf16" else ("f32",)


def workers(folder: Path) -> Rows:
    """Pictures an hour, file to file, against the pictures at a time."""
    source = of_megapixels(folder / "one.jpg", 1.0)
    inputs, out = folder / "in", folder / "out"
    inputs.mkdir()
    out.mkdir()
    copies = [Path(shutil.copy(source, inputs / f"{number}.jpg")) for number in range(12)]
    laps, _ = folder_laps(Restorer(), copies, out, workers=WORKERS, rounds=2)
    return [{"workers": count, "hourly": len(copies) / times.median * 3.6e6} for count, times in laps.items()]


def memory(folder: Path, count: int) -> Rows:
    """Resident memory against pictures done, of one `likeness restore` over many small pictures of many sizes."""
    if not Path("/proc/self/status").is_file():
        raise SystemExit("the part memory reads /proc, which this system has not: name the other --parts")
    inputs, out = folder / "small", folder / "restored"
    sources = small_portraits(folder / "sources")
    inputs.mkdir()
    for number in range(count):
        os.link(sources[number % len(sources)], inputs / f"{number:04d}.jpg")
    process = subprocess.Popen([sys.executable, "-m", "likeness", "restore", str(inputs), "-o", str(out), "-q"])
    rows: Rows = []
    while process.poll() is None:
        held = processes.memory(process.pid, "VmRSS")
        done = written(out)
        if held and (not rows or done > rows[-1]["done"]):
            rows.append({"done": done, "megabytes": held})
        time.sleep(0.25)
    if process.returncode != 0 or written(out) != count:
        raise SystemExit(f"likeness restore ended with {process.returncode} after {written(out)} of {count}")
    return rows


def written(folder: Path) -> int:
    """Finished results; those being written have other names."""
    return sum(1 for _ in folder.glob("*.jpg")) if folder.is_dir() else 0


PARTS: dict[str, Callable[[Path], Rows]] = {
    "faces": faces,
    "size": size,
    "batch": batch,
    "threads": threads,
    "workers": workers,
    "memory": lambda folder: memory(folder, 1000),
}


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of log y against log x: 1 is linear."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and beginning of the least-squares line."""
    slope, begin = np.polyfit(x, y, 1)
    return float(slope), float(begin)


def column(rows: Rows, name: str) -> list[float]:
    return [row[name] for row in rows]


def to_markdown(machine: dict[str, str], parts: dict[str, Rows]) -> str:
    lines = ["# Cost against size", "", "Written by `python benchmarks/scale.py`; the method is at its top.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "![Plots](../docs/images/scale.svg)"]
    for part, write in WRITERS.items():
        if part in parts:
            lines += ["", *write(parts[part])]
    return "\n".join(lines) + "\n"


def cells(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---:"] * len(head), *rows)]


def faces_text(rows: Rows) -> list[str]:
    counts, seconds, held = (column(rows, name) for name in ("faces", "seconds", "megabytes"))
    slope, begin = line(counts, seconds)
    more, least = line(counts, held)
    return [
        "## Faces in one picture of 4000 x 3000",
        "",
        *cells(
            ("faces", "found", "seconds", "ms a face", "peak memory, MB"),
            [
                (
                    f"{row['faces']:.0f}",
                    f"{row['found']:.0f}",
                    f"{row['seconds']:.2f}",
                    f"{row['seconds'] / row['faces'] * 1e3:.0f}",
                    f"{row['megabytes']:.0f}",
                )
                for row in rows
            ],
        ),
        "",
        f"Exponent {exponent(counts, seconds):.2f}; from 10 faces on {exponent(counts[3:], seconds[3:]):.2f}. As a line: "
        f"{begin:.2f} s and {slope * 1e3:.0f} ms a face; {least:.0f} MB and {more:.1f} MB a face.",
    ]


def size_text(rows: Rows) -> list[str]:
    sizes, seconds, coding = (column(rows, name) for name in ("megapixels", "seconds", "coding"))
    return [
        "## Size of a picture with one face",
        "",
        *cells(
            ("megapixels", "found", "restore, s", "decode and encode, s", "peak memory, MB"),
            [
                (
                    f"{row['megapixels']:.1f}",
                    f"{row['found']:.0f}",
                    f"{row['seconds']:.2f}",
                    f"{row['coding']:.2f}",
                    f"{row['megabytes']:.0f}",
                )
                for row in rows
            ],
        ),
        "",
        f"Exponents {exponent(sizes, seconds):.2f} (restore) and {exponent(sizes, coding):.2f} (decode and encode); from 3 "
        f"megapixels on {exponent(sizes[2:], seconds[2:]):.2f} and {exponent(sizes[2:], coding[2:]):.2f}. As a line: "
        f"{line(sizes, column(rows, 'megabytes'))[0]:.0f} MB a megapixel.",
    ]


def batch_text(rows: Rows) -> list[str]:
    precisions = [name for name in rows[0] if name != "batch"]
    fits = [f"{exponent(column(rows, 'batch'), column(rows, name)):.2f} ({name})" for name in precisions]
    return [
        f"## Faces in one call of the network, {DEFAULT_MODEL}, ms a face",
        "",
        *cells(
            ("batch", *precisions),
            [(f"{row['batch']:.0f}", *(f"{row[name] / row['batch']:.1f}" for name in precisions)) for row in rows],
        ),
        "",
        f"Exponents of a call's time: {', '.join(fits)}. One face fills the cores; a batch runs face by face.",
    ]


def threads_text(rows: Rows) -> list[str]:
    precisions = [name for name in rows[0] if name != "threads"]
    return [
        f"## Threads of the network, {DEFAULT_MODEL}, ms a face",
        "",
        *cells(
            ("threads", *(text for name in precisions for text in (name, "times faster"))),
            [
                (
                    f"{row['threads']:.0f}",
                    *(text for name in precisions for text in (f"{row[name]:.1f}", f"{rows[0][name] / row[name]:.2f}")),
                )
                for row in rows
            ],
        ),
    ]


def workers_text(rows: Rows) -> list[str]:
    return [
        "## Pictures at a time: 1.0 megapixel, one face, file to file",
        "",
        *cells(
            ("at a time", "pictures an hour", "times the first"),
            [
                (f"{row['workers']:.0f}", f"{row['hourly']:.0f}", f"{row['hourly'] / rows[0]['hourly']:.2f}")
                for row in rows
            ],
        ),
    ]


def memory_text(rows: Rows) -> list[str]:
    done, held = column(rows, "done"), column(rows, "megabytes")
    middle = next(index for index, number in enumerate(done) if number >= done[-1] / 2)
    quarters = [[held[i] for i, n in enumerate(done) if q <= n * 4 / done[-1] <= q + 1] for q in range(4)]
    slope, _ = line(done[middle:], held[middle:])
    whole, _ = line(done[len(done) // 10 :], held[len(held) // 10 :])
    return [
        f"## Memory over {done[-1]:.0f} pictures in one process",
        "",
        *cells(
            ("", "first quarter", "second", "third", "last", "peak"),
            [("MB, median", *(f"{np.median(quarter):.0f}" for quarter in quarters), f"{max(held):.0f}")],
        ),
        "",
        f"Slope over the second half {slope * 1e3:.0f} kB a picture, over all but the first tenth {whole * 1e3:.0f} kB. "
        "Pictures of 256 to 512 px, one face each.",
    ]


WRITERS: dict[str, Callable[[Rows], list[str]]] = {
    "faces": faces_text,
    "size": size_text,
    "batch": batch_text,
    "threads": threads_text,
    "workers": workers_text,
    "memory": memory_text,
}


if __name__ == "__main__":
    main()
