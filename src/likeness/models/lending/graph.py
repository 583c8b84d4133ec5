"""The judge of lent detail as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.lending.architecture import PLANES, SIDE, LendingConfig
from likeness.models.unet.graph import convolution, unet

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(
    state: Mapping[str, NDArray[np.float32]], config: LendingConfig, *, any_batch: bool = False
) -> openvino.Model:
    """The same function as `network.LendingNetwork`, and a sigmoid after it; float32 inputs and outputs.

    Input ``planes`` is 1 x 8 x 256 x 256 (`architecture.PLANES`), output ``likely`` 1 x 2 x 128 x 128 in [0, 1].
    With ``any_batch`` there may be any number of faces.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13
    faces = openvino.PartialShape([-1 if any_batch else 1, len(PLANES), SIDE, SIDE])
    planes = op.parameter(faces, np.float32, name="planes")
    planes.output(0).set_names({"planes"})
    maps = unet(op, op.space_to_depth(planes, "depth_first", 2), state, len(config.widths))
    likely = op.sigmoid(convolution(op, maps, state, "head"))
    result = op.result(likely, name="likely/result")
    result.output(0).set_names({"likely"})
    return openvino.Model([result], [planes], "lending")
