"""Real-ESRGAN's compact network as an OpenVINO graph, built straight from a state dict: no torch, no conversion tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.architecture import State
from likeness.models.srvgg.config import SrvggConfig

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(state: State, config: SrvggConfig, *, any_batch: bool = False) -> openvino.Model:
    """The function of `network.Srvgg`: input ``image`` (1 x 3 x H x W, any size; with ``any_batch`` N of
    them), output ``enlarged``.

    The enlarged input is added before its samples are spread: each becomes a square of equal samples there.

    Raises:
        KeyError: if a weight is missing from ``state``.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13

    def constant(array: NDArray[np.float32]) -> Any:
        return op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def layer(node: Any, name: str) -> Any:
        node = op.convolution(node, constant(state[f"{name}.weight"]), [1, 1], [1, 1], [1, 1], [1, 1])
        return op.add(node, constant(state[f"{name}.bias"].reshape(1, -1, 1, 1)))

    image = op.parameter(openvino.PartialShape([-1 if any_batch else 1, 3, -1, -1]), np.float32, name="image")
    image.output(0).set_names({"image"})
    maps: Any = image
    for place in range(0, config.last, 2):
        maps = op.prelu(layer(maps, f"body.{place}"), constant(state[f"body.{place + 1}.weight"]))
    squares = constant(np.repeat(np.eye(3, dtype=np.float32), config.scale**2, axis=0)[:, :, None, None])
    nearest = op.convolution(image, squares, [1, 1], [0, 0], [0, 0], [1, 1])
    samples = op.add(layer(maps, f"body.{config.last}"), nearest)
    enlarged = op.result(op.depth_to_space(samples, "depth_first", config.scale), name="enlarged/result")
    enlarged.output(0).set_names({"enlarged"})
    return openvino.Model([enlarged], [image], f"srvgg_{config.scale}x")
