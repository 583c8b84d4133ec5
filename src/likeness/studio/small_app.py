"""What the small web applications of a studio begin with, a review's and that of proofs. It needs the extra `serve`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware

__all__ = ["small_app"]

_HEADERS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}

_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src {own}; script-src {own}; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def small_app(title: str, *, hosts: tuple[str, ...], inline: bool) -> FastAPI:
    """An application without pages about its own interface, which would fetch scripts from elsewhere.

    Args:
        title: its name.
        hosts: names by which the server may be called; none allows all. On this machine alone they keep foreign pages from
            reaching it by DNS rebinding.
        inline: whether pages carry their own script and style, as those do that go by e-mail as well; else both are files.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    if hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    policy = _POLICY.format(own="'unsafe-inline'" if inline else "'self'")

    @app.middleware("http")
    async def add_headers(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        response.headers.update({"Content-Security-Policy": policy, **_HEADERS})
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    _ = add_headers  # the decorator keeps it; nothing else calls it
    return app
