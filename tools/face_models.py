"""Makes the detectors' networks (src/likeness/faces/models) from MediaPipe's: `python tools/face_models.py`.

MediaPipe's wheel holds them as TFLite files. Here they become OpenVINO graphs of the same function and the same weights
(float16, as they are there):

- `far`, the full-range box detector, loses the shapes that tie it to 192 x 192: it takes any multiple of 32, and its cells
  keep their places (one anchor every 4 px).
- `near`, the short-range one, keeps its 128 x 128.
- `mesh` and `attention`, the face mesh with attention: OpenVINO knows none of the three operations between its two halves
  (a crop of the feature map about each eye and the lips), so the halves are networks of their own, and
  `likeness.faces.mesh` does what lies between.
- `person`, the selfie segmentation, ends in an operation that OpenVINO does not know either, a transposed convolution. It
  hands out three of its inner maps as well, which `parts` reads, a network of our own (`tools/face_parts`).

It needs MediaPipe, which Likeness itself does not: `pip install mediapipe==0.10.21` into an environment of its own, together
with Likeness. It writes `tests/data/mediapipe.npz` as well: what MediaPipe itself makes of the tests' portrait, to which the
converted networks are held.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness import read_image
from likeness.compute.library import load_openvino

openvino = load_openvino()
op = openvino.opset13

ROOT = Path(__file__).resolve().parents[1]
OUT, TESTS = ROOT / "src" / "likeness" / "faces" / "models", ROOT / "tests" / "data"

_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
_PADDING = {0: "same_upper", 1: "valid"}


def main() -> None:
    import mediapipe

    modules = Path(str(mediapipe.__file__)).parent / "modules"
    mesh, attention = face_mesh(modules / "face_landmark" / "face_landmark_with_attention.tflite")
    networks = {
        "far": far(modules / "face_detection" / "face_detection_full_range_sparse.tflite"),
        "near": near(modules / "face_detection" / "face_detection_short_range.tflite"),
        "mesh": mesh,
        "attention": attention,
        "person": with_maps(person(modules / "selfie_segmentation" / "selfie_segmentation.tflite")),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        _fold_constants(network)
        openvino.save_model(network, OUT / f"{name}.xml", compress_to_fp16=True)
        print(f"{name}: {sum((OUT / f'{name}{suffix}').stat().st_size for suffix in ('.xml', '.bin')) / 1e6:.1f} MB")
    write_reference()


def write_reference() -> None:
    """MediaPipe's own mesh and mask of the tests' picture."""
    from mediapipe.python.solutions.face_mesh import FaceMesh
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    picture = read_image(TESTS / "astronaut.jpg").to_uint8()
    crop = picture[0:180, 30:210]
    with FaceMesh(static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.2) as model:
        (face,) = model.process(crop).multi_face_landmarks
    side = crop.shape[0]
    points = np.array([(p.x * side - 0.5, p.y * side - 0.5, p.z * side) for p in face.landmark], np.float32)
    with SelfieSegmentation(model_selection=0) as model:
        mask = np.array(model.process(picture).segmentation_mask)
    np.savez_compressed(TESTS / "mediapipe.npz", mesh=points, mask=np.rint(mask * 255).astype(np.uint8))


def far(path: Path) -> Any:
    """Samples N x 3 x H x W in [-1, 1] to scores N x 1 x H/4 x W/4 (logits) and boxes N x 16 x H/4 x W/4 (px)."""
    network = openvino.Core().read_model(path)
    for node in network.get_ordered_ops():
        if node.get_type_name() == "Interpolate":  # enlarges to a fixed size, always by 2
            node.output(0).replace(_doubled(node.input(0).get_source_output(), axes=[1, 2]).output(0))
    samples = _channels_first(network, [1, 3, 192, 192])
    results: list[Any] = []
    for result in network.get_results():
        node = result
        # The last transposition and reshape would put all cells into one row.
        while node.get_type_name() in ("Result", "Reshape", "Transpose"):
            node = node.input(0).get_source_output().get_node()
        output = node.output(0)
        results.append(_named(output, "scores" if output.shape[1] == 1 else "boxes"))
    return openvino.Model(results, [samples], "far")


def near(path: Path) -> Any:
    """Samples 1 x 3 x 128 x 128 in [-1, 1] to scores 1 x 896 x 1 (logits) and boxes 1 x 896 x 16 (px)."""
    network = openvino.Core().read_model(path)
    samples = _channels_first(network, [1, 3, 128, 128])
    outputs = [result.input(0).get_source_output() for result in network.get_results()]
    return openvino.Model(
        [_named(output, "scores" if output.shape[2] == 1 else "boxes") for output in outputs], [samples], "near"
    )


def face_mesh(path: Path) -> tuple[Any, Any]:
    """The two halves of the face mesh.

    mesh: samples 1 x 3 x 192 x 192 in [0, 1] to mesh 1 x 1404 x 1 x 1 (468 points, px), flag 1 x 1 x 1 x 1 (logit) and
    features 1 x 32 x 48 x 48; attention: lips, left_eye, right_eye (1 x 32 x 16 x 16 each) to points of their crops, px.
    """
    reader = _TensorFlowLite(path)
    samples = reader.feed(reader.inputs[0], "samples", [1, 3, 192, 192])
    crops = [node for node in reader.operators if node.name == "TransformTensorBilinear"]
    parts = [reader.feed(node.output, name, [1, 32, 16, 16]) for node, name in zip(crops, _CROPS, strict=True)]
    reader.translate()
    first = {
        "mesh": reader.source_of("reshape"),
        "flag": reader.tensor("conv_faceflag"),
        "features": crops[0].inputs[0],
    }
    second = {name: reader.source_of(reshape) for name, reshape in _REFINED.items()}
    return (
        openvino.Model([_named(reader.values[t], name) for name, t in first.items()], [samples], "mesh"),
        openvino.Model([_named(reader.values[t], name) for name, t in second.items()], parts, "attention"),
    )


def person(path: Path) -> Any:
    """Samples 1 x 3 x 256 x 256 in [0, 1] to mask 1 x 1 x 256 x 256 in [0, 1]."""
    reader = _TensorFlowLite(path)
    samples = reader.feed(reader.inputs[0], "samples", [1, 3, 256, 256])
    reader.translate()
    return openvino.Model([_named(reader.values[reader.operators[-1].output], "mask")], [samples], "person")


_CROPS = ("lips", "left_eye", "right_eye")
_REFINED = {
    "lip_points": "reshape_1",
    "left_eye_points": "reshape_3",
    "left_iris_points": "reshape_4",
    "right_eye_points": "reshape_6",
    "right_iris_points": "reshape_7",
}
"""Outputs of the second half, and the reshape that each is the source of."""


class _Operator:
    """One operator of a TFLite file, with numbers of its tensors."""

    def __init__(self, name: str, operator: Any) -> None:
        self.name = name
        self.inputs = [int(i) for i in operator.inputs]
        self.output = int(operator.outputs[0])
        self.options = operator.builtinOptions


class _TensorFlowLite:
    """Translates the operators of a TFLite file, channels last, to OpenVINO's, channels first."""

    def __init__(self, path: Path) -> None:
        from mediapipe.tasks.metadata import schema_py_generated as schema

        self._file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
        self._graph = self._file.subgraphs[0]
        names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        self.inputs = [int(i) for i in self._graph.inputs]
        self.operators: list[_Operator] = []
        for operator in self._graph.operators:
            code = self._file.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            custom = code.customCode.decode() if code.customCode else ""
            self.operators.append(_Operator(custom or names[number], operator))
        self.values: dict[int, Any] = {}

    def feed(self, tensor: int, name: str, shape: list[int]) -> Any:
        """Make a tensor an input of the translated graph."""
        parameter = op.parameter(shape, np.float32, name=name)
        parameter.output(0).set_names({name})
        self.values[tensor] = parameter.output(0)
        return parameter

    def tensor(self, name: str) -> int:
        return next(i for i, tensor in enumerate(self._graph.tensors) if tensor.name.decode() == name)

    def source_of(self, reshape: str) -> int:
        """What a reshape of that name takes in."""
        output = self.tensor(reshape)
        return next(node.inputs[0] for node in self.operators if node.output == output)

    def translate(self) -> None:
        """Everything whose inputs are known."""
        for node in self.operators:
            if node.output not in self.values and all(self._known(i) for i in node.inputs):
                made = self._translated(node)
                if made is not None:
                    self.values[node.output] = made if isinstance(made, np.ndarray) else made.output(0)

    def _translated(self, node: _Operator) -> Any:
        values, options = [self._value(i) for i in node.inputs], node.options
        if getattr(options, "fusedActivationFunction", 0):
            raise ValueError(f"{node.name}: an activation within it is not translated")
        if node.name == "DEQUANTIZE":
            return values[0].astype(np.float32)
        if node.name == "CONV_2D":
            strides = [options.strideH, options.strideW]
            weight = op.constant(np.ascontiguousarray(values[1].transpose(0, 3, 1, 2)))
            y = op.convolution(values[0], weight, strides, [0, 0], [0, 0], [1, 1], _PADDING[options.padding])
            return op.add(y, op.constant(values[2].reshape(1, -1, 1, 1)))
        if node.name == "DEPTHWISE_CONV_2D":
            strides = [options.strideH, options.strideW]
            weight = op.constant(np.ascontiguousarray(values[1].transpose(3, 0, 1, 2))[:, None])
            y = op.group_convolution(values[0], weight, strides, [0, 0], [0, 0], [1, 1], _PADDING[options.padding])
            return op.add(y, op.constant(values[2].reshape(1, -1, 1, 1)))
        if node.name == "PRELU":
            return op.prelu(values[0], op.constant(values[1].reshape(-1)))
        if node.name == "ADD":
            return op.add(values[0], values[1])
        if node.name == "MUL":
            return op.multiply(values[0], values[1])
        if node.name == "RELU":
            return op.relu(values[0])
        if node.name == "HARD_SWISH":
            return op.hswish(values[0])
        if node.name == "LOGISTIC":
            return op.sigmoid(values[0])
        if node.name == "AVERAGE_POOL_2D":  # over the whole map, in this file
            return op.reduce_mean(values[0], op.constant(np.array([2, 3])), True)
        if node.name == "RESIZE_BILINEAR":
            return _doubled(values[0], axes=[2, 3])
        if node.name == "Convolution2DTransposeBias":
            weight = op.constant(np.ascontiguousarray(values[1].transpose(3, 0, 1, 2)))
            y = op.convolution_backprop_data(values[0], weight, [2, 2], None, [0, 0], [0, 0], [1, 1])
            return op.add(y, op.constant(values[2].reshape(1, -1, 1, 1)))
        if node.name == "MAX_POOL_2D":
            return op.max_pool(values[0], [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], auto_pad="valid")
        if node.name == "PAD":
            before, after = values[1][[0, 3, 1, 2]].astype(np.int64).T
            zero = op.constant(np.float32(0))
            return op.pad(values[0], op.constant(before.copy()), op.constant(after.copy()), "constant", zero)
        return None  # belongs to what lies between the halves

    def _known(self, tensor: int) -> bool:
        return tensor in self.values or self._constant(tensor) is not None

    def _value(self, tensor: int) -> Any:
        return self.values[tensor] if tensor in self.values else self._constant(tensor)

    def _constant(self, tensor: int) -> NDArray[Any] | None:
        entry = self._graph.tensors[tensor]
        content = self._file.buffers[entry.buffer].data
        return None if content is None else np.frombuffer(bytes(content), _TYPES[entry.type]).reshape(entry.shape)


