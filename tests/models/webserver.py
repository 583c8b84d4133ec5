"""A real HTTP server on 127.0.0.1 that can misbehave as servers do."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Served:
    """A file on the server and the manners with which it is served."""

    body: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    content_type: str = "application/octet-stream"
    statuses: list[int] = field(default_factory=list)  # answered first, one per request, instead of the file
    cuts: list[int] = field(default_factory=list)  # per request: the connection is dropped after so many bytes
    pause: float = 0.0  # seconds after every 64 KiB
    promise: int | None = None  # Content-Length, where it is not the truth


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as the server saw it, and how many bytes of the file it sent."""

    path: str
    range: str | None
    status: int
    sent: int


class Site:
    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.redirects: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.handle_error = lambda *_: _report_unexpected()  # type: ignore[method-assign]
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def wait_for(self, count: int) -> list[Seen]:
        """What was seen, once that many requests are through: the client may be done a moment before the server."""
        deadline = time.monotonic() + 5
        while len(self.seen) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return list(self.seen)


def _report_unexpected() -> None:
    if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed is no news
        raise


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            served = site.files.get(self.path)
            wanted = self.headers.get("Range")
            status = 404 if served is None else served.statuses.pop(0) if served.statuses else 200
            if served is None or status != 200:
                site.seen.append(Seen(path=self.path, range=wanted, status=status, sent=0))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            condition = self.headers.get("If-Range")
            if wanted and served.ranges and condition in (None, served.etag):
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                status = 206 if start < len(served.body) else 416
            body = served.body[start:] if status != 416 else b""
            self.send_response(status)
            if served.etag:
                self.send_header("ETag", served.etag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(served.body) - 1}/{len(served.body)}")
            self.send_header("Content-Type", served.content_type)
            self.send_header("Content-Length", str(served.promise or len(body)))
            self.end_headers()
            cut = served.cuts.pop(0) if served.cuts else len(body)
            sent = 0
            try:
                while sent < min(cut, len(body)):
                    sent += self.wfile.write(body[sent : min(sent + 65536, cut)])
                    time.sleep(served.pause)
            finally:
                site.seen.append(Seen(path=self.path, range=wanted, status=status, sent=sent))
            if cut < len(body) or served.promise:
                self.close_connection = True

    return Handler
