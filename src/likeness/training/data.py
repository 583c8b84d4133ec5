"""Pairs for training: a sharp portrait and what happened to it, made on the fly, each decided by its number alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likeness.degradations import TRAINING, pre_degrade
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size
from likeness.imaging.portraits import Portraits
from likeness.training.sampling import epoch_order
from likeness.training.stream import ordered_batches

__all__ = ["PairStream", "make_pair", "to_planes"]

_REFERENCE_SIDE = 512
_SEVERE = "train-severe"


def make_pair(
    sharp: Pixels, seed: tuple[int, int], *, size: int, pre_degrade_odds: float, severe: float = 1.0
) -> tuple[Pixels, Pixels]:
    """Target and network input (``size`` x ``size`` x 3, [0, 1]) from a sharp portrait of at least that side.

    ``seed`` decides everything; ``severe`` is how many times as often heavy blur is drawn. The picture is degraded as one of
    512 x 512 would be, whatever its side, and then made smaller: that is what a network of a smaller size sees inside one of
    512.
    """
    rng = np.random.default_rng(seed)
    target = _augment(sharp, rng)
    weights = np.array([weight * (severe if recipe.name == _SEVERE else 1.0) for weight, recipe in TRAINING])
    _, recipe = TRAINING[int(rng.choice(len(weights), p=weights / weights.sum()))]
    number = int(rng.integers(2**31))
    drawn = recipe.draw(number)
    drawn = replace(drawn, down=max(1.0, drawn.down * min(1.0, len(sharp) / _REFERENCE_SIDE)))
    shown = drawn.apply(target, number)
    target = drawn.tone().apply(target, number)
    if rng.random() < pre_degrade_odds:
        shown = pre_degrade(shown, float(rng.uniform(0.3, 1.2)))
    if len(target) != size:
        target, shown = (resize(x, Size(size, size), "area") for x in (target, shown))
    return target, shown


def _augment(x: Pixels, rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.5:
        x = x[:, ::-1]
    if rng.random() < 0.5:
        # Detectors are off by a few pixels; whole-pixel shifts cost no sharpness.
        dx, dy = (int(v) for v in rng.integers(-12, 13, 2))
        wide = np.pad(x, ((12, 12), (12, 12), (0, 0)), mode="reflect")
        x = wide[12 + dy : 12 + dy + x.shape[0], 12 + dx : 12 + dx + x.shape[1]]
    if rng.random() < 0.5:
        gain = rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, 3).astype(np.float32)
        x = np.power(np.clip(x * gain.astype(np.float32), 0, 1), np.float32(rng.uniform(0.8, 1.25)))
    return np.ascontiguousarray(x, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairStream:
    """Pairs by number: target and network input, each 3 x S x S float32 in [-1, 1].

    Portraits are shuffled anew each epoch, in which portrait ``i`` is drawn ``factors[i]`` times (`epoch_order`), or once
    where there are no factors. Pair ``n`` is the same in every run with the same seed and factors.
    """

    portraits: Portraits
    size: int
    seed: int
    pre_degrade_odds: float
    severe: float = 1.0
    factors: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.factors and (len(self.factors) != len(self.portraits.names) or min(self.factors) < 1):
            raise ValueError(f"factors must be {len(self.portraits.names)} numbers from 1 up, one for each portrait")

    def pair(self, number: int) -> tuple[Tensor, Tensor]:
        """Pair ``number``: target and network input, each 3 x S x S."""
        factors = np.array(self.factors or (1,) * len(self.portraits.names), dtype=np.int64)
        epoch, place = divmod(number, int(factors.sum()))
        sharp = self.portraits.pixels(int(epoch_order(factors, self.seed, epoch)[place]))
        pair = make_pair(
            sharp, (self.seed, number), size=self.size, pre_degrade_odds=self.pre_degrade_odds, severe=self.severe
        )
        target, shown = (to_planes(side) for side in pair)
        return target, shown

    def batches(self, *, batch: int, first: int, last: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of pairs ``first`` to ``last``, in order (`ordered_batches`)."""
        for pair in ordered_batches(self.pair, batch=batch, first=first, last=last, workers=workers):
            target, shown = pair
            yield target, shown


def to_planes(pixels: Pixels) -> Tensor:
    """S x S x 3 in [0, 1] to 3 x S x S in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)) * 2 - 1)
