"""Listening: uvicorn on one socket, with limits of time and number where it has none, and a stop that lets work end."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of
from likeness.server.http.connections import Connections
from likeness.server.http.guard import HEAD_BYTES, RESERVED, SECURITY_HEADERS, SLOWEST, no_room
from likeness.server.http.problems import PROBLEM_TYPE, ProblemError, problem_of
from likeness.server.http.ready import ReadyServer
from likeness.server.http.settings import ServerSettings
from likeness.server.http.state import ServerState

__all__ = ["Listener"]

_STOP_SECONDS = 15
"""How long answers that are being made may take when the server is stopped."""

_RESERVE_SECONDS = 2.0
"""How long a connection over the limit is waited for."""

_KEPT_SECONDS = 1.0
"""A connection whose request was answered may bring the next at once: for so long it makes no room for another."""

_LINGER_BYTES = 32 << 20
_LINGER_SECONDS = 5.0
"""How much of a body that was refused is read and thrown away after the answer. A connection that is closed with unread
bytes is reset, and its other end may never see the answer."""


class Listener:
    """An application on its socket, which is bound when this is made.

    Args:
        app: from `likeness.server.app.create_app`.

    Raises:
        ConfigError: if the address cannot be had.
    """

    def __init__(self, app: FastAPI) -> None:
        state: ServerState = app.state.likeness
        settings = state.settings
        self._socket = _bind(settings)
        connections = Connections(
            most=settings.connections,
            most_per_client=settings.connections_per_client,
            proxies=settings.proxy_networks,
        )
        protocol = type("_BoundProtocol", (_Protocol,), {"settings": settings, "places": connections})
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        self._server = _Server(config, state)

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:8470"."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Serve until `stop`, or in the main thread an interrupt or a termination signal. Work that was begun is ended.

        Args:
            ready: called with the address once requests are answered.
        """
        url = self.url
        self._server.ready = (lambda: ready(url)) if ready else None
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Have `run` return soon; may be called from any thread."""
        self._server.end()


class _Server(ReadyServer):
    """A server that ends in good order with status 0, and tells streams that it does."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # uvicorn would raise the signal again at the end, and the process die of it as if something had gone wrong.
        if self.should_exit:
            self.force_exit = True
        self.end()

    def end(self) -> None:
        self._state.closing.set()
        self.should_exit = True


class _Protocol(H11Protocol):
    """A connection. uvicorn would wait for ever for a head, and for its answer to be read, and refuse in plain text."""

    settings: ServerSettings
    places: Connections
    _has_place = True
    _idle_since = 0.0
    _head_timer: asyncio.TimerHandle | None = None
    _linger_timer: asyncio.TimerHandle | None = None
    _lingered = 0
    _unread_timer: asyncio.TimerHandle | None = None
    _unread = _unread_first = 0
    _unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Its lines would hold addresses and paths; the guard's do not.
        self.access_log = False
        self._idle_since = self.loop.time()
        self._has_place = self.places.enter(self)
        if not self._has_place:
            self.app = _reserved(self.app)
        self._await_head()

    @property
    def address(self) -> str:
        """Where it comes from; as it is seen here, whatever its requests say."""
        return self.client[0] if self.client else "local"

    @property
    def idle_since(self) -> float | None:
        """Since when no request has been in hand, and no answer on its way; None while one is, or was just now."""
        if self.cycle is not None:  # pyright: ignore[reportUnnecessaryComparison] - it is before the first request
            kept = self.loop.time() - self._idle_since < _KEPT_SECONDS
            if kept or not self.cycle.response_complete or self.transport.get_write_buffer_size():
                return None
        return self._idle_since

    def make_room(self) -> None:
        """Close it, with a word unless it was kept for a further request: that could take the word for its answer."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.conn.trailing_data[0]:  # pyright: ignore[reportUnnecessaryComparison]
            self._refuse(no_room())
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._await_head()
        else:
            self._stop_waiting()
        if self._linger_timer is not None:
            self._lingered += len(data)
            if self.conn.their_state is not h11.SEND_BODY:
                self._stop_lingering()
            elif self._lingered > _LINGER_BYTES:
                self.transport.close()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        if self.conn.their_state is h11.SEND_BODY and self._linger_timer is None and not self.transport.is_closing():
            self._linger_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        self._stop_awaiting_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.places.leave(self)
        self._stop_waiting()
        self._stop_awaiting_reader()
        self._stop_lingering()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        self._refuse(ProblemError("request-damaged", "this is no request that can be read (HTTP/1.1); send it again"))

    def _await_head(self) -> None:
        if self._head_timer is None:
            seconds = (
                self.settings.stall_seconds if self._has_place else min(_RESERVE_SECONDS, self.settings.stall_seconds)
            )
            self._head_timer = self.loop.call_later(seconds, self._head_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_reader(self) -> None:
        """Give up, at once, an answer that is not taken, or too slowly: it would lie in memory, and its connection stay."""
        unread, now = self.transport.get_write_buffer_size(), self.loop.time()
        if self._unread_timer is None:
            self._unread_first, self._unread_since = unread, now
        taken = self._unread_first - unread
        late = now - self._unread_since > self.settings.stall_seconds + taken / SLOWEST
        if self._unread_timer is not None and (unread >= self._unread or late):
            # Without this the system would go on offering what it has for minutes.
            opened: socket.socket = self.transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        self._unread = unread
        self._unread_timer = self.loop.call_later(self.settings.stall_seconds, self._await_reader)

    def _stop_awaiting_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _stop_lingering(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
            self._lingered = 0

    def _head_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            late = ProblemError("upload-too-slow", "the request stopped coming; send it again")
            self._refuse(late if self._has_place else no_room())

    def _refuse(self, error: ProblemError) -> None:
        """Answer without asking the application, and close."""
        problem, headers = problem_of(error)
        body = json.dumps(problem.model_dump()).encode()
        lines = {
            "Content-Type": PROBLEM_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
            **SECURITY_HEADERS,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.transport.write(f"HTTP/1.1 {problem.status} {problem.title}\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _reserved(app: ASGIApp) -> ASGIApp:
    """An application that is told that the connection is over the limit."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, RESERVED: True}, receive, send)

    return marked


def _bind(settings: ServerSettings) -> socket.socket:
    address: Any = (settings.host, settings.port)
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(Notice("serve.no-address", {"host": settings.host, "why": reason_of(error)})) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigError(
            Notice("serve.port-taken", {"host": settings.host, "port": settings.port, "why": reason_of(error)})
        ) from error
    return listening
