"""The finder of marks that ships: learnt on damage that was drawn, and so is known to the pixel.

Every example is a new one: a part of a photograph at a random scale, made to look old (grey or toned, soft, grainy, printed,
engraved), damaged (`likeness.degradations.damage`), and compressed. What looks like damage and is none is drawn as well:
`likeness.training.lookalikes` before the picture ages, and captions, frames and rules on the print. Old photographs are
shown, too, hardly aged further: what is found in them counts as false unless somebody has marked it as damage. The loss is
cross entropy and one less the Dice coefficient (Milletari et al., "V-Net", 2016), as few pixels in a hundred are damaged;
pixels that damage has hardly changed count neither way. Examples in which much was falsely found are shown again more often.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.degradations.damage import MISSING, DamageKind, draw_damage
from likeness.degradations.operations import add_film_grain, add_noise, age, code, print_halftone, to_grey
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size
from likeness.models.marks.architecture import MarksConfig
from likeness.models.marks.network import MarksNetwork
from likeness.models.marks.weights import MarksWeights
from likeness.training.lookalikes import draw_lookalikes
from likeness.training.run_state import Part, arrays_of, load_state, save_state

__all__ = ["DAMAGED", "UNSURE", "MarksLesson", "OldPhotograph", "example", "learn_marks", "weights_of"]

_SIDE = 160
_BATCH, _NEW, _POOL = 8, 3, 400
"""Examples of a step, how many of them are new, and of how many the others, mirrored anew, are drawn: to make one takes half
as long as to learn from it."""
_HARD = 3
"""How many of the others are drawn by how much was falsely found in them."""
_OLD = 0.45
"""Share of the new examples that show an old photograph, if there are any."""
_AGAIN = 0.35
"""How much of what makes a picture look old is done to a photograph that is old."""
_LARGEST = 2.5
"""An old photograph is shown enlarged so many times at most: many are small."""
_OLD_COUNTS = 2.0
"""How much sound pixels of old photographs count: they are few, and what the finder is for."""
_RATE, _DECAY, _AVERAGE = 3e-3, 1e-4, 0.998
_WIDTHS = (16, 24, 40, 64)
_USUAL: dict[DamageKind, float] = {
    "scratch": 0.8,
    "curve": 0.7,
    "hair": 1.1,
    "speck": 3.0,
    "fold": 0.4,
    "tear": 0.25,
    "corner": 0.5,
}
"""How many of each an example has, in the mean."""
_MOST_SPAN = 5.0
"""The whole picture is at most so many times as long as the part that is shown: most long scratches have no end in it."""
_GROUND = 0.15
"""Share of examples on a plain ground with soft forms, which photographs seldom have and backdrops are."""
_SOUND = 0.2
"""Share of examples without any."""
_PLAIN = 0.07
"""Where damage changes less than this it does not count: under grain nobody could tell."""

DAMAGED, UNSURE = 1, 2
"""In `OldPhotograph.labels`."""

_Samples: TypeAlias = NDArray[np.uint8]
_Example: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True, eq=False)
class OldPhotograph:
    """A real old photograph.

    Attributes:
        pixels: H x W x 3 RGB.
        labels: H x W, `DAMAGED` on its own damage, `UNSURE` where that cannot be told, and 0 elsewhere.
    """

    pixels: _Samples
    labels: _Samples


@dataclass(frozen=True, kw_only=True)
class MarksLesson:
    """Where learning stands: examples seen, of how many, how many a second, and the recent mean of the loss."""

    seen: int
    of: int
    rate: float
    loss: float


def learn_marks(
    photographs: Sequence[_Samples],
    *,
    examples: int,
    old: Sequence[OldPhotograph] = (),
    start: MarksWeights | None = None,
    rate: float = _RATE,
    widths: tuple[int, ...] = _WIDTHS,
    side: int = _SIDE,
    mixed: bool = False,
    seed: int = 0,
    state: Path | None = None,
    report: Callable[[MarksLesson], None] | None = None,
) -> MarksNetwork:
    """Learn from so many examples.

    Args:
        photographs: H x W x 3 RGB, sharp and undamaged, at least ``side`` px each way.
        examples: how many.
        old: old photographs that are learnt from besides.
        start: weights to begin with, of no more channels at any level; None begins with random ones.
        rate: the highest learning rate.
        widths: channels at each level.
        side: of the examples, px; a multiple of 16.
        mixed: multiply in bfloat16, which takes half the time on processors that have it.
        state: a file that keeps where learning stands, to go on from if it was stopped; None keeps nothing.

    Raises:
        TrainingError: if ``state`` belongs to another run.
    """
    torch.manual_seed(seed)
    network = MarksNetwork(MarksConfig(widths=widths)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if start is not None:
        _begin_with(network, start)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=_DECAY, fused=True)
    settings = {"examples": examples, "seed": seed, "side": side, "widths": list(widths), "count": len(photographs)}
    parts: dict[str, Part] = {"network": network, "average": average, "optimiser": optimiser}
    steps, first, mean = examples // _BATCH, 0, 0.0
    if state is not None and state.is_file():
        first = load_state(state, settings, ("seed", "side", "widths", "count"), parts, "cpu") // _BATCH
    pool: list[_Example] = []
    false = np.ones(_POOL)
    warm = min(100, 1 + steps // 10)
    since = time.perf_counter()
    for step in range(first, steps):
        rng = np.random.default_rng((seed, step))
        fresh = [_drawn(photographs, old, rng, side) for _ in range(_NEW)]
        pool = [*fresh, *pool][:_POOL]
        false = np.concatenate([np.full(_NEW, false.mean()), false])[:_POOL]
        likely = false[: len(pool)] / false[: len(pool)].sum()
        again = [int(v) for v in rng.choice(len(pool), _HARD, p=likely)]
        again += [int(v) for v in rng.integers(len(pool), size=_BATCH - _NEW - _HARD)]
        known = [_mirrored(pool[number], rng) for number in again]
        shown, truth, counts = (torch.from_numpy(np.stack(part)) for part in zip(*fresh, *known, strict=True))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / warm) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            logits = network(shown)
        loss, found = _loss(logits.float(), truth, counts)
        false[[*range(_NEW), *again]] = found
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            for own, new in zip(average.parameters(), network.parameters(), strict=True):
                own.lerp_(new, 1 - min(_AVERAGE, (step + 1) / (step + 10)))
        share = max(0.01, 1 / (step - first + 1))
        mean += share * (float(loss.detach()) - mean)
        if step % 100 == 99 or step == steps - 1:
            if state is not None:
                save_state(state, settings, (step + 1) * _BATCH, parts)
            if report is not None:
                speed = (step + 1 - first) * _BATCH / (time.perf_counter() - since)
                report(MarksLesson(seen=(step + 1) * _BATCH, of=steps * _BATCH, rate=speed, loss=mean))
    return average.eval().requires_grad_(False)


def weights_of(network: MarksNetwork, source: str = "") -> MarksWeights:
    """The weights for `likeness.models.marks`."""
    return MarksWeights(state=arrays_of(network.state_dict()), config=network.config, source=source)


def _begin_with(network: MarksNetwork, weights: MarksWeights) -> None:
    """What was learnt goes on as it is; channels that are new hear the others, and nobody hears them yet."""
    own = network.state_dict()
    for name, value in weights.state.items():
        known = torch.from_numpy(np.ascontiguousarray(value))
        if own[name].dim() > 1:
            own[name][: known.shape[0]] = 0
        own[name][tuple(slice(0, size) for size in known.shape)] = known
    network.load_state_dict(own)


def _loss(logits: Tensor, truth: Tensor, counts: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
    """N x C x H x W each; pixels count as much as ``counts`` says. The loss, and how much was falsely found in each."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * counts
    false = (entropy.detach() * (1 - truth)).mean(dim=(1, 2, 3)).double().numpy()
    shares = torch.sigmoid(logits) * counts
    both = (shares * truth).sum(dim=(0, 2, 3))
    dice = (2 * both + 50) / (shares.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) + 50)
    return 4 * (entropy * (1 + 0.5 * truth)).mean() + (1 - dice).mean(), false + 1e-4


