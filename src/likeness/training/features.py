"""The networks that draw faces anew: learnt from faces whose original is known.

They learn the path of `likeness.models.features.path` by flow matching (Lipman et al., "Flow Matching for Generative
Modeling", 2023): at a share of it drawn at random the state is known, as noise and original are, and the network is asked
for the original. The loss is the squared error of its answer in a scale of unit variance, so that no part of the path
outweighs another; colours count less. Faces that were restored badly come more often: only those are drawn anew in use.

Convolutions learn by Muon (`likeness.training.muon`), with their norms held: what enters a block is of unit power, so only
where a matrix points matters, and a rate is then a share of its norm. Everything else learns by Adam (Kingma & Ba, 2015).
What is kept is the moving average of the weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.models.features.architecture import HALF_SIDE, WINDOWS, FeaturesConfig, clock
from likeness.models.features.network import FeatureNetwork
from likeness.models.features.path import NOISE, TO_TONES, base_of, scales
from likeness.models.features.weights import FeaturesWeights
from likeness.training.muon import TurningMuon
from likeness.training.run_state import Part, arrays_of, load_state, save_state

__all__ = ["FeaturesLesson", "learn_features", "weights_of"]

_SHIFT = 6
"""How far windows are moved at most, px of `HALF_SIDE`: faces are never aligned to the pixel."""
_LARGEST = 128
"""Side up to which a window is learnt as a whole, px of `HALF_SIDE`; of a larger one squares of it are, anywhere."""
_BATCH = 16
_TURN = 6e-3
"""How far a step turns a convolution, as a share of its norm."""
_RATE, _BETAS = 1e-3, (0.9, 0.99)
"""Adam's."""
_WARM = 200
"""Steps over which the rates rise."""
_FALL, _LEAST = 0.5, 0.02
"""From this share of the run on the rates fall, to this share of themselves."""
_HALF_LIFE, _YOUNG = 4_000, 1 / 8
"""Windows after which the average has half forgotten a weight, but never more than this share of all that were seen."""
_HARD_FROM, _HARD_TO, _SELDOM = 0.03, 0.08, 0.1
"""Mean error of a restored window (samples from -1 to 1) from which it is drawn more often the larger it is, and from which
it is drawn most; and how often, against that, any is drawn at least."""
_LATE, _LAST = 1.3, 0.995
"""Shares of the path are drawn as powers of even ones: more from its beginning, where most is decided; none is its end,
where nothing is left to answer."""
_COUNTS = torch.tensor([1.0, 0.3, 0.3]).view(3, 1, 1)
"""How much errors in lightness and the two colours count."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FeaturesLesson:
    """Where learning stands: windows seen, of how many, how many a second, and the mean loss since the last lesson."""

    seen: int
    of: int
    rate: float
    loss: float


def learn_features(
    examples: Sequence[NDArray[np.uint8]],
    part: str,
    *,
    windows: int,
    config: FeaturesConfig | None = None,
    start: FeaturesWeights | None = None,
    batch: int = _BATCH,
    mixed: bool = False,
    seed: int = 0,
    state: Path | None = None,
    every: int = 4_000,
    report: Callable[[FeaturesLesson], None] | None = None,
) -> FeatureNetwork:
    """Learn to draw one part from so many windows of the examples, each shifted, mirrored and coloured anew.

    Args:
        examples: made by `likeness.training.features_examples`, each 3 x 256 x 256 x 3 RGB: photograph, restored face and
            original, aligned, at half size. They may lie in files (``np.load`` with ``mmap_mode``).
        part: which, one of `WINDOWS`.
        windows: how many are seen in all, a multiple of ``batch`` or somewhat more.
        config: the network; None for the one that ships.
        start: weights to begin with, of a network like ``config``; None begins with random ones.
        batch: windows of a step.
        mixed: multiply in bfloat16, which takes half the time on processors that have it.
        seed: decides the first weights and everything that is drawn.
        state: a file that keeps where learning stands, to go on from if it was stopped; the weights are the same to the
            bit. None keeps nothing.
        every: after how many windows ``state`` is written and ``report`` told.

    Returns:
        The moving average of the weights, which is not trained on.

    Raises:
        ValueError: if there are no examples, or they are of another size.
        TrainingError: if ``state`` belongs to another run, or cannot be written.
    """
    _check(examples)
    torch.manual_seed(seed)
    config = config or FeaturesConfig()
    begun = FeatureNetwork(config)
    if start is not None:
        begun.load_state_dict(_own(start, part))
    network = begun.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = copy.deepcopy(network)
    matrices, others = _by_optimiser(network)
    turning = TurningMuon(matrices, lr=_TURN, dtype=torch.bfloat16 if mixed else torch.float32)
    adam = torch.optim.Adam(others, lr=_RATE, betas=_BETAS, fused=True)
    settings = {
        "part": part,
        "seed": seed,
        "batch": batch,
        "examples": len(examples),
        "widths": list(config.widths),
        "depths": list(config.depths),
        "memory": config.memory,
    }
    parts: dict[str, Part] = {"network": network, "average": average, "turning": turning, "adam": adam}
    steps, first = max(1, windows // batch), 0
    if state is not None and state.is_file():
        first = load_state(state, settings, tuple(settings), parts, "cpu") // batch
    odds, told = _odds(examples, part), max(1, every // batch)
    losses: list[float] = []
    since = time.perf_counter()
    for step in range(first, steps):
        rng = np.random.default_rng((seed, step))
        chosen = rng.choice(len(examples), batch, p=odds)
        planes, clocks, wanted = _questions([_view(examples[int(number)], part, rng) for number in chosen], rng)
        for optimiser, rate in ((turning, _TURN), (adam, _RATE)):
            for group in optimiser.param_groups:
                group["lr"] = rate * _rise_and_fall(step, steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            answers = network(planes, clocks)
        loss = _loss(answers, wanted)
        network.zero_grad(set_to_none=True)
        loss.backward()
        turning.step()
        adam.step()
        losses.append(float(loss.detach()))
        seen = (step + 1) * batch
        kept = 0.5 ** (batch / min(_HALF_LIFE, max(1.0, seen * _YOUNG)))
        with torch.no_grad():
            for own, new in zip(average.parameters(), network.parameters(), strict=True):
                own.lerp_(new, 1 - kept)
        if (step + 1) % told == 0 or step == steps - 1:
            if state is not None:
                save_state(state, settings, seen, parts)
            if report is not None:
                speed = (step + 1 - first) * batch / (time.perf_counter() - since)
                report(FeaturesLesson(seen=seen, of=steps * batch, rate=speed, loss=float(np.mean(losses))))
            losses.clear()
    return average.eval().requires_grad_(False)


def weights_of(networks: Mapping[str, FeatureNetwork], source: str = "") -> FeaturesWeights:
    """The weights for `likeness.models.features`.

    Args:
        networks: of each of `WINDOWS`, by its name.
        source: where they came from, one line.

    Raises:
        ValueError: if one is missing, or they are not alike.
    """
    configs = {network.config for network in networks.values()}
    if set(networks) != set(WINDOWS) or len(configs) > 1:
        raise ValueError(f"networks alike are needed for {', '.join(WINDOWS)}, not for {', '.join(networks)} alone")
    state = {
        f"{part}.{name}": array
        for part, network in networks.items()
        for name, array in arrays_of(network.state_dict()).items()
    }
    return FeaturesWeights(state=state, config=configs.pop(), source=source)


def _own(weights: FeaturesWeights, part: str) -> dict[str, Tensor]:
    """The state dict of one part's network."""
    names = (name for name in weights.state if name.startswith(f"{part}."))
    return {name.removeprefix(f"{part}."): torch.from_numpy(weights.state[name].copy()) for name in names}


