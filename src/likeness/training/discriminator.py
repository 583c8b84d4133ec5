"""The critic of the adversarial loss: a patch discriminator (Isola et al., "Image-to-Image Translation with Conditional
Adversarial Networks", 2017).

It sees the picture and, as further channels, its finest octave enlarged: what tells a restored face from a photograph is
texture of a hundredth of the range, which a critic that begins with the picture alone does not find in a thousand steps
(docs/training.md).

Its layers keep the variance of their input (He et al., "Delving Deep into Rectifiers", 2015). Spectral normalisation was
tried and dropped: it shrinks typical signals at every layer, and in the few thousand steps that a run on a CPU has, the
critic never learnt to tell anything (docs/training.md).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["PatchDiscriminator"]

_SLOPE = 0.2
_FINE_GAIN = 8.0
"""The finest octave of a sharp face, times this, is about as strong as the face."""


class PatchDiscriminator(nn.Module):
    """N x 3 x H x W in [-1, 1] to logits N x 1 x H/16 x W/16 (real is positive) and the hidden maps for feature matching."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (6, channels, 2 * channels, 4 * channels, 8 * channels)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.logits = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for layer in self.down:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
        nn.init.zeros_(self.logits.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        features: list[Tensor] = []
        fine = x - F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        x = torch.cat([x, _FINE_GAIN * fine], dim=1)
        for conv in self.down:
            x = F.leaky_relu_(conv(x), _SLOPE)
            features.append(x)
        return self.logits(x), tuple(features)
