"""ESRGAN, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from likeness.models.architecture import Architecture, State, for_inference
from likeness.models.esrgan.config import EsrganConfig, expected_shapes, present_name
from likeness.models.esrgan.graph import build

if TYPE_CHECKING:
    import torch

__all__ = ["ESRGAN"]


def _detect(names: Collection[str]) -> bool:
    return any(present_name(name).startswith("body.0.rdb1.") for name in names)


def _module(state: State, config: EsrganConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    from likeness.models.esrgan.network import Esrgan

    return for_inference(Esrgan(config), state, dtype, device)


ESRGAN = Architecture(
    name="esrgan",
    title="ESRGAN",
    config=EsrganConfig,
    detect=_detect,
    configure=EsrganConfig.from_shapes,
    shapes=expected_shapes,
    module=_module,
    graph=build,
    rename=present_name,
)