def _by_optimiser(network: FeatureNetwork) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The convolutions of 3 x 3 inside the encoder and decoder, and all other parameters."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        inside = name.split(".")[0] in ("down", "encoder", "decoder")
        (matrices if inside and parameter.ndim == 4 else others).append(parameter)
    return matrices, others


def _check(examples: Sequence[NDArray[np.uint8]]) -> None:
    wanted = (3, HALF_SIDE, HALF_SIDE, 3)
    wrong = next((example.shape for example in examples if example.shape != wanted), None)
    if wrong is not None or not len(examples):
        raise ValueError(f"examples are {wanted}, not {wrong or 'none'}")


def _odds(examples: Sequence[NDArray[np.uint8]], part: str) -> NDArray[np.float64]:
    """How often each is drawn, by how wrong its restored face is in the part's window; they sum to 1."""
    rows, columns = WINDOWS[part].half
    apart = (
        np.abs(example[1, rows, columns].astype(np.int16) - example[2, rows, columns]).mean() for example in examples
    )
    errors = np.fromiter(apart, np.float64, len(examples)) / 127.5
    odds = np.clip((errors - _HARD_FROM) / (_HARD_TO - _HARD_FROM), _SELDOM, 1)
    return odds / odds.sum()


def _view(example: NDArray[np.uint8], part: str, rng: Generator) -> _Map:
    """An example as a network might see it, 3 x 3 x h x w from -1 to 1: its window somewhat moved, and in other colours."""
    rows, columns = (_moved(side, rng) for side in WINDOWS[part].half)
    seen = example[:, rows, columns].transpose(0, 3, 1, 2).astype(np.float32) * np.float32(2 / 255)
    if rng.random() < 0.5:
        seen = seen[..., ::-1]
    gain = rng.uniform(0.85, 1.15, (3, 1, 1)) * rng.uniform(0.9, 1.1)
    return np.minimum(seen * gain.astype(np.float32), np.float32(2)) - np.float32(1)


