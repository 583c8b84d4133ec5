"""Checkpoint files: the project's own (safetensors with the configuration inside), published .pth files, and ONNX files."""

from __future__ import annotations

import json
import math
import stat
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from likeness.errors import CheckpointError, CheckpointFormatError, FileWriteError
from likeness.messages.notice import Notice, Value, notice_of, reason_of
from likeness.models.architecture import Shapes, State
from likeness.models.catalog import CATALOG, entry_of_bytes, published_as, purpose_in_name
from likeness.models.onnx_file import OnnxConfig, is_onnx, metadata_of, open_onnx
from likeness.models.registry import architecture_of, as_published, check_shapes, named, recognise
from likeness.models.spec import PURPOSES, Authors, Purpose, Spec
from likeness.models.torch_files import TorchFile, TorchTensor, float32_of

__all__ = ["Checkpoint", "ModelInfo", "for_task", "read_checkpoint", "read_spec", "spec_for_task", "write_checkpoint"]

_FORMAT = "likeness-"
"""What a file of ours calls its format, before the architecture's name."""
_FORMAT_VERSION = 1
_FLOAT16_MAX = float(np.finfo(np.float16).max)

_HEADER_LIMIT = 8 << 20
"""Longest header of a safetensors file, bytes; a GPEN network takes under 40 kB, and a byte becomes ten in memory."""

_START = 64
"""Bytes by which a file's format is told."""

_LARGEST_SIDE = 2048
"""To which a whole photograph may be brought for a network, px."""

_FIELD_LIMIT = 4000
"""Most characters of what a file says about itself, field by field."""

_NESTED = ("g_ema", "params_ema", "params", "state_dict", "model", "generator", "g")
"""Where training programs put the network's state dict: ``g_ema`` is GPEN's, ``params_ema`` and ``params`` are ESRGAN's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a checkpoint says about itself.

    Attributes:
        name: the model's name.
        version: its version, or empty.
        licence: licence of the weights, an SPDX identifier or a sentence.
        licence_url: where to read it, or empty.
        description: one line, or empty.
        source: where the weights came from (a URL, a training run), or empty.
    """

    name: str
    version: str = ""
    licence: str = ""
    licence_url: str = ""
    description: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A network's weights with its description.

    Attributes:
        state: float32 arrays under today's names (`Architecture.rename`), exactly those that ``spec`` calls for.
        spec: the network.
        info: what the file says about itself; a .pth file says nothing.
        path: the file it was read from.
        kind: the file's format: "likeness" (safetensors with our metadata), "safetensors" (without), "torch" (.pth), "onnx"
            (which has no ``state`` and is only described).
        tells_task: whether the file, its name or its bytes tell what the network is for; without, ``spec`` has a guess
            (`for_task`).
    """

    state: State
    spec: Spec
    info: ModelInfo | None
    path: Path
    kind: Literal["likeness", "safetensors", "torch", "onnx"]
    tells_task: bool = True


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of any architecture, safetensors or .pth (bare or nested state dict), without torch.

    Nothing in the file is executed.

    Raises:
        CheckpointFormatError: if it is of no architecture of `likeness.models.registry`, damaged, or ONNX, whose weights are
            not taken out (`load_runtime` runs such a file as it is).
        CheckpointError: if it is missing or may not be read.
    """
    checkpoint = _read(path, load=True)
    for name, array in checkpoint.state.items():
        if not np.isfinite(array).all():
            raise CheckpointFormatError(Notice("checkpoint.infinite", {"path": str(path), "name": name}))
    return checkpoint


def read_spec(path: Path) -> Spec:
    """The description of a checkpoint's network, after its names and shapes were checked; reads no weights, so it is quick.

    Raises:
        CheckpointFormatError, CheckpointError: as `read_checkpoint`.
    """
    return _read(path, load=False).spec


def spec_for_task(path: Path, task: Purpose | None) -> Spec:
    """`read_spec`, for a file that is to run: see `for_task`."""
    return for_task(_read(path, load=False), task).spec


