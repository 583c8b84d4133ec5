"""Who is it? A face embedding learnt from the portraits alone, for the loss that keeps the person.

Published embeddings (ArcFace and its kin) are learnt from pictures that no business may use, and dlib's judges our results,
so it must not be what they were trained on. This one classifies the persons of the training portraits with a margin (Wang
et al., CosFace, 2018), from views that differ in pose, light, sharpness, noise and compression.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from likeness.errors import TrainingError
from likeness.imaging.portraits import Portraits
from likeness.messages.notice import Notice, reason_of
from likeness.metrics import IdentityModel
from likeness.training.config import TrainConfig
from likeness.training.face_views import ViewWindow, chips_of, moved_places, smooth_noise
from likeness.training.run_state import read_networks, write_networks

__all__ = [
    "WINDOWS",
    "FaceEmbedding",
    "Lesson",
    "learn_embedding",
    "person_labels",
    "read_embeddings",
    "run_embeddings",
    "write_embeddings",
]

_log = logging.getLogger(__name__)

_PORTRAIT_SIDE = 512
_SAME_PERSON = 0.45
"""dlib's distance under which two portraits count as one person; stricter than its usual 0.6, where brothers meet."""

_SCALE = 24.0
_MARGIN = 0.3
_SMOOTHING = 0.05
_BATCH = 64
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 5e-3


WINDOWS = (
    ViewWindow(side=112, centre=(257.0, 303.0), reach=416.0),
    ViewWindow(side=160, centre=(257.0, 298.0), reach=352.0),
)
"""The whole face, ear to ear, and its features closer: two judges are harder to deceive than one (docs/training.md)."""


