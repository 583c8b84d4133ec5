"""Speed and memory on this machine: `make bench` writes benchmarks/results.md and results.json.

Method: one process measures the network, one child process a command line measures the whole job. What is compared takes
turns, so that a disturbance hits all alike; each figure is the median of the rounds, and ratios stand beside them, as they
travel from machine to machine better than milliseconds. The first call of everything is left out, except where the row
says "cold".
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from naive import make_naive
from numpy.typing import NDArray
from pictures import four_thousand, portrait, twenty_faces

from likeness import Controls, Restorer, read_image
from likeness.checkpoints.catalog import CATALOG, DEFAULT_MODEL
from likeness.checkpoints.store import Store
from likeness.faces.align import align, warp
from likeness.networks.config import GpenConfig
from likeness.networks.gpen import Gpen
from likeness.runtimes.base import Batch
from likeness.runtimes.openvino_ import OpenVinoRuntime
from likeness.runtimes.torch_ import TorchRuntime

__all__ = ["Row", "main"]

HERE = Path(__file__).resolve().parent
State = Mapping[str, NDArray[np.float32]]

# On Linux ru_maxrss starts at the parent's size and does not serve; VmHWM is the process's own.
_CHILD = """
import resource, sys
from pathlib import Path
from likeness.cli import main
status = main(sys.argv[1:])
proc = Path("/proc/self/status")
if proc.is_file():
    peak = next(int(line.split()[1]) for line in proc.read_text().splitlines() if line.startswith("VmHWM")) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / 1e6)
