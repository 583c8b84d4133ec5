"""What every route of an application shares: one network, one work pool, one set of figures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from likeness.errors import ServerBusyError
from likeness.evidence.inspection import Inspector
from likeness.imaging.decoding.pool import DecoderPool
from likeness.messages.notice import Notice
from likeness.reference.matching import FaceMatcher
from likeness.restore.pipeline import Restorer
from likeness.server.http.addresses import client_key
from likeness.server.http.metrics import Metrics
from likeness.server.http.pool import WorkPool
from likeness.server.http.settings import ServerSettings

__all__ = ["Account", "ServerState", "State", "UploadMemory", "client_of", "server_state"]


class UploadMemory:
    """How many bytes of uploads are in memory, under one limit for all requests.

    Args:
        limit: the most bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        return self._bytes

    def take(self, count: int) -> None:
        """Count bytes in.

        Raises:
            ServerBusyError: if there is no room for them.
        """
        with self._lock:
            if self._bytes + count > self._limit:
                raise ServerBusyError(Notice("busy.memory"), retry_after=2)
            self._bytes += count

    def free(self, count: int) -> None:
        """Count bytes out."""
        with self._lock:
            self._bytes -= count

    @contextmanager
    def account(self) -> Generator[Account]:
        """Bytes of one request, which are counted out at the end of the context whatever happens."""
        account = Account(self)
        try:
            yield account
        finally:
            account.close()


class Account:
    """What one request holds of `UploadMemory`."""

    def __init__(self, memory: UploadMemory) -> None:
        self._memory = memory
        self._bytes = 0

    def take(self, count: int) -> None:
        """Count bytes in.

        Raises:
            ServerBusyError: if there is no room for them.
        """
        self._memory.take(count)
        self._bytes += count

    def free(self, count: int) -> None:
        """Count bytes out before the end."""
        self._memory.free(count)
        self._bytes -= count

    def close(self) -> None:
        """Count out all that is left."""
        self._memory.free(self._bytes)
        self._bytes = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class ServerState:
    """What routes work with.

    Attributes:
        settings: as the server was told.
        restorer: the one network.
        model: its name, for people.
        inspector: measures pairs of pictures.
        pool: where all work on pictures is done, in turn over clients.
        upload_memory: uploads in memory.
        decoder: reads uploads in processes of their own, which may die.
        matcher: tells whether other photographs show the same person.
        metrics: figures for Prometheus.
        streams: how many streams of events each client has open; for the event loop's thread only.
        closing: set when the server is about to stop; streams end then.
    """

    settings: ServerSettings
    restorer: Restorer
    model: str
    inspector: Inspector
    pool: WorkPool
    upload_memory: UploadMemory
    decoder: DecoderPool
    matcher: FaceMatcher = field(default_factory=FaceMatcher)
    metrics: Metrics = field(default_factory=Metrics)
    streams: Counter[str] = field(default_factory=Counter[str])
    closing: threading.Event = field(default_factory=threading.Event)


def server_state(connection: HTTPConnection) -> ServerState:
    """The state of the application that serves a request or a web socket."""
    return cast(ServerState, connection.app.state.likeness)


State = Annotated[ServerState, Depends(server_state)]
"""A route's parameter of this type gets the state."""


def client_of(connection: HTTPConnection) -> str:
    """Whom turns are taken over: the client's address, never told in a log."""
    return client_key(connection.client.host) if connection.client else "local"
