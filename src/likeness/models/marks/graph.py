"""The finder of marks as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.marks.architecture import MarksConfig, first_kernel
from likeness.models.unet.graph import constant, convolution, unet

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

    picture = op.parameter(openvino.PartialShape([-1 if any_batch else 1, 3, -1, -1]), np.float32, name="image")
    picture.output(0).set_names({"image"})
    kernel = first_kernel()
    margin = op.constant(np.array([0, 0, *[kernel.shape[-1] // 2] * 2], dtype=np.int64))
    centred = op.pad(op.subtract(picture, constant(op, np.array(0.5, np.float32))), margin, margin, "edge")
    folded = op.convolution(centred, constant(op, _folded(kernel)), [2, 2], [0, 0], [0, 0], [1, 1])
    maps = unet(op, folded, state, len(config.widths))
    marks = op.sigmoid(op.depth_to_space(convolution(op, maps, state, "head"), "depth_first", 2))
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
