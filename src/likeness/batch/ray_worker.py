"""What runs on the nodes of a Ray cluster: a worker with one network, which is sent one picture after the other."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
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

__all__ = ["Begin", "Travelling", "Work", "Worker", "Workplace"]


class Work(Protocol):
    """What a worker does with an item; files that it cannot reach are handed to it."""

    def __call__(self, item: Item, handed: Handed | None) -> Answer: ...


class Begin(Protocol):
    """Makes a worker's `Work` on the worker's machine, from the networks' files if those travel."""

    def __call__(self, *files: bytes) -> Work: ...


class Worker:
    """The Ray actor. It loads nothing before `begin`, so that what goes wrong then comes back as an error."""

    def __init__(self) -> None:
        self._work: Work | None = None

    def begin(self, begin: Begin, *files: bytes) -> str:
        """Make ready; the machine's name."""
        self._work = begin(*files)
        return socket.gethostname()

    def work(self, item: Item, handed: Handed | None) -> Answer:
        """Do one item."""
        assert self._work is not None
        return self._work(item, handed)


@dataclass(frozen=True, kw_only=True)
class Travelling:
    """A network's file, as workers know it.

    Attributes:
        model: the network's name with a digest of its weights.
        sha256: of the file.
        name: of the file, which may tell what the network is.
    """

    model: str
    sha256: str
    name: str

    @staticmethod
    def of(file: Path, model: str) -> Travelling:
        """A file of this machine."""
        return Travelling(model=model, sha256=sha256_of(file), name=file.name)

    def here(self, own: Callable[[], Path | None], sent: bytes | None) -> Path:
        """This machine's own file if it is the same, else what was sent, which is kept.

        Args:
            own: where this machine has it.
            sent: the file; None if it does not travel.

        Raises:
            CheckpointError: if it is neither here nor was sent.
        """
        try:
            file = own()
            if file is not None and sha256_of(file) == self.sha256:
                return file
        except CheckpointError:
            pass
        if sent is None:
            raise CheckpointError(Notice("ray.no-model", {"host": socket.gethostname(), "model": self.model}))
        file = home_folder() / "handed" / self.sha256 / self.name
        if not file.exists() or sha256_of(file) != self.sha256:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(sent, file)
        return file


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A `Begin` for pictures.

    Attributes:
        network: which, and how it is used.
        file: of it.
        picture_file: of the network for whole pictures; None without one.
        output: the results' place; None if the driver writes them.
        thumbnails: whether they are made.
        folder: where relative paths begin; None if the worker opens no paths.
    """

    network: NetworkPlan
    file: Travelling
    picture_file: Travelling | None = None
    output: str | None = None
    thumbnails: bool = True
    folder: str | None = None

    def __call__(self, *files: bytes) -> PictureWork:
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
        sent, sent_picture = (*files, None, None)[:2]
        picture = self.picture_file
        return PictureWork(
            self.network,
            None if self.output is None else Storage(self.output),
            file=self.file.here(lambda: self.network.file, sent),
            picture_file=None if picture is None else picture.here(lambda: self.network.picture_file, sent_picture),
            thumbnails=self.thumbnails,
        )
