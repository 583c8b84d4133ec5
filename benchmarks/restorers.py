"""The restorers that people know, each against the plain way: `python benchmarks/restorers.py` writes restorers.md.

It needs the extra restorers (`.venv-restorers/bin/python benchmarks/restorers.py`). Files of the published structure with
random weights are written and read as published ones are. Plain is the network's own class in PyTorch, float32, called as
its authors' demo does: spandrel's for GFPGAN, RestoreFormer and CodeFormer, for GPEN `naive.py`. The ways run one after the
other, --rounds times, with the same number of threads; seconds are of the processor for one face of 512 px, the median, so
that other programs of the machine matter less. The first call of each is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from naive import make_naive
from numpy.typing import NDArray

from likeness.cli.timing import machine_facts
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.network import Gpen
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime

TABLE = Path(__file__).with_name("restorers.md")
SIDE = 512
NOTES = """\
- The largest difference is between the answers of the two ways to one face, a share of the largest value if that is over 1.
- GPEN and GFPGAN run by graphs of our own. RestoreFormer runs as OpenVINO converts spandrel's network; that takes some 20 s
  once, as the compiled network is kept. CodeFormer's cannot be converted: it computes with a tensor where the trace needs a
  number.
- What OpenVINO converts of GFPGAN's network took 4.9 s where our graph took 5.2 s (one core, measured once). What our graph
  saves is PyTorch, spandrel and torchvision (5.5 GB).""".splitlines()
Way = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def gpen() -> tuple[Any, dict[str, Any]]:
    """GPEN-BFR-512's structure, and the arguments of its call."""
    return make_naive(Gpen(GpenConfig(size=SIDE, channel_multiplier=2, narrow=1.0))), {}


def gfpgan() -> tuple[Any, dict[str, Any]]:
    from spandrel.architectures.GFPGAN import GFPGAN  # pyright: ignore

    return GFPGAN(), {"return_rgb": False, "randomize_noise": False}


def restoreformer() -> tuple[Any, dict[str, Any]]:
    from spandrel.architectures.RestoreFormer import RestoreFormer  # pyright: ignore

    return RestoreFormer(), {}


def codeformer() -> tuple[Any, dict[str, Any]]:
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer  # pyright: ignore

    return CodeFormer(), {"weight": 0.5}


NETWORKS = {"GPEN": gpen, "GFPGAN": gfpgan, "RestoreFormer": restoreformer, "CodeFormer": codeformer}


def row(name: str, folder: Path, rounds: int, threads: int) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about what spandrel does when it is imported
        network, arguments = NETWORKS[name]()
    network = network.eval().requires_grad_(False)
    path = folder / f"{name.lower()}.pth"
    torch.save({"params_ema": network.state_dict()}, path)
    runtime = load_runtime(Store(), path, device="cpu", precision="f32", threads=threads, task="restore")
    path.unlink()

    def plain(faces: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            answer = network(torch.from_numpy(faces), **arguments)
        return (answer[0] if isinstance(answer, tuple) else answer).numpy()

    face = np.random.default_rng(1).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    expected, answer = plain(face), runtime.run(face)
    difference = float(np.abs(answer - expected).max()) / max(1.0, float(np.abs(expected).max()))
    ways: list[Way] = [plain, runtime.run]
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, seconds, strict=True):
            begun = time.process_time()
            way(face)
            taken.append(time.process_time() - begun)
    before, ours = (statistics.median(taken) for taken in seconds)
    library = runtime.description.split(",")[0]
    return f"| {name} | {before:.2f} | {ours:.2f} | {before / ours:.2f} | {library} | {difference:.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="calls of each way (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="of the processor (default: 2)")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="(default: all)")
    flags = parser.parse_args()
    os.environ["LIKENESS_CACHE"] = "off"  # networks of random weights are worth no room on the disk
    torch.set_num_threads(flags.threads)
    facts = machine_facts()
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in flags.networks.split(","):
            rows.append(row(name, Path(folder), flags.rounds, flags.threads))
            print(rows[-1], flush=True)
            TABLE.write_text(table(rows, facts, flags), encoding="utf-8")  # each time: the last rows take minutes


def table(rows: Sequence[str], facts: Mapping[str, str], flags: argparse.Namespace) -> str:
    """The page."""
    lines = [
        "# The restorers that people know",
        "",
        f"Written by `benchmarks/restorers.py`, which says how: threads {flags.threads}, rounds {flags.rounds}.",
        "Seconds are of the processor. Where both ways are PyTorch, the ratio shows how far to trust the others.",
        "",
        *(f"- {key}: {value}" for key, value in facts.items()),
        "",
        "| network | plain PyTorch, s | here, s | ratio | runs on | largest difference |",
        "| --- | ---: | ---: | ---: | --- | ---: |",
        *rows,
        "",
        *NOTES,
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
