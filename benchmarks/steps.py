"""What each step of the network's CPU graph brings: `python benchmarks/steps.py` writes benchmarks/steps.md.

Every row is a graph of its own, and all compute the same function: first the form that the papers write down, then one step
after the other up to the form in `likeness.models.gpen.graph`, then what was tried on top of that and left out. Weights are
random, biases and scalars too, so that nothing folds away that trained weights would keep. Method: all rows take turns on
one face; a turn is one run to warm the caches and two that count, and a figure is the median over all turns. dB is PSNR
against the kept graph in float32, the peak being that output's range.
The rounds of the rows left out begin after the others, so that memory holds half of the graphs at a time; the form that is
kept runs in both halves, and ratios are within a half.

    python benchmarks/steps.py                    the published 512 structure (GPEN-BFR-512), both precisions
    python benchmarks/steps.py --busy             on a machine that others use: writes benchmarks/steps_one_core.md
    python benchmarks/steps.py --size 64          a small network, to see that the script runs; writes nothing

With --busy a figure is the least processor time of all turns, with one thread: others do not count in that, though they take
their part of the caches.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from run import decibel, describe
from weights import State, random_state

from likeness.cli.timing import in_turns, machine_facts, timed
from likeness.compute.library import load_openvino
from likeness.models.catalog import CATALOG
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.graph import Graph
from likeness.runtimes.base import Batch

HERE = Path(__file__).resolve().parent
Precision = Literal["f32", "bf16"]
NEVER = 1 << 20


class _Papers(Graph):
    """Every style in the weights, as in Karras et al. (StyleGAN2, 2020), section 2.2."""

    style_in_weights_from = 4
    upsampling_style_in_weights_from = 4
    even_up_to = 4


class _OnMaps(Graph):
    """Every style on the maps: all weights are constants."""

    style_in_weights_from = NEVER
    upsampling_style_in_weights_from = NEVER
    even_up_to = 4

    def _to_rgb(self, maps: Any, style: Any, key: str) -> Any:
        weight = self._weight(f"{key}.conv.weight")[0]
        weight = weight * np.float32(1.0 / math.sqrt(weight.shape[1]))
        maps = self._scaled(maps, self._modulation(style, key))
        return self._op.add(self._summed_convolution(maps, weight), self._constant(self._weight(f"{key}.bias")))


class _Even(_OnMaps):
    even_up_to = Graph.even_up_to


class _RgbInWeights(Graph):
    style_in_weights_from = NEVER
    upsampling_style_in_weights_from = NEVER


class _ConvolutionsInWeights(Graph):
    upsampling_style_in_weights_from = NEVER


class _SmallInWeights(Graph):
    style_in_weights_from = 64
    upsampling_style_in_weights_from = 128


class _AllEven(Graph):
    even_up_to = NEVER


class _Concatenated(Graph):
    """One convolution over the concatenation of both halves in place of the sum of two."""

    def _summed_convolution(
        self, maps: Any, weight: NDArray[np.float32], scale: Any = None, demodulation: Any = None, *, pad: int = 0
    ) -> Any:
        whole = maps[0] if len(maps) == 1 else self._op.concat(list(maps), 1)
        return super()._summed_convolution((whole,), weight, scale, demodulation, pad=pad)


class _BlurInTransposed(Graph):
    """Transposed convolution and blur as one transposed convolution with 6 x 6 kernels: 36 products for 9."""

    def _main_convolution(
        self,
        maps: Any,
        weight: NDArray[np.float32],
        key: str,
        size: int,
        scale: Any = None,
        demodulation: Any = None,
        *,
        upsample: bool,
    ) -> Any:
        if not upsample:
            return super()._main_convolution(maps, weight, key, size, scale, demodulation, upsample=False)
        wide = _convolved(weight, self._weight(f"{key}.conv.blur.kernel"))
        return super()._main_convolution(maps, wide, key, size, scale, demodulation, upsample=True)

    def _enlarged(self, node: Any, kernel: Any, key: str, size: int, channels: int) -> Any:  # noqa: ARG002
        return self._op.convolution_backprop_data(node, kernel, [2, 2], None, [2, 2], [2, 2], [1, 1])


class _Phases(Graph):
    """The transposed convolution as four convolutions, one for each place in a 2 x 2 block, then interleaved."""

    def _enlarged(self, node: Any, kernel: Any, key: str, size: int, channels: int) -> Any:  # noqa: ARG002
        op = self._op
        forward = op.transpose(kernel, self._ints(1, 0, 2, 3))
        # Samples 2i are x[i] w[0] + x[i-1] w[2], samples 2i + 1 are x[i] w[1]; one more of each, so that they match.
        even, odd = self._ints(2, 0), self._ints(1)
        phases: list[Any] = []
        for rows in (even, odd):
            for columns in (even, odd):
                taps = op.gather(op.gather(forward, rows, self._ints(2)), columns, self._ints(3))
                before = [int(rows is even), int(columns is even)]
                phases.append(op.convolution(node, taps, [1, 1], before, [1, 1], [1, 1]))
        whole = op.depth_to_space(op.concat(phases, 1), "blocks_first", 2)
        return self._blur(whole, f"{key}.conv.blur.kernel", channels, (1, 0))


class _BlurInEncoder(Graph):
    """The encoder's blur and convolution as one 6 x 6 convolution with stride 2: 36 products for 9."""

    def _halved(self, node: Any, octave: int) -> Any:
        weight = self._weight(f"ecd{octave}.0.1.weight")
        scale = math.sqrt(2.0 / math.prod(weight.shape[1:]))
        kernel = _convolved(weight * np.float32(scale), self._weight(f"ecd{octave}.0.0.kernel")[::-1, ::-1])
        bias = self._weight(f"ecd{octave}.0.2.bias").reshape(1, -1, 1, 1) * np.float32(math.sqrt(2.0))
        node = self._convolution(node, self._constant(kernel), stride=2, pad=2)
        return self._leaky_relu(self._op.add(node, self._constant(bias)))


