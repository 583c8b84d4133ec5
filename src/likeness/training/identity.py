"""Who is it? A face embedding learnt from the portraits alone, for the loss that keeps the person.

Published embeddings (ArcFace and its kin) are learnt from pictures that no business may use, and dlib's judges our results,
so it must not be what they were trained on. This one classifies the persons of the training portraits with a margin (Wang
et al., CosFace, 2018), from views that differ in pose, light, sharpness, noise and compression.
"""

from __future__ import annotations

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
from safetensors.torch import load_file, save
from torch import Tensor, nn

from likeness.errors import TrainingError
from likeness.imaging.files import write_bytes_atomically
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel

__all__ = [
    "FaceEmbedding",
    "Lesson",
    "face_view",
    "learn_embedding",
    "person_labels",
    "read_embedding",
    "write_embedding",
]

SIDE = 112
"""Side of the grey views that the embedding sees, px."""
_CENTRE = (257.0, 303.0)
"""Middle of the face in an FFHQ-aligned picture of 512 x 512: between the eyes' line and the mouth."""
_REACH = 416.0
"""Side of the square around it that a view shows, at 512: brows to chin, ear to ear."""
_LUMA = (0.299, 0.587, 0.114)
_SAME_PERSON = 0.45
"""dlib's distance under which two portraits count as one person; stricter than its usual 0.6, where brothers meet."""

_SCALE = 24.0
_MARGIN = 0.3
_SMOOTHING = 0.05
_BATCH = 64
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 5e-3


