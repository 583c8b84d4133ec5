"""Each network of the package beside its floor: `python benchmarks/floors.py` writes benchmarks/floors.md.

A network's floor is the time that its convolutions and matrix products would take at the rate of a plain convolution: a
chain of 3 x 3 convolutions of 256 channels at 128 x 128, in the precision that the network runs in, in the same run. Figures
are processor time of one thread, the least of some turns, so that other programs hardly disturb them (`taskset -c 1`). What
surrounds a network (looking for faces, warping, blending) is not in it: benchmarks/waterfall.py has that.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from steps import convolution_rate, operations, processor_time

import likeness.models.embedding.graph as embedding
import likeness.models.embedding.weights as embedding_weights
import likeness.models.enlarger.graph as enlarger
import likeness.models.enlarger.weights as enlarger_weights
import likeness.models.gpen.graph as gpen
import likeness.models.lending.graph as lending
import likeness.models.lending.weights as lending_weights
import likeness.models.marks.graph as marks
import likeness.models.marks.weights as marks_weights
from likeness.cli.timing import machine_facts
from likeness.compute.library import shared_core
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.formats import read_checkpoint
from likeness.models.store import Store

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "src" / "likeness" / "faces" / "models"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and what it is given: sides that its graph leaves open are of ``side``."""

    name: str
    build: Callable[[], Any]
    precision: Literal["f32", "bf16"]
    side: int = 512


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure each network beside its floor.")
    parser.add_argument("--turns", type=int, default=6, help="turns, of which the least counts (6)")
    turns = parser.parse_args().turns
    core = shared_core()
    fast: Literal["f32", "bf16"] = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    rates = {
        precision: convolution_rate(core, precision, busy=True) for precision in ("f32", "bf16")[: 1 + (fast == "bf16")]
    }
    lines = [
        "# Networks beside their floors",
        "",
        "Written by `python benchmarks/floors.py`; the method is at its top.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in machine_facts().items()]
    lines += [f"- a plain convolution: {rate * 1e3:.0f} GFLOP/s in {precision}" for precision, rate in rates.items()]
    lines += [
        "",
        "| network | precision | GFLOP | floor, ms | ms | times the floor |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for case in cases(fast):
        model = case.build()
        inputs = {port.any_name: _sides(port, case.side) for port in model.inputs}
        model.reshape(inputs)
        from openvino.passes import ConstantFolding, Manager  # once `shared_core` has imported openvino

        folding = Manager()
        folding.register_pass(ConstantFolding())  # of the sizes that a graph works out
        folding.run_passes(model)
        work = operations(model) / 1e9 + products(model) / 1e9
        request = core.compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": case.precision, "INFERENCE_NUM_THREADS": 1}
        ).create_infer_request()
        random = np.random.default_rng(0)
        given = {name: random.random(sides, np.float32) for name, sides in inputs.items()}
        request.infer(given)
        least = min(processor_time(lambda request=request, given=given: request.infer(given)) for _ in range(turns))
        floor = work / rates[case.precision]
        lines.append(
            f"| {case.name} | {case.precision} | {work:.2f} | {floor:.1f} | {least:.1f} | {least / floor:.1f} |"
        )
        print(lines[-1], flush=True)
    (HERE / "floors.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cases(fast: Literal["f32", "bf16"]) -> list[Case]:
    core = shared_core()
    published = read_checkpoint(Store().path(DEFAULT_MODEL))
    lender, marker = lending_weights.packaged_weights(), marks_weights.packaged_weights()
    embedder, enlarged = embedding_weights.packaged_weights(), enlarger_weights.packaged_weights()

    def face(name: str) -> Callable[[], Any]:
        return lambda: core.read_model(MODELS / f"{name}.xml")

    config: Any = published.spec.config
    return [
        Case(name="restoring: the network, a face", build=lambda: gpen.build(published.state, config), precision=fast),
        Case(name="finding: the far detector, a window", build=face("far"), precision="f32", side=256),
        Case(name="finding: a glance at a window", build=face("glance"), precision="f32"),
        Case(name="finding: the near detector, a look", build=face("near"), precision="f32"),
        Case(name="mesh: the face", build=face("mesh"), precision="f32"),
        Case(name="mesh: its eyes and lips", build=face("attention"), precision="f32"),
        Case(name="segmentation: the person, a face", build=face("person"), precision="f32"),
        Case(name="segmentation: hair, hats and the rest", build=face("parts"), precision="f32"),
        Case(name="segmentation: spectacles", build=face("spectacles"), precision="f32"),
        Case(
            name="references: who it is, a face",
            build=lambda: embedding.build(embedder.state, embedder.config),
            precision="f32",
        ),
        Case(
            name="references: what may be lent, a face",
            build=lambda: lending.build(lender.state, lender.config),
            precision="f32",
        ),
        Case(
            name="enlarging twice, a tile of 512 x 512",
            build=lambda: enlarger.build(enlarged.state, enlarged.config, 2),
            precision=fast,
        ),
        Case(
            name="enlarging four times, the same",
            build=lambda: enlarger.build(enlarged.state, enlarged.config, 4),
            precision=fast,
        ),
        Case(
            name="repair: scratches and specks, 512 x 512",
            build=lambda: marks.build(marker.state, marker.config),
            precision="f32",
        ),
    ]


def _sides(port: Any, side: int) -> list[int]:
    """The shape of an input, whose open sides are one picture of ``side`` x ``side``."""
    shape = port.partial_shape
    open_sides = [1, 3, side, side]
    if port.any_name == "samples" and side == 256:  # the far detector's file has another size
        return open_sides
    return [open_sides[place] if one.is_dynamic else one.get_length() for place, one in enumerate(shape)]


def products(model: Any) -> float:
    """Multiplications and additions of a model's matrix products."""
    total = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul":
            inner = tuple(node.input(0).get_shape())[-1]
            total += 2 * inner * math.prod(node.output(0).get_shape())
    return float(total)


if __name__ == "__main__":
    main()
