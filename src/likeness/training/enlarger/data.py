"""Pairs for the enlarger: a patch of a sharp photograph and what became of it when it was made smaller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.degradations.operations import add_noise, code
from likeness.degradations.reduction import Reduction, reduce_samples
from likeness.errors import ImageReadError
from likeness.messages.notice import Notice
from likeness.models.enlarger.architecture import SCALES
from likeness.training.stream import ordered_batches

__all__ = ["EnlargingStream", "degrade", "make_example"]

_Samples = NDArray[np.uint8]

_MARGIN = 3
"""Pixels of the small patch that are made and cut off again: filters and JPEG need surroundings."""

_METHODS: dict[Reduction, float] = {"bicubic": 0.8, "area": 0.1, "lanczos": 0.1}
"""How often each filter made the photograph smaller."""

_FLAT_SHARE = 0.01
"""How often a patch is of one colour: photographs hold too little of plain white and of pure colours."""


def make_example(
    photograph: _Samples, rng: np.random.Generator, *, scale: int, side: int, degraded_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """A patch of the photograph (3 x kS x kS), the same made smaller (3 x S x S), and that spoilt, what the network sees.

    All are in [0, 1]; often the second and the third are the same.
    """
    length = (side + 2 * _MARGIN) * scale
    large = _flat(length, rng) if rng.random() < _FLAT_SHARE else _crop(photograph, length, rng)
    method = list(_METHODS)[int(rng.choice(len(_METHODS), p=list(_METHODS.values())))]
    small = _planes(reduce_samples(large, scale, method))
    shown = degrade(small, rng) if rng.random() < degraded_share else small
    inside, outside = slice(_MARGIN, -_MARGIN), slice(_MARGIN * scale, -_MARGIN * scale)
    small, shown = (x[:, inside, inside].contiguous() for x in (small, shown))
    return _planes(large)[:, outside, outside].contiguous(), small, shown


def _flat(side: int, rng: np.random.Generator) -> _Samples:
    """A patch of one colour, each channel of which is often 0 or 255."""
    colour = np.clip(rng.integers(-96, 352, 3), 0, 255)
    if rng.random() < 0.5:
        colour[:] = colour[0]
    return np.broadcast_to(colour.astype(np.uint8), (side, side, 3)).copy()


def _crop(photograph: _Samples, side: int, rng: np.random.Generator) -> _Samples:
    """A square patch, turned and mirrored at random; of two places the one with more in it."""
    height, width = photograph.shape[:2]
    places = [(int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))) for _ in range(2)]
    patches = [photograph[y : y + side, x : x + side] for y, x in places]
    patch = max(patches, key=lambda patch: float(patch[::4, ::4].std()))
    patch = np.rot90(patch, int(rng.integers(4)))
    return np.ascontiguousarray(patch[:, ::-1] if rng.random() < 0.5 else patch)


def degrade(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise of up to 8 levels, JPEG of quality 50 to 95, or both, as 8-bit samples: 3 x H x W in [0, 1] to the same."""
    pixels = np.ascontiguousarray(x.numpy().transpose(1, 2, 0))
    kind = int(rng.integers(3))
    if kind != 1:
        sigma = float(rng.uniform(0, 8))
        grain = float(rng.uniform(0.3, 0.8)) if rng.random() < 0.3 else 0.0
        noise = add_noise(np.zeros_like(pixels), sigma, float(rng.random() < 0.7), grain, rng)
        if rng.random() < 0.5:
            noise *= np.sqrt(pixels + np.float32(0.05)) * np.float32(
                1.4
            )  # as photons arrive: more of it where it is bright
        pixels = np.clip(pixels + noise, 0, 1)
    if kind != 0:
        return _planes01(code(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))))
    return _planes01(np.round(pixels * 255) / np.float32(255))


def _planes(samples: _Samples) -> Tensor:
    return _planes01(samples.astype(np.float32) / np.float32(255))


def _planes01(pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


@dataclass(frozen=True, kw_only=True, eq=False)
class EnlargingStream:
    """Examples by number (`make_example`): number, seed and pictures decide everything.

    Steps of ``batch`` examples are of one scale; scales take turns.
    """

    photographs: tuple[_Samples, ...]
    portraits: tuple[_Samples, ...]
    portrait_share: float
    degraded_share: float
    side: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        least = (self.side + 2 * _MARGIN) * max(SCALES)
        small = [min(x.shape[:2]) for x in (*self.photographs, *self.portraits) if min(x.shape[:2]) < least]
        if small:
            raise ImageReadError(
                Notice("training.small-pictures", {"count": len(small), "least": least, "side": self.side})
            )

    def example(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, number))
        scale = SCALES[number // self.batch % len(SCALES)]
        source = self.portraits if rng.random() < self.portrait_share else self.photographs
        picture = source[int(rng.integers(len(source)))]
        return make_example(picture, rng, scale=scale, side=self.side, degraded_share=self.degraded_share)

    def batches(self, *, first: int, last: int, workers: int) -> Iterator[tuple[Tensor, ...]]:
        """Batches of examples, from example ``first`` to ``last``, in order (`ordered_batches`)."""
        return ordered_batches(self.example, batch=self.batch, first=first, last=last, workers=workers)