def for_task(checkpoint: Checkpoint, task: Purpose | None) -> Checkpoint:
    """A checkpoint as what it is to run for.

    Args:
        checkpoint: of which the weights need not be read.
        task: what it is wanted for; None for what it is.

    Raises:
        CheckpointFormatError: if nothing tells what it is for and ``task`` is None, or it is for something else.
    """
    spec, path = checkpoint.spec, checkpoint.path
    if not checkpoint.tells_task:
        if task is None:
            raise CheckpointFormatError(
                Notice(
                    "checkpoint.which-task",
                    {"path": str(path), "tasks": ", ".join(architecture_of(spec).shared_by)},
                )
            )
        return replace(checkpoint, spec=replace(spec, purpose=task), tells_task=True)
    if task is None or task == spec.purpose:
        return checkpoint
    values: dict[str, Value] = {"path": path.stem, "purpose": Notice(f"purpose.{spec.purpose}")}
    values |= {"wanted": Notice(f"purpose.{task}"), "task": task}
    known = ", ".join(name for name, entry in CATALOG.items() if entry.purpose == task)
    raise CheckpointFormatError(Notice("checkpoint.other-task", {**values, "known": known}))


def write_checkpoint(
    path: Path,
    state: State,
    spec: Spec,
    info: ModelInfo,
    *,
    dtype: Literal["float16", "float32"] = "float16",
) -> None:
    """Write the project's own format: safetensors with configuration and model information in its metadata.

    The file appears whole or not at all. float16 halves it; every weight of a GPEN network fits, in relative precision
    of 2^-11.

    Raises:
        CheckpointFormatError: if ``state`` is not what ``spec`` calls for, or holds a number that ``dtype`` cannot.
        CheckpointError: if the file cannot be written.
    """
    from safetensors.numpy import save

    from likeness.core.files import write_bytes_atomically

    check_shapes({name: array.shape for name, array in state.items()}, spec, "the state dict to be written")
    limit = _FLOAT16_MAX if dtype == "float16" else float(np.finfo(np.float32).max)
    arrays: dict[str, NDArray[Any]] = {}
    for name, array in state.items():
        if not bool(np.all(np.abs(array) <= limit)):  # not a number compares false as well
            raise CheckpointFormatError(
                Notice("checkpoint.no-number", {"name": name, "dtype": dtype, "path": str(path)})
            )
        arrays[name] = np.ascontiguousarray(array, dtype=dtype)
    metadata = {
        "format": f"{_FORMAT}{spec.architecture}",
        "format_version": str(_FORMAT_VERSION),
        "purpose": spec.purpose,
        "config": json.dumps(asdict(spec.config), sort_keys=True),
        "model": json.dumps(asdict(info), sort_keys=True),
    }
    if spec.authors != Authors():
        metadata["authors"] = json.dumps(asdict(spec.authors), sort_keys=True)
    try:
        write_bytes_atomically(save(arrays, metadata=metadata), path)
    except FileWriteError as error:
        raise CheckpointError(notice_of(error)) from error


def _read(path: Path, *, load: bool) -> Checkpoint:
    try:
        # Opening a pipe would wait for ever for somebody to write into it.
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise CheckpointError(Notice("checkpoint.no-file", {"path": str(path)}))
        with path.open("rb") as file:
            start = file.read(_START)
        if not start:
            raise CheckpointFormatError(Notice("checkpoint.empty", {"path": str(path)}))
        # safetensors opens with the length of a JSON object, then its brace.
        if start[8:9] == b"{":
            (length,) = struct.unpack("<Q", start[:8])
            if length > _HEADER_LIMIT:
                raise CheckpointFormatError(Notice("checkpoint.header", {"path": str(path), "length": length}))
            return _read_safetensors(path, load=load)
        _check_download(start, path)
        if is_onnx(start, path):
            if load:
                raise CheckpointFormatError(Notice("onnx.as-it-is", {"path": str(path)}))
            return _read_onnx(path)
        return _read_torch(path, load=load)
    except FileNotFoundError as error:
        raise CheckpointError(Notice("checkpoint.missing", {"path": str(path)})) from error
    except IsADirectoryError as error:
        raise CheckpointError(Notice("checkpoint.folder", {"path": str(path)})) from error
    except OSError as error:
        raise CheckpointError(Notice("checkpoint.unread", {"path": str(path), "reason": reason_of(error)})) from error


def _check_download(start: bytes, path: Path) -> None:
    """Refuse what often lies in the place of weights that were fetched: told by a file's first bytes."""
    if start.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise CheckpointFormatError(Notice("checkpoint.web-page", {"path": str(path)}))
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointFormatError(Notice("checkpoint.lfs-pointer", {"path": str(path)}))


