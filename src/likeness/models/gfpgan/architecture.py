"""GFPGAN, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from likeness.models.architecture import Architecture, State
from likeness.models.gfpgan.config import GfpganConfig, expected_shapes
from likeness.models.gfpgan.graph import build
from likeness.models.spandrel_adapter import run_by_spandrel

if TYPE_CHECKING:
    import torch

__all__ = ["GFPGAN"]


def _detect(names: Collection[str]) -> bool:
    return "toRGB.0.weight" in names and "stylegan_decoder.style_mlp.1.weight" in names


def _module(state: State, config: GfpganConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    def made(tensors: dict[str, torch.Tensor]) -> Any:
        import spandrel.architectures.GFPGAN  # pyright: ignore

        theirs = cast("Any", spandrel).architectures.GFPGAN
        network = theirs.GFPGAN(out_size=config.size, channel_multiplier=2, narrow=config.narrow)
        network.load_state_dict(tensors)
        return network

    def answer(network: torch.nn.Module, faces: torch.Tensor) -> torch.Tensor:
        # The file's own noise, not another one each time: the same face gets the same answer.
        return network(faces, return_rgb=False, randomize_noise=False)[0]

    return run_by_spandrel(state, made, "GFPGAN", answer, dtype, device)


GFPGAN = Architecture(
    name="gfpgan",
    title="GFPGAN",
    config=GfpganConfig,
    detect=_detect,
    configure=GfpganConfig.from_shapes,
    shapes=expected_shapes,
    module=_module,
    graph=build,
)
