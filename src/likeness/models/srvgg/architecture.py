"""Real-ESRGAN's compact network, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from likeness.models.architecture import Architecture, State, for_inference
from likeness.models.srvgg.config import SrvggConfig, expected_shapes
from likeness.models.srvgg.graph import build

if TYPE_CHECKING:
    import torch

__all__ = ["SRVGG"]


def _detect(names: Collection[str]) -> bool:
    return {"body.0.weight", "body.1.weight", "body.2.weight"} <= set(names)


def _module(state: State, config: SrvggConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    from likeness.models.srvgg.network import Srvgg

    return for_inference(Srvgg(config), state, dtype, device)


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
