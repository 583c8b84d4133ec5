"""spandrel's networks for whole pictures with random weights that behave: statistics and norms as training leaves them."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["ddcolor", "lama"]


def lama(image: torch.Tensor, mask: torch.Tensor) -> Any:
    """LaMa, its statistics those of this image (1 x 3 x H x W in [0, 1]) and mask (1 x 1 x H x W)."""
    from spandrel.architectures.LaMa import LaMa  # pyright: ignore

    network: Any = LaMa(in_nc=4, out_nc=3)
    for _ in range(3):
        _take_statistics(network, image, mask)
    return network


def ddcolor(image: torch.Tensor) -> Any:
    """DDColor of the tiny kind, its norms and statistics those of this image (1 x 3 x H x W in [0, 1])."""
    from spandrel_extra_arches.architectures.DDColor import DDColor  # pyright: ignore

    network: Any = DDColor(
        encoder_name="convnext-t", num_output_channels=2, nf=512, last_norm="Spectral", num_queries=100
    )
    network.train()
    for part in network.modules():
        for hook in list(part._forward_pre_hooks.values()):
            for _ in range(20 * (type(hook).__name__ == "SpectralNorm")):
                hook(part, None)  # one step toward the largest singular value, as each step of training takes one
    with torch.no_grad():
        network.decoder.color_decoder.color_embed.layers[-1].weight *= 20  # colours that can be seen
    _take_statistics(network, image)
    return network


def _take_statistics(network: Any, *given: torch.Tensor) -> None:
    network.eval()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
            part.reset_running_stats()
            part.train()
    with torch.no_grad():
        network(*given)
    network.eval().requires_grad_(False)
