"""ESRGAN as a PyTorch module.

Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV workshops 2018: residual-in-residual
dense blocks without normalisation, then two nearest-neighbour upsamplings. Smaller scales fold the input's pixels into
channels first (Wang et al., "Real-ESRGAN", 2021). Module names follow the published checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.esrgan.config import DENSE_BLOCKS, DENSE_LAYERS, RESIDUAL, SLOPE, EsrganConfig

__all__ = ["Esrgan"]


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class _DenseBlock(nn.Module):
    """Convolutions that each see the block's input and the answers of all before them."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for layer in range(1, DENSE_LAYERS + 1):
            outputs = features if layer == DENSE_LAYERS else growth
            self.add_module(f"conv{layer}", _convolution(features + (layer - 1) * growth, outputs))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        *inner, last = self.children()
        for convolution in inner:
            maps.append(F.leaky_relu(convolution(torch.cat(maps, 1)), SLOPE))
        return x + RESIDUAL * last(torch.cat(maps, 1))


class _Block(nn.Module):
    """Residual-in-residual dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for dense in range(1, DENSE_BLOCKS + 1):
            self.add_module(f"rdb{dense}", _DenseBlock(features, growth))

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for block in self.children():
            inner = block(inner)
        return x + RESIDUAL * inner


class Esrgan(nn.Module):
    """N x 3 x H x W RGB float32 in [0, 1] to N x 3 x sH x sW float32, which may leave the range a little; any H and W.

    Where a side is no multiple of `EsrganConfig.folding`, the image goes on as its outermost pixels, and what that adds to
    the answer is cut off.
    """

    def __init__(self, config: EsrganConfig) -> None:
        super().__init__()
        self.config = config
        width = config.features
        self.conv_first = _convolution(3 * config.folding**2, width)
        self.body = nn.ModuleList(_Block(width, config.growth) for _ in range(config.blocks))
        self.conv_body = _convolution(width, width)
        self.conv_up1 = _convolution(width, width)
        self.conv_up2 = _convolution(width, width)
        self.conv_hr = _convolution(width, width)
        self.conv_last = _convolution(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        config = self.config
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % config.folding, 0, -height % config.folding), mode="replicate")
        x = F.pixel_unshuffle(x, config.folding).to(self.conv_first.weight.dtype)
        first = maps = self.conv_first(x)
        for block in self.body:
            maps = block(maps)
        maps = first + self.conv_body(maps)
        for convolution in (self.conv_up1, self.conv_up2):
            maps = F.leaky_relu(convolution(F.interpolate(maps, scale_factor=2, mode="nearest")), SLOPE)
        maps = self.conv_last(F.leaky_relu(self.conv_hr(maps), SLOPE))
        return maps[:, :, : height * config.scale, : width * config.scale].float()
