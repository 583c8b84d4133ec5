"""uvicorn's server, saying when it serves."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

__all__ = ["ReadyServer"]


class ReadyServer(uvicorn.Server):
    """uvicorn's server; ``ready`` is called once requests are answered, and signals end it in order."""

    ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.ready is not None:
            self.ready()
