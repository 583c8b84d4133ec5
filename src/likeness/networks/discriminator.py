"""The critic of the adversarial loss: a patch discriminator (Isola et al., "Image-to-Image Translation with Conditional
Adversarial Networks", 2017).

Its layers keep the variance of their input (He et al., "Delving Deep into Rectifiers", 2015). Spectral normalisation was
tried and dropped: it shrinks typical signals at every layer, and in the few thousand steps that a run on a CPU has, the
critic never learnt to tell anything (docs/training.md).
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["PatchDiscriminator"]

_SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """N x 3 x H x W in [-1, 1] to logits N x 1 x H/16 x W/16 (real is positive) and the hidden maps for feature matching."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (3, channels, 2 * channels, 4 * channels, 8 * channels)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.logits = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for layer in self.down:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
        nn.init.zeros_(self.logits.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        features: list[Tensor] = []
        for conv in self.down:
            x = F.leaky_relu_(conv(x), _SLOPE)
            features.append(x)
        return self.logits(x), tuple(features)
