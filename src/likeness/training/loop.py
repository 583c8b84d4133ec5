"""The training loop: read it from top to bottom.

Phase one is regression (L1 on pixels and on gradients) from the identity; phase two adds a patch discriminator (hinge
loss, Lim and Ye, "Geometric GAN", 2017) with feature matching. Everything random is decided by the seed and the number of
pictures seen, so a run that is stopped and resumed goes the same way.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from PIL import Image as PillowImage
from torch import Tensor

from likeness.checkpoints.formats import ModelInfo, read_checkpoint, write_checkpoint
from likeness.degradations import RECIPES
from likeness.errors import TrainingError
from likeness.imaging.portraits import Portraits
from likeness.networks.config import GpenConfig
from likeness.networks.discriminator import PatchDiscriminator
from likeness.networks.gpen import Gpen
from likeness.training.config import TrainConfig
from likeness.training.data import PairStream
from likeness.training.losses import face_weights, feature_distance, gradient_l1, weighted_l1

__all__ = ["Progress", "Trainer", "export", "train"]

_log = logging.getLogger(__name__)
_VALIDATION_PICTURES = 16
_FIXED = ("size", "channel_multiplier", "narrow", "styles_up_to", "start", "seed", "discriminator_channels")
"""Settings that a resumed run may not change."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands: pictures seen, pictures a second, and the mean losses since the last report."""

    pictures: int
    rate: float
    losses: dict[str, float]


def train(config: TrainConfig, *, report: Callable[[Progress], None] | None = None) -> Path:
    """Run, or go on with, the training that ``config`` describes.

    Returns:
        the run's checkpoint (``<run>/weights.safetensors``, the moving average in float16).

    Raises:
        TrainingError: if the device is missing, the loss is no number, or ``run`` holds another
            run's state.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError('no CUDA device here: set device = "cpu"')
    if config.threads:
        torch.set_num_threads(config.threads)
    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    portraits = Portraits.read(Path(config.portraits), config.size, min_native_side=config.min_native_side)
    trainer = Trainer(config)
    if (run / "state.pt").is_file():
        trainer.load(run / "state.pt")
    if config.size < config.discriminator_crop:
        raise TrainingError(f"discriminator_crop {config.discriminator_crop} is larger than size {config.size}")
    validation = _validation_pairs(config)

    stream = PairStream(
        portraits,
        batch=config.batch,
        first=trainer.seen,
        seed=config.seed,
        pre_degrade_odds=config.pre_degrade_odds,
        workers=config.workers,
    )
    sums: dict[str, float] = {}
    steps, since = 0, time.perf_counter()
    try:
        for target, shown in stream:
            if trainer.seen >= config.pictures:
                break
            losses = trainer.step(_to_device(target, config), _to_device(shown, config))
            steps += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            if not np.isfinite(list(losses.values())).all():
                raise TrainingError(f"the loss is no number after {trainer.seen} pictures; lower learning_rate")
            if _crossed(trainer.seen, config.batch, config.save_every) or trainer.seen >= config.pictures:
                seconds = time.perf_counter() - since
                means = {name: total / steps for name, total in sums.items()}
                if validation is not None:
                    means["validation_psnr"] = trainer.psnr(*validation)
                progress = Progress(pictures=trainer.seen, rate=steps * config.batch / seconds, losses=means)
                with (run / "stats.jsonl").open("a", encoding="utf-8") as lines:
                    record = {"pictures": trainer.seen, "rate": progress.rate, **means}
                    lines.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
                trainer.save(run / "state.pt")
                if report is not None:
                    report(progress)
                sums, steps, since = {}, 0, time.perf_counter()
            if _crossed(trainer.seen, config.batch, config.sheet_every):
                _write_sheet(run / f"sheet-{trainer.seen:07d}.jpg", *(validation or (target, shown)), trainer)
    finally:
        stream.close()
    return export(config)


def export(config: TrainConfig) -> Path:
    """Write the run's moving average as ``<run>/weights.safetensors`` in float16."""
    trainer = Trainer(config)
    trainer.load(Path(config.run) / "state.pt")
    state = {key: value.float().cpu().numpy() for key, value in trainer.average.state_dict().items()}
    path = Path(config.run) / "weights.safetensors"
    info = ModelInfo(
        name=Path(config.run).name, source=f"likeness train, {trainer.seen} pictures seen from {config.start}"
    )
    write_checkpoint(path, state, trainer.average.config, info)
    return path


