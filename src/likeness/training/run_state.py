"""The state of a run on disk: what a stopped run goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from likeness.core.files import write_bytes_atomically
from likeness.errors import TrainingError
from likeness.messages.notice import Notice

__all__ = ["Part", "arrays_of", "load_state", "read_networks", "save_state", "write_networks"]


def arrays_of(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """A state dict as arrays, for a file that is read without torch."""
    return {key: np.ascontiguousarray(value.float().cpu().numpy()) for key, value in state.items()}


class Part(Protocol):
    """A network or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


def save_state(path: Path, settings: Mapping[str, Any], seen: int, parts: Mapping[str, Part]) -> None:
    """Write settings, the number of pictures seen, and every part; the file appears whole or not at all."""
    partial = path.with_suffix(".part")
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"config": dict(settings), "seen": seen, **states}, partial)
    partial.replace(path)


def load_state(
    path: Path, settings: Mapping[str, Any], fixed: Sequence[str], parts: Mapping[str, Part], device: str
) -> int:
    """Read every part back, and return the number of pictures seen.

    Args:
        path: what `save_state` wrote.
        settings: the settings of the run that goes on.
        fixed: names of those that may not have changed.
        parts: by the names that they were saved under.
        device: where their tensors go.

    Raises:
        TrainingError: if a fixed setting was another one.
    """
    state = torch.load(path, map_location=device, weights_only=True)
    for key in fixed:
        if state["config"][key] != settings[key]:
            raise TrainingError(
                Notice(
                    "training.other-run",
                    {"path": str(path), "key": key, "found": state["config"][key], "wanted": settings[key]},
                )
            )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["seen"])


def write_networks(networks: Mapping[str, nn.Module], path: Path) -> None:
    """Write several networks as one safetensors file in float16; it appears whole or not at all."""
    state = {
        f"{name}.{key}": (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    write_bytes_atomically(save(state), path)


def read_networks(path: Path) -> dict[str, dict[str, Tensor]]:
    """The state of each network that `write_networks` wrote, by its name.

    Raises:
        OSError, SafetensorError: if the file is missing, or no such file.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for place, value in load_file(path).items():
        name, _, key = place.partition(".")
        found.setdefault(name, {})[key] = value.float()
    return found
