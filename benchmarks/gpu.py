"""The network on a CUDA device: `python benchmarks/gpu.py` writes benchmarks/gpu.md and gpu.json.

By hand, on a machine with a GPU. Two networks: the published 512 structure with random weights, and the one inside the
package. Method: everything is timed from NumPy array to NumPy array, as a caller sees it, copies and all; what is compared
takes turns; figures are medians of the rounds, after a first call that is told apart. dB is PSNR against the naive network
in float32 without TF32, the peak being that output's range.

Two floors stand beside the figures. Arithmetic: the network's multiplications and additions at the rate that this device was
measured to multiply matrices with. Traffic: the bytes that the operations of the inference form read and write, at the rate
that it was measured to copy memory with. A pass that did nothing else, and overlapped nothing, would take their sum.

    python benchmarks/gpu.py                              on a CUDA device
    python benchmarks/gpu.py --compile                    with a row for torch.compile (takes minutes)
    python benchmarks/gpu.py --device cpu --size 64       a small network, to see that the script runs; writes nothing
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from naive import make_naive
from run import decibel, describe, facts_with_device
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from weights import State, random_state

from likeness import read_image
from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.models.catalog import CATALOG, DEFAULT_MODEL
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.inference import InferenceGpen
from likeness.models.gpen.network import Gpen
from likeness.models.store import Store
from likeness.runtimes.base import Batch
from likeness.runtimes.batching import BatchingRuntime
from likeness.runtimes.programs import float32_arithmetic
from likeness.runtimes.torch_ import BATCH_SIZES, TorchRuntime

HERE = Path(__file__).resolve().parent
Run = Callable[[Batch], Batch]


@dataclass(frozen=True, kw_only=True)
class OneFace:
    """One path, one face: milliseconds of the first call and of later ones, dB against the first path, peak megabytes."""

    name: str
    first: float
    milliseconds: float
    decibel: float | None
    megabytes: float | None


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Faces a second, and the share of what the two floors together would allow."""

    name: str
    faces_per_second: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the device was measured to do: float16 operations, and bytes copied (read and written), a second."""

    operations: float
    bytes: float


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Of one face: floating-point operations and bytes, and the milliseconds they take."""

    operations: float
    bytes: float
    arithmetic: float
    traffic: float

    @property
    def milliseconds(self) -> float:
        return self.arithmetic + self.traffic


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the network on a CUDA device.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", type=int, help="measure a small random network of this size instead of the two")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batches", default=",".join(map(str, (*BATCH_SIZES, 32))), help="batch sizes, as 1,2,4")
    parser.add_argument("--threads", type=int, default=8, help="callers of the shared runtime (8)")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for gpu.md and gpu.json")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device was found; --device cpu --size 64 shows that the script runs")
    device = torch.device(options.device)
    batches = tuple(int(size) for size in options.batches.split(","))
    measured = measure_device(device, options.rounds)
    sections: dict[str, tuple[Floors, list[OneFace], list[Rate]]] = {}
    for title, state, config, face in networks(options.size):
        floors = measure_floors(state, config, measured)
        rows = one_face(state, config, face, device, rounds=options.rounds, compiled=options.compile)
        rates = faces_per_second(state, config, face, device, floors, batches, options.threads, options.rounds)
        sections[title] = (floors, rows, rates)
    machine = facts_with_device()
    text = to_markdown(machine, measured, sections)
    print(text)
    if device.type == "cuda":
        figures = {
            title: {
                "floors": asdict(floors),
                "one face": [asdict(r) for r in rows],
                "rates": [asdict(r) for r in rates],
            }
            for title, (floors, rows, rates) in sections.items()
        }
        results = {"machine": machine, "device": asdict(measured), "networks": figures}
        (options.out / "gpu.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (options.out / "gpu.md").write_text(text, encoding="utf-8")


def networks(size: int | None) -> list[tuple[str, State, GpenConfig, Batch]]:
    """Title, weights, configuration and one face of each network."""
    picture = HERE.parent / "examples" / "portrait.jpg"
    if size is not None:
        small = GpenConfig(size=size, channel_multiplier=1, narrow=0.125)
        return [
            (f"A small network ({describe(small)}), random weights", random_state(small), small, face(picture, size))
        ]
    own = Store().load(DEFAULT_MODEL)
    published = CATALOG["GPEN-BFR-512"].config
    assert isinstance(published, GpenConfig)
    return [
        (
            f"The structure of GPEN-BFR-512 ({describe(published)}), random weights",
            random_state(published),
            published,
            face(picture, published.size),
        ),
        (
            f"{DEFAULT_MODEL} ({describe(own.spec.config)})",
            own.state,
            own.spec.config,
            face(picture, own.spec.config.size),
        ),
    ]


def face(path: Path, side: int) -> Batch:
    """The face of a portrait as the network takes it."""
    image = read_image(path)
    found = MediaPipeDetector().detect(image)[0]
    crop = warp(image.pixels, align(found.five_points, image.size, side))
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None]) * np.float32(2) - np.float32(1)


