"""The finder of marks as a PyTorch module.

An encoder and decoder with a bridge at every level (Ronneberger et al., "U-Net", 2015), whose bridges are added and not laid
beside. Squares of 2 x 2 pixels are folded into channels first and unfolded last (Shi et al., ESPCN, 2016): a scratch one
pixel wide is kept, at a quarter of the work.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.marks.architecture import CLASSES, SLOPE, MarksConfig, first_kernel, upward

__all__ = ["MarksNetwork"]


class _Level(nn.Module):
    """A convolution into the level, and two beside the identity."""

    def __init__(self, enter: nn.Conv2d, width: int) -> None:
        super().__init__()
        self.enter = enter
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def refine(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)


class MarksNetwork(nn.Module):
    """N x 3 x H x W RGB in [0, 1], sides multiples of 16, to N x 2 x H x W: for each of `CLASSES` the logarithm of how
    likely a pixel is part of one against not (`sigmoid` makes it a probability)."""

    def __init__(self, config: MarksConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("kernel", torch.from_numpy(first_kernel()), persistent=False)
        widths = config.widths
        self.down = nn.ModuleList(
            _Level(
                nn.Conv2d(widths[level - 1], width, 3, stride=2, padding=1)
                if level
                else nn.Conv2d(16, width, 3, padding=1),
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
        self.head = nn.Conv2d(widths[0], 4 * len(CLASSES), 3, padding=1)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
                if name.endswith("second") or name == "head":
                    module.weight.data.mul_(0.3)
        # Most pixels are sound.
        nn.init.constant_(self.head.bias, -3.0)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        seen = F.conv2d(F.pad(x - 0.5, (3, 3, 3, 3), mode="replicate"), self.get_buffer("kernel"))
        maps = F.pixel_unshuffle(seen, 2).contiguous(memory_format=torch.channels_last)
        kept: list[Tensor] = []
        for level in self.down:
            maps = level.refine(F.leaky_relu(level.enter(maps), SLOPE))  # pyright: ignore[reportCallIssue, reportArgumentType]
            kept.append(maps)
        for index in upward():
            level = self.up[str(index)]
            maps = level.refine(kept[index] + F.pixel_shuffle(level.enter(maps), 2))  # pyright: ignore[reportCallIssue, reportArgumentType]
        return F.pixel_shuffle(self.head(maps), 2)
