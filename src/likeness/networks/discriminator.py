"""The critic of the adversarial loss: a patch discriminator with spectral normalisation.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017), for judging patches; Miyato et
al., "Spectral Normalization for GANs" (2018), for keeping it in check without a gradient penalty.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["PatchDiscriminator"]


class PatchDiscriminator(nn.Module):
    """N x 3 x H x W in [-1, 1] to logits N x 1 x H/16 x W/16 (real is positive) and the hidden maps for feature matching."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (channels, 2 * channels, 4 * channels, 8 * channels)
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False))
            for a, b in zip(widths, widths[1:] + widths[-1:], strict=True)
        )
        self.last = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1, bias=False))
        self.logits = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = F.leaky_relu_(self.first(x), 0.2)
        features: list[Tensor] = []
        for conv in self.down:
            x = F.leaky_relu_(conv(x), 0.2)
            features.append(x)
        x = F.leaky_relu_(self.last(x), 0.2)
        return self.logits(x), tuple(features)
