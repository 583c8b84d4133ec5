"""The page itself: plain HTML, CSS and JavaScript modules out of the package; nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from likeness.server.problems import ProblemError

__all__ = ["PAGE_FILES", "page_router"]

_SCRIPT, _STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"

PAGE_FILES: dict[str, str] = {
    "api.js": _SCRIPT,
    "app.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "facemap.js": _SCRIPT,
    "field.js": _SCRIPT,
    "fields.js": _SCRIPT,
    "icon.svg": "image/svg+xml",
    "index.html": "text/html; charset=utf-8",
    "layout.css": _STYLE,
    "live.js": _SCRIPT,
    "look.js": _SCRIPT,
    "loupes.js": _SCRIPT,
    "marks.js": _SCRIPT,
    "open.js": _SCRIPT,
    "panel.js": _SCRIPT,
    "report.js": _SCRIPT,
    "said.js": _SCRIPT,
    "sample.jpg": "image/jpeg",
    "stage.js": _SCRIPT,
    "style.css": _STYLE,
    "take.js": _SCRIPT,
    "tile.js": _SCRIPT,
    "words.js": _SCRIPT,
}
"""Every file of the page with its media type. A request names one of them or gets nothing."""


def page_router() -> APIRouter:
    """The route ``/`` and the page's files under ``/page``."""
    router = APIRouter(include_in_schema=False)
    folder = files("likeness.server").joinpath("page")
    contents = {name: folder.joinpath(name).read_bytes() for name in PAGE_FILES}
    tags = {name: f'"{hashlib.sha256(data).hexdigest()[:20]}"' for name, data in contents.items()}

    def answer(name: str, request: Request) -> Response:
        # Asked for anew each time, so that a page and its scripts are never of two versions; unchanged costs no bytes.
        headers = {"ETag": tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(contents[name], media_type=PAGE_FILES[name], headers=headers)

    @router.get("/")
    def index(request: Request) -> Response:
        return answer("index.html", request)

    @router.get("/page/{name}")
    def file(name: str, request: Request) -> Response:
        if name not in PAGE_FILES:
            raise ProblemError(404, "not-found", "the page has no such file")
        return answer(name, request)

    return router
