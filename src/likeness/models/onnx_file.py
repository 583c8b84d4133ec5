"""ONNX files with networks for faces, as others ship them: run as they are, not taken apart.

What such a file holds is known by its ports, by what it says of itself (files that `likeness.models.onnx_export` wrote),
by its name or by its bytes. That samples are RGB in [-1, 1] cannot be read from it: GPEN's, GFPGAN's and their like are so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.compute.library import load_openvino
from likeness.errors import CheckpointFormatError, ConfigError
from likeness.messages.notice import Notice
from likeness.models.architecture import Architecture, Shapes, State
from likeness.models.gpen.architecture import run_by_its_authors
from likeness.models.spec import FACE_PURPOSES, Authors, Spec

if TYPE_CHECKING:
    import openvino
    import torch

__all__ = ["ONNX", "OnnxConfig", "is_onnx", "metadata_of", "open_onnx"]

_LARGEST = 4096
"""Side of the largest faces that are taken, px."""

_RANGE = "-1 to 1"
"""What a file of ours says of the samples that it takes, if it is for faces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxConfig:
    """What is known of such a network.

    Attributes:
        size: side of the faces that it takes and gives, px.
        gpen: whether it is one of GPEN's, which their authors run in their own way.
    """

    size: int
    gpen: bool = False

    def __post_init__(self) -> None:
        if not 64 <= self.size <= _LARGEST:
            raise ValueError(f"size must be from 64 to {_LARGEST}, not {str(self.size)[:20]}")

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture="onnx",
            purpose="restore",
            config=self,
            title=Notice("network.onnx", {"size": self.size}),
            size=self.size,
            scale=1,
            value_range=(-1.0, 1.0),
            template="ffhq",
            # Of a network that is not known, nobody has measured what bfloat16 leaves of it.
            precision="bf16" if self.gpen else "f32",
        )


def is_onnx(start: bytes, path: Path) -> bool:
    """Whether a file is ONNX, by its first bytes (a protocol buffer whose first field is a small number) or its name."""
    return start[:1] == b"\x08" or path.suffix.casefold() == ".onnx"


def open_onnx(path: Path) -> openvino.Model:
    """The graph of a file, for one face: input and output 1 x 3 x S x S, float32.

    Raises:
        CheckpointFormatError: if it is no ONNX file, its weights lie elsewhere, or it takes or gives anything else.
    """
    library = load_openvino()
    model = _read(path)
    taken = [_face_side(port) for port in model.inputs]
    given = [(port, side) for port in model.outputs if (side := _face_side(port)) is not None]
    if len(taken) != 1 or taken[0] is None or [side for _, side in given] != taken:
        ports = {"takes": _listed(model.inputs), "gives": _listed(model.outputs)}
        raise CheckpointFormatError(Notice("onnx.ports", {"path": str(path), **ports}))
    if metadata_of(model).get("range", _RANGE) != _RANGE:
        raise CheckpointFormatError(Notice("onnx.range", {"path": str(path), "range": metadata_of(model)["range"]}))
    side = taken[0]
    if len(model.outputs) > 1:
        (answer,) = (port for port, _ in given)
        model = library.Model([library.opset13.result(answer.get_node().input_value(0))], model.get_parameters())
    if model.inputs[0].partial_shape.is_dynamic:
        model.reshape([1, 3, side, side])
    if model.outputs[0].partial_shape != library.PartialShape([1, 3, side, side]):
        ports = {"takes": _listed(model.inputs), "gives": _listed(model.outputs)}
        raise CheckpointFormatError(Notice("onnx.ports", {"path": str(path), **ports}))
    for port, name in ((model.inputs[0], "faces"), (model.outputs[0], "restored")):
        port.set_names({name})
    return model


def metadata_of(model: openvino.Model) -> Mapping[str, str]:
    """What the file says of itself, texts by keys."""
    information: Any = model.get_rt_info()
    if "framework" not in information:
        return {}
    keys = list(information["framework"])
    return {str(key): str(model.get_rt_info(["framework", key]).astype(str)) for key in keys}


def _read(path: Path) -> openvino.Model:
    # The reader of ONNX itself: OpenVINO's core would try all of its readers, and each would complain.
    load_openvino()
    from openvino.frontend import FrontEndManager

    reader: Any = FrontEndManager().load_by_framework("onnx")
    try:
        return reader.convert(reader.load(str(path)))
    except Exception as error:  # OpenVINO's have no common ancestor
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise CheckpointFormatError(
            Notice("onnx.unread", {"path": str(path), "why": lines[-1][:200] if lines else type(error).__name__})
        ) from error


def _face_side(port: Any) -> int | None:
    """The side of the faces at a port, N x 3 x S x S in float32 with N of 1 or any; None for another port."""
    shape = port.partial_shape
    if shape.rank.is_dynamic or shape.rank.get_length() != 4 or port.element_type.get_type_name() != "f32":
        return None
    count, *sides = shape
    if any(side.is_dynamic for side in sides) or not (count.is_dynamic or count.get_length() == 1):
        return None
    channels, height, width = (side.get_length() for side in sides)
    return height if channels == 3 and height == width and 64 <= height <= _LARGEST else None


def _listed(ports: Collection[Any]) -> str:
    return ", ".join(f"{port.partial_shape} {port.element_type.get_type_name()}" for port in ports) or "-"


def _never(_names: Collection[str]) -> bool:
    return False


def _no_tensors(_shapes: Shapes) -> OnnxConfig:
    raise ValueError("an ONNX network is not told by the names of tensors")


def _no_module(_state: State, config: OnnxConfig, _dtype: torch.dtype, _device: torch.device) -> torch.nn.Module:
    raise ConfigError(Notice("onnx.no-pytorch", {"title": config.spec.title}))


def _authors(config: OnnxConfig) -> Authors:
    return run_by_its_authors(config.size) if config.gpen else Authors()


ONNX = Architecture(
    name="onnx",
    title="ONNX",
    config=OnnxConfig,
    detect=_never,
    configure=_no_tensors,
    shapes=None,
    module=_no_module,
    graph=None,
    authors=_authors,
    shared_by=FACE_PURPOSES,
)
