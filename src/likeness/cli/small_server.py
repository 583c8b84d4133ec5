"""A page that a command serves by itself until Ctrl-C: a review, or proofs that ask."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser
from likeness.errors import ConfigError, MissingExtraError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["add_address", "is_local", "require_server", "serve_until_stopped"]

_LOCAL = ("127.0.0.1", "localhost", "::1")


def add_address(parser: Parser, *, port: int) -> None:
    """Flags for where a page is served."""
    served = parser.add_argument_group("the page")
    served.add_argument(
        "--host", default="127.0.0.1", metavar="NAME", help="this machine only (127.0.0.1); 0.0.0.0: all"
    )
    served.add_argument("--port", type=int, default=port, metavar="N", help=f"{port}; 0 takes a free one")


def is_local(host: str) -> bool:
    """Whether only this machine reaches what is served there."""
    return host in _LOCAL


def require_server() -> None:
    """Raises MissingExtraError if the web server is not installed."""
    try:
        import fastapi
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(Notice("review.no-server")) from error
    del fastapi, uvicorn


def serve_until_stopped(
    host: str,
    port: int,
    make: Callable[[tuple[str, ...], str], FastAPI],
    told: Callable[[str, str], Sequence[str]],
    console: Console,
) -> None:
    """Serve an application until Ctrl-C.

    Args:
        host, port: where; port 0 takes a free one.
        make: makes the application, from the names by which it may be called (none allows all) and a key that whoever comes
            in must know ("" on this machine alone).
        told: what to say when it serves, a sentence each, from its address (without a slash) and the key.
        console: where that is said.

    Raises:
        ConfigError: if the address cannot be taken.
    """
    import uvicorn

    from likeness.server.http.ready import ReadyServer

    local = is_local(host)
    key = "" if local else secrets.token_urlsafe(9)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            values = {"host": host, "port": port, "why": reason_of(error)}
            raise ConfigError(Notice("cli.port-taken", values)) from error
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        app = make((*_LOCAL, "[::1]") if local else (), key)
        server = ReadyServer(uvicorn.Config(app, log_level="debug" if console.verbosity > 1 else "warning"))

        def ready() -> None:
            for sentence in told(address, key):
                console.notice(sentence)

        # Told when it serves: until then Ctrl-C may fall on what does not pass it on.
        server.ready = ready
        # Ctrl-C is how the work is meant to end; uvicorn ends in order on it, and then raises it again.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
