"""ESRGAN as an OpenVINO graph, built straight from a state dict: no torch, no conversion tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.architecture import State
from likeness.models.esrgan.config import DENSE_BLOCKS, DENSE_LAYERS, RESIDUAL, SLOPE, EsrganConfig

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(state: State, config: EsrganConfig, *, any_batch: bool = False) -> openvino.Model:
    """The function of `network.Esrgan`: input ``image`` (1 x 3 x H x W, any size; with ``any_batch`` N of
    them), output ``enlarged``.

    The factor of what a dense block adds is multiplied into its last weights beforehand.

    Raises:
        KeyError: if a weight is missing from ``state``.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13

    def constant(array: NDArray[np.float32]) -> Any:
        return op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def ints(*values: int) -> Any:
        return op.constant(np.array(values, dtype=np.int64))

    def layer(node: Any, name: str, gain: float = 1.0) -> Any:
        kernel = constant(state[f"{name}.weight"] * np.float32(gain))
        bias = constant(state[f"{name}.bias"].reshape(1, -1, 1, 1) * np.float32(gain))
        return op.add(op.convolution(node, kernel, [1, 1], [1, 1], [1, 1], [1, 1]), bias)

    def activated(node: Any) -> Any:
        return op.prelu(node, constant(np.array([SLOPE], np.float32)))

    image = op.parameter(openvino.PartialShape([-1 if any_batch else 1, 3, -1, -1]), np.float32, name="image")
    image.output(0).set_names({"image"})
    sides = op.gather(op.shape_of(image), ints(2, 3), ints(0))
    folded = image
    if config.folding > 1:
        # Up to the next multiple of the fold.
        lacking = op.floor_mod(op.subtract(ints(0, 0), sides), ints(config.folding))
        padded = op.pad(image, ints(0, 0, 0, 0), op.concat([ints(0, 0), lacking], 0), "edge")
        folded = op.space_to_depth(padded, "depth_first", config.folding)
    first = maps = layer(folded, "conv_first")
    for block in range(config.blocks):
        inner = maps
        for dense in range(1, DENSE_BLOCKS + 1):
            key = f"body.{block}.rdb{dense}.conv"
            seen = [inner]
            for number in range(1, DENSE_LAYERS):
                joined = seen[0] if len(seen) == 1 else op.concat(seen, 1)
                seen.append(activated(layer(joined, f"{key}{number}")))
            inner = op.add(inner, layer(op.concat(seen, 1), f"{key}{DENSE_LAYERS}", RESIDUAL))
        maps = op.add(maps, op.multiply(inner, constant(np.array([RESIDUAL], np.float32))))
    maps = op.add(first, layer(maps, "conv_body"))
    for name in ("conv_up1", "conv_up2"):
        doubled = op.interpolate(
            maps, constant(np.array([2, 2], np.float32)), "nearest", "scales", [0, 0], [0, 0], "asymmetric", "floor",
            False, -0.75, ints(2, 3),
        )  # fmt: skip
        maps = activated(layer(doubled, name))
    maps = layer(activated(layer(maps, "conv_hr")), "conv_last")
    if config.folding > 1:
        maps = op.slice(maps, ints(0, 0), op.multiply(sides, ints(config.scale)), ints(1, 1), ints(2, 3))
    enlarged = op.result(maps, name="enlarged/result")
    enlarged.output(0).set_names({"enlarged"})
    return openvino.Model([enlarged], [image], f"esrgan_{config.scale}x")
