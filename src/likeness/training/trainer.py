"""One training step: networks, optimisers, and their state."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import SafetensorError
from torch import Tensor

from likeness.errors import TrainingError
from likeness.messages.notice import Notice, reason_of
from likeness.models.formats import ModelInfo, write_checkpoint
from likeness.models.gpen.network import Gpen
from likeness.training.config import TrainConfig
from likeness.training.discriminator import PatchDiscriminator, eye_pairs, mouths
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
from likeness.training.run_state import Part, arrays_of, load_state, read_networks, save_state, write_networks

__all__ = ["Trainer"]

_log = logging.getLogger(__name__)
_FIXED = (
    "size",
    "channel_multiplier",
    "narrow",
    "styles_up_to",
    "noise",
    "start",
    "seed",
    "discriminator_channels",
    "relativistic",
)
"""Settings that a resumed run may not change."""
_PART_CHANNELS = 32
_PENALTY_EVERY = 16
"""Steps between gradient penalties, each as many times as heavy ("lazy", Karras et al., StyleGAN2, 2020)."""


@dataclass(frozen=True)
class _Judged:
    """What one critic sees of a batch; ``name`` is that of a part of the face, or empty."""

    name: str
    critic: PatchDiscriminator
    real: Tensor
    fake: Tensor


class Trainer:
    """Networks, optimisers and the number of pictures seen.

    ``terms`` are the licence of what the run goes on from and where to read it (`start_terms`): its result says so.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: Gpen,
        embeddings: Sequence[FaceEmbedding] = (),
        *,
        terms: tuple[str, str] = ("", ""),
    ) -> None:
        torch.manual_seed(config.seed)
        self.licence, self.licence_url = terms
        self.config = config
        self.embeddings = tuple(embeddings)
        self.seen = 0
        self.generator = network
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.start = deepcopy(network.state_dict()) if config.start_share else {}
        self.discriminator = PatchDiscriminator(config.discriminator_channels)
        self.part_critics = torch.nn.ModuleDict(
            {"eyes": PatchDiscriminator(_PART_CHANNELS, planes=6), "mouth": PatchDiscriminator(_PART_CHANNELS)}
        )
        if config.critics:
            self._load_critics(Path(config.critics))
        device = torch.device(config.device)
        for module in (self.generator, self.average, self.discriminator, self.part_critics, *self.embeddings):
            module.to(device)
        matrices, others = _split(self.generator)
        self.m_optimiser = Muon(matrices, lr=config.convolution_rate)
        self.g_optimiser = torch.optim.Adam(
            others, lr=config.learning_rate, betas=(config.beta1, 0.99), eps=1e-8, fused=True
        )
        self.d_optimiser = torch.optim.Adam(
            [*self.discriminator.parameters(), *self.part_critics.parameters()],
            lr=config.discriminator_rate,
            betas=(0.0, 0.99),
            eps=1e-8,
            fused=True,
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
        judged: list[_Judged] = []
        if adversarial:
            judged = self._judged(target, y)
            losses["g"], losses["matching"] = self._fooled(judged[0])
            losses["texture"] = texture_l1(y, target)
            total = total + config.texture * losses["texture"]
            total = total + config.adversarial * losses["g"] + config.feature_matching * losses["matching"]
            for part in judged[1:]:
                losses[f"g_{part.name}"], matching = self._fooled(part)
                total = total + config.parts * losses[f"g_{part.name}"] + config.feature_matching * matching
        self.generator.zero_grad(set_to_none=True)
        total.backward()
        self.m_optimiser.step()
        self.g_optimiser.step()
        if judged:
            losses |= self._discriminator_step(judged)
        self.seen += len(target)
        self._update_average(len(target))
        return {name: value.detach() for name, value in losses.items()}

    def _judged(self, target: Tensor, y: Tensor) -> list[_Judged]:
        """What each critic sees: a crop of the pictures, and eyes and mouth if those have critics."""
        seen = [_Judged("", self.discriminator, *self._crop(target, y))]
        if self.config.parts:
            for name, view in (("eyes", eye_pairs), ("mouth", mouths)):
                critic = self.part_critics[name]
                assert isinstance(critic, PatchDiscriminator)
                seen.append(_Judged(name, critic, view(target), view(y)))
        return seen

    def _fooled(self, judged: _Judged) -> tuple[Tensor, Tensor]:
        """The generator's losses by one critic: how far it is from being fooled, and how far its hidden maps differ."""
        judged.critic.requires_grad_(False)
        with torch.autocast(self.config.device, torch.bfloat16):
            with torch.no_grad():
                real_logits, real_features = judged.critic(judged.real)
            fake_logits, fake_features = judged.critic(judged.fake)
        lead = fake_logits.float() - (real_logits.float() if self.config.relativistic else 0.0)
        return F.softplus(-lead).mean(), feature_distance(fake_features, real_features)

    def _discriminator_step(self, judged: Sequence[_Judged]) -> dict[str, Tensor]:
        penalised = (self.seen // len(judged[0].real)) % _PENALTY_EVERY == 0
        losses: dict[str, Tensor] = {}
        self.d_optimiser.zero_grad(set_to_none=True)
        for one in judged:
            one.critic.requires_grad_(True)
            fake = one.fake.detach()
            with torch.autocast(self.config.device, torch.bfloat16):
                logits, _ = one.critic(torch.cat([one.real, fake]))
            on_real, on_fake = logits.float().chunk(2)
            if self.config.relativistic:
                loss = F.softplus(on_fake - on_real).mean()
            else:
                loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
            loss.backward()
            if penalised:
                slope = _slope(one.critic, one.real)
                if self.config.relativistic:
                    slope = slope + _slope(one.critic, fake)
                (_PENALTY_EVERY * self.config.gradient_penalty / 2 * slope).backward()
            losses[f"d_{one.name}" if one.name else "d"] = loss
        self.d_optimiser.step()
        return losses

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
        state = arrays_of(self.average.state_dict())
        if "texture.strength" in state:
            state["texture.strength"] = state["texture.strength"] * self.config.noise_gain
        kept = self.config.start_share
        if kept:
            start = arrays_of(self.start)
            state = {key: (1 - kept) * value + kept * start[key] for key, value in state.items()}
        info = ModelInfo(
            name=Path(self.config.run).name,
            licence=self.licence,
            licence_url=self.licence_url,
            source=f"likeness train, {self.seen} pictures seen from {self.config.start}",
        )
        write_checkpoint(path, state, self.average.config.spec, info)
        return path

    def export_critics(self, path: Path) -> None:
        """Write the critics as safetensors in float16, for a run that goes on from this one's weights."""
        write_networks(self._critics(), path)

    def _load_critics(self, path: Path) -> None:
        try:
            states = read_networks(path)
            for name, critic in self._critics().items():
                critic.load_state_dict(states.get(name, {}))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise TrainingError(
                Notice("training.critics-unread", {"path": str(path), "why": reason_of(error)})
            ) from error

    def _critics(self) -> dict[str, torch.nn.Module]:
        return {"patch": self.discriminator, **dict(self.part_critics.items())}

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
            "part_critics": self.part_critics,
            "m_optimiser": self.m_optimiser,
            "g_optimiser": self.g_optimiser,
            "d_optimiser": self.d_optimiser,
        }


def _slope(critic: PatchDiscriminator, pictures: Tensor) -> Tensor:
    """Mean squared slope of a patch's logit at these pictures: R1 at real ones, R2 at restored ones, without its weight.

    It keeps the critic from growing ever steeper, which the generator would answer with flecks.
    """
    pictures = pictures.detach().requires_grad_(True)
    logits, _ = critic(pictures)
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum() / logits.numel()


def _split(network: Gpen) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """3 x 3 convolutions, which Muon takes, and the rest for Adam: biases, scalars, styles, and the two ends on colours."""
    convolutions = [p for p in network.parameters() if p.requires_grad and p.shape[-2:] == (3, 3)]
    taken = {id(p) for p in convolutions}
    return convolutions, [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