class FaceEmbedding(nn.Module):
    """Unit vectors, N x 128, of grey views, N x 1 x side x side in [0, 1]: near each other for one person."""

    def __init__(self, window: ViewWindow, width: int = 24, *, squeeze: int = 0) -> None:
        super().__init__()
        self.window = window
        widths = [width * factor for factor in (1, 2, 4, 8)]
        self.stem = nn.Sequential(_convolution(1, widths[0], 2), nn.ReLU())
        self.stages = nn.ModuleList(_Stage(i, o) for i, o in pairwise(widths))
        places = (window.side // 16) ** 2
        # The first is how the loss's embeddings are; the second is half as large, for a file that ships.
        before = (
            [nn.Conv2d(widths[-1], squeeze, 1, bias=False), nn.BatchNorm2d(squeeze), nn.Flatten()]
            if squeeze
            else [nn.Flatten(), nn.Dropout(0.3)]
        )
        self.head = nn.Sequential(*before, nn.Linear((squeeze or widths[-1]) * places, 128), nn.BatchNorm1d(128))
        oval = torch.linspace(-1, 1, window.side)
        radius = (oval[None, :] / 0.86) ** 2 + ((oval[:, None] + 0.02) / 0.98) ** 2
        self.register_buffer("oval", torch.sigmoid((1 - radius) * 8)[None, None], persistent=False)
        self.oval: Tensor
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch's stubs lack this overload

    def forward(self, view: Tensor) -> Tensor:
        """Embed views, N x 1 x side x side."""
        return self.describe(self.flatten(view))

    def flatten(self, view: Tensor) -> Tensor:
        """The view without its light: deviation from the local mean over local contrast, within an oval."""
        coarse = F.avg_pool2d(view, 4)
        mean, square = _around(coarse), _around(F.avg_pool2d(view.square(), 4))
        deviation = (square - mean.square()).clamp_min(1e-6).sqrt()
        return (view - mean) / (deviation + 0.06) * self.oval

    def describe(self, flat: Tensor) -> Tensor:
        """Embed views that `flatten` made."""
        x = self.stem(flat.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            x = stage(x)
        return F.normalize(self.head(x).float(), dim=1)


class _Stage(nn.Module):
    """Half the side, twice the channels: two residual blocks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_convolution(inputs, outputs, 2), nn.ReLU(), _convolution(outputs, outputs))
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.second = nn.Sequential(_convolution(outputs, outputs), nn.ReLU(), _convolution(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x) + self.skip(F.avg_pool2d(x, 2)))
        return F.relu(self.second(x) + x)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))


def _around(coarse: Tensor) -> Tensor:
    """Local mean over about a third of the view, of which ``coarse`` has every fourth sample, at full size again."""
    side = 4 * coarse.shape[-1]
    border = round(side / 27)
    mean = F.avg_pool2d(F.pad(coarse, (border,) * 4, mode="reflect"), 2 * border + 1, stride=1)
    return F.interpolate(mean, size=(side, side), mode="bilinear", align_corners=False)


def run_embeddings(config: TrainConfig, report: Callable[[Lesson], None] | None) -> tuple[FaceEmbedding, ...]:
    """The face embeddings in ``config.embeddings``, learnt and written first if they are not there yet.

    Raises:
        MissingExtraError: if they have to be learnt, and dlib is not installed.
        TrainingError: if the file is none of theirs.
    """
    path = Path(config.embeddings)
    if not path.is_file():
        # All portraits, the small ones too: a view is small, and more persons make a better judge.
        portraits = Portraits.read(Path(config.portraits), _PORTRAIT_SIDE)
        labels = person_labels(portraits)
        _log.info("learning to tell %d persons apart, for %s", labels.max() + 1, path)
        learnt = [
            learn_embedding(portraits, labels, window, views=config.embedding_views, seed=config.seed, report=report)
            for window in WINDOWS
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_embeddings(learnt, path)
    return read_embeddings(path)


def person_labels(portraits: Portraits) -> NDArray[np.int64]:
    """A number from 0 for each portrait, the same for those that dlib takes for one person.

    Raises:
        MissingExtraError: if dlib is not installed.
    """
    model = IdentityModel()
    points = np.stack([model.embed(portraits.pixels(i)) for i in range(len(portraits.names))])
    labels = np.arange(len(points))
    for one, point in enumerate(points):
        for other in np.flatnonzero(np.linalg.norm(points[one + 1 :] - point, axis=1) < _SAME_PERSON) + one + 1:
            labels[labels == labels[other]] = labels[one]
    return np.unique(labels, return_inverse=True)[1]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Where learning an embedding stands: views seen of how many, a second, and the share of the last told right."""

    views: int
    of: int
    rate: float
    right: float


def learn_embedding(
    portraits: Portraits,
    labels: Sequence[int] | NDArray[np.int64],
    window: ViewWindow,
    *,
    views: int,
    seed: int = 0,
    width: int = 24,
    report: Callable[[Lesson], None] | None = None,
) -> FaceEmbedding:
    """Learn to tell the persons of ``portraits`` (``labels``, from 0) apart, from that many views of them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    persons = torch.as_tensor(np.asarray(labels))
    count = int(persons.max()) + 1
    network = FaceEmbedding(window, width)
    centres = nn.Parameter(torch.randn(count, 128) * 0.1)
    optimiser = torch.optim.AdamW(
        [*network.parameters(), centres], lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True
    )
    chips = chips_of(portraits, window)
    steps, right, since = views // _BATCH, 0.0, time.perf_counter()
    order = np.empty(0, dtype=np.int64)
    for step in range(steps):
        if len(order) < _BATCH:
            order = np.concatenate([order, rng.permutation(len(chips))])
        drawn, order = order[:_BATCH], order[_BATCH:]
        done = step / steps
        for group in optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        flat = _hidden(network.flatten(_varied(chips[drawn], window.side, rng)), rng)
        truth = persons[drawn]
        with torch.autocast("cpu", torch.bfloat16):
            embedding = network.describe(flat)
        cosines = embedding @ F.normalize(centres, dim=1).T
        # The margin grows: from the start it would keep everything at chance.
        margin = _MARGIN * min(1.0, 2 * done) * F.one_hot(truth, count)
        loss = F.cross_entropy(_SCALE * (cosines - margin), truth, label_smoothing=_SMOOTHING)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        right = 0.98 * right + 0.02 * float((cosines.argmax(dim=1) == truth).float().mean())
        if report is not None and (step % 100 == 99 or step == steps - 1):
            seen = (step + 1) * _BATCH
            report(Lesson(views=seen, of=steps * _BATCH, rate=seen / (time.perf_counter() - since), right=right))
    return network.eval().requires_grad_(False)


def _varied(chips: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """Views of ``chips`` as another photograph might show them: turned, bent, lit, blurred, noisy, compressed."""
    count = len(chips)
    x = chips.float() / 255
    x = F.grid_sample(x, moved_places(count, side, rng), padding_mode="border", align_corners=False).clamp(0, 1)
    gamma = torch.from_numpy(rng.uniform(0.6, 1.5, count).astype(np.float32)).view(-1, 1, 1, 1)
    x = x**gamma * (1 + smooth_noise((count, 1, 4, 4), 0.25, side, rng))
    out = []
    for view in x:
        picture = view[0].numpy()
        if rng.random() < 0.5:
            small = max(20, round(side / rng.uniform(1.0, 5.0)))
            picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (side, side))
        picture = picture + rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.05))
        if rng.random() < 0.3:
            quality = int(rng.integers(15, 80))
            samples = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
            stored = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)
        out.append(torch.from_numpy(picture))
    return torch.stack(out)[:, None]


def _hidden(flat: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the views lose a rectangle, twice over: no one feature may tell the person alone."""
    flat = flat.clone()
    side = flat.shape[-1]
    for view in flat:
        for _ in range(2):
            if rng.random() < 0.5:
                height, width = rng.integers(side * 3 // 28, side * 11 // 28, 2)
                top, left = rng.integers(0, side * 5 // 7, 2)
                view[:, top : top + height, left : left + width] = 0
    return flat


def write_embeddings(networks: Sequence[FaceEmbedding], path: Path) -> None:
    """Write one for each of `WINDOWS` as safetensors in float16; the file appears whole or not at all."""
    write_networks({str(number): network for number, network in enumerate(networks)}, path)


def read_embeddings(path: Path) -> tuple[FaceEmbedding, ...]:
    """Read what `write_embeddings` wrote, ready to measure with.

    Raises:
        TrainingError: if it is missing, or no such file.
    """
    networks = []
    try:
        states = read_networks(path)
        for number, window in enumerate(WINDOWS):
            own = states[str(number)]
            network = FaceEmbedding(window, len(own["stem.0.0.weight"]))
            network.load_state_dict(own)
            networks.append(network.eval().requires_grad_(False))
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise TrainingError(
            Notice("training.embeddings-unread", {"path": str(path), "why": reason_of(error)})
        ) from error
    return tuple(networks)
