"""The finder of marks as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.marks.architecture import SLOPE, MarksConfig, first_kernel, upward

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(state: Mapping[str, NDArray[np.float32]], config: MarksConfig, *, any_batch: bool = False) -> openvino.Model:
    """The same function as `network.MarksNetwork`, and a sigmoid after it; float32 inputs and outputs.

    Input ``image`` is 1 x 3 x H x W, RGB in [0, 1], both sides multiples of `architecture.RASTER`. Output ``marks`` is 1 x
    2 x H x W, for each of `architecture.CLASSES` the probability in [0, 1] that a pixel is part of one. With ``any_batch``
    there may be any number of pictures.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13

    def constant(array: NDArray[np.float32]) -> Any:
        return op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def convolution(node: Any, name: str, *, stride: int = 1) -> Any:
        weight = state[f"{name}.weight"]
        pad = [weight.shape[-1] // 2] * 2
        done = op.convolution(node, constant(weight), [stride] * 2, pad, pad, [1, 1])
        return op.add(done, constant(state[f"{name}.bias"].reshape(1, -1, 1, 1)))

    slope = constant(np.array([SLOPE], np.float32))

    def refined(node: Any, name: str) -> Any:
        inner = op.prelu(convolution(node, f"{name}.first"), slope)
        return op.prelu(op.add(node, convolution(inner, f"{name}.second")), slope)

    picture = op.parameter(openvino.PartialShape([-1 if any_batch else 1, 3, -1, -1]), np.float32, name="image")
    picture.output(0).set_names({"image"})
    kernel = first_kernel()
    margin = op.constant(np.array([0, 0, *[kernel.shape[-1] // 2] * 2], dtype=np.int64))
    centred = op.pad(op.subtract(picture, constant(np.array(0.5, np.float32))), margin, margin, "edge")
    maps = op.convolution(centred, constant(_folded(kernel)), [2, 2], [0, 0], [0, 0], [1, 1])
    kept: list[Any] = []
    for level in range(len(config.widths)):
        entered = convolution(maps, f"down.{level}.enter", stride=2 if level else 1)
        maps = refined(op.prelu(entered, slope), f"down.{level}")
        kept.append(maps)
    for level in upward():
        raised = op.depth_to_space(convolution(maps, f"up.{level}.enter"), "depth_first", 2)
        maps = refined(op.add(kept[level], raised), f"up.{level}")
    marks = op.sigmoid(op.depth_to_space(convolution(maps, "head"), "depth_first", 2))
    result = op.result(marks, name="marks/result")
    result.output(0).set_names({"marks"})
    return openvino.Model([result], [picture], "marks")


def _folded(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A convolution and the folding of 2 x 2 pixels into channels after it, as one convolution of stride 2."""
    out, into, side, _ = kernel.shape
    folded = np.zeros((out, 2, 2, into, side + 1, side + 1), np.float32)
    for down, across in np.ndindex(2, 2):
        folded[:, down, across, :, down : down + side, across : across + side] = kernel
    return folded.reshape(4 * out, into, side + 1, side + 1)
