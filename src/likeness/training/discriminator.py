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

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.faces.align import FFHQ_TEMPLATE
from likeness.training.face_views import span_start

__all__ = ["PatchDiscriminator", "eye_pairs", "mouths"]

_SLOPE = 0.2
_TEMPLATE_SIDE = 512
_FINE_GAIN = 8.0
"""The finest octave of a sharp face, times this, is about as strong as the face."""


class PatchDiscriminator(nn.Module):
    """N x C x H x W in [-1, 1] to logits N x 1 x H/16 x W/16 (real is positive) and the hidden maps for feature matching.

    Args:
        channels: width of the first layer; each further one has twice as many.
        planes: C: 3 for a picture, 6 for two that are judged together.
    """

    def __init__(self, channels: int = 32, planes: int = 3) -> None:
        super().__init__()
        widths = (2 * planes, channels, 2 * channels, 4 * channels, 8 * channels)
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


_EYE = (96, 96)
_MOUTH = (144, 96)
"""Windows on a face of 512 px, across and down."""
_LEAST = 32
"""Smaller windows would be nothing after four strides."""


def eye_pairs(faces: Tensor) -> Tensor:
    """Both eyes of aligned faces, N x 3 x S x S, as N x 6 x H x W: the right one mirrored, so that a critic sees whether
    they are alike (Wang et al., GFPGAN, 2021, has a critic for each eye)."""
    left, right = (_window(faces, FFHQ_TEMPLATE[eye], _EYE) for eye in (0, 1))
    return torch.cat([left, right.flip(-1)], dim=1).contiguous(memory_format=torch.channels_last)


def mouths(faces: Tensor) -> Tensor:
    """The mouths of aligned faces, N x 3 x S x S, as N x 3 x H x W."""
    place = (FFHQ_TEMPLATE[3] + FFHQ_TEMPLATE[4]) / 2
    return _window(faces, place, _MOUTH).contiguous(memory_format=torch.channels_last)


def _window(faces: Tensor, place: NDArray[np.float32], size: tuple[int, int]) -> Tensor:
    side = faces.shape[-1]
    unit = side / _TEMPLATE_SIDE
    width, height = (max(_LEAST, round(length * unit)) for length in size)
    left, top = (
        span_start(float(centre) * unit, length, side) for centre, length in zip(place, (width, height), strict=True)
    )
    return faces[:, :, top : top + height, left : left + width]
