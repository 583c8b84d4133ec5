"""One step of the enlarger's training: network, optimisers, moving average, and their state."""

from __future__ import annotations

import logging
import math
from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from likeness.models.enlarger.architecture import EnlargerConfig
from likeness.models.enlarger.network import Enlarger
from likeness.models.enlarger.weights import EnlargerWeights, read_weights, write_weights
from likeness.training.enlarger.config import EnlargerTrainConfig
from likeness.training.muon import Muon
from likeness.training.run_state import Part, load_state, save_state

__all__ = ["EnlargerTrainer"]

_log = logging.getLogger(__name__)
_FIXED = ("start", "channels", "blocks", "batch", "side", "degraded_share", "portrait_share", "seed")
"""Settings that a resumed run may not change. ``patches`` may: a run can be made longer or shorter."""
_NOISE_KNEE = 8 / 255


class EnlargerTrainer:
    """Network, optimisers and the number of patches seen."""

    def __init__(self, config: EnlargerTrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.seen = 0
        self.network = _start(config).to(config.device)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        trunk = [*self.network.blocks.parameters()]
        matrices = [p for p in trunk if p.ndim == 4]
        taken = {id(p) for p in matrices}
        others = [p for p in self.network.parameters() if id(p) not in taken]
        # On processors a step is short, and products in bfloat16 that they cannot do would be a fifth of it.
        dtype = torch.float32 if config.device == "cpu" else torch.bfloat16
        self.m_optimiser = Muon(matrices, lr=config.convolution_rate, dtype=dtype)
        self.g_optimiser = torch.optim.Adam(others, lr=config.learning_rate, betas=(0.9, 0.99), eps=1e-8, fused=True)

    def step(self, large: Tensor, small: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """One step on a batch of examples (`data.make_example`); returns the losses in levels of 255.

        A faithful answer is the photograph with the input's own noise, enlarged; a clean one is the photograph. Both come
        from one pass, and the noise that lies between them is learnt for itself, too.
        """
        config, network = self.config, self.network
        for optimiser, rate in ((self.m_optimiser, config.convolution_rate), (self.g_optimiser, config.learning_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * self.rate()
        scale = large.shape[-1] // shown.shape[-1]
        noise = shown - small
        faithful, told = network.inner(shown, scale)
        losses = {
            "faithful": _l1(faithful - large - network.smooth(noise, scale), config.border * scale),
            "clean": _l1(faithful - network.smooth(told, scale) - large, config.border * scale),
            "noise": _huber(told - noise, config.border),
        }
        network.zero_grad(set_to_none=True)
        torch.stack([*losses.values()]).sum().backward()
        self.m_optimiser.step()
        self.g_optimiser.step()
        self.seen += len(shown)
        self._update_average(len(shown))
        return {name: 255 * value.detach() for name, value in losses.items()}

    def rate(self) -> float:
        """What both learning rates are multiplied by at the next step."""
        config = self.config
        rise = min(1.0, (self.seen + config.batch) / max(config.warm_up, 1))
        fall = (self.seen / config.patches - config.fall_from) / (1 - config.fall_from)
        half_cosine = 0.5 + 0.5 * math.cos(math.pi * min(max(fall, 0.0), 1.0))
        return rise * (config.final_rate + (1 - config.final_rate) * half_cosine)

    @torch.no_grad()
    def _update_average(self, patches: int) -> None:
        # As in the restorer's run: early on the half-life is a tenth of what was seen (Karras et al., EDM, 2022).
        half_life = min(self.config.ema_half_life, max(self.seen / 10, 1))
        keep = 0.5 ** (patches / half_life)
        for average, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
            average.lerp_(current, 1 - keep)

    @torch.no_grad()
    def enlarge(self, shown: Tensor, clean: float, scale: int) -> Tensor:
        """The moving average's answer for whole pictures, N x 3 x H x W in [0, 1]."""
        shown = shown.to(self.config.device)
        return self.average(shown, torch.full((len(shown),), clean, device=shown.device), scale)

    def export(self, path: Path) -> Path:
        """Write the moving average in float16: small, and all that a later run needs to go on (``start``)."""
        state = {key: value.float().cpu().contiguous().numpy() for key, value in self.average.state_dict().items()}
        source = f"likeness train, {self.seen} patches seen from {self.config.start or 'random weights'}"
        write_weights(path, EnlargerWeights(state=state, config=self.network.config, source=source))
        return path

    def save(self, path: Path) -> None:
        save_state(path, self.config.to_dict(), self.seen, self._parts())

    def load(self, path: Path) -> None:
        self.seen = load_state(path, self.config.to_dict(), _FIXED, self._parts(), self.config.device)
        _log.info("going on after %d patches", self.seen)

    def _parts(self) -> dict[str, Part]:
        return {
            "network": self.network,
            "average": self.average,
            "m_optimiser": self.m_optimiser,
            "g_optimiser": self.g_optimiser,
        }


def _l1(error: Tensor, cut: int) -> Tensor:
    return error[..., cut : error.shape[-2] - cut, cut : error.shape[-1] - cut].abs().mean()


def _huber(error: Tensor, cut: int) -> Tensor:
    """Squared error up to `_NOISE_KNEE`, straight beyond (Huber, 1964).

    Over half of the examples have no noise, and L1 asks for the median: it would keep the answer at nothing.
    """
    inside = error[..., cut : error.shape[-2] - cut, cut : error.shape[-1] - cut]
    return F.smooth_l1_loss(inside, torch.zeros_like(inside), beta=_NOISE_KNEE)


def _start(config: EnlargerTrainConfig) -> Enlarger:
    if not config.start:
        return Enlarger(EnlargerConfig(channels=config.channels, blocks=config.blocks))
    weights = read_weights(Path(config.start))
    network = Enlarger(weights.config)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.state.items()})
    return network