class Trainer:
    """Networks, optimisers and the number of pictures seen."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.seen = 0
        self.generator = _start(config)
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = PatchDiscriminator(config.discriminator_channels)
        device = torch.device(config.device)
        for network in (self.generator, self.average, self.discriminator):
            network.to(device)
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.g_optimiser = torch.optim.Adam(
            trained, lr=config.learning_rate, betas=(config.beta1, 0.99), eps=1e-8, fused=True
        )
        self.d_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.discriminator_rate, betas=(0.0, 0.99), eps=1e-8, fused=True
        )
        self.weights = face_weights(config.size, config.face_weight).to(device)

    def step(self, target: Tensor, shown: Tensor) -> dict[str, float]:
        """One step of the generator, and of the discriminator in phase two; returns the losses."""
        config = self.config
        adversarial = self.seen >= config.adversarial_from
        for group in self.g_optimiser.param_groups:
            group["lr"] = config.learning_rate * self._rate()
            group["betas"] = (config.adversarial_beta1 if adversarial else config.beta1, 0.99)
        for group in self.d_optimiser.param_groups:
            group["lr"] = config.discriminator_rate
        losses: dict[str, Tensor] = {}
        with torch.autocast(config.device, torch.bfloat16):
            y = self.generator(shown)
        losses["l1"] = weighted_l1(y, target, self.weights)
        losses["gradient"] = gradient_l1(y, target, self.weights)
        total = config.l1 * losses["l1"] + config.gradient * losses["gradient"]
        crops: tuple[Tensor, Tensor] | None = None
        if adversarial:
            real, fake = crops = self._crop(target, y)
            self.discriminator.requires_grad_(False)
            with torch.autocast(config.device, torch.bfloat16):
                with torch.no_grad():
                    _, real_features = self.discriminator(real)
                fake_logits, fake_features = self.discriminator(fake)
            losses["g"] = -fake_logits.float().mean()
            losses["matching"] = feature_distance(fake_features, real_features)
            total = total + config.adversarial * losses["g"] + config.feature_matching * losses["matching"]
        self.g_optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.g_optimiser.step()
        if crops is not None:
            losses["d"] = self._discriminator_step(crops[0], crops[1].detach())
        self.seen += len(target)
        self._update_average(len(target))
        return {name: float(value.detach()) for name, value in losses.items()}

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        self.discriminator.requires_grad_(True)
        with torch.autocast(self.config.device, torch.bfloat16):
            logits, _ = self.discriminator(torch.cat([real, fake]))
        on_real, on_fake = logits.float().chunk(2)
        loss = F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
        self.d_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.d_optimiser.step()
        return loss

    def _crop(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The same random crop of both batches; half the side is a quarter of the discriminator's cost."""
        side = self.config.discriminator_crop
        room = self.config.size - side
        x, y = np.random.default_rng((self.config.seed, 1, self.seen)).integers(0, room + 1, 2)
        a, b = (batch[:, :, y : y + side, x : x + side] for batch in (a, b))
        return a.contiguous(memory_format=torch.channels_last), b.contiguous(memory_format=torch.channels_last)

    def _rate(self) -> float:
        done = self.seen / self.config.pictures
        return 1.0 if done < 0.8 else 1.0 + (self.config.final_rate - 1.0) * (min(done, 1.0) - 0.8) / 0.2

    @torch.no_grad()
    def _update_average(self, pictures: int) -> None:
        # Early on the half-life is a tenth of what was seen, so that the start is forgotten (Karras et al., EDM, 2022).
        half_life = min(self.config.ema_half_life, max(self.seen / 10, 1))
        keep = 0.5 ** (pictures / half_life)
        for average, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(current, 1 - keep)

    @torch.no_grad()
    def restore(self, shown: Tensor) -> Tensor:
        """The moving average's output for N x 3 x S x S in [-1, 1]."""
        with torch.autocast(self.config.device, torch.bfloat16):
            return torch.cat([self.average(x) for x in shown.split(self.config.batch)]).float()

    def psnr(self, target: NDArray[np.float32], shown: NDArray[np.float32]) -> float:
        """Mean PSNR in dB of the moving average on pairs."""
        error = self.restore(_to_device(shown, self.config)).clamp(-1, 1) - _to_device(target, self.config)
        mean_square = (error / 2).square().mean(dim=(1, 2, 3))
        return float((-10 * mean_square.log10()).mean())

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".part")
        torch.save(
            {
                "config": self.config.to_dict(),
                "seen": self.seen,
                "generator": self.generator.state_dict(),
                "average": self.average.state_dict(),
                "discriminator": self.discriminator.state_dict(),
                "g_optimiser": self.g_optimiser.state_dict(),
                "d_optimiser": self.d_optimiser.state_dict(),
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.config.device, weights_only=True)
        for key in _FIXED:
            if state["config"][key] != getattr(self.config, key):
                raise TrainingError(
                    f"{path} belongs to a run with {key} = {state['config'][key]}, not {getattr(self.config, key)}: "
                    "use another run folder"
                )
        self.seen = int(state["seen"])
        for key in ("generator", "average", "discriminator", "g_optimiser", "d_optimiser"):
            getattr(self, key).load_state_dict(state[key])
        _log.info("going on after %d pictures", self.seen)


def _start(config: TrainConfig) -> Gpen:
    if config.start == "identity":
        shape = GpenConfig(size=config.size, channel_multiplier=config.channel_multiplier, narrow=config.narrow)
        network = Gpen(shape)
        network.free_styles(config.styles_up_to)
        network.start_as_identity()
        return network
    checkpoint = read_checkpoint(Path(config.start))
    if checkpoint.config.size != config.size:
        raise TrainingError(f"{config.start} is of size {checkpoint.config.size}, the run of {config.size}")
    network = Gpen(checkpoint.config)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in checkpoint.state.items()})
    network.free_styles(config.styles_up_to)
    return network


