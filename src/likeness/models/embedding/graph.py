"""The face embedding as an OpenVINO graph, built straight from its weights: no torch, no conversion tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.embedding.architecture import OVAL, STAGES, EmbeddingConfig

if TYPE_CHECKING:
    import openvino

__all__ = ["build"]


def build(state: Mapping[str, NDArray[np.float32]], config: EmbeddingConfig) -> openvino.Model:
    """A face embedding with float32 inputs and outputs.

    Input ``view`` is N x 1 x S x S, luma in [0, 1] (`likeness.reference.matching.face_view`). Output ``embedding`` is
    N x `numbers`, of unit length: the cosine of two is their sum of products.
    """
    openvino = load_openvino()
    op: Any = openvino.opset13
    side = config.side

    def constant(array: Any, kind: Any = np.float32) -> Any:
        return op.constant(np.ascontiguousarray(array, dtype=kind))

    def whole(*numbers: int) -> Any:
        return constant(numbers, np.int64)

    def pooled(node: Any, kernel: int, stride: int) -> Any:
        return op.avg_pool(node, [stride, stride], [0, 0], [0, 0], [kernel, kernel], True)

    def layer(node: Any, name: str, stride: int = 1) -> Any:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        pad = weight.shape[-1] // 2
        done = op.convolution(node, constant(weight), [stride, stride], [pad, pad], [pad, pad], [1, 1])
        return op.add(done, constant(bias.reshape(1, -1, 1, 1)))

    def around(coarse: Any) -> Any:
        """Local mean over about a third of the view, at full size."""
        border = round(side / 27)
        padded = op.pad(coarse, whole(0, 0, border, border), whole(0, 0, border, border), "reflect")
        mean = pooled(padded, 2 * border + 1, 1)
        return op.interpolate(
            mean,
            whole(side, side),
            "linear",
            "sizes",
            coordinate_transformation_mode="half_pixel",
            axes=whole(2, 3),
        )

    view = op.parameter(openvino.PartialShape([-1, 1, side, side]), np.float32, name="view")
    view.output(0).set_names({"view"})
    mean = around(pooled(view, 4, 4))
    square = around(pooled(op.multiply(view, view), 4, 4))
    variance = op.maximum(op.subtract(square, op.multiply(mean, mean)), constant([1e-6]))
    x = op.divide(op.subtract(view, mean), op.add(op.sqrt(variance), constant([0.06])))
    x = op.multiply(x, constant(_oval(side)))
    x = op.relu(layer(x, "stem", 2))
    for stage in range(STAGES):
        name = f"stages.{stage}"
        inner = layer(op.relu(layer(x, f"{name}.first.0", 2)), f"{name}.first.2")
        x = op.relu(op.add(inner, layer(pooled(x, 2, 2), f"{name}.skip")))
        x = op.relu(op.add(layer(op.relu(layer(x, f"{name}.second.0")), f"{name}.second.2"), x))
    flat = op.reshape(layer(x, "squeeze"), whole(0, -1), True)
    numbers = op.add(op.matmul(flat, constant(state["head.weight"]), False, True), constant(state["head.bias"]))
    result = op.result(op.normalize_l2(numbers, whole(1), 1e-12, "max"), name="embedding/result")
    result.output(0).set_names({"embedding"})
    return openvino.Model([result], [view], "face_embedding")


def _oval(side: int) -> NDArray[np.float32]:
    half_width, shift, half_height, steepness = OVAL
    line = np.linspace(-1, 1, side)
    radius = (line[None, :] / half_width) ** 2 + ((line[:, None] + shift) / half_height) ** 2
    return (1 / (1 + np.exp(-(1 - radius) * steepness)))[None, None].astype(np.float32)
