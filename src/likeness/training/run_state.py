"""The state of a run on disk: what a stopped run goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
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
    """Write settings, the number of pictures seen, and every part; the file appears whole or not at all.

    Raises:
        TrainingError: if it cannot be written, as on a full disk; what was saved before stays.
    """
    partial = path.with_suffix(".part")
    states = {name: part.state_dict() for name, part in parts.items()}
    try:
        torch.save({"config": dict(settings), "seen": seen, **states}, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # PyTorch's writer raises the latter
        partial.unlink(missing_ok=True)
        raise TrainingError(Notice("training.state-unwritten", {"path": str(path), "why": _why(error)})) from error


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
        TrainingError: if a fixed setting was another one, or the file is damaged, no such state, or of other networks.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        before, seen, own = state["config"], int(state["seen"]), {name: state[name] for name in parts}
        found = {key: before[key] for key in fixed}
    except (OSError, RuntimeError, EOFError, UnpicklingError, LookupError, TypeError, ValueError) as error:
        raise TrainingError(Notice("training.state-unread", {"path": str(path), "why": _why(error)})) from error
    for key in fixed:
        if found[key] != settings[key]:
            raise TrainingError(
                Notice(
                    "training.other-run",
                    {"path": str(path), "key": key, "found": found[key], "wanted": settings[key]},
                )
            )
    try:
        for name, part in parts.items():
            part.load_state_dict(own[name])
            if isinstance(part, torch.optim.Optimizer):
                _lay_out(part)
    except (RuntimeError, ValueError, LookupError) as error:  # of another network: its start was replaced, say
        raise TrainingError(Notice("training.state-unread", {"path": str(path), "why": _why(error)})) from error
    return seen


def _lay_out(optimiser: torch.optim.Optimizer) -> None:
    """Bring what an optimiser has kept of each parameter into the order in memory that the parameter has.

    Fused steps go over both in that order and look at no strides: moments of a run whose parameters lay otherwise would be
    applied to other weights, in silence.
    """
    for parameter, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                kept[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _why(error: Exception) -> str:
    """The first line of what PyTorch says; the others are of its own insides."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


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
