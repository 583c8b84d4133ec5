"""The encoder and decoder as a part of an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.models.unet.architecture import SLOPE, upward

__all__ = ["constant", "convolution", "unet"]

_State = Mapping[str, NDArray[np.float32]]


def constant(op: Any, array: NDArray[np.float32]) -> Any:
    """A node that holds an array."""
    return op.constant(np.ascontiguousarray(array, dtype=np.float32))


def convolution(op: Any, node: Any, state: _State, name: str, *, stride: int = 1) -> Any:
    """A convolution of ``state`` with its bias, padded so that sides stay."""
    weight = state[f"{name}.weight"]
    pad = [weight.shape[-1] // 2] * 2
    done = op.convolution(node, constant(op, weight), [stride] * 2, pad, pad, [1, 1])
    return op.add(done, constant(op, state[f"{name}.bias"].reshape(1, -1, 1, 1)))


def unet(op: Any, folded: Any, state: _State, levels: int) -> Any:
    """The same function as `network.Unet.maps` after its folding.

    Args:
        op: OpenVINO's set of operations.
        folded: node of the planes, 2 x 2 pixels in channels, N x C x H/2 x W/2.
        state: the weights.
        levels: how many levels there are.
    """
    slope = constant(op, np.array([SLOPE], np.float32))

    def refined(node: Any, name: str) -> Any:
        inner = op.prelu(convolution(op, node, state, f"{name}.first"), slope)
        return op.prelu(op.add(node, convolution(op, inner, state, f"{name}.second")), slope)

    maps = folded
    kept: list[Any] = []
    for level in range(levels):
        entered = convolution(op, maps, state, f"down.{level}.enter", stride=2 if level else 1)
        maps = refined(op.prelu(entered, slope), f"down.{level}")
        kept.append(maps)
    for level in upward():
        raised = op.depth_to_space(convolution(op, maps, state, f"up.{level}.enter"), "depth_first", 2)
        maps = refined(op.add(kept[level], raised), f"up.{level}")
    return maps
