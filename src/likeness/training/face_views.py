"""What a face embedding sees of a portrait, and how it is turned, moved and bent to look like another photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from likeness.imaging.portraits import Portraits
from likeness.training.data import to_planes

__all__ = ["CHIP_MARGIN", "ViewWindow", "chips_of", "face_view", "moved_places", "smooth_noise", "span_start"]

_LUMA = (0.299, 0.587, 0.114)

CHIP_MARGIN = 1.1
"""Side of a chip by the side of the view that is cut from it."""


@dataclass(frozen=True, kw_only=True)
class ViewWindow:
    """What an embedding sees of an FFHQ-aligned picture.

    Attributes:
        side: of the grey view, px; a multiple of 16.
        centre: its middle in a picture of 512 x 512, px.
        reach: side of the square around it that is seen, px at 512.
    """

    side: int
    centre: tuple[float, float]
    reach: float


def face_view(pictures: Tensor, window: ViewWindow, place: tuple[int, int] = (0, 0), reach: float = 1.0) -> Tensor:
    """What ``window`` shows, N x 1 x side x side in [0, 1], of aligned pictures, N x 3 x S x S in [-1, 1].

    ``place`` moves the view (px at 512, right and down), ``reach`` makes it wider. Differentiable.
    """
    unit = pictures.shape[-1] / 512
    side = round(window.reach * reach * unit)
    left, top = (
        span_start((centre + move) * unit, side, pictures.shape[-1])
        for centre, move in zip(window.centre, place, strict=True)
    )
    return F.adaptive_avg_pool2d(_grey(pictures[..., top : top + side, left : left + side]), window.side)


def span_start(centre: float, length: int, side: int) -> int:
    """Where so many pixels around ``centre`` begin, within a picture of that side."""
    return min(max(round(centre - length / 2), 0), side - length)


def _grey(pictures: Tensor) -> Tensor:
    """Luma in [0, 1], N x 1 x H x W, of N x 3 x H x W in [-1, 1]."""
    luma = torch.tensor(_LUMA, device=pictures.device).view(1, 3, 1, 1) / 2
    return (pictures.float().clamp(-1, 1) * luma).sum(dim=1, keepdim=True) + 0.5


def chips_of(portraits: Portraits, window: ViewWindow) -> Tensor:
    """N x 1 x C x C uint8: what ``window`` shows and a tenth more, to turn and shift it in, finer than it needs."""
    chips = []
    for index in range(len(portraits.names)):
        x = to_planes(portraits.pixels(index))[None]
        unit = x.shape[-1] / 512
        border = round(48 * unit)
        wide = F.pad(x, (border,) * 4, mode="reflect")
        side = round(window.reach * CHIP_MARGIN * unit)
        left, top = (round(centre * unit + border - side / 2) for centre in window.centre)
        chip = F.adaptive_avg_pool2d(_grey(wide[..., top : top + side, left : left + side]), window.side * 11 // 7)
        chips.append((chip * 255).round().to(torch.uint8))
    return torch.cat(chips)


def moved_places(count: int, side: int, rng: np.random.Generator) -> Tensor:
    """Where each view is sampled: turned up to 8 degrees, 10 % larger or smaller, shifted, mirrored, bent a little."""

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, count).astype(np.float32))

    angle, scale, aspect = draw(-0.14, 0.14), draw(0.9, 1.1) / CHIP_MARGIN, draw(0.95, 1.05)
    mirror = torch.from_numpy(np.where(rng.random(count) < 0.5, -1.0, 1.0).astype(np.float32))
    matrices = torch.zeros(count, 2, 3)
    matrices[:, 0, 0] = angle.cos() * scale * mirror * aspect
    matrices[:, 0, 1] = -angle.sin() * scale
    matrices[:, 1, 0] = angle.sin() * scale * mirror
    matrices[:, 1, 1] = angle.cos() * scale
    matrices[:, 0, 2], matrices[:, 1, 2] = draw(-0.06, 0.06), draw(-0.06, 0.06)
    straight = F.affine_grid(matrices, [count, 1, side, side], align_corners=False)
    return straight + smooth_noise((count, 2, 6, 6), 0.022, side, rng).permute(0, 2, 3, 1)


def smooth_noise(knots: tuple[int, ...], strength: float, side: int, rng: np.random.Generator) -> Tensor:
    coarse = torch.from_numpy(rng.standard_normal(knots, dtype=np.float32) * np.float32(strength))
    return F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
