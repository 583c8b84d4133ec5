"""The encoder and decoder as a PyTorch module."""

from __future__ import annotations

from typing import Generic, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.unet.architecture import SLOPE, UnetConfig, upward

__all__ = ["Unet"]

_Config = TypeVar("_Config", bound=UnetConfig)


class _Level(nn.Module):
    """A convolution into the level, and two beside the identity."""

    def __init__(self, enter: nn.Conv2d, width: int) -> None:
        super().__init__()
        self.enter = enter
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def refine(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)


class Unet(nn.Module, Generic[_Config]):
    """N x inputs x H x W, sides multiples of 16, to N x widths[0] x H/2 x W/2 (`maps`), of which ``head`` makes answers."""

    def __init__(self, config: _Config) -> None:
        super().__init__()
        self.config, widths = config, config.widths
        self.down = nn.ModuleList(
            _Level(
                nn.Conv2d(widths[level - 1], width, 3, stride=2, padding=1)
                if level
                else nn.Conv2d(4 * config.inputs, width, 3, padding=1),
                width,
            )
            for level, width in enumerate(widths)
        )
        self.up = nn.ModuleDict(
            {
                str(level): _Level(nn.Conv2d(widths[level + 1], 4 * widths[level], 1), widths[level])
                for level in upward()
            }
        )
        self.head = nn.Conv2d(widths[0], config.outputs, 3, padding=1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
                if name.endswith("second") or name == "head":
                    module.weight.data.mul_(0.3)

    def maps(self, planes: Tensor) -> Tensor:
        """What is known of each 2 x 2 pixels."""
        maps = F.pixel_unshuffle(planes, 2).contiguous(memory_format=torch.channels_last)
        kept: list[Tensor] = []
        for level in self.down:
            maps = level.refine(F.leaky_relu(level.enter(maps), SLOPE))  # pyright: ignore[reportCallIssue, reportArgumentType]
            kept.append(maps)
        for index in upward():
            level = self.up[str(index)]
            maps = level.refine(kept[index] + F.pixel_shuffle(level.enter(maps), 2))  # pyright: ignore[reportCallIssue, reportArgumentType]
        return maps
