"""A run's settings, for the enlarger."""

from __future__ import annotations

from dataclasses import dataclass

from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.training.run_config import RunConfig

__all__ = ["EnlargerTrainConfig"]


@dataclass(frozen=True, kw_only=True)
class EnlargerTrainConfig(RunConfig):
    """Settings of one run that trains an enlarger (`likeness.models.enlarger`); counts are in patches seen.

    Attributes:
        network: "enlarger"; what tells this kind of run from a restorer's (`TrainConfig`).
        photographs: folder with sharp photographs of any size: picture files, or tar shards ``general-<number>.tar``; the
            shards ``general-val-*.tar`` serve validation.
        portraits: folder of aligned portraits of 512 x 512 (`Portraits`) that teach hair, skin and clothes; "" takes none.
        min_native_side: portraits whose native crop was smaller are left out, px: what was enlarged itself teaches nothing.
        portrait_share: how often a patch comes from a portrait.
        start: an enlarger's weights to go on from, or "" for random ones.
        channels, blocks: the network (`EnlargerConfig`), used where ``start`` is "".
        patches: how many the run sees in all.
        batch: patches a step, all of one scale; steps of 2x and of 4x take turns.
        side: of a patch as the network sees it, px.
        border: outermost pixels of a patch that do not count in the loss, at least 2: beyond them the network sees zeros.
        degraded_share: how often a patch is made noisy or coded as JPEG; the others teach sharpness alone.
        convolution_rate: learning rate of the trunk's 3 x 3 convolutions (`Muon`).
        learning_rate: of everything else (Adam).
        warm_up: patches over which the rates rise from zero, at the start and where a run goes on from ``start``.
        final_rate: the fraction of themselves that the rates fall to, by a half cosine.
        save_every: how often state and statistics are written.
    """

    network: str
    photographs: str
    portraits: str = ""
    min_native_side: int = 600
    portrait_share: float = 0.25
    start: str = ""
    channels: int = 48
    blocks: int = 5
    patches: int = 100_000
    batch: int = 8
    side: int = 48
    border: int = 2
    degraded_share: float = 0.45
    convolution_rate: float = 2e-3
    learning_rate: float = 5e-4
    warm_up: int = 400
    final_rate: float = 0.01
    save_every: int = 4000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network != "enlarger":
            raise ConfigError(Notice("training.enlarger-only", {"network": self.network}))
        if self.batch < 1 or self.patches < self.batch:
            raise ConfigError(Notice("training.patch-batch", {"patches": self.patches, "batch": self.batch}))
        self.need("option.at-least-one", 1, "save_every")
        if not 2 <= self.border < self.side / 2:
            raise ConfigError(Notice("training.border", {"side": self.side, "border": self.border}))
        if min(self.learning_rate, self.convolution_rate, self.ema_half_life) <= 0:
            raise ConfigError(Notice("training.enlarger-rates"))
        for name in ("portrait_share", "degraded_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(Notice("training.share", {"name": name, "value": getattr(self, name)}))
        if self.portrait_share and not self.portraits:
            raise ConfigError(Notice("training.portrait-share"))
