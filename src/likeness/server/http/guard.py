"""What stands before every route: names, origins, keys, sizes, times, headers, the log and the figures.

One plain ASGI middleware, so that bodies and answers pass through it as they come and nothing is gathered in memory.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from likeness.server.http.metrics import Metrics
from likeness.server.http.problems import ProblemError, log_unforeseen, problem_response
from likeness.server.http.settings import ServerSettings

__all__ = [
    "FORM_TEXT",
    "HEAD_BYTES",
    "RESERVED",
    "SECURITY_HEADERS",
    "SLOWEST",
    "Guard",
    "file_too_large",
    "no_room",
    "too_large",
]

_log = logging.getLogger(__name__)

SECURITY_HEADERS = {
    # Everything that a page needs comes from here; nothing may be framed, and no form leads elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
        "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer."""

RESERVED = "likeness.reserved"
"""Key of the scope of requests on a connection that is over the limit: only paths without a key are answered there."""

HEAD_BYTES = 16 << 10
"""Bytes of a request's line and headers."""

_OPEN = frozenset({"/healthz"})
"""Paths that need no key: whoever watches the server gets no more than a word."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Methods that get a figure of their own; a client may make up others without end."""

_MANY = frozenset({"/v1/jobs", "/v1/videos", "/sdapi/v1/extra-batch-images"})
"""Paths that take many pictures at a time, or a video."""

_FEW = frozenset({"/v1/restore", "/v1/check", "/v1/inspect", "/sdapi/v1/extra-single-image", "/live/pictures"})
"""Paths that take two pictures at most, before and after. All others take settings only."""

_FILES = 2
FORM_TEXT = 4 << 20
"""Bytes of a body over and above its files: fields, boundaries and part headers."""

_SETTINGS = 256 << 10
"""Bytes of a body without files; the largest that has a meaning is a form of some 70 KB."""

SLOWEST = 16 << 10
"""Bytes a second that a body has to come at on the whole, and an answer be taken at; a modem's pace."""

_PIECE = 256 << 10
"""Bytes of an answer handed on at once. More would lie in memory a second time until they are taken."""


