"""The embedding that ships: learnt to know a person in a poor photograph by a good one (`likeness.reference.matching`).

Each step shows two views of each of 32 persons, of two photographs where there are two, one view mostly poor and one mostly
good. Each of the 64 must find its partner (InfoNCE: van den Oord et al., "Representation learning with contrastive
predictive coding", 2018) and its person among all (CosFace: Wang et al., 2018). As most persons have one photograph only,
the second alone hardly starts; persons with several come three times as often, as only they show what days and ages do.
Faces are bent as other expressions would bend them: as far as the lower halves of other portraits' meshes differ. What is
kept is the moving average of the weights.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.imaging.portraits import Portraits
from likeness.models.embedding.architecture import BRANCHES, STAGES, EmbeddingConfig
from likeness.models.embedding.weights import EmbeddingWeights
from likeness.training.face_views import CHIP_MARGIN, ViewWindow, chips_of, moved_places, smooth_noise
from likeness.training.identity import FaceEmbedding, Lesson
from likeness.training.run_state import Part, load_state, save_state

__all__ = ["MATCHER_WINDOW", "folded", "learn_matcher", "unfolded"]

MATCHER_WINDOW = ViewWindow(side=112, centre=(257.0, 303.0), reach=416.0)
_WIDTH, _SQUEEZE = 24, 64
_BATCH = 64
_RATE, _DECAY = 2e-3, 5e-3
_PAIR_SCALE, _PERSON_SCALE, _MARGIN, _SMOOTHING = 14.0, 22.0, 0.3, 0.05
_EASY, _HARD, _HARD_FROM = 0.3, 0.8, 0.4
"""How poor views get (`_views`) at the start, and from this share of the run on."""
_SEVERAL = 3
"""How often persons with several photographs come while others come once."""
_AVERAGE = 0.998
_FIELDS, _KNOTS = 400, 20
_NORM_EPSILON = 1e-5
"""What PyTorch's normalisation adds to a variance."""
_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip


def learn_matcher(
    portraits: Portraits,
    labels: NDArray[np.int64],
    meshes: NDArray[np.float32],
    *,
    views: int,
    window: ViewWindow = MATCHER_WINDOW,
    width: int = _WIDTH,
    seed: int = 0,
    state: Path | None = None,
    report: Callable[[Lesson], None] | None = None,
) -> FaceEmbedding:
    """Learn from so many views of ``portraits``.

    Args:
        portraits: FFHQ-aligned.
        labels: a number from 0 for each, the same for the same person (`person_labels`).
        meshes: N x 478 x 2, their meshes in px at 512.
        state: a file that keeps where learning stands, to go on from if it was stopped; None keeps nothing.

    Raises:
        TrainingError: if ``state`` belongs to other persons, views or networks.
    """
    torch.manual_seed(seed)
    count = int(labels.max()) + 1
    members = [np.flatnonzero(labels == person) for person in range(count)]
    weights = np.array([_SEVERAL if len(own) > 1 else 1 for own in members], dtype=np.float64)
    chips, bends = chips_of(portraits, window), _bends(meshes, window, np.random.default_rng(seed))
    network = FaceEmbedding(window, width, squeeze=_SQUEEZE)
    persons = nn.Embedding(count, 128)
    nn.init.normal_(persons.weight, std=0.1)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(
        [*network.parameters(), *persons.parameters()], lr=_RATE, weight_decay=_DECAY, fused=True
    )
    settings = {"views": views, "seed": seed, "side": window.side, "width": width, "persons": count}
    parts: dict[str, Part] = {"network": network, "average": average, "persons": persons, "optimiser": optimiser}
    steps, right, first = views // _BATCH, 0.0, 0
    if state is not None and state.is_file():
        first = load_state(state, settings, tuple(settings), parts, "cpu") // _BATCH
    partner = torch.arange(_BATCH) ^ 1
    since = time.perf_counter()
    for step in range(first, steps):
        rng, done = np.random.default_rng((seed, step)), step / steps
        who = rng.choice(count, _BATCH // 2, replace=False, p=weights / weights.sum())
        drawn = np.concatenate([rng.choice(members[one], 2, replace=len(members[one]) < 2) for one in who])
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / 100) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * done))
        hard = _EASY + (_HARD - _EASY) * min(1.0, done / _HARD_FROM)
        shown = _views(chips[drawn], bends, window.side, hard, rng)
        embedding = network.describe(_hidden(network.flatten(shown), rng))
        truth = torch.as_tensor(labels[drawn])
        cosines = embedding @ F.normalize(persons.weight, dim=1).T
        margin = _MARGIN * max(0.0, min(1.0, 2 * done - 0.1)) * F.one_hot(truth, count)
        among = (embedding @ embedding.T * _PAIR_SCALE).masked_fill(torch.eye(_BATCH, dtype=torch.bool), -1e4)
        loss = F.cross_entropy(_PERSON_SCALE * (cosines - margin), truth, label_smoothing=_SMOOTHING)
        loss = loss + F.cross_entropy(among, partner)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        _follow(average, network, min(_AVERAGE, (step + 1) / (step + 10)))
        right = 0.98 * right + 0.02 * float((among.detach().argmax(dim=1) == partner).float().mean())
        if step % 100 == 99 or step == steps - 1:
            seen = (step + 1) * _BATCH
            if state is not None:
                save_state(state, settings, seen, parts)
            if report is not None:
                rate = (step + 1 - first) * _BATCH / (time.perf_counter() - since)
                report(Lesson(views=seen, of=steps * _BATCH, rate=rate, right=right))
    return average.eval().requires_grad_(False)


