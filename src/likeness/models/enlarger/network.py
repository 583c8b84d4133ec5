"""The enlarger as a PyTorch module.

A trunk of residual blocks at the input's size (He et al., "Deep Residual Learning", 2016; without normalisation, as Lim et
al., EDSR, 2017) and, for each scale, one convolution to sub-pixels (Shi et al., ESPCN, 2016), added to the bicubic
enlargement. One more convolution tells the input's noise, as DnCNN does (Zhang et al., "Beyond a Gaussian denoiser", 2017);
to subtract it before the bicubic enlargement is to clean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.enlarger.architecture import (
    BICUBIC_REACH,
    FINE_REACH,
    INPUT_CHANNELS,
    SCALES,
    SLOPE,
    EnlargerConfig,
    bicubic_kernel,
    fine_kernel,
)

__all__ = ["Block", "Enlarger", "bicubic"]

_SECOND_GAIN = 0.3
"""Of a block's second convolution at the start: the blocks' sum keeps about the variance of its input."""
_HEAD_GAIN = 0.05
"""Of the convolutions to sub-pixels at the start, where the answer is near the bicubic one."""


class Block(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu_(self.first(x), SLOPE))


class Enlarger(nn.Module):
    """N x 3 x H x W RGB in [0, 1] to N x 3 x kH x kW, k being 2 or 4; may leave the range a little.

    He initialisation (He et al., 2015): with PyTorch's own the first thousand steps teach nothing.
    """

    def __init__(self, config: EnlargerConfig) -> None:
        super().__init__()
        self.config = config
        fine = torch.from_numpy(fine_kernel()).expand(3, 1, -1, -1)
        self.register_buffer("fine", fine.contiguous(), persistent=False)
        self.entry = nn.Conv2d(INPUT_CHANNELS, config.channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(config.channels) for _ in range(config.blocks))
        self.noise = nn.Conv2d(config.channels, 3, 3, padding=1)
        for scale in SCALES:
            self.add_module(f"to_{scale}x", nn.Conv2d(config.channels, 3 * scale**2, 3, padding=1))
            self.register_buffer(f"bicubic_{scale}x", torch.from_numpy(bicubic_kernel(scale)), persistent=False)
        gains = {"second": _SECOND_GAIN, "noise": _HEAD_GAIN, **{f"to_{scale}x": _HEAD_GAIN for scale in SCALES}}
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=1.0 if name == "entry" else SLOPE)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
                module.weight.data.mul_(gains.get(name.rpartition(".")[2], 1.0))

    def forward(self, x: Tensor, clean: Tensor, scale: int) -> Tensor:
        """Enlarge whole pictures; beyond their borders they go on as their outermost pixels.

        Args:
            x: N x 3 x H x W.
            clean: N numbers in [0, 1]: 0 keeps noise, grain and traces of coding, 1 removes them.
            scale: 2 or 4.
        """
        reach = self.config.reach
        faithful, noise = self.inner(F.pad(x, (reach,) * 4, mode="replicate"), scale)
        cut = reach * scale
        enlarged = faithful - self.smooth(clean.reshape(-1, 1, 1, 1) * noise, scale)
        return enlarged[:, :, cut:-cut, cut:-cut]

    def inner(self, x: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """The faithful enlargement (N x 3 x kH x kW) and the noise that ``x`` is held to have (N x 3 x H x W).

        With zeros beyond the borders: right from ``config.reach`` input pixels inside on, and cheaper.
        """
        fine = F.conv2d(x, self.get_buffer("fine"), padding=FINE_REACH, groups=3)
        maps = self.entry(torch.cat([x - 0.5, fine], dim=1).contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            maps = block(maps)
        maps = F.leaky_relu_(maps, SLOPE)
        details = F.pixel_shuffle(self.get_submodule(f"to_{scale}x")(maps), scale)
        return self.smooth(x, scale) + details, self.noise(maps)

    def smooth(self, x: Tensor, scale: int) -> Tensor:
        """Bicubic enlargement with zeros beyond the borders."""
        return F.pixel_shuffle(F.conv2d(x, self.get_buffer(f"bicubic_{scale}x"), padding=BICUBIC_REACH), scale)


def bicubic(x: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement (`bicubic_kernel`) of N x 3 x H x W, which goes on as its outermost pixels beyond the borders."""
    kernel = torch.from_numpy(bicubic_kernel(scale)).to(x)
    return F.pixel_shuffle(F.conv2d(F.pad(x, (BICUBIC_REACH,) * 4, mode="replicate"), kernel), scale)