sys.exit(status)
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table; None where a figure does not apply.

    Attributes:
        name: what was measured.
        milliseconds: median.
        ratio: how many times faster than the table's first row.
        decibel: PSNR against the first row's output; the peak is that output's range.
        megabytes: peak resident memory of the process.
    """

    name: str
    milliseconds: float
    ratio: float | None = None
    decibel: float | None = None
    megabytes: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure speed and memory on this machine.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the network's figures; others take fewer (7)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model of the whole job")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for results.md and results.json")
    options = parser.parse_args()
    machine = machine_facts()
    tables: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        one = portrait(Path(folder) / "portrait.jpg")
        large, group = four_thousand(Path(folder) / "large.jpg"), twenty_faces(Path(folder) / "group.jpg")
        restorer = Restorer(options.model)
        own = Store().load(options.model)
        face = aligned_face(restorer, one, own.config.size)
        tables[f"Network, one face: {options.model} ({describe(own.config)})"] = network_table(
            own.state, own.config, face, options.rounds
        )
        config = CATALOG["GPEN-BFR-512"].config
        assert config is not None
        torch.manual_seed(0)
        random = {key: value.numpy() for key, value in Gpen(config).state_dict().items()}
        tables[f"Network, one face: the structure of GPEN-BFR-512 ({describe(config)}), random weights"] = (
            network_table(random, config, aligned_face(restorer, one, config.size), options.rounds)
        )
        tables["Whole job"] = job_table(options.model, restorer, one, large, group, folder=Path(folder))
        tables["Controls: a slider moved on a kept projection (`Restorer.compose`)"] = compose_table(
            restorer, {"1024x1024, one face": one, "4000x3000, one face": large, "4000x3000, twenty faces": group}
        )
    results = {
        "machine": machine,
        "tables": {title: [asdict(row) for row in rows] for title, rows in tables.items()},
    }
    (options.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "results.md").write_text(to_markdown(machine, tables), encoding="utf-8")
    print(to_markdown(machine, tables))


def describe(config: GpenConfig) -> str:
    return f"size {config.size}, c = {config.channel_multiplier:g}, n = {config.narrow:g}"


def network_table(state: State, config: GpenConfig, face: Batch, rounds: int) -> list[Row]:
    """The same face through every path; the first is the naive one."""
    naive = make_naive(Gpen(config)).eval().requires_grad_(False)
    naive.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    paths: dict[str, Callable[[Batch], Batch]] = {
        "PyTorch, naive, f32": lambda faces: naive(torch.from_numpy(faces)).numpy(),
        "PyTorch, modulation off the weights, f32": TorchRuntime(state, config, precision="f32").project,
        "OpenVINO, f32": OpenVinoRuntime(state, config, precision="f32").project,
    }
    if OpenVinoRuntime(state, config).precision == "bf16":
        paths["OpenVINO, bf16"] = OpenVinoRuntime(state, config, precision="bf16").project
    if torch.cuda.is_available():
        for precision in ("f32", "bf16"):
            runtime = TorchRuntime(state, config, device="cuda", precision=precision)
            paths[f"PyTorch, {torch.cuda.get_device_name()}, {precision}"] = runtime.project
    outputs = {name: run(face) for name, run in paths.items()}  # warms up, too
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, run in paths.items():
            times[name].append(timed(lambda run=run: run(face)))
    first = next(iter(paths))
    base = statistics.median(times[first])
    return [
        Row(
            name=name,
            milliseconds=statistics.median(laps),
            ratio=base / statistics.median(laps),
            decibel=None if name == first else decibel(outputs[name], outputs[first]),
        )
        for name, laps in times.items()
    ]


def job_table(model: str, restorer: Restorer, one: Path, large: Path, group: Path, *, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for title, path in (
        ("`likeness restore`, 1024x1024, one face, cold", one),
        ("`likeness restore`, 4000x3000, one face, cold", large),
        ("`likeness restore`, 4000x3000, twenty faces, cold", group),
    ):
        runs = [command(model, path, folder) for _ in range(3)]
        rows.append(
            Row(
                name=title,
                milliseconds=statistics.median(run[0] for run in runs),
                megabytes=max(run[1] for run in runs),
            )
        )
    for title, path in (("1024x1024, one face", one), ("4000x3000, twenty faces", group)):
        image = read_image(path)
        restorer.restore(image)
        laps = [timed(lambda image=image: restorer.restore(image)) for _ in range(5)]
        rows.append(Row(name=f"`Restorer.restore`, {title}, warm", milliseconds=statistics.median(laps)))
    return rows


def compose_table(restorer: Restorer, pictures: Mapping[str, Path]) -> list[Row]:
    rows: list[Row] = []
    for title, path in pictures.items():
        image = read_image(path)
        first, second = Controls.natural(), Controls(degradation_scale=0.7, latent_step_decay=0.06)
        faces = restorer.find_faces(image)
        kept = [restorer.project(image, face, first, index=index) for index, face in enumerate(faces)]
        laps = [
            timed(lambda c=controls, i=image, k=kept: restorer.compose(i, k, c))
            for controls in (first, second, first, second, first, second)
        ]
        rows.append(Row(name=f"{title} ({len(faces)} found)", milliseconds=statistics.median(laps[1:])))
    return rows


def aligned_face(restorer: Restorer, path: Path, side: int) -> Batch:
    """The face of a portrait as the network takes it."""
    image = read_image(path)
    (face,) = restorer.find_faces(image)
    crop = warp(image.pixels, align(face.five_points, image.size, side))
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None]) * np.float32(2) - np.float32(1)


def command(model: str, picture: Path, folder: Path) -> tuple[float, float]:
    """Milliseconds and peak megabytes of one `likeness restore` in a process of its own."""
    arguments = ["restore", str(picture), "--model", model, "-q", "-o", str(folder / "restored.jpg")]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _CHILD, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return (time.perf_counter() - began) * 1e3, float(done.stdout)


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1e3


def decibel(values: Batch, reference: Batch) -> float:
    peak = float(np.ptp(reference))
    return float(10 * np.log10(peak**2 / max(float(np.mean(np.square(values - reference))), 1e-20)))


def machine_facts() -> dict[str, str]:
    """What the figures depend on."""
    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
        found = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
        model = f"{model} ({', '.join(found)})" if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "processor": model,
        "cores": str(cores),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for package in ("likeness", "openvino", "torch", "mediapipe", "opencv-contrib-python", "numpy"):
        facts[package] = version(package)
    if torch.cuda.is_available():
        facts["cuda device"] = torch.cuda.get_device_name()
    facts["load when it began"] = f"{os.getloadavg()[0]:.1f}"
    facts["date"] = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return facts


def to_markdown(machine: Mapping[str, str], tables: Mapping[str, list[Row]]) -> str:
    lines = ["# Benchmarks", "", "Written by `make bench`; the method is at the top of `run.py`.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    for title, rows in tables.items():
        lines += ["", f"## {title}", ""]
        columns = [
            ("ms", [f"{row.milliseconds:.0f}" for row in rows]),
            ("times faster", ["" if row.ratio is None else f"{row.ratio:.1f}" for row in rows]),
            ("dB against the first", ["" if row.decibel is None else f"{row.decibel:.0f}" for row in rows]),
            ("peak memory, MB", ["" if row.megabytes is None else f"{row.megabytes:.0f}" for row in rows]),
        ]
        shown = [(head, cells) for head, cells in columns if any(cells)]
        lines += [f"| | {' | '.join(head for head, _ in shown)} |", f"| --- |{' ---: |' * len(shown)}"]
        lines += [f"| {row.name} | {' | '.join(cells[i] for _, cells in shown)} |" for i, row in enumerate(rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
