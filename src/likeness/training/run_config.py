"""What the settings of every training run have in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from likeness.errors import ConfigError
from likeness.messages.notice import Notice

__all__ = ["RunConfig"]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings that mean the same in every run; those of a network add their own.

    Attributes:
        run: folder for state and statistics.
        fall_from: where the rates begin to fall, as a fraction of the run.
        ema_half_life: of the moving average of the weights.
        workers: threads that make pairs.
        threads: threads of PyTorch on a CPU; 0 leaves its choice.
        device: "cpu" or "cuda".
        seed: of everything random.
    """

    run: str
    fall_from: float = 0.0
    ema_half_life: int = 1000
    workers: int = 1
    threads: int = 0
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise ConfigError(Notice("training.device", {"device": self.device}))
        if not 0 <= self.fall_from < 1:
            raise ConfigError(Notice("training.fall-from", {"fall_from": self.fall_from}))
        self.need("option.not-negative", 0, "workers", "threads", "seed")

    def need(self, code: str, least: float, *names: str) -> None:
        """Refuse settings below the least that they may be.

        Raises:
            ConfigError: with the notice ``code``, which takes the setting's name and value.
        """
        for name in names:
            if not getattr(self, name) >= least:  # so that NaN is refused as well
                raise ConfigError(Notice(code, {"name": name, "value": getattr(self, name)}))

    def to_dict(self) -> dict[str, str | int | float | bool]:
        return asdict(self)
