"""The network as the papers write it: every sample gets its own modulated weights. What the fast forms are compared with."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from likeness.models.gpen.network import Gpen
from likeness.models.gpen.ops import ModulatedConv

__all__ = ["make_naive"]


def make_naive(network: Gpen) -> Gpen:
    """Turn every modulated convolution of ``network`` into its plain form, in place; weights and function stay."""
    for module in network.modules():
        if type(module) is ModulatedConv:
            module.__class__ = _PerSampleConv
    return network


class _PerSampleConv(ModulatedConv):
    """Equations 1 and 3 of Karras et al. (StyleGAN2, 2020), with the samples of a batch as groups of one convolution."""

    def forward(self, x: Tensor, w: Tensor, bias: Tensor, *, gain: float = 1.0) -> Tensor:
        count, inputs, height, width = x.shape
        weight = self.weight * self.scale * self.modulation(w)[:, None, :, None, None]
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
        outputs, side = weight.shape[1], weight.shape[3]
        x = x.reshape(1, count * inputs, height, width)
        if self.blur is None:
            y = F.conv2d(x, weight.flatten(0, 1), padding=self.padding, groups=count)
        else:
            per_group = weight.transpose(1, 2).reshape(count * inputs, outputs, side, side)
            y = F.conv_transpose2d(x, per_group, stride=2, groups=count)
        y = y.reshape(count, outputs, *y.shape[2:])
        if self.blur is not None:
            y = self.blur(y)
        return y * gain + bias.view(1, -1, 1, 1)
