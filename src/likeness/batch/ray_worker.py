"""What runs on the nodes of a Ray cluster: a worker with one network, which is sent one picture after the other."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from likeness.batch.journal import Item
from likeness.batch.network import Answer, NetworkPlan, PictureWork
from likeness.batch.storage import Storage
from likeness.batch.work import Handed
from likeness.core.files import write_bytes_atomically
from likeness.core.hashing import sha256_of
from likeness.core.home import home_folder
from likeness.errors import BatchError, CheckpointError
from likeness.messages.notice import Notice, reason_of

__all__ = ["Begin", "Work", "Worker", "Workplace"]


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
        sha256: of its file.
        name: of its file, which may tell what the network is.
        output: the results' place; None if the driver writes them.
        thumbnails: whether they are made.
        folder: where relative paths begin; None if the worker opens no paths.
    """

    network: NetworkPlan
    sha256: str
    name: str
    output: str | None
    thumbnails: bool = True
    folder: str | None = None

    def __call__(self, weights: bytes | None) -> PictureWork:
        if self.folder is not None:
            try:
                os.chdir(self.folder)
            except OSError as error:
                raise BatchError(
                    Notice(
                        "ray.no-folder",
                        {"host": socket.gethostname(), "folder": str(self.folder), "why": reason_of(error)},
                    )
                ) from error
        # As many threads as Ray was asked for, so that the workers of a node do not crowd each other.
        cv2.setNumThreads(self.network.settings["threads"] or 1)
        return PictureWork(
            self.network,
            self._file(weights),
            None if self.output is None else Storage(self.output),
            thumbnails=self.thumbnails,
        )

    def _file(self, weights: bytes | None) -> Path:
        """The network's file: this machine's own if it is the same, else what was handed over, which is kept."""
        try:
            file = self.network.file
            if sha256_of(file) == self.sha256:
                return file
        except CheckpointError:
            pass
        if weights is None:
            raise CheckpointError(Notice("ray.no-model", {"host": socket.gethostname(), "model": self.network.model}))
        file = home_folder() / "handed" / self.sha256 / self.name
        if not file.exists() or sha256_of(file) != self.sha256:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(weights, file)
        return file