def _mirrored(known: _Example, rng: Generator) -> _Example:
    across, turned = rng.random(2) < 0.5
    mirrored = [part[:, :, ::-1] if across else part for part in known]
    mirrored = [part.transpose(0, 2, 1) if turned else part for part in mirrored]
    return mirrored[0], mirrored[1], mirrored[2]


def _drawn(photographs: Sequence[_Samples], old: Sequence[OldPhotograph], rng: Generator, side: int) -> _Example:
    if old and rng.random() < _OLD:
        one = old[int(rng.integers(len(old)))]
        return example(one.pixels, rng, side=side, labels=one.labels)
    return example(photographs[int(rng.integers(len(photographs)))], rng, side=side)


def example(photograph: _Samples, rng: Generator, *, side: int = _SIDE, labels: _Samples | None = None) -> _Example:
    """What the network is shown (3 x S x S in [0, 1]), which pixels are thin marks or missing (2 x S x S, 0 or 1), and
    how much of them counts (the same). With ``labels`` (`OldPhotograph`) the photograph is an old one."""
    own = np.zeros((side, side), np.uint8)
    plain_ground = labels is None and rng.random() < _GROUND
    if plain_ground:
        ground = _plain(side, rng)
    else:
        ground, own = _view(photograph, rng, side, labels)
    if not plain_ground and rng.random() < (0.6 if labels is None else 0.15):
        ground = draw_lookalikes(ground, rng)
    x = _old(ground, rng, 1.0 if labels is None else _AGAIN)
    if rng.random() < (0.25 if labels is None else 0.1):
        x = _printed_on(x, rng)
    counts: dict[DamageKind, int] = {}
    if rng.random() >= _SOUND:
        much = float(rng.choice((0.5, 1.0, 2.0)))
        counts = {kind: int(rng.poisson(much * usual)) for kind, usual in _USUAL.items()}
        # A straight line on a backdrop is a scratch, and on a building it is not.
        counts["scratch"] += plain_ground
    unit, blur = float(rng.uniform(0.7, 1.5)), float(rng.uniform(0.3, 0.9))
    span = side * float(np.exp(rng.uniform(0, np.log(_MOST_SPAN))))
    damaged = draw_damage(x, counts, rng, unit=unit, blur=blur, span=span)
    truth = np.zeros((2, side, side), np.float32)
    plain = np.abs(damaged.pixels - x).max(axis=2) > _PLAIN
    for piece in damaged.pieces:
        missing = piece.kind in MISSING
        truth[1 if missing else 0][piece.seen & (plain | missing)] = 1
    truth[0][(own == DAMAGED) & (truth[1] == 0)] = 1
    unsure = (damaged.touched | (own == UNSURE)) & (truth.max(axis=0) == 0)
    counted = np.repeat(~unsure[None], 2, axis=0).astype(np.float32)
    if labels is not None:
        counted *= np.where(truth.max(axis=0) == 0, np.float32(_OLD_COUNTS), np.float32(1))
    # A tear may well be called missing, and a scratch across a missing corner is nobody's loss.
    counted[0][(truth[1] == 1) & (truth[0] == 0)] = 0
    x = damaged.pixels
    if rng.random() < 0.5:
        x = add_noise(x, float(rng.uniform(0, 5)), float(rng.random() < 0.3), float(rng.uniform(0, 0.8)), rng)
    if rng.random() < 0.7:
        x = code(x, ".jpg", cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 98)))
    return np.ascontiguousarray(np.clip(x, 0, 1).transpose(2, 0, 1), dtype=np.float32), truth, counted