class FaceEmbedding(nn.Module):
    """Unit vectors, N x 128, of grey views, N x 1 x 112 x 112 in [0, 1]: near each other for one person."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = [width * factor for factor in (1, 2, 4, 8)]
        self.stem = nn.Sequential(_convolution(1, widths[0], 2), nn.ReLU())
        self.stages = nn.ModuleList(_Stage(i, o) for i, o in pairwise(widths))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1] * (SIDE // 16) ** 2, 128), nn.BatchNorm1d(128)
        )
        oval = torch.linspace(-1, 1, SIDE)
        radius = (oval[None, :] / 0.86) ** 2 + ((oval[:, None] + 0.02) / 0.98) ** 2
        self.register_buffer("oval", torch.sigmoid((1 - radius) * 8)[None, None], persistent=False)
        self.oval: Tensor
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch's stubs lack this overload

    def forward(self, view: Tensor) -> Tensor:
        """Embed views, N x 1 x 112 x 112."""
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
    """Local mean over about a third of the view, at full size again."""
    mean = F.avg_pool2d(F.pad(coarse, (4, 4, 4, 4), mode="reflect"), 9, stride=1)
    return F.interpolate(mean, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def face_view(pictures: Tensor, place: tuple[int, int] = (0, 0), reach: float = 1.0) -> Tensor:
    """The grey views, N x 1 x 112 x 112 in [0, 1], of aligned pictures, N x 3 x S x S in [-1, 1].

    ``place`` moves the view (px at 512, right and down), ``reach`` makes it wider. Differentiable.
    """
    unit = pictures.shape[-1] / 512
    side = round(_REACH * reach * unit)
    left, top = (
        min(max(round((centre + move) * unit - side / 2), 0), pictures.shape[-1] - side)
        for centre, move in zip(_CENTRE, place, strict=True)
    )
    cut = pictures[..., top : top + side, left : left + side].float().clamp(-1, 1)
    luma = torch.tensor(_LUMA, device=cut.device).view(1, 3, 1, 1) / 2
    return F.adaptive_avg_pool2d((cut * luma).sum(dim=1, keepdim=True) + 0.5, SIDE)


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
    """Where learning stands: views seen, views a second, and how many of the last ones were told right."""

    views: int
    rate: float
    right: float


def learn_embedding(
    portraits: Portraits,
    labels: Sequence[int] | NDArray[np.int64],
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
    network = FaceEmbedding(width)
    centres = nn.Parameter(torch.randn(count, 128) * 0.1)
    optimiser = torch.optim.AdamW(
        [*network.parameters(), centres], lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True
    )
    chips = _chips(portraits)
    steps, right, since = views // _BATCH, 0.0, time.perf_counter()
    order = np.empty(0, dtype=np.int64)
    for step in range(steps):
        if len(order) < _BATCH:
            order = np.concatenate([order, rng.permutation(len(chips))])
        drawn, order = order[:_BATCH], order[_BATCH:]
        done = step / steps
        for group in optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * done))
        flat = _hidden(network.flatten(_varied(chips[drawn], rng)), rng)
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
            report(Lesson(views=seen, rate=seen / (time.perf_counter() - since), right=right))
    return network.eval().requires_grad_(False)


def _chips(portraits: Portraits) -> Tensor:
    """N x 1 x 176 x 176 uint8: the views with a margin to turn and shift them in, half again as fine."""
    chips = []
    for index in range(len(portraits.names)):
        x = torch.from_numpy(portraits.pixels(index)).movedim(2, 0)[None] * 2 - 1
        unit = x.shape[-1] / 512
        wide = F.pad(x, (round(48 * unit),) * 4, mode="reflect")
        centre = [c * unit + round(48 * unit) for c in _CENTRE]
        side = round(_REACH * 176 / 160 * unit)
        left, top = (round(c - side / 2) for c in centre)
        cut = wide[..., top : top + side, left : left + side]
        luma = (cut * torch.tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True) * 127.5 + 127.5
        chips.append(F.adaptive_avg_pool2d(luma, 176).clamp(0, 255).round().to(torch.uint8))
    return torch.cat(chips)


def _varied(chips: Tensor, rng: np.random.Generator) -> Tensor:
    """Views of ``chips`` as another photograph might show them: turned, bent, lit, blurred, noisy, compressed."""
    count = len(chips)
    x = chips.float() / 255
    x = F.grid_sample(x, _places(count, rng), padding_mode="border", align_corners=False).clamp(0, 1)
    gamma = torch.from_numpy(rng.uniform(0.6, 1.5, count).astype(np.float32)).view(-1, 1, 1, 1)
    x = x**gamma * (1 + _smooth_noise(count, 1, 4, 0.25, rng))
    out = []
    for view in x:
        picture = view[0].numpy()
        if rng.random() < 0.5:
            small = max(20, round(SIDE / rng.uniform(1.0, 5.0)))
            picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
        picture = picture + rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.05))
        if rng.random() < 0.3:
            quality = int(rng.integers(15, 80))
            samples = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
            stored = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)
        out.append(torch.from_numpy(picture))
    return torch.stack(out)[:, None]


def _places(count: int, rng: np.random.Generator) -> Tensor:
    """Where each view is sampled: turned up to 8 degrees, 10 % larger or smaller, shifted, mirrored, bent a little."""

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, count).astype(np.float32))

    angle, scale, aspect = draw(-0.14, 0.14), draw(0.9, 1.1) * (160 / 176), draw(0.95, 1.05)
    mirror = torch.from_numpy(np.where(rng.random(count) < 0.5, -1.0, 1.0).astype(np.float32))
    matrices = torch.zeros(count, 2, 3)
    matrices[:, 0, 0] = angle.cos() * scale * mirror * aspect
    matrices[:, 0, 1] = -angle.sin() * scale
    matrices[:, 1, 0] = angle.sin() * scale * mirror
    matrices[:, 1, 1] = angle.cos() * scale
    matrices[:, 0, 2], matrices[:, 1, 2] = draw(-0.06, 0.06), draw(-0.06, 0.06)
    straight = F.affine_grid(matrices, [count, 1, SIDE, SIDE], align_corners=False)
    return straight + _smooth_noise(count, 2, 6, 0.022, rng).permute(0, 2, 3, 1)


def _smooth_noise(count: int, channels: int, knots: int, strength: float, rng: np.random.Generator) -> Tensor:
    coarse = torch.from_numpy(
        rng.standard_normal((count, channels, knots, knots), dtype=np.float32) * np.float32(strength)
    )
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=False)


def _hidden(flat: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the views lose a rectangle, twice over: no one feature may tell the person alone."""
    flat = flat.clone()
    for view in flat:
        for _ in range(2):
            if rng.random() < 0.5:
                height, width = rng.integers(12, 44, 2)
                top, left = rng.integers(0, 80, 2)
                view[:, top : top + height, left : left + width] = 0
    return flat


def write_embedding(network: FaceEmbedding, path: Path) -> None:
    """Write it as safetensors in float16; the file appears whole or not at all."""
    state = {key: value.half().contiguous() for key, value in network.state_dict().items() if value.is_floating_point()}
    write_bytes_atomically(save(state), path)


def read_embedding(path: Path) -> FaceEmbedding:
    """Read what `write_embedding` wrote, ready to measure with.

    Raises:
        TrainingError: if it is missing, or no such file.
    """
    try:
        state = {key: value.float() for key, value in load_file(path).items()}
        network = FaceEmbedding(len(state["stem.0.0.weight"]))
        network.load_state_dict(state, strict=False)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise TrainingError(f"{path} cannot be read as a face embedding ({error}); learn it anew") from error
    return network.eval().requires_grad_(False)