_MAPS = {
    "coarse": (("Multiply", [1, 128, 16, 16]), ("Add", [1, 32, 16, 16])),
    "middle": (("Add", [1, 24, 32, 32]), ("HSwish", [1, 96, 32, 32])),
    "fine": (("Add", [1, 16, 64, 64]), ("Relu", [1, 72, 64, 64])),
}
"""What the person network's inner maps are made of: the last operation of each kind and shape."""


def with_maps(network: Any) -> Any:
    """The person network with its inner maps as outputs."""
    results = [_named(result.input(0).get_source_output(), "mask") for result in network.get_results()]
    for name, sources in _MAPS.items():
        ends = [
            [
                node.output(0)
                for node in network.get_ordered_ops()
                if node.get_type_name() == kind and node.output(0).partial_shape == openvino.PartialShape(shape)
            ][-1]
            for kind, shape in sources
        ]
        results.append(_named(op.concat(ends, 1).output(0), name))
    return openvino.Model(results, network.get_parameters(), "person")


def _doubled(x: Any, *, axes: list[int]) -> Any:
    scales = op.constant(np.array([2, 2], np.float32))
    return op.interpolate(
        x,
        scales,
        "linear_onnx",
        "scales",
        axes=op.constant(np.array(axes, np.int32)),
        coordinate_transformation_mode="half_pixel",
    )


def _channels_first(network: Any, shape: list[int]) -> Any:
    """Replace the input, channels last, by one with channels first."""
    samples = op.parameter(shape, np.float32, name="samples")
    samples.output(0).set_names({"samples"})
    (old,) = network.get_parameters()
    old.output(0).replace(op.transpose(samples, op.constant(np.array([0, 2, 3, 1]))).output(0))
    return samples


def _named(output: Any, name: str) -> Any:
    output.get_tensor().set_names({name})
    return op.result(output)


def _fold_constants(network: Any) -> None:
    from openvino._offline_transformations import apply_moc_transformations

    apply_moc_transformations(network, cf=True)


if __name__ == "__main__":
    main()