def _view(photograph: _Samples, rng: Generator, side: int, labels: _Samples | None) -> tuple[Pixels, _Samples]:
    """A part of a photograph, or all of its height or width, turned and mirrored; and its labels."""
    most = min(photograph.shape[:2])
    least = min(most, side * (0.75 if labels is None else 1 / _LARGEST))
    length = most if rng.random() < 0.25 else int(np.exp(rng.uniform(np.log(least), np.log(most))))
    length = min(most, length)
    top, left = (int(rng.integers(total - length + 1)) for total in photograph.shape[:2])
    place = slice(top, top + length), slice(left, left + length)
    patch = photograph[place].astype(np.float32) / np.float32(255)
    patch = np.clip(resize(patch, Size(side, side), "area" if length >= side else "cubic"), 0, 1)
    own = np.zeros((side, side), np.uint8)
    if labels is not None:
        shares = [resize((labels[place] == label).astype(np.float32), Size(side, side), "area") for label in (1, 2)]
        own[shares[0] + shares[1] > 0.1] = UNSURE
        own[shares[0] > 0.5] = DAMAGED
    # Faces stand upright mostly.
    turn, mirrored = int(rng.integers(4)) if rng.random() < 0.4 else 0, rng.random() < 0.5
    patch, own = np.rot90(patch, turn), np.rot90(own, turn)
    if mirrored:
        patch, own = patch[:, ::-1], own[:, ::-1]
    return np.ascontiguousarray(patch), np.ascontiguousarray(own)