class Guard:
    """Checks requests before any route sees them.

    Args:
        app: what is behind it.
        settings: names, origins, key and limits.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._key = settings.api_key.encode() if settings.api_key is not None else None
        self._origins = frozenset(origin.lower() for origin in settings.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            exchange = _Exchange(scope, receive, send, settings=self._settings, metrics=self._metrics)
            await exchange.run(self._app, self.refusal(scope))
        elif scope["type"] == "websocket":
            if self.refusal(scope) is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    def refusal(self, scope: Scope) -> ProblemError | None:
        """Why a request is not let in, by its head alone; None if it is."""
        if scope.get(RESERVED) and scope["path"] not in _OPEN:
            return no_room()
        if _head_bytes(scope) > HEAD_BYTES:
            return ProblemError(
                "request-damaged", f"the address and headers of the request have more than {HEAD_BYTES >> 10} KB"
            )
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._settings.answers_to(_without_port(host)):
            return ProblemError(
                "host-unknown", "the server does not answer to this host name; start it with --allow-host NAME"
            )
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, host) and origin.lower() not in self._origins:
            return ProblemError(
                "origin-refused", "pages of this origin may not call the server; start it with --cors ORIGIN"
            )
        if self._key is not None and scope["path"] not in _OPEN and not self._knows_key(headers):
            return ProblemError(
                "key-needed",
                "this server wants its API key: send Authorization: Bearer KEY, or X-API-Key: KEY",
                headers={"WWW-Authenticate": 'Basic realm="Likeness", charset="UTF-8"'},
            )
        return None

    def _own(self, origin: str, host: str) -> bool:
        """Whether a page came from this very server; the scheme is a proxy's matter."""
        return urlsplit(origin).netloc.lower() == host.lower() if "://" in origin else False

    def _knows_key(self, headers: Headers) -> bool:
        assert self._key is not None
        given = headers.get("x-api-key", "")
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given = value.strip()
        elif scheme.lower() == "basic":
            # What a browser asks its user for, and what tools for other servers send: the key as password.
            try:
                given = base64.b64decode(value.strip(), validate=True).decode(errors="replace").partition(":")[2]
            except (binascii.Error, ValueError):
                given = ""
        return hmac.compare_digest(given.encode(errors="surrogatepass"), self._key)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, settings: ServerSettings, metrics: Metrics
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._metrics = metrics
        self._headers = Headers(scope=scope)
        self._limit = _longest(scope["path"], settings)
        self._began = time.perf_counter()
        self._received = 0
        self._body_done = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        self._status = 0

    async def run(self, app: ASGIApp, refusal: ProblemError | None) -> None:
        """Let the request through, or answer it with why not; then log and count it."""
        problem: Exception | None = refusal or self._too_long()
        try:
            if problem is None:
                problem = await self._pass(app)
            if problem is not None and not self._status:
                await problem_response(problem)(self._scope, self._take, self._give)
        finally:
            self._account()

    async def _pass(self, app: ASGIApp) -> Exception | None:
        """Run the application; what it raised, if anything."""
        try:
            await app(self._scope, self._take, self._give)
        except ClientDisconnect:
            self._status = self._status or 499  # as nginx calls it: nobody is left to answer
        except Exception as error:
            log_unforeseen(error, self._route)
            return error
        return None

    def _too_long(self) -> ProblemError | None:
        length = self._headers.get("content-length", "0")
        return too_large(self._limit) if length.isdecimal() and int(length) > self._limit else None

    async def _take(self) -> Message:
        """The next part of the body, in time and not more of it than is allowed."""
        if self._body_done:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._settings.stall_seconds)
        except asyncio.TimeoutError:
            raise _too_slow() from None
        if message["type"] != "http.request":
            return message
        count = len(message.get("body", b""))
        self._received += count
        self._metrics.received_bytes.inc(count)
        self._body_done = not message.get("more_body", False)
        if self._received > self._limit:
            raise too_large(self._limit)
        allowed = self._settings.stall_seconds + self._received / SLOWEST
        if not self._body_done and time.perf_counter() - self._began > allowed:
            raise _too_slow()
        return message

    async def _give(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            # What was made of a client's picture is nobody else's.
            headers.setdefault("Cache-Control", "no-store")
            if self._scope.get(RESERVED):
                headers["Connection"] = "close"
        elif message["type"] == "http.response.body":
            await self._give_body(message)
            return
        await self._send(message)

    async def _give_body(self, message: Message) -> None:
        """Hand on a body as fast as it is taken."""
        body = memoryview(message.get("body", b""))
        while len(body) > _PIECE:
            await self._send({**message, "body": bytes(body[:_PIECE]), "more_body": True})
            body = body[_PIECE:]
        await self._send({**message, "body": bytes(body)})

    @property
    def _route(self) -> str:
        """The route's template: paths themselves may hold what nobody should read in a log."""
        return str(getattr(self._scope.get("route"), "path", "other"))

    def _account(self) -> None:
        seconds = time.perf_counter() - self._began
        route, method = self._route, self._scope["method"]
        known = method if method in _METHODS else "other"
        self._metrics.requests.labels(route, known, str(self._status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        _log.info("%s %s %d, %d bytes in, %.0f ms", known, route, self._status, self._received, seconds * 1e3)


def too_large(limit: int) -> ProblemError:
    """The answer to a body of more bytes than allowed."""
    return ProblemError(
        "upload-too-large", f"more than {_megabytes(limit)} MB; send less at a time, or raise the server's limit"
    )


def no_room() -> ProblemError:
    """The answer on a connection over the limit."""
    sentence = (
        "the server, or this address, has as many connections open as it may have; close some, or try again later"
    )
    return ProblemError("too-many-connections", sentence, headers={"Retry-After": "5"})


def file_too_large(limit: int) -> ProblemError:
    """The answer to one picture file of more bytes than allowed."""
    return ProblemError(
        "upload-too-large",
        f"a file has more than {_megabytes(limit)} MB; make it smaller, or raise the server's limit",
    )


def _longest(path: str, settings: ServerSettings) -> int:
    """Bytes that a body may have."""
    if path in _MANY:
        return settings.max_request
    return min(settings.max_request, _FILES * settings.max_upload + FORM_TEXT if path in _FEW else _SETTINGS)


def _head_bytes(scope: Scope) -> int:
    names = sum(len(name) + len(value) for name, value in scope["headers"])
    return len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) + names


def _megabytes(count: int) -> str:
    """Bytes as megabytes for a sentence, such as "64"."""
    return f"{count / (1 << 20):.3g}"


def _too_slow() -> ProblemError:
    sentence = "the request stopped coming, or came too slowly; send it again"
    return ProblemError("upload-too-slow", sentence, headers={"Connection": "close"})


def _without_port(host: str) -> str:
    """The name in a Host header, lower case; an IPv6 address keeps its brackets."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
