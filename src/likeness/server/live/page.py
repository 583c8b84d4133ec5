"""The page itself: plain HTML, CSS and JavaScript modules out of the package; nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from likeness.messages.notice import LANGUAGES, catalogue
from likeness.server.http.problems import ProblemError

__all__ = ["PAGE_FILES", "index", "page_content", "page_file", "page_router"]

_SCRIPT, _STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"

PAGE_FILES: dict[str, str] = {
    "api.js": _SCRIPT,
    "app.js": _SCRIPT,
    "choice.js": _SCRIPT,
    "command.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "edited.js": _SCRIPT,
    "facemap.js": _SCRIPT,
    "field.js": _SCRIPT,
    "fields.js": _SCRIPT,
    "files.json": "application/json",
    "framing.js": _SCRIPT,
    "geometry.js": _SCRIPT,
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable.png": "image/png",
    "icon.svg": "image/svg+xml",
    "index.html": "text/html; charset=utf-8",
    "jobs.js": _SCRIPT,
    "layout.css": _STYLE,
    "lightbox.js": _SCRIPT,
    "live.js": _SCRIPT,
    "local.js": _SCRIPT,
    "look.js": _SCRIPT,
    "loupes.js": _SCRIPT,
    "manifest.webmanifest": "application/manifest+json",
    "many.css": _STYLE,
    "marks.js": _SCRIPT,
    "messages.js": _SCRIPT,
    "moment.js": _SCRIPT,
    "open.js": _SCRIPT,
    "others.js": _SCRIPT,
    "panel.js": _SCRIPT,
    "queue.js": _SCRIPT,
    "references.js": _SCRIPT,
    "repair.js": _SCRIPT,
    "report.js": _SCRIPT,
    "said.js": _SCRIPT,
    "sample.jpg": "image/jpeg",
    "stage.js": _SCRIPT,
    "staging.js": _SCRIPT,
    "style.css": _STYLE,
    "take.js": _SCRIPT,
    "tile.js": _SCRIPT,
    "twin.js": _SCRIPT,
    "video.css": _STYLE,
    "video.js": _SCRIPT,
    "whose.js": _SCRIPT,
    "words.js": _SCRIPT,
    "words_many.js": _SCRIPT,
    "words_video.js": _SCRIPT,
    "worker.js": _SCRIPT,
}
"""Every file of the page with its media type; "messages.js" is made of the catalogues, and "files.json" of these names. A
request names one of them or gets nothing."""


page_router = APIRouter(include_in_schema=False)


_ELSEWHERE = frozenset(
    (
        "acceptance",
        "answers",
        "cli",
        "client",
        "comfyui",
        "edit",
        "evaluate",
        "mail",
        "ray",
        "review",
        "serve",
        "template",
        "training",
        "web",
    )
)
"""Families of codes that no server says: a page of a slow connection need not wait for their sentences."""


@page_router.api_route("/", methods=["GET", "HEAD"])
def index(request: Request) -> Response:
    """The page."""
    return _answer("index.html", request)


@page_router.api_route("/page/{name}", methods=["GET", "HEAD"])
def page_file(name: str, request: Request) -> Response:
    """One of its files."""
    if name not in PAGE_FILES:
        raise ProblemError("not-found", "the page has no such file")
    return _answer(name, request)


def page_content(name: str) -> bytes:
    """The bytes of one of `PAGE_FILES`."""
    if name == "messages.js":
        sentences = {
            language: {code: text for code, text in catalogue(language).items() if code.split(".")[0] not in _ELSEWHERE}
            for language in LANGUAGES
        }
        return f"export const MESSAGES = {json.dumps(sentences, ensure_ascii=False)};\n".encode()
    if name == "files.json":
        return json.dumps(list(PAGE_FILES)).encode()
    return files("likeness.server").joinpath("page").joinpath(name).read_bytes()


@cache
def _tagged(name: str) -> tuple[bytes, str]:
    """A file's bytes and their tag."""
    data = page_content(name)
    return data, f'"{hashlib.sha256(data).hexdigest()[:20]}"'


def _answer(name: str, request: Request) -> Response:
    data, tag = _tagged(name)
    # Asked for anew each time, so that a page and its scripts are never of two versions; unchanged costs no bytes.
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if name == "worker.js":
        # It keeps the page at "/", too, not only what lies beside it.
        headers["Service-Worker-Allowed"] = "/"
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=PAGE_FILES[name], headers=headers)
