"""ESRGAN, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from likeness.models.architecture import Architecture, State
from likeness.models.esrgan.config import EsrganConfig, expected_shapes, present_name
from likeness.models.esrgan.graph import build

if TYPE_CHECKING:
    import torch

__all__ = ["ESRGAN"]


def _detect(names: Collection[str]) -> bool:
    return any(present_name(name).startswith("body.0.rdb1.") for name in names)


def _module(state: State, config: EsrganConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    import torch

    from likeness.models.esrgan.network import Esrgan

    network = Esrgan(config).requires_grad_(False)
    network.load_state_dict({key: torch.from_numpy(np.array(value, np.float32)) for key, value in state.items()})
    return network.eval().to(device, dtype)


ESRGAN = Architecture(
    name="esrgan",
    title="ESRGAN",
    article="an",
    config=EsrganConfig,
    detect=_detect,
    configure=EsrganConfig.from_shapes,
    shapes=expected_shapes,
    module=_module,
    graph=build,
    rename=present_name,
)
