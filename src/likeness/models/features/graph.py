"""A network that draws a feature as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.features.architecture import CLOCK, PLANES, WINDOWS, FeaturesConfig
from likeness.models.unet.graph import constant, convolution

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(
    state: Mapping[str, NDArray[np.float32]], config: FeaturesConfig, part: str, *, any_batch: bool = False
) -> openvino.Model:
    """The same function as `network.FeatureNetwork`; float32 inputs and outputs.

    Inputs ``planes`` (1 x 9 x H x W) and ``clock`` (1 x 16), output ``answer`` (1 x 3 x H x W), where H x W is half the
    window's size. With ``any_batch`` there may be any number of windows.

    Args:
        state: the weights of all parts.
        config: their configuration.
        part: whose network, one of `WINDOWS`.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13
    own = {name.removeprefix(f"{part}."): array for name, array in state.items() if name.startswith(f"{part}.")}
    window = WINDOWS[part]
    size = (window.height // 2, window.width // 2)
    count = -1 if any_batch else 1
    planes = op.parameter(openvino.PartialShape([count, PLANES, *size]), np.float32, name="planes")
    planes.output(0).set_names({"planes"})
    clock = op.parameter(openvino.PartialShape([count, CLOCK]), np.float32, name="clock")
    clock.output(0).set_names({"clock"})

    def linear(node: Any, name: str) -> Any:
        product = op.matmul(node, constant(op, own[f"{name}.weight"]), False, True)
        return op.add(product, constant(op, own[f"{name}.bias"][None]))

    def silu(node: Any) -> Any:
        return op.swish(node)

    def unit_power(node: Any) -> Any:
        power = op.reduce_mean(op.multiply(node, node), np.array([1]), True)
        return op.divide(node, op.sqrt(op.add(power, constant(op, np.full(1, 1e-4, np.float32)))))

    def resized(node: Any, sides: tuple[int, int]) -> Any:
        return op.interpolate(
            node,
            np.array(sides, np.int64),
            "linear_onnx",
            "sizes",
            axes=np.array([2, 3], np.int64),
            coordinate_transformation_mode="half_pixel",
        )

    def blocks(node: Any, name: str, level: int) -> Any:
        for number in range(config.depths[level]):
            block = f"{name}.{level}.{number}"
            width = config.widths[level]
            tuned = op.reshape(linear(memory, f"{block}.tune"), np.array([-1, 2 * width, 1, 1]), False)
            scale, shift = op.split(tuned, np.int64(1), 2).outputs()
            inner = op.add(op.multiply(unit_power(node), op.add(scale, constant(op, np.ones(1, np.float32)))), shift)
            change = convolution(op, silu(convolution(op, inner, own, f"{block}.first")), own, f"{block}.second")
            node = op.add(node, op.multiply(change, constant(op, own[f"{block}.gain"][None])))
        return node

    memory = silu(linear(silu(linear(clock, "clock.0")), "clock.1"))
    maps = convolution(op, op.space_to_depth(planes, "depth_first", 2), own, "stem")
    kept: list[tuple[Any, tuple[int, int]]] = []
    sides = (size[0] // 2, size[1] // 2)
    for level in range(len(config.widths)):
        if level:
            kept.append((maps, sides))
            maps = convolution(op, maps, own, f"down.{level - 1}", stride=2)
            sides = ((sides[0] + 1) // 2, (sides[1] + 1) // 2)
        maps = blocks(maps, "encoder", level)
    for level in range(len(kept) - 1, -1, -1):
        bridge, sides = kept[level]
        raised = resized(convolution(op, maps, own, f"up.{level}"), sides)
        maps = blocks(op.add(bridge, raised), "decoder", level)
    found = resized(convolution(op, unit_power(maps), own, "thin"), size)
    fine = op.concat([planes, found], 1)
    for layer in range(2):
        fine = silu(convolution(op, fine, own, f"fine.{layer}"))
    result = op.result(convolution(op, fine, own, "head"), name="answer/result")
    result.output(0).set_names({"answer"})
    return openvino.Model([result], [planes, clock], f"features-{part}")
