"""The judge of lent detail that ships: learnt from faces whose original is known.

Of every example the original says, place by place, whether the other photograph's detail is nearer to it than the restored
face's: b / c > 1/4 with b = <d e> and c = <d d> nearby, where d is what the other photograph would change and e what should
have been changed (the least squares share of d is b / c). The loss is cross entropy, weighed by what a wrong answer costs,
|b - c / 4|: to be wrong where nothing would change is no fault.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from likeness.models.lending.architecture import BANDS, PLANES, LendingConfig
from likeness.models.lending.network import LendingNetwork
from likeness.models.lending.weights import LendingWeights
from likeness.runtimes.lending import lending_planes
from likeness.training.run_state import arrays_of

__all__ = ["WORTH", "LendingExamples", "LendingLesson", "learn_lending", "weights_of"]

WORTH = 0.25
"""Least squares share of a change from which on it is worth making. In halves and thirds of a change nobody gains: a face
between two is softer than either."""
_RATE, _DECAY = 2e-3, 2e-2
_BATCH = 16
_AVERAGE = 0.995
_DEAREST = 8.0
"""What a wrong answer costs at most, in means of its face."""
_WIDTHS = (16, 32, 48, 64)


@dataclass(frozen=True, kw_only=True, eq=False)
class LendingExamples:
    """Examples, made by `likeness.training.lending_examples`.

    Attributes:
        pictures: N x 4 x 256 x 256 uint8: photograph, restored face, the other photograph in its place and light, and where
            that shows anything.
        sigmas: N, the photograph's blur, px at 512.
        gains: N x 2 x 2 x 128 x 128 float16, for each of `BANDS` b and c, thousandths.
    """

    pictures: NDArray[np.uint8]
    sigmas: NDArray[np.float32]
    gains: NDArray[np.float16]

    def __post_init__(self) -> None:
        count = len(self.sigmas)
        if self.pictures.shape != (count, 4, 256, 256) or self.gains.shape != (count, len(BANDS), 2, 128, 128):
            raise ValueError(f"shapes {self.pictures.shape} and {self.gains.shape} do not go with {count} examples")


@dataclass(frozen=True, kw_only=True)
class LendingLesson:
    """Where learning stands: examples seen, of how many, how many a second; for each of `BANDS` which share of what could be
    gained the recent answers would gain."""

    seen: int
    of: int
    rate: float
    gained: tuple[float, ...]


def learn_lending(
    examples: LendingExamples,
    *,
    views: int,
    widths: tuple[int, ...] = _WIDTHS,
    seed: int = 0,
    report: Callable[[LendingLesson], None] | None = None,
) -> LendingNetwork:
    """Learn from so many views of the examples, each mirrored and lit anew."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = LendingNetwork(LendingConfig(widths=widths)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY, betas=(0.9, 0.99), fused=True)
    steps, since = max(1, views // _BATCH), time.perf_counter()
    recent: list[list[float]] = []
    for step in range(steps):
        chosen = rng.integers(0, len(examples.sigmas), _BATCH)
        planes, gains = _views(examples, chosen, rng)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / 50) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        with torch.autocast("cpu", torch.bfloat16):
            answers = network(planes).float()
        loss, gained = _loss(answers, gains, F.avg_pool2d(planes[:, PLANES.index("valid")], 2))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        recent.append(gained)
        with torch.no_grad():
            for own, new in zip(average.parameters(), network.parameters(), strict=True):
                own.lerp_(new, 1 - min(_AVERAGE, (step + 1) / (step + 10)))
        if report is not None and (step % 50 == 49 or step == steps - 1):
            means = tuple(float(mean) for mean in np.mean(recent[-100:], axis=0))
            seen = (step + 1) * _BATCH
            report(LendingLesson(seen=seen, of=steps * _BATCH, rate=seen / (time.perf_counter() - since), gained=means))
    return average.eval().requires_grad_(False)


def weights_of(network: LendingNetwork, source: str = "") -> LendingWeights:
    """The weights for `likeness.models.lending`."""
    return LendingWeights(state=arrays_of(network.state_dict()), config=network.config, source=source)


def _views(
    examples: LendingExamples, chosen: Sequence[int] | NDArray[np.int64], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """What the network is shown, N x 8 x 256 x 256, and b and c, N x 2 x 2 x 128 x 128."""
    planes, gains = [], []
    for number in chosen:
        pictures = examples.pictures[number].astype(np.float32) / np.float32(255)
        told = examples.gains[number].astype(np.float32)
        if rng.random() < 0.5:
            pictures, told = pictures[..., ::-1], told[..., ::-1]
        pictures[:3] = np.power(pictures[:3], np.float32(rng.uniform(0.7, 1.4)))
        shown, restored, laid, valid = pictures
        planes.append(lending_planes(shown, restored, laid, valid, float(examples.sigmas[number])))
        gains.append(told)
    both = [torch.from_numpy(np.ascontiguousarray(np.stack(side))) for side in (planes, gains)]
    return both[0].contiguous(memory_format=torch.channels_last), both[1]


def _loss(answers: Tensor, gains: Tensor, valid: Tensor) -> tuple[Tensor, list[float]]:
    losses: list[Tensor] = []
    gained: list[float] = []
    for band in range(len(BANDS)):
        worth = gains[:, band, 0] - WORTH * gains[:, band, 1]
        typical = gains[:, band, 1].mean(dim=(1, 2), keepdim=True) + 0.02
        costs = (worth.abs() / typical).clamp(max=_DEAREST) * valid
        wrong = F.binary_cross_entropy_with_logits(answers[:, band], (worth > 0).float(), reduction="none")
        losses.append((costs * wrong).mean() / costs.mean().clamp(min=0.02))
        most = float((worth.clamp(min=0) * valid).sum())
        gained.append(float((worth * valid * (answers[:, band] > 0)).sum()) / max(most, 1e-6))
    return torch.stack(losses).sum(), gained