def _plain(side: int, rng: Generator) -> Pixels:
    """A backdrop, a wall, a sky: soft forms, and now and then the straight edge of something."""
    coarse = rng.normal(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0, 0.12)), (4, 4)).astype(np.float32)
    tone = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
    if rng.random() < 0.5:
        angle, at = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(-0.4, 0.4)) * side
        down, across = np.mgrid[0:side, 0:side].astype(np.float32) - np.float32(side / 2)
        beyond = (across * np.cos(angle) + down * np.sin(angle) > at).astype(np.float32)
        tone = tone + gaussian_blur(beyond, float(rng.uniform(0.5, 3))) * np.float32(rng.uniform(-0.3, 0.3))
    tint = rng.normal(0, 0.03, 3).astype(np.float32)
    return np.clip(tone[:, :, None] + tint, 0, 1).astype(np.float32)


def _old(x: Pixels, rng: Generator, much: float) -> Pixels:
    """Made to look old, each way so many times as often as new photographs are."""
    if rng.random() < 0.7 * much:
        x = to_grey(x)
        if rng.random() < 0.3:
            tint = np.array([1.0, rng.uniform(0.86, 1.0), rng.uniform(0.6, 0.95)], np.float32)
            x = np.power(x, tint[::-1].copy() if rng.random() < 0.1 else 1 / tint)
    if rng.random() < 0.4 * much:
        x = age(x, float(rng.uniform(0, 0.9)), float(rng.uniform(0, 0.8)))
    if rng.random() < 0.4 * much:
        x = np.clip(0.5 + (x - 0.5) * np.float32(rng.uniform(0.7, 1.7)) + np.float32(rng.normal(0, 0.12)), 0, 1)
    if rng.random() < 0.5 * much:
        x = gaussian_blur(x, float(rng.uniform(0.3, 1.8)))
    kind = rng.random() / much
    if kind < 0.05:
        x = print_halftone(x, float(rng.uniform(2.5, 6)), float(rng.uniform(0.2, 0.9)), rng)
    elif kind < 0.10:
        x = _engraved(x, rng)
    if rng.random() < 0.75 * much:
        x = add_film_grain(x, float(rng.uniform(1, 18)), float(rng.uniform(0.4, 2.2)), rng)
    if rng.random() < 0.1 * much:
        x = np.clip(x + np.float32(rng.uniform(0.3, 1.2)) * (x - gaussian_blur(x, 0.9)), 0, 1)
    return np.clip(x, 0, 1).astype(np.float32)


