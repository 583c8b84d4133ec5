"""How cost grows, in processor time: `python benchmarks/growth.py` writes benchmarks/growth.md, growth.json and a plot.

For machines that others use, on which seconds say little: each figure is the processor time of `likeness` as a program of
its own, with the processes that it began, once; memory is the most that it held. `taskset -c 1` keeps it to one core.

Faces: 1 to 100 of about 135 px in one picture of 21.6 megapixels. Megapixels: one portrait, 0.1 to 100, its face growing
with it. Pictures: 10 to 10,000 in one `likeness batch`, of 60 px and without a face, so that what is measured is the list,
the journal, reading, looking and the summary, and not the network. Clients: 1 to 64 at a time, each of which sends a
portrait twice to one `likeness serve`; its start is not counted.

Exponents are slopes of the least-squares line of log cost against log size: 1 is linear, less is better than linear.

    python benchmarks/growth.py --parts faces,megapixels         some of it; the rest stays as it was
    python benchmarks/growth.py --parts pictures --sizes 10000   some rows of it, which may be new ones
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from pictures import of_megapixels, wall_of_faces
from PIL import Image
from plots import curve
from processes import family, memory, served

from likeness.cli.timing import machine_facts

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
PLOT = HERE.parent / "docs" / "images" / "growth.svg"

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how processor time and memory grow.")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure; the rest stays as it was (all)")
    parser.add_argument("--sizes", help="rows to measure, of one part; its others stay as they were (all)")
    options = parser.parse_args()
    chosen = options.parts.split(",")
    if options.sizes and len(chosen) != 1:
        parser.error("--sizes are rows of one part: name it with --parts")
    path = HERE / "growth.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"parts": {}}
    content["machine"] = machine_facts()
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen:
            measure, sizes = PARTS[part]
            if options.sizes:
                kind = type(sizes[0])
                sizes = tuple(kind(size) for size in options.sizes.split(","))
            else:
                content["parts"][part] = []
            for size in sizes:
                row = {"size": size, **measure(Path(folder), size)}
                others = [known for known in content["parts"].get(part, ()) if known["size"] != size]
                others.append({name: round(value, 3) for name, value in row.items()})
                content["parts"][part] = sorted(others, key=lambda known: known["size"])
                # At once, so that what was measured stays when a later part is broken off.
                path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    text = to_markdown(content["machine"], content["parts"])
    (HERE / "growth.md").write_text(text, encoding="utf-8")
    draw(content["parts"], PLOT)
    print(text)


def faces(folder: Path, count: int) -> Row:
    return program("restore", wall_of_faces(folder / "faces.jpg", count), folder)


def megapixels(folder: Path, count: float) -> Row:
    return program("restore", of_megapixels(folder / "size.jpg", count), folder)


def pictures(folder: Path, count: int) -> Row:
    inputs = folder / f"{count}"
    inputs.mkdir()
    for number in range(count):
        shade = 60 + number % 100
        Image.new("RGB", (60, 60 + number % 7), (shade, shade, number // 100 % 256)).save(inputs / f"{number}.png")
    return program("batch", inputs, folder)


def program(command: str, source: Path, folder: Path) -> Row:
    """Processor seconds and peak memory (MB) of a command on a picture or a folder."""
    out = folder / f"out-{source.name}"
    target = [str(out)] if command == "batch" else ["-o", str(out), "--overwrite"]
    extra = ["--workers", "1"] if command == "batch" else []
    process = subprocess.Popen([sys.executable, "-m", "likeness", command, str(source), *target, *extra, "-q"])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit(f"likeness {command} ended with {process.returncode}")
    return {"seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss * 1024 / 1e6}


def clients(folder: Path, count: int) -> Row:
    data = (HERE.parent / "examples" / "portrait.jpg").read_bytes()
    with served(folder / f"served-{count}") as (process, url):
        ask(url, data, 0)
        before = processor_seconds(process.pid)
        with ThreadPoolExecutor(count) as pool:
            for _ in pool.map(lambda number: ask(url, data, number), range(count)):
                pass  # an error in one of them is raised here
        seconds = processor_seconds(process.pid) - before
        return {"seconds": seconds, "megabytes": memory(process.pid, "VmHWM")}


def ask(url: str, data: bytes, number: int) -> None:
    """Have a portrait restored twice, from an address of its own; a full line is waited for, as the server asks."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{number + 2}")
    with httpx.Client(base_url=url, timeout=600, transport=transport) as http:
        for _ in range(2):
            while (answer := http.post("/v1/restore", files={"file": ("a.jpg", data)})).status_code == 429:
                time.sleep(float(answer.headers.get("retry-after", "1")))
            answer.raise_for_status()


def processor_seconds(pid: int) -> float:
    """What a process has used, with the processes that it began."""
    total = 0.0
    for one in family(pid):
        with suppress(OSError):  # it has ended
            told = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            total += sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


PARTS: dict[str, tuple[Callable[[Path, Any], Row], tuple[float, ...]]] = {
    "faces": (faces, (1, 3, 10, 30, 100)),
    "megapixels": (megapixels, (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    "pictures": (pictures, (10, 100, 1000, 10_000)),
    "clients": (clients, (1, 2, 4, 8, 16, 32, 64)),
}
"""How one row of each part is measured, and its sizes."""

TITLES = {
    "faces": ("Faces in one picture of 21.6 megapixels", "faces"),
    "megapixels": ("Size of a picture with one face", "megapixels"),
    "pictures": ("Pictures without a face in one batch, with its journal", "pictures"),
    "clients": ("Clients of one server, two portraits each", "clients"),
}


def to_markdown(machine: dict[str, str], parts: dict[str, list[Row]]) -> str:
    lines = ["# How cost grows", "", "Written by `python benchmarks/growth.py`; the method is at its top.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "![Plots](../docs/images/growth.svg)"]
    for part, (title, name) in TITLES.items():
        rows = parts.get(part)
        if rows:
            sizes, seconds = [row["size"] for row in rows], [row["seconds"] for row in rows]
            slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            last = np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0]
            lines += ["", f"## {title}", "", f"| {name} | processor s | s each | peak memory, MB |"]
            lines += ["| ---: | ---: | ---: | ---: |"]
            lines += [
                f"| {row['size']:g} | {row['seconds']:.2f} | {row['seconds'] / row['size']:.3f} | {row['megabytes']:.0f} |"
                for row in rows
            ]
            lines += ["", f"Exponent {slope:.2f}; of the last three {last:.2f}."]
    return "\n".join(lines) + "\n"


def draw(parts: dict[str, list[Row]], path: Path) -> None:
    style = {"svg.fonttype": "none", "svg.hashsalt": "likeness", "font.family": "sans-serif", "font.size": 9}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titlelocation": "left"}
    with mpl.rc_context(style):
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        for axes, (part, (title, _)) in zip(figure.subplots(2, 2).ravel(), TITLES.items(), strict=True):
            if parts.get(part):
                curve(axes, parts[part], "size", {"seconds": "processor, s"}, title)
            else:
                axes.set_axis_off()
        figure.savefig(path, metadata={"Date": None})
    # Matplotlib ends some lines with a space.
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
