"""The restorers that people know, each against the plain way: `python benchmarks/restorers.py` writes restorers.md.

It needs the extra restorers (`.venv-restorers/bin/python benchmarks/restorers.py`). Files of the published structure with
random weights are written and read as published ones are. Plain is the network's own class in PyTorch, float32, called as
its authors' demo does: spandrel's for GFPGAN, RestoreFormer and CodeFormer, for GPEN `naive.py`. The ways run one after the
other, --rounds times, with the same number of threads; seconds are of the processor for one face of 512 px, the median, so
that other programs of the machine matter less. The first call of each is left out. --convert has a third way, "converted":
the plain network as OpenVINO itself converts it from PyTorch's trace.
"""

from __future__ import annotations

import argparse
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


def converted(network: Any, arguments: dict[str, Any], face: NDArray[np.float32], threads: int) -> Way:
    """The plain network as `openvino.convert_model` makes it from a trace."""
    import openvino

    class Answer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            answer = self.network(faces, **arguments)
            return answer[0] if isinstance(answer, tuple) else answer

    with torch.no_grad():
        traced = torch.jit.trace(Answer(), torch.from_numpy(face), check_trace=False)
    model = openvino.convert_model(traced, input=[list(face.shape)])
    properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request: Any = openvino.Core().compile_model(model, "CPU", properties).create_infer_request()
    return lambda faces: request.infer({0: faces})[0]


def row(name: str, folder: Path, rounds: int, threads: int, *, convert: bool) -> str:
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
    if convert:
        ways.append(converted(network, arguments, face, threads))
        ways[2](face)
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, seconds, strict=True):
            begun = time.process_time()
            way(face)
            taken.append(time.process_time() - begun)
    before, ours, *others = (statistics.median(taken) for taken in seconds)
    library = runtime.description.split(",")[0]
    third = f"{others[0]:.2f}" if others else ""
    return f"| {name} | {before:.2f} | {ours:.2f} | {before / ours:.2f} | {library} | {difference:.1e} | {third} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="calls of each way (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="of the processor (default: 2)")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="(default: all)")
    parser.add_argument("--convert", action="store_true", help="measure what OpenVINO converts, too")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    facts = machine_facts()
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in flags.networks.split(","):
            rows.append(row(name, Path(folder), flags.rounds, flags.threads, convert=flags.convert))
            print(rows[-1], flush=True)
            TABLE.write_text(table(rows, facts, flags), encoding="utf-8")  # each time: the last rows take minutes


def table(rows: Sequence[str], facts: Mapping[str, str], flags: argparse.Namespace) -> str:
    """The page."""
    lines = [
        "# The restorers that people know",
        "",
        f"Written by `benchmarks/restorers.py`, which says how: threads {flags.threads}, rounds {flags.rounds}.",
        "Where both ways are PyTorch, the ratio shows how far to trust the others.",
        "",
        *(f"- {key}: {value}" for key, value in facts.items()),
        "",
        "| network | plain PyTorch, s of the processor | here | ratio | runs on | largest difference | converted |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
        *rows,
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
