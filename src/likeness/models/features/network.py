"""A network that draws a feature as a PyTorch module."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.features.architecture import CLOCK, FeaturesConfig

__all__ = ["FeatureNetwork"]

_GAIN = 0.2
"""Of a residual block's change, at first."""


class FeatureNetwork(nn.Module):
    """N x 9 x H x W (`PLANES`) and N x 16 (`clock`) to N x 3 x H x W, sides multiples of 2."""

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.config, widths = config, config.widths
        shapes = {name.removesuffix(".weight"): shape for name, shape in config.part_shapes().items()}

        def convolution(name: str, stride: int = 1) -> nn.Conv2d:
            out, into, side = shapes[name][:3]
            return nn.Conv2d(into, out, side, stride, side // 2)

        def blocks(level: int) -> nn.ModuleList:
            return nn.ModuleList(_Block(widths[level], config.memory) for _ in range(config.depths[level]))

        levels = range(len(widths) - 1)
        self.clock = nn.ModuleList(nn.Linear(into, config.memory) for into in (CLOCK, config.memory))
        self.stem = convolution("stem")
        self.down = nn.ModuleList(convolution(f"down.{level}", 2) for level in levels)
        self.encoder = nn.ModuleList(blocks(level) for level in range(len(widths)))
        self.up = nn.ModuleList(convolution(f"up.{level}") for level in levels)
        self.decoder = nn.ModuleList(blocks(level) for level in levels)
        self.thin = convolution("thin")
        self.fine = nn.ModuleList(convolution(f"fine.{layer}") for layer in range(2))
        self.head = convolution("head")
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def forward(self, planes: Tensor, clock: Tensor) -> Tensor:
        memory = clock
        for layer in self.clock:
            memory = F.silu(layer(memory))
        maps = self.stem(F.pixel_unshuffle(planes, 2))
        kept: list[Tensor] = []
        for level, blocks in enumerate(self.encoder):
            if level:
                kept.append(maps)
                maps = self.down[level - 1](maps)
            maps = _through(blocks, maps, memory)
        for level in range(len(kept) - 1, -1, -1):
            raised = F.interpolate(self.up[level](maps), size=kept[level].shape[-2:], mode="bilinear")
            maps = _through(self.decoder[level], kept[level] + raised, memory)
        found = F.interpolate(self.thin(_unit_power(maps)), scale_factor=2, mode="bilinear")
        fine = torch.cat([planes.to(found.dtype), found], 1)
        for layer in self.fine:
            fine = F.silu(layer(fine))
        return self.head(fine)


class _Block(nn.Module):
    """Two convolutions beside the identity, scaled and shifted by where on the path they are."""

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.tune = nn.Linear(memory, 2 * width)
        self.gain = nn.Parameter(torch.full((width, 1, 1), _GAIN))
        for convolution in (self.first, self.second):
            nn.init.kaiming_normal_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
        nn.init.zeros_(self.tune.weight)
        nn.init.zeros_(self.tune.bias)

    def forward(self, maps: Tensor, memory: Tensor) -> Tensor:
        scale, shift = self.tune(memory)[:, :, None, None].to(maps.dtype).chunk(2, 1)
        inner = self.first(_unit_power(maps) * (1 + scale) + shift)
        return maps + self.gain * self.second(F.silu(inner))


def _unit_power(maps: Tensor) -> Tensor:
    """Every place scaled to a mean square of 1 over its channels."""
    return maps * torch.rsqrt(maps.square().mean(1, keepdim=True) + 1e-4)


def _through(blocks: nn.Module, maps: Tensor, memory: Tensor) -> Tensor:
    for block in blocks.children():
        maps = block(maps, memory)
    return maps
