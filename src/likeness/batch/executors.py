"""Who does the work: threads of this process, or the workers of a Ray cluster (`likeness.batch.ray_`)."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from likeness.batch.journal import Journal
from likeness.batch.kept import DEFAULT_KEPT_BYTES, KeptProjections, KeptRuntime
from likeness.batch.places import Place
from likeness.batch.runner import Done, run
from likeness.batch.work import PictureWorker
from likeness.checkpoints.catalog import DEFAULT_MODEL
from likeness.checkpoints.store import Store
from likeness.restore.config import Settings
from likeness.runtimes.load import load_runtime

__all__ = ["Executor", "LocalExecutor", "NetworkPlan"]


class Executor(Protocol):
    """Works through a journal's queue."""

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces the network was asked about, and how many it need not be, since the executor began."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the guard could not measure, one sentence each."""
        ...

    def run(
        self, journal: Journal, *, group: str | None = None, stop: threading.Event | None = None
    ) -> Generator[Done]:
        """Work until the queue is empty; see `likeness.batch.runner.run`. May be called again."""
        ...

    def close(self) -> None:
        """Give back what was taken. May be called twice."""
        ...


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """Which network a worker uses, and how.

    Attributes:
        settings: of the run: model, device, precision, threads, and what they say of the network.
        model: the network's name with a digest of its weights.
        kept: folder for its answers; None keeps none.
        limit: bytes in it at most.
    """

    settings: Settings
    model: str
    kept: Path | None = None
    limit: int = DEFAULT_KEPT_BYTES

    @property
    def file(self) -> Path:
        """The network's file on this machine.

        Raises:
            CheckpointError: if it is not here.
        """
        return Store().path(self.settings.model or DEFAULT_MODEL)

    def load(self, file: Path | None = None) -> KeptRuntime:
        """Make it ready.

        Args:
            file: where it is, if it is not where `file` says.

        Raises:
            CheckpointError: if it is not here, or cannot be read.
            ConfigError: if it is not what the settings say, or cannot be run as they want.
        """
        settings = self.settings
        model = settings.model or DEFAULT_MODEL
        loaded = load_runtime(
            Store(),
            model if file is None else file,
            device=cast('Literal["auto", "cpu", "cuda"]', settings.device or "auto"),
            precision=cast('Literal["auto", "f32", "bf16"]', settings.precision or "auto"),
            threads=settings.threads,
        )
        config = loaded.config
        settings.check_network(size=config.size, channel_multiplier=config.channel_multiplier, model=model)
        kept = KeptProjections(self.kept or Path(), limit=0 if self.kept is None else self.limit)
        return KeptRuntime(loaded, model=self.model, kept=kept)


class LocalExecutor:
    """An `Executor` of threads that share one network.

    Args:
        network: loaded at once.
        output: where results go.
        workers: pictures at a time.
        thumbnails: whether they are made.

    Raises:
        CheckpointError, ConfigError: see `NetworkPlan.load`.
    """

    def __init__(self, network: NetworkPlan, output: Place, *, workers: int, thumbnails: bool = True) -> None:
        self._runtime = network.load()
        self._worker = PictureWorker(self._runtime, output, thumbnails=thumbnails)
        self._workers = workers

    @property
    def counts(self) -> tuple[int, int]:
        return self._runtime.counts

    @property
    def notes(self) -> tuple[str, ...]:
        return self._worker.notes

    def run(
        self, journal: Journal, *, group: str | None = None, stop: threading.Event | None = None
    ) -> Generator[Done]:
        yield from run(journal, self._worker.work, workers=self._workers, group=group, stop=stop)

    def close(self) -> None:
        pass