def _engraved(x: Pixels, rng: Generator) -> Pixels:
    """Lines that swell where it is dark, of one or two directions, as in wood and steel engravings."""
    tone = gaussian_blur(x.mean(axis=2), 1.0)
    down, across = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32)
    ink = np.zeros_like(tone)
    bend = gaussian_blur(rng.standard_normal(tone.shape, dtype=np.float32), 12.0) * np.float32(rng.uniform(0, 60))
    for limit in (1.0, 0.5)[: int(rng.integers(1, 3))]:
        angle, period = float(rng.uniform(0, np.pi)), float(rng.uniform(2.5, 6))
        phase = (across * np.cos(angle) + down * np.sin(angle) + bend) * np.float32(2 * np.pi / period)
        dark = 1 - tone / np.float32(limit)
        ink = np.maximum(ink, 1 / (1 + np.exp(-(dark - 0.5 + 0.5 * np.cos(phase)) * 8)))
    strength = np.float32(rng.uniform(0.5, 1.0))
    return np.clip(x * (1 - strength) + (strength * (1 - ink))[:, :, None], 0, 1).astype(np.float32)


def _printed_on(x: Pixels, rng: Generator) -> Pixels:
    """Captions, rules, frames and ovals, which belong to the picture."""
    side = x.shape[0]
    layer = np.zeros(x.shape[:2], np.float32)
    # Borders seldom: with a fourth of them missing corners were taken for borders.
    kind = int(rng.choice(4, p=(0.3, 0.3, 0.3, 0.1)))
    if kind == 0:
        for _ in range(int(rng.integers(1, 4))):
            letters = "".join(
                rng.choice(list("abcdefghiklmnoprstuvwABCDEFGHIKLMNORST0123456789  .,"), int(rng.integers(3, 20)))
            )
            font = int(rng.choice((0, 2, 3, 4, 6, 7)))
            at = (int(rng.integers(-10, side - 30)), int(rng.integers(8, side)))
            # OpenCV 5 writes on 8-bit pictures only; what it drew on others before was not smoothed either.
            written = np.zeros(layer.shape, np.uint8)
            size, thick = float(rng.uniform(0.25, 0.9)), int(rng.integers(1, 3))
            cv2.putText(written, letters, at, font, size, (1,), thick, cv2.LINE_8)
            layer = np.maximum(layer, written.astype(np.float32))
    elif kind == 1:
        inset = [int(v) for v in rng.integers(-4, 24, 4)]
        thick = int(rng.integers(1, 4))
        for shift in range(0, 6 * int(rng.integers(1, 3)), 6):
            first, last = (inset[0] + shift, inset[1] + shift), (side - inset[2] - shift, side - inset[3] - shift)
            cv2.rectangle(layer, first, last, (1.0,), thick, cv2.LINE_AA)
    elif kind == 2:
        axes = tuple(int(v) for v in rng.uniform(0.3, 0.55, 2) * side)
        outside = np.zeros_like(layer)
        cv2.ellipse(outside, (side // 2, side // 2), axes, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
        layer = 1 - outside
    else:
        layer = _border(side, rng)
    tone = np.float32(rng.choice((rng.uniform(0, 0.25), rng.uniform(0.75, 1.0))))
    if rng.random() < 0.6:
        layer = gaussian_blur(layer, float(rng.uniform(0.3, 0.8)))
    layer = (layer * np.float32(rng.uniform(0.6, 1.0)))[:, :, None]
    return (x * (1 - layer) + tone * layer).astype(np.float32)


def _border(side: int, rng: Generator) -> NDArray[np.float32]:
    """A print's border, a mount, a mirror, a window: everything beyond one to four straight lines is of one tone, now and
    then with a rule beside it; the cut is seldom quite straight up."""
    low, high = -side, 2 * side
    left, top, right, bottom = (int(rng.integers(3, side // 4)) if rng.random() < 0.5 else side for _ in range(4))
    inner = (low if left == side else left, low if top == side else top)
    outer = (high if right == side else side - right, high if bottom == side else side - bottom)
    layer = np.ones((side, side), np.float32)
    cv2.rectangle(layer, inner, outer, (0.0,), -1)
    if rng.random() < 0.3:
        apart = int(rng.integers(2, 8))
        corners = (inner[0] + apart, inner[1] + apart), (outer[0] - apart, outer[1] - apart)
        cv2.rectangle(layer, *corners, (1.0,), int(rng.integers(1, 3)))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.normal(0, 1.5)), 1.0)
    return np.asarray(cv2.warpAffine(layer, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.float32)
