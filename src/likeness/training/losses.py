"""What training minimises. None of it needs a downloaded network."""

from __future__ import annotations

import torch
from torch import Tensor

from likeness.faces.align import FFHQ_TEMPLATE

__all__ = ["face_weights", "feature_distance", "gradient_l1", "weighted_l1"]


def face_weights(size: int, peak: float) -> Tensor:
    """1 x 1 x S x S weights with mean 1: ``peak`` at eyes and mouth, about half of it on the face, 1 outside.

    Aligned portraits have their features in known places (the FFHQ template), so no mesh is needed.
    """
    unit = size / 512
    down, across = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")

    def blob(x: float, y: float, sigma_x: float, sigma_y: float) -> Tensor:
        u = (across - x * unit) / (sigma_x * unit)
        v = (down - y * unit) / (sigma_y * unit)
        return torch.exp(-0.5 * (u * u + v * v))

    eyes = [blob(float(x), float(y), 40, 26) for x, y in FFHQ_TEMPLATE[:2]]
    mouth = (FFHQ_TEMPLATE[3] + FFHQ_TEMPLATE[4]) / 2
    features = torch.stack([*eyes, blob(float(mouth[0]), float(mouth[1]), 55, 28)]).amax(dim=0)
    face = blob(256, 290, 110, 140)
    weights = 1 + (peak - 1) * torch.maximum(features, 0.5 * face)
    return (weights / weights.mean())[None, None].float()


def weighted_l1(y: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference, weighted by place."""
    return ((y - target).abs() * weights).mean()


def gradient_l1(y: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference of differences to the right and lower neighbour: edges and texture rather than tone."""
    error = y - target
    across = (error[..., :, 1:] - error[..., :, :-1]).abs() * weights[..., :, 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
    return across.mean() + down.mean()


def feature_distance(fake: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> Tensor:
    """Mean absolute difference of the discriminator's hidden maps (Wang et al., pix2pixHD, 2018)."""
    distances = [(a.float() - b.detach().float()).abs().mean() for a, b in zip(fake, real, strict=True)]
    return torch.stack(distances).mean()
