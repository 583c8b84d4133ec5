"""What runs on the nodes of a Ray cluster: a worker with one network, which is sent one picture after the other."""

from __future__ import annotations

import os
import pickle
import socket
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2

from likeness.batch.executors import NetworkPlan
from likeness.batch.journal import Item
from likeness.batch.places import Place
from likeness.batch.work import Handed, PictureWorker, Result
from likeness.checkpoints.download import sha256_of
from likeness.compute.home import home_folder
from likeness.errors import BatchError, CheckpointError
from likeness.imaging.files import write_bytes_atomically

__all__ = ["Answer", "Begin", "PictureWork", "Work", "Worker", "Workplace"]


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


class Work(Protocol):
    """What a worker does with an item; files that it cannot reach are handed to it."""

    def __call__(self, item: Item, handed: Handed | None) -> Answer: ...


class Begin(Protocol):
    """Makes a worker's `Work` on the worker's machine, from the network's file if that travels."""

    def __call__(self, weights: bytes | None) -> Work: ...


class Worker:
    """The Ray actor. It loads nothing before `begin`, so that what goes wrong then comes back as an error."""

    def __init__(self) -> None:
        self._work: Work | None = None

    def begin(self, begin: Begin, weights: bytes | None) -> str:
        """Make ready; the machine's name."""
        self._work = begin(weights)
        return socket.gethostname()

    def work(self, item: Item, handed: Handed | None) -> Answer:
        """Do one item."""
        assert self._work is not None
        return self._work(item, handed)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A `Begin` for pictures.

    Attributes:
        network: which, and how it is used.
        sha256, suffix: of its file.
        output: the results' place; None if the driver writes them.
        thumbnails: whether they are made.
        folder: where relative paths begin; None if the worker opens no paths.
    """

    network: NetworkPlan
    sha256: str
    suffix: str
    output: str | None
    thumbnails: bool = True
    folder: str | None = None

    def __call__(self, weights: bytes | None) -> PictureWork:
        if self.folder is not None:
            try:
                os.chdir(self.folder)
            except OSError as error:
                raise BatchError(
                    f"the node {socket.gethostname()} has no folder {self.folder} ({error.strerror}): leave --shared away, "
                    "or start where all nodes have the same folders"
                ) from error
        # As many threads as Ray was asked for, so that the workers of a node do not crowd each other.
        cv2.setNumThreads(self.network.settings.threads or 1)
        return PictureWork(self.network, self._file(weights), self.output, thumbnails=self.thumbnails)

    def _file(self, weights: bytes | None) -> Path:
        """The network's file: this machine's own if it is the same, else what was handed over, which is kept."""
        try:
            file = self.network.file
            if sha256_of(file) == self.sha256:
                return file
        except CheckpointError:
            pass
        if weights is None:
            raise CheckpointError(
                f"the node {socket.gethostname()} does not have {self.network.model}; install the same version there"
            )
        file = home_folder() / "handed" / f"{self.sha256}{self.suffix}"
        if not file.exists() or sha256_of(file) != self.sha256:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(weights, file)
        return file


class PictureWork:
    """A `Work` on pictures: `PictureWorker` with a network of its own."""

    def __init__(self, network: NetworkPlan, file: Path, output: str | None, *, thumbnails: bool) -> None:
        self._runtime = network.load(file)
        self._worker = PictureWorker(self._runtime, None if output is None else Place(output), thumbnails=thumbnails)

    def __call__(self, item: Item, handed: Handed | None) -> Answer:
        before = self._runtime.counts
        result = self._worker.work(item, handed)
        asked, found = (now - then for now, then in zip(self._runtime.counts, before, strict=True))
        text = ""
        if result.bug is not None:
            text = "".join(traceback.format_exception(result.bug))
            result = replace(result, bug=_portable(result.bug))
        return Answer(result=result, asked=asked, found=found, notes=self._worker.notes, traceback=text)


def _portable(error: Exception) -> Exception:
    """The error, or one of the same words if it cannot travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
