"""The network of a batch, and the work on pictures with it as it comes back from another process."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from likeness.batch.cache import DEFAULT_KEPT_BYTES, CachedRuntime, ProjectionCache
from likeness.batch.journal import Item
from likeness.batch.storage import Storage
from likeness.batch.work import Handed, PictureWorker, Result
from likeness.core.hashing import sha256_of
from likeness.errors import CheckpointError
from likeness.imaging.decoding.pool import DecoderPool
from likeness.messages.notice import Notice
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.spec import Purpose, Spec
from likeness.models.store import Store
from likeness.restore.config import Settings
from likeness.restore.networks import load_picture_network
from likeness.runtimes.load import load_runtime

__all__ = ["Answer", "NetworkPlan", "PictureWork", "answer_of", "file_of", "identity_of"]

_DIGITS = 16
"""Of a digest, in a network's identity."""


def identity_of(model: str, store: Store | None = None) -> str:
    """What a journal calls a network: its file's name, of a stored one the catalog's, and the digest of its weights.

    Raises:
        CheckpointError: if it is not here.
    """
    path = (store or Store()).path(model)
    return f"{path.stem}-{sha256_of(path)[:_DIGITS]}"


def file_of(identity: str, store: Store) -> Path:
    """The file of a network that a journal names.

    Raises:
        CheckpointError: if there is none of that name here, or its weights are others.
    """
    name, _, digest = identity.rpartition("-")
    path = store.path(name)
    if not sha256_of(path).startswith(digest):
        raise CheckpointError(Notice("redraw.other-model", {"model": name}))
    return path


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """Which network a worker uses, and how.

    Attributes:
        settings: of the run: model, picture_model, device, runtime, precision, threads, and what they say of the network.
        model: the network's name with a digest of its weights.
        picture_model: the same of the network for whole pictures; "" without one.
        kept: folder for its answers; None keeps none.
        limit: bytes in it at most.
        task: what the network is for, where its file travels without the name that tells; None for what the settings say.
        accepted: names whose licences were accepted where the run began; where the work is done nobody is asked.
    """

    settings: Settings
    model: str
    picture_model: str = ""
    kept: Path | None = None
    limit: int = DEFAULT_KEPT_BYTES
    task: Purpose | None = None
    accepted: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The network's file on this machine.

        Raises:
            CheckpointError: if it is not here.
        """
        return self._store.path(self.settings["model"] or DEFAULT_MODEL)

    @property
    def picture_file(self) -> Path | None:
        """The file of the network for whole pictures on this machine; None if the settings name none.

        Raises:
            CheckpointError: if it is not here.
        """
        named = self.settings["picture_model"]
        return None if named is None else self._store.path(named)

    @property
    def _store(self) -> Store:
        return Store(accepted=self.accepted)

    def load(self, file: Path | None = None) -> CachedRuntime:
        """Make it ready.

        Args:
            file: where it is, if it is not where `file` says.

        Raises:
            CheckpointError: if it is not here, or cannot be read.
            ConfigError: if it is not what the settings say, or cannot be run as they want.
        """
        settings = self.settings
        model = settings["model"] or DEFAULT_MODEL
        loaded = load_runtime(
            self._store,
            model if file is None else file,
            device=settings["device"] or "auto",
            precision=settings["precision"] or "auto",
            threads=settings["threads"],
            library=settings["runtime"] or "auto",
            task=self.task or settings["task"],
            fidelity=settings["fidelity"],
        )
        settings.check_network(loaded.spec.numbers, model)
        # Its answers are others with another weight of its own.
        fidelity = settings["fidelity"]
        named = self.model if fidelity is None else f"{self.model}, fidelity {fidelity:g}"
        return CachedRuntime(loaded, model=named, kept=self._cache)

    def load_picture_network(self, file: Path | None = None) -> CachedRuntime | None:
        """Make the network for whole pictures ready; None if the settings name none.

        Args:
            file: where it is, if it is not where `picture_file` says.

        Raises:
            CheckpointError, ConfigError, MissingExtraError: see `likeness.restore.networks.load_picture_network`.
        """
        settings = self.settings
        if settings["picture_model"] is None:
            return None
        loaded = load_picture_network(
            self._store,
            settings["picture_model"] if file is None else file,
            device=settings["device"] or "auto",
            precision=settings["precision"] or "auto",
            threads=settings["threads"],
        )
        return CachedRuntime(loaded, model=self.picture_model, kept=self._cache)

    @property
    def _cache(self) -> ProjectionCache:
        return ProjectionCache(self.kept or Path(), limit=0 if self.kept is None else self.limit)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a worker sends back.

    Attributes:
        result: of the item.
        asked, found: faces that the network was asked about, and that it need not be.
        notes: what the guard could not measure.
        traceback: of the result's bug, as text: the error itself loses it on the way.
    """

    result: Result
    asked: int = 0
    found: int = 0
    notes: tuple[str, ...] = ()
    traceback: str = ""


class PictureWork:
    """`PictureWorker` with networks of its own, whose results can travel to another process.

    Args:
        network: loaded at once.
        file, picture_file: of its networks, if they are not where the plan says.
        output: see `PictureWorker`.
        thumbnails: whether they are made.
        readers: pictures that are decoded at a time.
        large: see `PictureWorker`.

    Raises:
        CheckpointError, ConfigError: see `NetworkPlan.load`.
        DecoderError: if no process can be started to decode pictures.
    """

    def __init__(
        self,
        network: NetworkPlan,
        output: Storage | None,
        *,
        thumbnails: bool,
        file: Path | None = None,
        picture_file: Path | None = None,
        readers: int = 1,
        large: Path | None = None,
    ) -> None:
        self._decoder = DecoderPool(processes=readers)
        self._decoder.start()  # while the network loads
        self._runtime = network.load(file)
        self._worker = PictureWorker(
            self._runtime,
            output,
            picture=network.load_picture_network(picture_file),
            thumbnails=thumbnails,
            decoder=self._decoder,
            large=large,
        )

    @property
    def spec(self) -> Spec:
        """Of the network that was loaded."""
        return self._runtime.spec

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces the network was asked about, and how many it need not be."""
        return self._runtime.counts

    @property
    def notes(self) -> tuple[str, ...]:
        """See `PictureWorker.notes`."""
        return self._worker.notes

    def close(self) -> None:
        """End the processes that decode pictures."""
        self._decoder.close()

    def work(self, item: Item) -> Result:
        """Do an item here; safe to call from several threads."""
        return self._worker.work(item)

    def __call__(self, item: Item, handed: Handed | None = None) -> Answer:
        """Do an item for another process; for one thread."""
        before = self._runtime.counts
        result = self._worker.work(item, handed)
        asked, found = (now - then for now, then in zip(self._runtime.counts, before, strict=True))
        return replace(answer_of(result), asked=asked, found=found, notes=self._worker.notes)


def answer_of(result: Result) -> Answer:
    """A result as it can travel to another process."""
    if result.bug is None:
        return Answer(result=result)
    text = "".join(traceback.format_exception(result.bug))
    return Answer(result=replace(result, bug=_portable(result.bug)), traceback=text)


def _portable(error: Exception) -> Exception:
    """The error, or one of the same words if it cannot travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