def measure_device(device: torch.device, rounds: int) -> Device:
    """The best of the rounds: what the device can do, not what it does on average."""
    on_cuda = device.type == "cuda"
    side = 8192 if on_cuda else 512
    dtype = torch.float16 if on_cuda else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros((1 << 28) if on_cuda else (1 << 22), device=device, dtype=torch.float32)
    target = torch.empty_like(source)
    multiply = min(seconds(lambda: torch.mm(a, b), device) for _ in range(rounds + 3))
    copy = min(seconds(lambda: target.copy_(source), device) for _ in range(rounds + 3))
    return Device(operations=2 * side**3 / multiply, bytes=2 * source.numel() * 4 / copy)


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        returns = func._schema.returns
        is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in returns)
        if not is_view and func is not torch.ops.aten.empty.memory_format:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return out


def measure_floors(state: State, config: GpenConfig, device: Device) -> Floors:
    """Counted on the device "meta", which knows shapes and computes nothing."""
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in state.items()}
    network = InferenceGpen(tensors, config, dtype=torch.float16).to("meta")
    count = 8  # weights are read once for all of a batch
    faces = torch.empty(count, 3, config.size, config.size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as operations:
        network(faces)
    with torch.no_grad(), Traffic() as traffic:
        network(faces)
    flops, moved = operations.get_total_flops() / count, traffic.bytes / count
    return Floors(
        operations=flops,
        bytes=moved,
        arithmetic=flops / device.operations * 1e3,
        traffic=moved / device.bytes * 1e3,
    )


def one_face(
    state: State, config: GpenConfig, face: Batch, device: torch.device, *, rounds: int, compiled: bool
) -> list[OneFace]:
    """The same face through every path; the first is the naive one."""
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in state.items()}
    naive = Gpen(config)
    naive.load_state_dict(tensors)
    make_naive(naive).eval().requires_grad_(False).to(device)
    reference = Gpen(config)
    reference.load_state_dict(tensors)
    reference.eval().requires_grad_(False).to(device)
    half = InferenceGpen(tensors, config, dtype=torch.float16).eval().to(device)

    def plain(network: Callable[[torch.Tensor], torch.Tensor]) -> Run:
        def run(faces: Batch) -> Batch:
            with torch.no_grad():
                return network(torch.from_numpy(faces).to(device)).float().cpu().numpy()

        return run

    def exact(faces: Batch) -> Batch:
        with float32_arithmetic(convolutions=True):
            return plain(naive)(faces)

    def autocast(faces: Batch) -> Batch:
        with torch.autocast(device.type, torch.bfloat16):
            return plain(reference)(faces)

    paths: dict[str, Callable[[], Run]] = {
        "PyTorch, naive, f32 without TF32": lambda: exact,
        "PyTorch, naive, PyTorch's own settings": lambda: plain(naive),
        "PyTorch, modulation off the weights, bf16 autocast": lambda: autocast,
        "inference form, f16, launched piece by piece": lambda: plain(half),
    }
    for precision in ("f32", "bf16", "f16"):
        paths[f"TorchRuntime, {precision}"] = lambda precision=precision: (
            TorchRuntime(state, config.spec, device=device.type, precision=precision).run
        )
    if compiled:
        mode = "max-autotune" if device.type == "cuda" else "default"
        paths[f"inference form, f16, torch.compile ({mode})"] = lambda: plain(torch.compile(half, mode=mode))
    runs: dict[str, Run] = {}
    firsts: dict[str, float] = {}
    outputs: dict[str, Batch] = {}
    memory: dict[str, float | None] = {}
    for name, make in paths.items():
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated() if device.type == "cuda" else 0
        began = time.perf_counter()
        runs[name] = make()
        outputs[name] = runs[name](face)
        firsts[name] = (time.perf_counter() - began) * 1e3
        memory[name] = (torch.cuda.max_memory_allocated() - held) / 1e6 if device.type == "cuda" else None
    laps: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, run in runs.items():
            laps[name].append(seconds(lambda run=run: run(face), device) * 1e3)
    base = outputs[next(iter(paths))]
    return [
        OneFace(
            name=name,
            first=firsts[name],
            milliseconds=statistics.median(laps[name]),
            decibel=None if outputs[name] is base else decibel(outputs[name], base),
            megabytes=memory[name],
        )
        for name in paths
    ]