class _BothInjected(Graph):
    """The second map that is injected at a resolution computed from the first's linear part, in the same pass."""

    _first: dict[int, tuple[Any, float, NDArray[np.float32]]]

    def _injected(self, feature: Any, key: str, bias: NDArray[np.float32]) -> Any:
        op = self._op
        gain = float(self._weight(f"{key}.noise.weight").item()) * math.sqrt(2.0)
        size = tuple(feature.get_shape() if hasattr(feature, "get_shape") else feature.get_output_shape(0))[-1]
        self._first = getattr(self, "_first", {})
        if size not in self._first:
            scaled = op.add(op.multiply(feature, self._constant(np.full((1, 1, 1, 1), gain))), self._constant(bias))
            self._first[size] = (scaled, gain, bias)
            return self._leaky_relu(scaled)
        scaled, first_gain, first_bias = self._first[size]
        ratio = gain / first_gain
        scaled = op.multiply(scaled, self._constant(np.full((1, 1, 1, 1), ratio)))
        return self._leaky_relu(op.add(scaled, self._constant(bias - first_bias * np.float32(ratio))))


class _OneStyleProduct(Graph):
    """All styles from one matrix product with w."""

    _styles: dict[str, Any]

    def _mapping(self, latent: Any) -> Any:
        w = super()._mapping(latent)
        end = ".conv.modulation.weight"
        keys = sorted(key.removesuffix(end) for key in self._state if key.endswith(end))
        weights = [self._weight(f"{key}{end}") for key in keys]
        biases = [self._weight(f"{key}.conv.modulation.bias") for key in keys]
        scale = np.float32(1.0 / math.sqrt(weights[0].shape[1]))
        whole = self._linear(w, np.concatenate(weights) * scale, np.concatenate(biases))
        parts = self._op.variadic_split(whole, self._ints(1), self._ints(*(len(bias) for bias in biases)))
        self._styles = dict(zip(keys, parts.outputs(), strict=True))
        return w

    def _modulation(self, style: Any, key: str) -> Any:  # noqa: ARG002
        return self._styles[key]


