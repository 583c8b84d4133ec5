"""What training minimises. None of it needs a downloaded network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from likeness.faces.align import FFHQ_TEMPLATE
from likeness.training.face_views import face_view
from likeness.training.identity import FaceEmbedding

__all__ = ["face_weights", "feature_distance", "gradient_l1", "identity_distance", "texture_l1", "weighted_l1"]


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


def texture_l1(y: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of how much fine texture there is, place by place: N x 3 x S x S in [-1, 1] each.

    The root mean square of the luma's two finest octaves in windows of 16 px. It asks for as much texture as the original
    has, not for the same grains, which nobody can know; L1 alone answers doubt with smooth skin. (The same statistic, not
    learnt, as in Heeger and Bergen, "Pyramid-based texture analysis/synthesis", 1995.)
    """
    total = y.new_zeros(())
    fine_y, fine_target = (x.float().mean(dim=1, keepdim=True) for x in (y, target))
    for radius in (1, 2):
        smooth_y, smooth_target = (_box(_box(x, radius), radius) for x in (fine_y, fine_target))
        rms_y, rms_target = (
            (F.avg_pool2d((x - smooth).square(), 16, stride=8) + 1e-6).sqrt()
            for x, smooth in ((fine_y, smooth_y), (fine_target, smooth_target))
        )
        total = total + (rms_y - rms_target).abs().mean()
        fine_y, fine_target = smooth_y, smooth_target
    return total


def _box(x: Tensor, radius: int) -> Tensor:
    return F.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def identity_distance(
    y: Tensor, target: Tensor, embeddings: Sequence[FaceEmbedding], rng: np.random.Generator
) -> Tensor:
    """Mean distance, 0 to 2, of the embeddings' unit vectors: N x 3 x S x S in [-1, 1] each.

    Both are seen from the same place, which ``rng`` moves a little each time and mirrors half of the time: what an
    embedding notices in one view only is no part of the person.
    """
    distances = []
    for embedding in embeddings:
        across, down = (int(v) for v in rng.integers(-8, 9, 2))
        reach, mirrored = float(rng.uniform(0.94, 1.06)), bool(rng.random() < 0.5)
        flats = []
        for pictures in (y, target.detach()):
            view = face_view(pictures, embedding.window, (across, down), reach)
            flats.append(embedding.flatten(view.flip(-1) if mirrored else view))
        with torch.autocast(y.device.type, torch.bfloat16):
            distances.append((embedding.describe(flats[0]) - embedding.describe(flats[1])).norm(dim=1).mean())
    return torch.stack(distances).mean()


def feature_distance(fake: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> Tensor:
    """Mean absolute difference of the discriminator's hidden maps (Wang et al., pix2pixHD, 2018)."""
    distances = [(a.float() - b.detach().float()).abs().mean() for a, b in zip(fake, real, strict=True)]
    return torch.stack(distances).mean()
