"""Real-ESRGAN's compact network, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from likeness.models.architecture import Architecture, State
from likeness.models.srvgg.config import SrvggConfig, expected_shapes
from likeness.models.srvgg.graph import build

if TYPE_CHECKING:
    import torch

__all__ = ["SRVGG"]


def _detect(names: Collection[str]) -> bool:
    return {"body.0.weight", "body.1.weight", "body.2.weight"} <= set(names)


def _module(state: State, config: SrvggConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    import torch

    from likeness.models.srvgg.network import Srvgg

    network = Srvgg(config).requires_grad_(False)
    network.load_state_dict({key: torch.from_numpy(np.array(value, np.float32)) for key, value in state.items()})
    return network.eval().to(device, dtype)


SRVGG = Architecture(
    name="srvgg",
    title="Real-ESRGAN compact",
    config=SrvggConfig,
    detect=_detect,
    configure=SrvggConfig.from_shapes,
    shapes=expected_shapes,
    module=_module,
    graph=build,
)