class _EightBit(Graph):
    """The convolutions from 128 on in 8 bits: maps in one range, weights in one for each output channel.

    The range was chosen for these weights, whose maps have unit variance: the best case, as trained ones need calibration.
    """

    style_in_weights_from = NEVER  # 8-bit weights must be constants

    def _summed_convolution(
        self, maps: Any, weight: NDArray[np.float32], scale: Any = None, demodulation: Any = None, *, pad: int = 0
    ) -> Any:
        if pad == 0 or weight.shape[0] >= self._config.channels(64):
            return super()._summed_convolution(maps, weight, scale, demodulation, pad=pad)
        op = self._op
        low, high = (self._constant(np.full((1, 1, 1, 1), bound)) for bound in (-2.0, 7.0))
        total: Any = None
        for node, piece in zip(maps, np.split(weight, len(maps), axis=1), strict=True):
            peak = np.abs(piece).max(axis=(1, 2, 3), keepdims=True)
            ends = self._constant(-peak), self._constant(peak)
            kernel = op.fake_quantize(self._constant(piece), *ends, *ends, 255)
            product = self._convolution(op.fake_quantize(node, low, high, low, high, 256), kernel, pad=pad)
            total = product if total is None else op.add(total, product)
        return total


STEPS: dict[str, type[Graph]] = {
    "style in the weights everywhere, as in the papers": _Papers,
    "style on the maps everywhere: constant weights": _OnMaps,
    "+ transposed convolutions up to 128 make even sizes": _Even,
    "+ to-RGB: style in the weights": _RgbInWeights,
    "+ convolutions from 128 on: style in the weights": _ConvolutionsInWeights,
    "+ transposed convolutions from 256 on too: **kept**": Graph,
}
LEFT_OUT: dict[str, type[Graph]] = {
    "**kept**": Graph,
    "style in the weights from 64 on": _SmallInWeights,
    "even sizes everywhere": _AllEven,
    "concatenation in place of the sum of two convolutions": _Concatenated,
    "blur merged into the transposed convolutions": _BlurInTransposed,
    "transposed convolutions as four, interleaved": _Phases,
    "blur merged into the encoder's convolutions": _BlurInEncoder,
    "both injected maps of a resolution in one pass": _BothInjected,
    "all styles from one matrix product": _OneStyleProduct,
    "convolutions from 128 on in 8 bits": _EightBit,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One graph: median milliseconds, how many times faster than the reference row of its half, and PSNR in dB."""

    name: str
    milliseconds: float
    ratio: float
    decibel: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what each step of the CPU graph brings.")
    parser.add_argument("--rounds", type=int, default=6, help="turns of every row in bf16; float32 takes a third (6)")
    parser.add_argument("--busy", action="store_true", help="one thread's processor time, the least of all turns")
    parser.add_argument("--size", type=int, default=512, help="side of the network; only 512 is written down (512)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for steps.md")
    options = parser.parse_args()
    published = CATALOG["GPEN-BFR-512"].config
    assert isinstance(published, GpenConfig)
    config = replace(published, size=options.size)
    state = random_state(config)
    face = np.random.default_rng(0).uniform(-1, 1, (1, 3, config.size, config.size)).astype(np.float32)
    core = load_openvino().Core()
    facts = machine_facts()
    precisions: list[Precision] = ["f32"]
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        precisions.insert(0, "bf16")
    reference = np.array(request(core, Graph(state, config), "f32").infer({"faces": face})["restored"])
    lines = ["# Steps of the CPU graph", "", "Written by `benchmarks/steps.py`; the method is at its top.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [f"- network: {describe(config)}, random weights"]
    if options.busy:
        lines += ["- figures: processor time of one thread, the least of all turns; other programs were at work"]
    count = operations(Graph(state, config).model()) / 1e9
    for precision in precisions:
        rate = convolution_rate(core, precision, busy=options.busy)
        lines += ["", f"## {precision}", ""]
        lines += [
            f"The convolutions are {count:.0f} GFLOP; a chain of 3 x 3 convolutions of 256 channels at 128 x 128, the best",
            f"that OpenVINO does here, runs at {rate:.2f} TFLOP/s: the floor is {count / rate:.0f} ms.",
        ]
        rounds = options.rounds if precision == "bf16" else max(options.rounds // 3, 1)
        halves = [("Steps", STEPS), ("Tried and left out", LEFT_OUT)]
        if precision == "f32":
            halves = [("Steps", {name: STEPS[name] for name in [*list(STEPS)[:2], list(STEPS)[-1]]})]
        for title, graphs in halves:
            rows = measure(core, graphs, state, config, face, reference, precision, rounds, busy=options.busy)
            lines += ["", f"| {title} | ms | times faster | dB |", "| --- | ---: | ---: | ---: |"]
            lines += [f"| {row.name} | {row.milliseconds:.0f} | {row.ratio:.2f} | {row.decibel:.0f} |" for row in rows]
    text = "\n".join(lines) + "\n"
    if options.size == 512:
        (options.out / ("steps_one_core.md" if options.busy else "steps.md")).write_text(text, encoding="utf-8")
    print(text)


def measure(
    core: Any,
    graphs: Mapping[str, type[Graph]],
    state: State,
    config: GpenConfig,
    face: Batch,
    reference: Batch,
    precision: Precision,
    rounds: int,
    *,
    busy: bool,
) -> list[Row]:
    requests = {name: request(core, graph(state, config), precision, busy=busy) for name, graph in graphs.items()}
    outputs = {name: np.array(run.infer({"faces": face})["restored"]) for name, run in requests.items()}
    runs = {name: run.infer for name, run in requests.items()}
    times = processor_times(runs, rounds) if busy else medians(runs, rounds)
    base = next(iter(times.values()))
    return [
        Row(name=name, milliseconds=time, ratio=base / time, decibel=decibel(outputs[name], reference))
        for name, time in times.items()
    ]


def medians(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    return {name: laps.median for name, laps in in_turns(runs, rounds=rounds, settle=True).items()}


def processor_times(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least of the process, in turns, ms."""
    least = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            for _ in range(2):
                least[name] = min(least[name], processor_time(run))
    return least


def processor_time(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return (time.process_time() - began) * 1e3


def request(core: Any, graph: Graph, precision: Precision, *, busy: bool = False) -> Any:
    return core.compile_model(graph.model(), "CPU", properties(precision, busy=busy)).create_infer_request()


def properties(precision: Precision, *, busy: bool) -> dict[str, Any]:
    one = {"INFERENCE_NUM_THREADS": 1} if busy else {}
    return {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", **one}


def operations(model: Any) -> float:
    """Multiplications and additions of a model's convolutions."""
    total = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if "Convolution" in kind:
            weights = math.prod(node.input(1).get_shape())
            map_ = node.input(0) if "Backprop" in kind else node.output(0)
            total += 2 * weights * math.prod(tuple(map_.get_shape())[2:])
    return float(total)


def convolution_rate(core: Any, precision: Precision, *, busy: bool = False) -> float:
    """TFLOP/s of a chain of 3 x 3 convolutions whose shape suits the processor, maps and all."""
    openvino = load_openvino()
    op: Any = openvino.opset13
    rng = np.random.default_rng(0)
    channels, size, layers = 256, 128, 8
    first = op.parameter([1, channels, size, size], np.float32)
    node = first
    for _ in range(layers):
        weight = rng.standard_normal((channels, channels, 3, 3), dtype=np.float32) / np.float32(48)
        node = op.convolution(node, op.constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
    node = op.reduce_mean(node, op.constant(np.array([2, 3])), True)
    model = openvino.Model([op.result(node)], [first], "rate")
    run = core.compile_model(model, "CPU", properties(precision, busy=busy)).create_infer_request()
    run.infer([rng.standard_normal((1, channels, size, size), dtype=np.float32)])
    milliseconds = (
        min(processor_time(run.infer) for _ in range(9))
        if busy
        else statistics.median(timed(run.infer) for _ in range(9))
    )
    return operations(model) / milliseconds / 1e9


def _convolved(weight: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernels of two filters that follow one another: O x I x 3 x 3 with 4 x 4 to O x I x 6 x 6."""
    wide = np.zeros((*weight.shape[:2], 6, 6), dtype=np.float32)
    for row in range(3):
        for column in range(3):
            wide[:, :, row : row + 4, column : column + 4] += weight[:, :, row, column, None, None] * kernel
    return wide


if __name__ == "__main__":
    main()