def _read_safetensors(path: Path, *, load: bool) -> Checkpoint:
    import safetensors

    state: dict[str, NDArray[np.float32]] = {}
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            file: Any = opened  # its stub declares no methods
            metadata = cast("dict[str, str]", file.metadata() or {})
            slices = {str(name): file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            shapes = {name: tuple(int(side) for side in entry.get_shape()) for name, entry in slices.items()}
            stated, info = _parse_metadata(metadata, path)
            spec, names, tells = _identified(shapes, path, stated)
            for name, entry in slices.items():
                if entry.get_dtype() not in ("F16", "BF16", "F32", "F64"):
                    raise CheckpointFormatError(
                        Notice("checkpoint.dtype", {"path": str(path), "name": name, "dtype": entry.get_dtype()})
                    )
                if load and entry.get_dtype() != "BF16":
                    state[names[name]] = np.ascontiguousarray(file.get_tensor(name), dtype=np.float32)
            if load and len(state) < len(slices):
                state |= {names[name]: array for name, array in _bfloat16_tensors(path).items()}
    except safetensors.SafetensorError as error:
        raise CheckpointFormatError(
            Notice("checkpoint.safetensors", {"path": str(path), "why": notice_of(error)})
        ) from error
    if info is None:
        return Checkpoint(state=state, spec=spec, info=None, path=path, kind="safetensors", tells_task=tells)
    return Checkpoint(state=state, spec=replace(spec, licence=info.licence), info=info, path=path, kind="likeness")


def _bfloat16_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors in bfloat16, which safetensors cannot hand to NumPy, of a file that it has opened and checked.

    The file: 8 bytes with the length of a JSON header, the header, and the samples, whose places count from there.
    """
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
        tensors: dict[str, NDArray[np.float32]] = {}
        for name, entry in header.items():
            if entry.get("dtype") == "BF16":
                begin, end = entry["data_offsets"]
                stream.seek(8 + length + begin)
                bits = np.frombuffer(stream.read(end - begin), "<u2")
                tensors[name] = float32_of(bits).reshape(entry["shape"])
    return tensors


def _identified(shapes: Shapes, path: Path, spec: Spec | None = None) -> tuple[Spec, dict[str, str], bool]:
    """The network that tensors belong to, today's name of every tensor, and whether it is known what the network is for.

    Raises:
        CheckpointFormatError: if there is none, or they are not all of its tensors and no others.
    """
    tells = True
    if spec is None:
        spec = recognise(shapes, str(path))
        known, purpose = published_as(path, spec), purpose_in_name(path)
        if known is not None:
            spec = known
        elif architecture_of(spec).shared_by:
            tells = purpose is not None
            spec = replace(spec, purpose=purpose or spec.purpose)
        if spec.architecture == "gpen":
            _check_name(path)
    rename = architecture_of(spec).rename
    names = {name: rename(name) for name in shapes}
    if len(set(names.values())) < len(names):
        raise CheckpointFormatError(Notice("checkpoint.twice", {"path": str(path)}))
    check_shapes({names[name]: shape for name, shape in shapes.items()}, spec, str(path))
    return spec, names, tells


def _check_name(path: Path) -> None:
    """Refuse GPEN's Seg2face: its tensors are a restorer's, but it takes drawings of labels; only the name tells."""
    if "seg2face" in path.stem.casefold():
        raise CheckpointFormatError(Notice("checkpoint.labels", {"path": str(path)}))


def _parse_metadata(metadata: Mapping[str, str], path: Path) -> tuple[Spec | None, ModelInfo | None]:
    """What a file of ours says of its network and of itself; nothing for another's.

    Raises:
        CheckpointFormatError: if a newer version wrote it, or it is damaged.
    """
    if not metadata.get("format", "").startswith(_FORMAT):
        return None, None
    architecture = named(metadata["format"].removeprefix(_FORMAT))
    if architecture is None:
        raise CheckpointFormatError(Notice("checkpoint.unknown-network", {"path": str(path)}))
    try:
        version = int(metadata["format_version"])
        if version > _FORMAT_VERSION:
            raise CheckpointFormatError(Notice("checkpoint.newer", {"path": str(path), "version": version}))
        config = json.loads(metadata["config"])
        model = json.loads(metadata["model"])
        known = ModelInfo.__dataclass_fields__
        kinds = get_type_hints(architecture.config)
        numbers = {
            field.name: kinds[field.name](config[field.name])
            for field in fields(architecture.config)
            if field.name in config
        }
        spec = architecture.config(**numbers).spec
        # Files of before there was a choice do not say.
        purpose = next(one for one in PURPOSES if one == metadata.get("purpose", spec.purpose))
        info = ModelInfo(**{key: _field(key, value) for key, value in model.items() if key in known})
        if "authors" in metadata:
            spec = replace(spec, authors=_authors(json.loads(metadata["authors"])))
        return replace(spec, purpose=purpose), info
    # A number may be infinite, and nested brackets end in a RecursionError.
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, StopIteration) as error:
        raise CheckpointFormatError(
            Notice("checkpoint.metadata", {"path": str(path), "why": str(error)[:200]})
        ) from error


def _authors(stated: Mapping[str, Any]) -> Authors:
    """What a file says of its authors' own way; raises ValueError or TypeError if it makes no sense."""
    from likeness.faces.align import TEMPLATES

    side = stated.get("side")
    authors = Authors(
        template=str(stated["template"]),
        strength=float(stated["strength"]),
        side=None if side is None else int(side),
    )
    if authors.template not in TEMPLATES or not 0 <= authors.strength <= 1:
        raise ValueError(f"its authors' template {authors.template[:20]} or strength {authors.strength} is none")
    if authors.side is not None and not 32 <= authors.side <= _LARGEST_SIDE:
        raise ValueError(f"its authors' side is from 32 to {_LARGEST_SIDE}, not {str(authors.side)[:20]}")
    return authors


def _field(key: str, value: object) -> str:
    if not isinstance(value, (str, int, float)) or len(str(value)) > _FIELD_LIMIT:
        raise ValueError(f"{key} is no text of up to {_FIELD_LIMIT:,} characters")
    return str(value)


def _read_onnx(path: Path) -> Checkpoint:
    """The description of an ONNX file: by what it says, by its name, or by its bytes."""
    model = open_onnx(path)
    said, name = metadata_of(model), path.stem.casefold()
    _check_name(path)
    size = int(model.inputs[0].shape[2])
    config = OnnxConfig(size=size, gpen="gpen" in name or said.get("format") == f"{_FORMAT}gpen")
    purpose = next((one for one in PURPOSES if one == said.get("purpose")), None) or purpose_in_name(path)
    if purpose is None and (entry := entry_of_bytes(path)) is not None and isinstance(entry.config, OnnxConfig):
        config, purpose = entry.config, entry.purpose
    spec = as_published(config)
    info = ModelInfo(name=said.get("name", path.stem), licence=said.get("licence", "")) if "format" in said else None
    spec = replace(spec, purpose=purpose or spec.purpose, licence="" if info is None else info.licence)
    return Checkpoint(state={}, spec=spec, info=info, path=path, kind="onnx", tells_task=purpose is not None)


def _read_torch(path: Path, *, load: bool) -> Checkpoint:
    with TorchFile(path) as file:
        tensors = _state_dict(file.root, path)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        spec, names, tells = _identified(shapes, path)
        # Tensors may share what the file holds: a small file must not become a large network. Bytes against elements.
        if sum(map(math.prod, shapes.values())) > path.stat().st_size:
            raise CheckpointFormatError(Notice("checkpoint.too-small", {"path": str(path)}))
        state = {names[name]: tensor.to_float32() for name, tensor in tensors.items()} if load else {}
    return Checkpoint(state=state, spec=spec, info=None, path=path, kind="torch", tells_task=tells)


def _state_dict(root: object, path: Path) -> dict[str, TorchTensor]:
    """The network's state dict in what a .pth file holds, without DataParallel's ``module.``."""
    levels: list[object] = [root]
    if isinstance(root, dict):
        outer = cast("dict[object, object]", root)
        levels = [*(outer[key] for key in _NESTED if key in outer), root]
    for level in levels:
        if not isinstance(level, dict):
            continue
        entries = cast("dict[object, object]", level)
        tensors = {str(name): value for name, value in entries.items() if isinstance(value, TorchTensor)}
        if tensors:
            if all(name.startswith("module.") for name in tensors):
                tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
            return tensors
    raise CheckpointFormatError(Notice("checkpoint.no-state", {"path": str(path)}))