def faces_per_second(
    state: State,
    config: GpenConfig,
    face: Batch,
    device: torch.device,
    floors: Floors,
    batches: Sequence[int],
    threads: int,
    rounds: int,
) -> list[Rate]:
    """Batches from one thread, then single faces from several threads that share batches."""
    precision = "f16" if device.type == "cuda" else "f32"
    runtime = TorchRuntime(state, config.spec, device=device.type, precision=precision, batch_sizes=batches)
    runtime.prepare()
    rates: list[Rate] = []

    def rate(name: str, faces: int, laps: list[float]) -> Rate:
        speed = faces / statistics.median(laps)
        return Rate(name=name, faces_per_second=speed, share=speed * floors.milliseconds / 1e3)

    for size in runtime.batch_sizes:
        # Many batches in a call, as their copies overlap.
        many = np.repeat(face, 4 * size, axis=0)
        runtime.run(many)
        laps = [seconds(lambda many=many: runtime.run(many), device) for _ in range(rounds)]
        rates.append(rate(f"batches of {size}", len(many), laps))
    with BatchingRuntime(runtime, max_batch=max(batches)) as shared, ThreadPoolExecutor(threads) as pool:
        count = 8 * threads

        def all_threads() -> None:
            list(pool.map(lambda _: shared.run(face), range(count)))

        all_threads()
        rates.append(
            rate(f"{threads} threads, one face each", count, [seconds(all_threads, device) for _ in range(rounds)])
        )
    return rates


def seconds(run: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def to_markdown(
    machine: Mapping[str, str], device: Device, sections: Mapping[str, tuple[Floors, list[OneFace], list[Rate]]]
) -> str:
    lines = [
        "# The network on a CUDA device",
        "",
        "Written by `python benchmarks/gpu.py`; the method is at its top.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += [
        f"- measured: {device.operations / 1e12:.1f} TFLOP/s in matrix products, "
        f"{device.bytes / 1e12:.2f} TB/s read and written in copies"
    ]
    for title, (floors, rows, rates) in sections.items():
        lines += [
            "",
            f"## {title}",
            "",
            f"{floors.operations / 1e9:.0f} GFLOP and {floors.bytes / 1e9:.2f} GB a face: at least "
            f"{floors.arithmetic:.2f} ms of arithmetic and {floors.traffic:.2f} ms of traffic on this device.",
            "",
            "| one face | first call, ms | ms | times faster | dB | peak memory, MB |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        base = rows[0].milliseconds
        lines += [
            f"| {row.name} | {row.first:.0f} | {row.milliseconds:.2f} | {base / row.milliseconds:.1f} | "
            f"{'' if row.decibel is None else f'{row.decibel:.0f}'} | "
            f"{'' if row.megabytes is None else f'{row.megabytes:.0f}'} |"
            for row in rows
        ]
        lines += ["", "| `TorchRuntime` | faces a second | share of the floors' |", "| --- | ---: | ---: |"]
        lines += [f"| {rate.name} | {rate.faces_per_second:.1f} | {rate.share:.0%} |" for rate in rates]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
