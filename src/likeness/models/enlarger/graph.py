"""The enlarger as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.enlarger.architecture import (
    BICUBIC_REACH,
    FINE_REACH,
    SLOPE,
    EnlargerConfig,
    bicubic_kernel,
    fine_kernel,
)

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(
    state: Mapping[str, NDArray[np.float32]], config: EnlargerConfig, scale: int, *, whole: bool = False
) -> openvino.Model:
    """An enlarger for one scale, with float32 inputs and outputs.

    Input ``image`` is 1 x 3 x (H + 2r) x (W + 2r), RGB in [0, 1], of any size: a picture or a tile with ``r = config.reach``
    pixels of its surroundings; input ``clean`` is one number in [0, 1]. Output ``enlarged`` is 1 x 3 x kH x kW and may leave
    the range a little. The same function as `network.Enlarger`: the shift of the input by a half is part of the first
    bias, the fine channels are part of the first kernel, and the bicubic enlargement is one convolution.

    With ``whole`` the input is any number of whole pictures, N x 3 x H x W, that go on as their outermost pixels beyond
    their borders.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13

    def constant(array: NDArray[np.float32]) -> Any:
        return op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def convolution(node: Any, kernel: NDArray[np.float32], pad: int) -> Any:
        return op.convolution(node, constant(kernel), [1, 1], [pad, pad], [pad, pad], [1, 1])

    def layer(node: Any, name: str) -> Any:
        bias = constant(state[f"{name}.bias"].reshape(1, -1, 1, 1))
        return op.add(convolution(node, state[f"{name}.weight"], 1), bias)

    def activated(node: Any) -> Any:
        return op.prelu(node, constant(np.array([SLOPE], dtype=np.float32)))

    picture = op.parameter(openvino.PartialShape([-1 if whole else 1, 3, -1, -1]), np.float32, name="image")
    clean = op.parameter([1], np.float32, name="clean")
    for parameter in (picture, clean):
        parameter.output(0).set_names({parameter.get_friendly_name()})
    image = picture
    if whole:
        margin = op.constant(np.array([0, 0, config.reach, config.reach], dtype=np.int64))
        image = op.pad(picture, margin, margin, "edge")

    entry = state["entry.weight"]
    shift = 0.5 * entry[:, :3].sum(axis=(1, 2, 3), dtype=np.float64)
    first_bias = constant((state["entry.bias"] - shift).reshape(1, -1, 1, 1))
    maps = op.add(convolution(image, _first_kernel(entry), FINE_REACH + 1), first_bias)
    for block in range(config.blocks):
        inner = activated(layer(maps, f"blocks.{block}.first"))
        maps = op.add(maps, layer(inner, f"blocks.{block}.second"))
    maps = activated(maps)
    kept = op.subtract(image, op.multiply(clean, layer(maps, "noise")))
    samples = op.add(layer(maps, f"to_{scale}x"), convolution(kept, bicubic_kernel(scale), BICUBIC_REACH))
    begin, end, ones, axes = (
        op.constant(np.array(values, dtype=np.int64))
        for values in ([config.reach] * 2, [-config.reach] * 2, [1, 1], [2, 3])
    )
    enlarged = op.depth_to_space(op.slice(samples, begin, end, ones, axes), "depth_first", scale)
    result = op.result(enlarged, name="enlarged/result")
    result.output(0).set_names({"enlarged"})
    return openvino.Model([result], [picture, clean], f"enlarger_{scale}x")


def _first_kernel(entry: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both kinds of colour channels in one kernel over the colours: a convolution after `fine_kernel` is one, too."""
    fine = fine_kernel().astype(np.float64)
    reach, side = FINE_REACH, 2 * FINE_REACH + 3
    kernel = np.zeros((len(entry), 3, side, side))
    kernel[:, :, reach:-reach, reach:-reach] = entry[:, :3]
    for y, x in np.ndindex(3, 3):
        kernel[:, :, y : y + len(fine), x : x + len(fine)] += entry[:, 3:, y, x, None, None] * fine
    return kernel.astype(np.float32)
