"""Real-ESRGAN's compact network as a PyTorch module.

A row of 3 x 3 convolutions and PReLUs at the input's size (He et al., "Delving Deep into Rectifiers", 2015), sub-pixels at
the end (Shi et al., ESPCN, 2016), added to the input enlarged by its nearest pixels. Module names follow the published
checkpoints.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.srvgg.config import SrvggConfig

__all__ = ["Srvgg"]


class Srvgg(nn.Module):
    """N x 3 x H x W RGB float32 in [0, 1] to N x 3 x sH x sW float32, which may leave the range a little; any H and W."""

    def __init__(self, config: SrvggConfig) -> None:
        super().__init__()
        self.config = config
        width = config.features
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(config.convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * config.scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        dtype = next(self.parameters()).dtype
        details = F.pixel_shuffle(self.body(x.to(dtype)), self.config.scale).float()
        return details + F.interpolate(x, scale_factor=self.config.scale, mode="nearest")