def _moved(side: slice, rng: Generator) -> slice:
    """Rows or columns of a window, moved at random; or of a square in it, if it is large."""
    if side.stop - side.start > _LARGEST:
        first = int(rng.integers(side.start, side.stop - _LARGEST + 1))
        return slice(first, first + _LARGEST)
    shift = int(rng.integers(-_SHIFT, _SHIFT + 1))
    return slice(side.start + shift, side.stop + shift)


def _questions(views: Sequence[_Map], rng: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """What a network is shown, what it is told of the path, and what it should answer.

    N x 9 x h x w, N x 16 and N x 3 x h x w, from N views.
    """
    shown, before, original = np.stack(views, axis=1)
    shares = np.power((np.arange(len(shown)) + rng.random(len(shown))) / len(shown), _LATE) * _LAST
    shares = shares.astype(np.float32)
    share = shares.reshape(-1, 1, 1, 1)
    detail = np.einsum("ij,njhw->nihw", TO_TONES, original - np.stack([base_of(one) for one in before]))
    noise = NOISE * rng.standard_normal(detail.shape, np.float32)
    state = share * detail + (1 - share) * noise
    held, answers, asks = scales(shares)
    planes = np.concatenate([asks * state, before, shown], axis=1)
    wanted = np.ascontiguousarray((detail - held * state) / answers)
    laid_out = torch.from_numpy(planes).contiguous(memory_format=torch.channels_last)
    return laid_out, torch.from_numpy(clock(shares)), torch.from_numpy(wanted)


def _loss(answers: Tensor, wanted: Tensor) -> Tensor:
    return ((answers.float() - wanted).square() * _COUNTS).mean()


def _rise_and_fall(step: int, steps: int) -> float:
    """The share of themselves that the rates have."""
    rise = (step + 1) / min(_WARM, 1 + steps // 10)
    fall = _LEAST + (1 - step / steps) / (1 - _FALL)
    return min(1.0, rise, fall)
