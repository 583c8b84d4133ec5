"""A face embedding's weights as a file: safetensors that says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from likeness.core.files import write_bytes_atomically
from likeness.errors import CheckpointError, CheckpointFormatError, FileWriteError
from likeness.models.embedding.architecture import EmbeddingConfig

__all__ = ["EmbeddingWeights", "packaged_weights", "read_weights", "write_weights"]

_FORMAT = "likeness-embedding"
_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingWeights:
    """A face embedding's weights.

    Attributes:
        state: float32 arrays, those of `architecture.expected_shapes`.
        config: what they are the weights of.
        source: where they came from, one line, or empty.
    """

    state: Mapping[str, NDArray[np.float32]]
    config: EmbeddingConfig
    source: str = ""


def packaged_weights() -> EmbeddingWeights:
    """The face embedding in the package, `likeness-embed`.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    return read_weights(Path(str(files("likeness") / "weights" / "likeness-embed.safetensors")))


def read_weights(path: Path) -> EmbeddingWeights:
    """Read a face embedding's weights.

    Raises:
        CheckpointFormatError: if they are not a face embedding's, or damaged.
        CheckpointError: if the file is missing or cannot be read.
    """
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            file: Any = opened  # its stub declares no methods
            metadata = cast("dict[str, str]", file.metadata() or {})
            names = [str(name) for name in file.keys()]  # noqa: SIM118 (not a mapping)
            state = {name: np.ascontiguousarray(file.get_tensor(name), dtype=np.float32) for name in names}
        config = EmbeddingConfig.from_shapes({name: array.shape for name, array in state.items()})
    except (safetensors.SafetensorError, TypeError) as error:
        raise CheckpointFormatError(f"{path} is no readable safetensors file ({error}); fetch it again.") from error
    except ValueError as error:
        raise CheckpointFormatError(f"{path} holds no face embedding: {error}.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error}).") from error
    for name, array in state.items():
        if not np.isfinite(array).all():
            raise CheckpointFormatError(f"{path} is damaged or badly trained: {name} holds undefined numbers.")
    return EmbeddingWeights(state=state, config=config, source=metadata.get("source", ""))


def write_weights(path: Path, weights: EmbeddingWeights) -> None:
    """Write a face embedding's weights in float16; the file appears whole or not at all.

    Raises:
        CheckpointFormatError: if a number does not fit float16.
        CheckpointError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays: dict[str, NDArray[np.float16]] = {}
    for name, array in weights.state.items():
        if not bool(np.all(np.abs(array) <= _FLOAT16_MAX)):  # not a number compares false as well
            raise CheckpointFormatError(f"{name} holds a number that float16 cannot; nothing was written to {path}.")
        arrays[name] = np.ascontiguousarray(array, dtype=np.float16)
    try:
        write_bytes_atomically(save(arrays, metadata={"format": _FORMAT, "source": weights.source}), path)
    except FileWriteError as error:
        raise CheckpointError(str(error)) from error
