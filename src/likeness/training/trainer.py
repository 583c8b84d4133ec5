"""One training step: networks, optimisers, and their state."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from likeness.models.formats import ModelInfo, write_checkpoint
from likeness.models.gpen.network import Gpen
from likeness.training.config import TrainConfig
from likeness.training.discriminator import PatchDiscriminator
from likeness.training.identity import FaceEmbedding
from likeness.training.losses import (
    face_weights,
    feature_distance,
    gradient_l1,
    identity_distance,
    texture_l1,
    weighted_l1,
)
from likeness.training.muon import Muon
from likeness.training.run_state import Part, load_state, save_state

__all__ = ["Trainer"]

_log = logging.getLogger(__name__)
_FIXED = ("size", "channel_multiplier", "narrow", "styles_up_to", "noise", "start", "seed", "discriminator_channels")
"""Settings that a resumed run may not change."""
_PENALTY_EVERY = 16
"""Steps between gradient penalties, each as many times as heavy ("lazy", Karras et al., StyleGAN2, 2020)."""


class Trainer:
    """Networks, optimisers and the number of pictures seen."""

    def __init__(self, config: TrainConfig, network: Gpen, embeddings: Sequence[FaceEmbedding] = ()) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.embeddings = tuple(embeddings)
        self.seen = 0
        self.generator = network
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.start = deepcopy(network.state_dict()) if config.start_share else {}
        self.discriminator = PatchDiscriminator(config.discriminator_channels)
        device = torch.device(config.device)
        for module in (self.generator, self.average, self.discriminator, *self.embeddings):
            module.to(device)
        matrices, others = _split(self.generator)
        self.m_optimiser = Muon(matrices, lr=config.convolution_rate)
        self.g_optimiser = torch.optim.Adam(
            others, lr=config.learning_rate, betas=(config.beta1, 0.99), eps=1e-8, fused=True
        )
        self.d_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.discriminator_rate, betas=(0.0, 0.99), eps=1e-8, fused=True
        )
        self.weights = face_weights(config.size, config.face_weight).to(device)
        # On a CPU the compiled network is slower than the plain one (docs/training.md).
        self._run = torch.compile(self.generator) if config.device == "cuda" else self.generator

    def step(self, target: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """One step of the generator, and of the discriminator in phase two; returns the losses."""
        config = self.config
        adversarial = self.seen >= config.adversarial_from
        for group in self.m_optimiser.param_groups:
            group["lr"] = config.convolution_rate * self._rate()
        for group in self.g_optimiser.param_groups:
            group["lr"] = config.learning_rate * self._rate()
            group["betas"] = (config.adversarial_beta1 if adversarial else config.beta1, 0.99)
        for group in self.d_optimiser.param_groups:
            group["lr"] = config.discriminator_rate
        losses: dict[str, Tensor] = {}
        torch.manual_seed(config.seed + self.seen)  # the network's own noise: a resumed run goes the same way
        with torch.autocast(config.device, torch.bfloat16):
            y = self._run(shown)
        losses["l1"] = weighted_l1(y, target, self.weights)
        losses["gradient"] = gradient_l1(y, target, self.weights)
        total = config.l1 * losses["l1"] + config.gradient * losses["gradient"]
        if self.embeddings:
            rng = np.random.default_rng((config.seed, 2, self.seen))
            losses["identity"] = identity_distance(y, target, self.embeddings, rng)
            total = total + config.identity * losses["identity"]
        crops: tuple[Tensor, Tensor] | None = None
        if adversarial:
            real, fake = crops = self._crop(target, y)
            self.discriminator.requires_grad_(False)
            with torch.autocast(config.device, torch.bfloat16):
                with torch.no_grad():
                    _, real_features = self.discriminator(real)
                fake_logits, fake_features = self.discriminator(fake)
            losses["g"] = F.softplus(-fake_logits.float()).mean()
            losses["matching"] = feature_distance(fake_features, real_features)
            losses["texture"] = texture_l1(y, target)
            total = total + config.texture * losses["texture"]
            total = total + config.adversarial * losses["g"] + config.feature_matching * losses["matching"]
        self.generator.zero_grad(set_to_none=True)
        total.backward()
        self.m_optimiser.step()
        self.g_optimiser.step()
        if crops is not None:
            losses["d"] = self._discriminator_step(crops[0], crops[1].detach())
        self.seen += len(target)
        self._update_average(len(target))
        return {name: value.detach() for name, value in losses.items()}

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        self.discriminator.requires_grad_(True)
        with torch.autocast(self.config.device, torch.bfloat16):
            logits, _ = self.discriminator(torch.cat([real, fake]))
        on_real, on_fake = logits.float().chunk(2)
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        self.d_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if (self.seen // len(real)) % _PENALTY_EVERY == 0:
            (_PENALTY_EVERY * self.config.gradient_penalty / 2 * self._slope(real)).backward()
        self.d_optimiser.step()
        return loss

    def _slope(self, real: Tensor) -> Tensor:
        """Mean squared slope of a patch's logit at real pictures: R1 without its weight.

        It keeps the critic from growing ever steeper, which the generator would answer with flecks.
        """
        real = real.detach().requires_grad_(True)
        logits, _ = self.discriminator(real)
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        return gradient.square().sum() / logits.numel()

    def _crop(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The same random crop of both batches; half the side is a quarter of the discriminator's cost."""
        side = self.config.discriminator_crop
        room = self.config.size - side
        # The mean of two draws: the middle, where the face is, comes more often than the border.
        draws = np.random.default_rng((self.config.seed, 1, self.seen)).integers(0, room + 1, (2, 2))
        x, y = draws.sum(axis=0) // 2
        a, b = (batch[:, :, y : y + side, x : x + side] for batch in (a, b))
        return a.contiguous(memory_format=torch.channels_last), b.contiguous(memory_format=torch.channels_last)

    def _rate(self) -> float:
        fall = (self.seen / self.config.pictures - self.config.fall_from) / (1 - self.config.fall_from)
        return 1.0 + (self.config.final_rate - 1.0) * min(max(fall, 0.0), 1.0)

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

    def psnr(self, target: Tensor, shown: Tensor) -> float:
        """Mean PSNR in dB of the moving average on pairs."""
        mean_square = ((self.restore(shown).clamp(-1, 1) - target) / 2).square().mean(dim=(1, 2, 3))
        return float((-10 * mean_square.log10()).mean())

    def export(self, path: Path) -> Path:
        """Write the moving average, with the start's share in it, as safetensors in float16."""
        state = _arrays(self.average.state_dict())
        if "texture.strength" in state:
            state["texture.strength"] = state["texture.strength"] * self.config.noise_gain
        kept = self.config.start_share
        if kept:
            start = _arrays(self.start)
            state = {key: (1 - kept) * value + kept * start[key] for key, value in state.items()}
        info = ModelInfo(
            name=Path(self.config.run).name,
            source=f"likeness train, {self.seen} pictures seen from {self.config.start}",
        )
        write_checkpoint(path, state, self.average.config.spec, info)
        return path

    def save(self, path: Path) -> None:
        save_state(path, self.config.to_dict(), self.seen, self._parts())

    def load(self, path: Path) -> None:
        self.seen = load_state(path, self.config.to_dict(), _FIXED, self._parts(), self.config.device)
        _log.info("going on after %d pictures", self.seen)

    def _parts(self) -> dict[str, Part]:
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "m_optimiser": self.m_optimiser,
            "g_optimiser": self.g_optimiser,
            "d_optimiser": self.d_optimiser,
        }


def _arrays(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    return {key: value.float().cpu().numpy() for key, value in state.items()}


def _split(network: Gpen) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """3 x 3 convolutions, which Muon takes, and the rest for Adam: biases, scalars, styles, and the two ends on colours."""
    convolutions = [p for p in network.parameters() if p.requires_grad and p.shape[-2:] == (3, 3)]
    taken = {id(p) for p in convolutions}
    return convolutions, [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
