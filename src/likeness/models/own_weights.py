"""Weights of networks of our own beside the restorer, as files: safetensors in float16 that say what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from likeness.core.files import write_bytes_atomically
from likeness.errors import CheckpointError, CheckpointFormatError, FileWriteError
from likeness.messages.notice import Notice, notice_of, reason_of

__all__ = ["OwnWeights", "WeightsFile", "refuse_other_shapes"]

_Config = TypeVar("_Config")

_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnWeights(Generic[_Config]):
    """A network's weights.

    Attributes:
        state: float32 arrays, those of the architecture's ``expected_shapes``.
        config: what they are the weights of.
        source: where they came from, one line, or empty.
    """

    state: Mapping[str, NDArray[np.float32]]
    config: _Config
    source: str = ""


def refuse_other_shapes(
    expected: Mapping[str, tuple[int, ...]], shapes: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Hold the names and shapes of a state dict to those of a network.

    Raises:
        ValueError: naming the first, in order of names, that is missing, unknown or another; ``what`` is "an enlarger".
    """
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != tuple(shapes.get(name, (-1,))):
            raise ValueError(f"{name} is missing, unknown or of a wrong shape for {what}")


@dataclass(frozen=True, kw_only=True)
class WeightsFile(Generic[_Config]):
    """How the weights of one kind of network are read and written.

    Attributes:
        packaged_name: of the network in the package.
        file_format: what the file says that it is.
        what: they are of, for messages: "enlarger".
        configure: the network's configuration from names and shapes; raises ValueError for another network's.
    """

    packaged_name: str
    file_format: str
    what: str
    configure: Callable[[Mapping[str, tuple[int, ...]]], _Config]

    def packaged(self) -> OwnWeights[_Config]:
        """Those in the package.

        Raises:
            CheckpointError: if the installation is damaged.
        """
        return self.read(Path(str(files("likeness") / "weights" / f"{self.packaged_name}.safetensors")))

    def read(self, path: Path) -> OwnWeights[_Config]:
        """Read weights.

        Raises:
            CheckpointFormatError: if they are another network's, or damaged.
            CheckpointError: if the file is missing or cannot be read.
        """
        import safetensors

        try:
            with safetensors.safe_open(path, framework="numpy") as opened:
                file: Any = opened  # its stub declares no methods
                metadata = cast("dict[str, str]", file.metadata() or {})
                names = [str(name) for name in file.keys()]  # noqa: SIM118 (not a mapping)
                state = {name: np.ascontiguousarray(file.get_tensor(name), dtype=np.float32) for name in names}
            config = self.configure({name: array.shape for name, array in state.items()})
        except (safetensors.SafetensorError, TypeError) as error:
            raise CheckpointFormatError(
                Notice("weights.safetensors", {"path": str(path), "why": notice_of(error)})
            ) from error
        except ValueError as error:
            raise CheckpointFormatError(
                Notice("weights.none", {"path": str(path), "what": self.what, "why": notice_of(error)})
            ) from error
        except OSError as error:
            raise CheckpointError(
                Notice("checkpoint.unread", {"path": str(path), "reason": reason_of(error)})
            ) from error
        for name, array in state.items():
            if not np.isfinite(array).all():
                raise CheckpointFormatError(Notice("weights.undefined", {"path": str(path), "name": name}))
        return OwnWeights(state=state, config=config, source=metadata.get("source", ""))

    def write(self, path: Path, weights: OwnWeights[_Config]) -> None:
        """Write weights in float16; the file appears whole or not at all.

        Raises:
            CheckpointFormatError: if a number does not fit float16.
            CheckpointError: if the file cannot be written.
        """
        from safetensors.numpy import save

        arrays: dict[str, NDArray[np.float16]] = {}
        for name, array in weights.state.items():
            if not bool(np.all(np.abs(array) <= _FLOAT16_MAX)):  # not a number compares false as well
                raise CheckpointFormatError(Notice("weights.no-number", {"name": name, "path": str(path)}))
            arrays[name] = np.ascontiguousarray(array, dtype=np.float16)
        try:
            write_bytes_atomically(save(arrays, metadata={"format": self.file_format, "source": weights.source}), path)
        except FileWriteError as error:
            raise CheckpointError(notice_of(error)) from error