def _to_device(batch: NDArray[np.float32], config: TrainConfig) -> Tensor:
    return torch.from_numpy(batch).to(config.device).contiguous(memory_format=torch.channels_last)


def _crossed(seen: int, batch: int, every: int) -> bool:
    return seen // every != (seen - batch) // every


def _validation_pairs(config: TrainConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """A few fixed pairs under the moderate recipe, from the shards ``val-*.tar``, where there are any."""
    folder = Path(config.portraits)
    if not any(folder.glob("val-*.tar")):
        return None
    portraits = Portraits.read(folder, config.size, split="val")
    step = max(1, len(portraits.names) // _VALIDATION_PICTURES)
    targets = [portraits.pixels(i) for i in range(0, len(portraits.names), step)][:_VALIDATION_PICTURES]
    shown = [RECIPES["moderate"].degrade(x, seed) for seed, x in enumerate(targets)]
    target_batch, shown_batch = (np.stack(x).transpose(0, 3, 1, 2) * 2 - 1 for x in (targets, shown))
    return np.ascontiguousarray(target_batch), np.ascontiguousarray(shown_batch)


def _write_sheet(path: Path, target: NDArray[np.float32], shown: NDArray[np.float32], trainer: Trainer) -> None:
    """Rows of input, output and target."""
    count = min(8, len(target))
    restored = trainer.restore(_to_device(shown[:count], trainer.config)).cpu().numpy()
    columns = [np.concatenate(list(x[:count].transpose(0, 2, 3, 1)), axis=0) for x in (shown, restored, target)]
    sheet = np.clip(np.concatenate(columns, axis=1) * 127.5 + 128.0, 0, 255).astype(np.uint8)
    PillowImage.fromarray(sheet).save(path, quality=90)
