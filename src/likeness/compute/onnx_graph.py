"""An OpenVINO graph, as the modules `graph` build them, written as an ONNX model: one description of a network serves both.

Only the operations that our graphs consist of are known; any other is refused. What ONNX has in another form is written so
that the common runtimes take it: a channel-wise PReLU, a space-to-depth as the strided convolution that it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import MissingExtraError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    import openvino

__all__ = ["OPSET", "load_onnx", "to_onnx"]

OPSET = 17
"""The newest set of operations that ONNX Runtime since 1.12, TensorRT since 8.5, DirectML and CoreML all know."""

_IR_VERSION = 8
"""The file format that belongs to it."""


def load_onnx() -> Any:
    """The library onnx, which has no complete types.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module("onnx")
    except ImportError:
        raise MissingExtraError(Notice("onnx.no-onnx")) from None


def to_onnx(
    model: openvino.Model,
    *,
    ports: Mapping[str, str] | None = None,
    dimensions: Mapping[str, tuple[str | int, ...]] | None = None,
    defaults: Mapping[str, NDArray[np.float32]] | None = None,
    name: str = "network",
    description: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """The model as an ``onnx.ModelProto`` with float32 weights; the same model gives the same bytes.

    Args:
        model: the graph; its inputs and outputs have names.
        ports: new names of inputs and outputs, by their names in ``model``.
        dimensions: what the sides of inputs and outputs are called, by their new names: a text for a side of any length.
        defaults: values of inputs, by their new names, that need not be given.
        name: of the graph.
        description: a sentence for people.
        metadata: texts by keys, kept in the file.

    Raises:
        MissingExtraError: if onnx is not installed.
        ValueError: if the model has an operation that is not known here.
    """
    onnx = load_onnx()
    writer = _Writer(onnx, dict(ports or {}))
    for operation in model.get_ordered_ops():
        _write(writer, operation)
    sides = dict(dimensions or {})
    helper = onnx.helper

    def port(value: str, rank: int) -> Any:
        return helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, list(sides.get(value, (None,) * rank)))

    graph = helper.make_graph(
        writer.nodes,
        name,
        [port(value, rank) for value, rank in writer.inputs],
        [port(value, rank) for value, rank in writer.outputs],
        [*writer.weights, *(onnx.numpy_helper.from_array(array, value) for value, array in (defaults or {}).items())],
        doc_string=description,
    )
    written = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="likeness",
        doc_string=description,
    )
    helper.set_model_props(written, dict(metadata or {}))
    return written


