"""The finder of marks as a PyTorch module."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from likeness.models.marks.architecture import MarksConfig, first_kernel
from likeness.models.unet.network import Unet

__all__ = ["MarksNetwork"]


class MarksNetwork(Unet[MarksConfig]):
    """N x 3 x H x W RGB in [0, 1], sides multiples of 16, to N x 2 x H x W: for each of `CLASSES` the logarithm of how
    likely a pixel is part of one against not (`sigmoid` makes it a probability)."""

    def __init__(self, config: MarksConfig) -> None:
        super().__init__(config)
        self.register_buffer("kernel", torch.from_numpy(first_kernel()), persistent=False)
        # Most pixels are sound.
        nn.init.constant_(self.head.bias, -3.0)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        seen = F.conv2d(F.pad(x - 0.5, (3, 3, 3, 3), mode="replicate"), self.get_buffer("kernel"))
        return F.pixel_shuffle(self.head(self.maps(seen)), 2)
