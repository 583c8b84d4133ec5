"""The judge of lent detail as a PyTorch module."""

from __future__ import annotations

from torch import Tensor

from likeness.models.lending.architecture import LendingConfig
from likeness.models.unet.network import Unet

__all__ = ["LendingNetwork"]


class LendingNetwork(Unet[LendingConfig]):
    """N x 8 x 256 x 256 (`PLANES`) to N x 2 x 128 x 128: for each of `BANDS` the logarithm of how likely what the other
    photograph shows there is nearer to the truth than not (`sigmoid` makes it a probability)."""

    def forward(self, planes: Tensor) -> Tensor:
        return self.head(self.maps(planes))