class _Writer:
    """Collects nodes and weights, operation by operation in topological order."""

    def __init__(self, onnx: Any, ports: dict[str, str]) -> None:
        self._onnx = onnx
        self._ports = ports
        self._names: dict[tuple[str, int], str] = {}
        """Names of values by the operation that makes them, and its output."""
        self._arrays: dict[str, NDArray[Any]] = {}
        """Constants by the operation that holds them; one is written when it is first used."""
        self._written: dict[str, str] = {}
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[tuple[str, int]] = []
        """Names and ranks."""
        self.outputs: list[tuple[str, int]] = []

    def hold(self, operation: Any) -> None:
        """Keep a constant for the operations that use it."""
        self._arrays[operation.get_name()] = np.array(operation.data)

    def input(self, operation: Any) -> None:
        name = str(operation.output(0).any_name)
        value = self._ports.get(name, name)
        self._names[operation.get_name(), 0] = value
        self.inputs.append((value, _rank(operation)))

    def output(self, operation: Any) -> None:
        name = str(operation.output(0).any_name)
        value = self._ports.get(name, name)
        self.outputs.append((value, _rank(operation)))
        self.emit("Identity", [self.value(operation, 0)], [value])

    def node(self, operation: Any, kind: str, inputs: list[str], **attributes: Any) -> None:  # of ONNX, by their names
        """Write an operation as one node."""
        outputs = [self.fresh(index) for index in range(operation.get_output_size())]
        for index, value in enumerate(outputs):
            self._names[operation.get_name(), index] = value
        self.emit(kind, inputs, outputs, **attributes)

    def emit(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:  # of ONNX
        """Write a node."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, outputs, name=name, **attributes))

    def fresh(self, index: int = 0) -> str:
        """A name for an output of the next node."""
        return f"value_{len(self.nodes)}_{index}"

    def values(self, operation: Any) -> list[str]:
        """The names of an operation's inputs."""
        return [self.value(operation, index) for index in range(operation.get_input_size())]

    def value(self, operation: Any, index: int) -> str:
        """The name of an input."""
        source = operation.input_value(index)
        key = str(source.get_node().get_name())
        if key not in self._arrays:
            return self._names[key, source.get_index()]
        if key not in self._written:
            self._written[key] = self.constant(self._arrays[key])
        return self._written[key]

    def constant(self, array: NDArray[Any]) -> str:
        """Write an array as a weight of the model; its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def array(self, operation: Any, index: int) -> NDArray[Any]:
        """An input that must be a constant.

        Raises:
            ValueError: if it is none.
        """
        key = str(operation.input_value(index).get_node().get_name())
        if key not in self._arrays:
            raise ValueError(f"input {index} of {operation.get_friendly_name()} is no constant")
        return self._arrays[key]


def _rank(operation: Any) -> int:
    return int(operation.get_output_partial_shape(0).rank.get_length())


def _write(writer: _Writer, operation: Any) -> None:
    kind = str(operation.get_type_name())
    if kind in _SAME:
        writer.node(operation, _SAME[kind], writer.values(operation))
    elif kind in _OTHER:
        _OTHER[kind](writer, operation)
    else:
        raise ValueError(f"the operation {kind} ({operation.get_friendly_name()}) has no form in ONNX here")


def _convolution(writer: _Writer, operation: Any) -> None:
    writer.node(operation, "Conv", writer.values(operation), group=1, **_sliding(operation))


def _group_convolution(writer: _Writer, operation: Any) -> None:
    inputs, groups = _grouped(writer, operation)
    writer.node(operation, "Conv", inputs, group=groups, **_sliding(operation))


def _transposed(writer: _Writer, operation: Any) -> None:
    writer.node(operation, "ConvTranspose", writer.values(operation), group=1, **_sliding(operation))


def _group_transposed(writer: _Writer, operation: Any) -> None:
    inputs, groups = _grouped(writer, operation)
    writer.node(operation, "ConvTranspose", inputs, group=groups, **_sliding(operation))


def _grouped(writer: _Writer, operation: Any) -> tuple[list[str], int]:
    """The inputs of a convolution in groups, whose kernel has a dimension for them in OpenVINO, and how many there are."""
    kernel = writer.array(operation, 1)
    return [writer.value(operation, 0), writer.constant(kernel.reshape(-1, *kernel.shape[2:]))], kernel.shape[0]


def _sliding(operation: Any) -> dict[str, list[int]]:
    """The attributes that all convolutions have."""
    attributes = operation.get_attributes()
    if str(attributes["auto_pad"]).lower() != "explicit" or any(attributes.get("output_padding", ())):
        raise ValueError(f"{operation.get_friendly_name()} pads in a way that not every runtime knows")
    return {
        "strides": [int(n) for n in attributes["strides"]],
        "dilations": [int(n) for n in attributes["dilations"]],
        "pads": [int(n) for n in [*attributes["pads_begin"], *attributes["pads_end"]]],
    }


def _leaky_relu(writer: _Writer, operation: Any) -> None:
    slope = writer.array(operation, 1)
    if slope.size == 1:
        writer.node(operation, "LeakyRelu", [writer.value(operation, 0)], alpha=float(slope.reshape(-1)[0]))
    else:
        per_channel = writer.constant(slope.reshape(-1, 1, 1))
        writer.node(operation, "PRelu", [writer.value(operation, 0), per_channel])


def _matrix_product(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    inputs = [
        writer.constant(writer.array(operation, index).T) if attributes[side] else writer.value(operation, index)
        for index, side in enumerate(("transpose_a", "transpose_b"))
    ]
    writer.node(operation, "MatMul", inputs)


def _reshape(writer: _Writer, operation: Any) -> None:
    sides = writer.array(operation, 1)
    if not operation.get_attributes()["special_zero"] and 0 in sides:
        raise ValueError(f"{operation.get_friendly_name()} makes an empty array")
    writer.node(operation, "Reshape", writer.values(operation))


def _concat(writer: _Writer, operation: Any) -> None:
    writer.node(operation, "Concat", writer.values(operation), axis=int(operation.get_attributes()["axis"]))


def _split(writer: _Writer, operation: Any) -> None:
    writer.node(operation, "Split", [writer.value(operation, 0)], axis=int(writer.array(operation, 1)))


def _mean(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    writer.node(
        operation,
        "ReduceMean",
        [writer.value(operation, 0)],
        axes=[int(axis) for axis in writer.array(operation, 1).reshape(-1)],
        keepdims=int(attributes["keep_dims"]),
    )


def _gather(writer: _Writer, operation: Any) -> None:
    axis = int(writer.array(operation, 2).reshape(-1)[0])
    writer.node(operation, "Gather", writer.values(operation)[:2], axis=axis)


def _pad(writer: _Writer, operation: Any) -> None:
    mode = str(operation.get_attributes()["pad_mode"]).lower()
    if mode not in ("edge", "reflect"):
        raise ValueError(f"{operation.get_friendly_name()} pads in the mode {mode}")
    data, begin, end = writer.values(operation)[:3]
    pads = writer.fresh()
    writer.emit("Concat", [begin, end], [pads], axis=0)
    writer.node(operation, "Pad", [data, pads], mode=mode)


def _slice(writer: _Writer, operation: Any) -> None:
    data, begin, end, steps, axes = writer.values(operation)
    writer.node(operation, "Slice", [data, begin, end, axes, steps])


def _interpolate(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    mode, places, rounding = (
        str(attributes[key]).lower() for key in ("mode", "coordinate_transformation_mode", "nearest_mode")
    )
    said = (mode, places, rounding)
    if said not in _WAYS:
        raise ValueError(
            f"{operation.get_friendly_name()} interpolates in another way than by repetition or bilinearly"
        )
    axes, factors = writer.array(operation, 2), writer.array(operation, 1)
    if str(attributes["shape_calculation_mode"]).lower() == "sizes":
        # Of sides that are known beforehand: the batch, which is not, could not be named by its size.
        factors = factors / [operation.get_input_partial_shape(0)[int(axis)].get_length() for axis in axes]
    scales = np.ones(4, np.float32)
    scales[axes] = factors
    writer.node(
        operation,
        "Resize",
        [writer.value(operation, 0), "", writer.constant(scales)],
        mode=_WAYS[said],
        coordinate_transformation_mode=places,
        nearest_mode=rounding if mode == "nearest" else "floor",
    )


_WAYS: Mapping[tuple[str, str, str], str] = {
    ("nearest", "asymmetric", "floor"): "nearest",
    ("linear_onnx", "half_pixel", "floor"): "linear",
    ("linear_onnx", "half_pixel", "round_prefer_floor"): "linear",
    ("linear", "half_pixel", "round_prefer_floor"): "linear",
}
"""ONNX's name of a way to interpolate, by OpenVINO's mode, places of pixels, and rounding."""


def _mean_of_windows(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    if any([*attributes["pads_begin"], *attributes["pads_end"]]):
        raise ValueError(f"{operation.get_friendly_name()} has pixels beyond the border in its means")
    shape = {"kernel_shape": attributes["kernel"], "strides": attributes["strides"]}
    whole = {key: [int(side) for side in sides] for key, sides in shape.items()}
    writer.node(operation, "AveragePool", [writer.value(operation, 0)], **whole)


def _depth_to_space(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    _check_depth_first(operation)
    writer.node(
        operation, "DepthToSpace", writer.values(operation), blocksize=int(attributes["block_size"]), mode="CRD"
    )


def _space_to_depth(writer: _Writer, operation: Any) -> None:
    """ONNX knows the other order of channels only; a convolution with ones and zeros gives this one, exactly."""
    _check_depth_first(operation)
    block = int(operation.get_attributes()["block_size"])
    channels = int(operation.get_input_partial_shape(0)[1].get_length())
    kernel = np.tile(np.eye(block**2, dtype=np.float32).reshape(-1, 1, block, block), (channels, 1, 1, 1))
    writer.node(
        operation,
        "Conv",
        [writer.value(operation, 0), writer.constant(kernel)],
        group=channels,
        strides=[block, block],
        pads=[0, 0, 0, 0],
    )


def _check_depth_first(operation: Any) -> None:
    if str(operation.get_attributes()["mode"]).lower() != "depth_first":
        raise ValueError(f"{operation.get_friendly_name()} has its channels in another order")


def _unit_length(writer: _Writer, operation: Any) -> None:
    attributes = operation.get_attributes()
    data, axes = writer.value(operation, 0), [int(axis) for axis in writer.array(operation, 1).reshape(-1)]
    square = writer.fresh()
    writer.emit("ReduceSumSquare", [data], [square], axes=axes, keepdims=1)
    least, bounded = writer.constant(np.array(attributes["eps"], np.float32)), writer.fresh()
    writer.emit("Max" if str(attributes["eps_mode"]).lower() == "max" else "Add", [square, least], [bounded])
    length = writer.fresh()
    writer.emit("Sqrt", [bounded], [length])
    writer.node(operation, "Div", [data, length])


def _swish(writer: _Writer, operation: Any) -> None:
    if operation.get_input_size() > 1 and float(writer.array(operation, 1)) != 1:
        raise ValueError(f"{operation.get_friendly_name()} has a slope of its own")
    data, share = writer.value(operation, 0), writer.fresh()
    writer.emit("Sigmoid", [data], [share])
    writer.node(operation, "Mul", [data, share])


def _remainder(writer: _Writer, operation: Any) -> None:
    writer.node(operation, "Mod", writer.values(operation), fmod=0)


_SAME: Mapping[str, str] = {
    "Add": "Add",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Divide": "Div",
    "Maximum": "Max",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Sqrt": "Sqrt",
    "Unsqueeze": "Unsqueeze",
    "ShapeOf": "Shape",
}
"""Operations with the same inputs, and no attributes that matter."""

_OTHER: Mapping[str, Callable[[_Writer, Any], None]] = {
    "Constant": _Writer.hold,
    "Parameter": _Writer.input,
    "Result": _Writer.output,
    "Convolution": _convolution,
    "GroupConvolution": _group_convolution,
    "ConvolutionBackpropData": _transposed,
    "GroupConvolutionBackpropData": _group_transposed,
    "PRelu": _leaky_relu,
    "MatMul": _matrix_product,
    "Reshape": _reshape,
    "Concat": _concat,
    "Split": _split,
    "ReduceMean": _mean,
    "Gather": _gather,
    "Pad": _pad,
    "Slice": _slice,
    "Interpolate": _interpolate,
    "AvgPool": _mean_of_windows,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "NormalizeL2": _unit_length,
    "Swish": _swish,
    "FloorMod": _remainder,
}
"""The others."""