def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move an average of weights toward those of now; ``share`` is what it keeps of itself."""
    with torch.no_grad():
        for own, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.lerp_(new, 1 - share)
            else:
                own.copy_(new)


def folded(network: FaceEmbedding, source: str = "") -> EmbeddingWeights:
    """The weights for `likeness.models.embedding`: every normalisation in its convolution; ``squeeze`` must not be 0."""
    own = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    state: dict[str, NDArray[np.float64]] = {}
    _fold(state, "stem", own, "stem.0")
    for stage in range(STAGES):
        for branch in BRANCHES:
            name = f"stages.{stage}.{branch}"
            if branch == "skip":
                state[f"{name}.weight"], state[f"{name}.bias"] = own[f"{name}.weight"], own[f"{name}.bias"]
            else:
                _fold(state, name, own, name)
    _fold(state, "squeeze", own, "head", convolution="0", norm="1")
    _fold(state, "head", own, "head", convolution="3", norm="4")
    config = EmbeddingConfig(
        side=network.window.side,
        width=len(state["stem.weight"]),
        squeeze=len(state["squeeze.weight"]),
        numbers=len(state["head.weight"]),
    )
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in state.items()}
    return EmbeddingWeights(state=arrays, config=config, source=source)


def unfolded(weights: EmbeddingWeights, window: ViewWindow = MATCHER_WINDOW) -> FaceEmbedding:
    """`folded`, the other way: the embedding that the package ships as a network that a loss can look through."""
    network = FaceEmbedding(window, weights.config.width, squeeze=weights.config.squeeze)
    own = network.state_dict()
    places = {"stem": "stem.0.", "squeeze": "head.", "head": "head."}
    for name, array in weights.state.items():
        layer, kind = name.rsplit(".", 1)
        value = torch.from_numpy(np.array(array, dtype=np.float32))
        place = places.get(layer, f"{layer}.")
        if layer.endswith(".skip"):
            own[name] = value
            continue
        convolution, norm = ("3", "4") if layer == "head" else ("0", "1")
        # The normalisation's own gain and mean stay 1 and 0, so that all it does is to add the bias.
        own[f"{place}{convolution}.weight" if kind == "weight" else f"{place}{norm}.bias"] = value
        if f"{place}{convolution}.bias" in own:
            own[f"{place}{convolution}.bias"] = torch.zeros_like(own[f"{place}{convolution}.bias"])
        own[f"{place}{norm}.running_var"] = torch.full_like(own[f"{place}{norm}.running_var"], 1 - _NORM_EPSILON)
    network.load_state_dict(own)
    return network.eval().requires_grad_(False)


def _fold(
    state: dict[str, NDArray[np.float64]],
    name: str,
    own: Mapping[str, NDArray[np.float64]],
    place: str,
    *,
    convolution: str = "0",
    norm: str = "1",
) -> None:
    weight = own[f"{place}.{convolution}.weight"]
    gain = own[f"{place}.{norm}.weight"] / np.sqrt(own[f"{place}.{norm}.running_var"] + _NORM_EPSILON)
    bias = own.get(f"{place}.{convolution}.bias", np.zeros(len(weight))) - own[f"{place}.{norm}.running_mean"]
    state[f"{name}.weight"] = weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
    state[f"{name}.bias"] = own[f"{place}.{norm}.bias"] + bias * gain


def _bends(meshes: NDArray[np.float32], window: ViewWindow, rng: np.random.Generator) -> Tensor:
    """Displacements as of other expressions, F x 2 x K x K over a chip, in halves of its side."""
    half = window.reach * CHIP_MARGIN / 2
    line = np.linspace(-half, half, _KNOTS)
    knots = np.stack(np.meshgrid(line + window.centre[0], line + window.centre[1]), axis=-1).reshape(-1, 2)
    found = np.empty((_FIELDS, 2, _KNOTS, _KNOTS), np.float32)
    for field in found:
        one, other = (meshes[index].astype(np.float64) for index in rng.integers(len(meshes), size=2))
        share = 0.6 * np.clip((one[:, 1] - 300) / 60, 0, 1)
        share[list(_LIPS)] = 1
        near = np.exp(-np.square(knots[:, None] - one).sum(axis=2) / (2 * 20.0**2))
        moved = near @ ((other - one) * share[:, None]) / (near.sum(axis=1, keepdims=True) + 0.6)
        field[:] = (moved / half).T.reshape(2, _KNOTS, _KNOTS)
    return torch.from_numpy(found)


def _views(chips: Tensor, bends: Tensor, side: int, hard: float, rng: np.random.Generator) -> Tensor:
    """Views of ``chips`` as other photographs might show them; ``hard``, up to 1, is how poor they get."""
    count, wide = len(chips), chips.shape[-1]
    strength = rng.uniform(-0.3, 1.2, count) * (rng.random(count) < 0.7 * hard)
    bend = bends[torch.from_numpy(rng.integers(len(bends), size=count))]
    bend = bend * torch.from_numpy(strength.astype(np.float32)).view(-1, 1, 1, 1)
    bend = F.interpolate(bend, size=(wide, wide), mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    plain = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 1, wide, wide], align_corners=False)
    x = F.grid_sample(chips.float() / 255, plain + bend, padding_mode="border", align_corners=False)
    x = F.grid_sample(x, moved_places(count, side, rng), padding_mode="border", align_corners=False).clamp(0, 1)
    gamma = torch.from_numpy(rng.uniform(0.6, 1.5, count).astype(np.float32)).view(-1, 1, 1, 1)
    x = (x**gamma * (1 + smooth_noise((count, 1, 4, 4), 0.25, side, rng))).clamp(0, 1)
    out: list[Tensor] = []
    for number, view in enumerate(x):
        pixels = view[0].numpy()
        if rng.random() < (0.65 if number % 2 else 0.3):
            pixels = _poor(pixels, hard, rng)
        elif rng.random() < 0.3:
            pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.03))
        out.append(torch.from_numpy(pixels))
    return torch.stack(out)[:, None]


def _poor(pixels: NDArray[np.float32], hard: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Blurred by up to 11 px at 512, made smaller, noisy, compressed."""
    side = len(pixels)
    sigma = rng.uniform(0, 2.2 * hard)
    x = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32) if sigma > 0.3 else pixels
    small = round(side / rng.uniform(1.0, 1 + 2.2 * hard))
    x = np.asarray(cv2.resize(x, (small, small), interpolation=cv2.INTER_AREA), np.float32)
    x = x + rng.standard_normal(x.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.07 * hard))
    if rng.random() < 0.6:
        samples = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
        stored = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])[1]
        x = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)
    return np.clip(np.asarray(cv2.resize(x, (side, side), interpolation=cv2.INTER_CUBIC), np.float32), 0, 1)


def _hidden(flat: Tensor, rng: np.random.Generator) -> Tensor:
    """Nearly half of the views lose a rectangle: no one feature may tell the person alone."""
    flat = flat.clone()
    side = flat.shape[-1]
    for view in flat:
        if rng.random() < 0.45:
            height, width = rng.integers(side * 3 // 28, side * 11 // 28, 2)
            top, left = rng.integers(0, side * 5 // 7, 2)
            view[:, top : top + height, left : left + width] = 0
    return flat
