"""Errors as answers: one shape for all of them (RFC 9457), with the sentences that the command line prints."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from likeness.core.files import disk_is_full
from likeness.errors import (
    ConfigError,
    ControlError,
    FileWriteError,
    ImageReadError,
    ImageTooLargeError,
    JournalError,
    LikenessError,
    MissingExtraError,
    NoFaceError,
    PairError,
    RawImageError,
    ResolutionError,
    ServerBusyError,
    VideoError,
)
from likeness.messages.notice import Notice, notice_of

__all__ = [
    "CODES",
    "PROBLEM_TYPE",
    "NoticeAnswer",
    "Problem",
    "ProblemError",
    "add_error_handlers",
    "full_disk_told",
    "log_unforeseen",
    "problem_of",
    "problem_response",
    "sentences",
]

_log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
"""Media type of every error."""

CODES: dict[str, int] = {
    "form-invalid": 400,
    "request-damaged": 400,
    "key-needed": 401,
    "origin-refused": 403,
    "job-unknown": 404,
    "not-found": 404,
    "picture-unknown": 404,
    "method-not-allowed": 405,
    "upload-too-slow": 408,
    "no-result": 409,
    "picture-closed": 410,
    "field-too-long": 413,
    "picture-too-large": 413,
    "too-many-fields": 413,
    "too-many-files": 413,
    "upload-too-large": 413,
    "form-needed": 415,
    "host-unknown": 421,
    "control-out-of-range": 422,
    "faces-failed": 422,
    "field-twice": 422,
    "field-unknown": 422,
    "file-missing": 422,
    "no-face": 422,
    "option-unusable": 422,
    "pair-unequal": 422,
    "picture-raw": 422,
    "picture-unreadable": 422,
    "picture-unwritable": 422,
    "reference-unusable": 422,
    "request-invalid": 422,
    "resolution-low": 422,
    "video-unreadable": 422,
    "busy": 429,
    "too-many-jobs": 429,
    "failed": 500,
    "unexpected": 500,
    "extra-missing": 501,
    "out-of-memory": 503,
    "too-long": 503,
    "too-many-connections": 503,
    "storage-full": 507,
}
"""Every code that the server sends, with its status. docs/api.md lists them, and the page has a sentence for each in every
language."""

_KNOWN: tuple[tuple[type[LikenessError], str], ...] = (
    (ImageTooLargeError, "picture-too-large"),
    (RawImageError, "picture-raw"),
    (ImageReadError, "picture-unreadable"),
    (ResolutionError, "resolution-low"),
    (FileWriteError, "picture-unwritable"),
    (NoFaceError, "no-face"),
    (PairError, "pair-unequal"),
    (ControlError, "control-out-of-range"),
    (ConfigError, "option-unusable"),
    (ServerBusyError, "busy"),
    (VideoError, "video-unreadable"),
    (MissingExtraError, "extra-missing"),
    (LikenessError, "failed"),
)
"""The library's errors and their codes, narrower ones first. What is not among the narrower ones is the server's fault."""

_LONGEST = 1000
"""Characters of a sentence; it may repeat what a client sent."""

_HTTP = {
    400: ("request-damaged", "this is no request that can be read; send it again"),
    404: ("not-found", "there is nothing at this address; docs/api.md lists the routes"),
    405: ("method-not-allowed", "this address does not take that method; the header Allow says which it takes"),
}
"""What the framework itself refuses."""


class NoticeAnswer(BaseModel):
    """A sentence as code and values, to be said in any language."""

    code: str = Field(description="For programs; codes do not change their meaning.", examples=["image.empty"])
    values: dict[str, Any] = Field(
        description="What the sentence holds: numbers, texts, and further sentences as code and values."
    )


class Problem(BaseModel):
    """An error; the same shape wherever it comes from."""

    type: str = Field(default="about:blank", description="Always about:blank: the code says more.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status in figures.")
    code: str = Field(description="For programs; codes do not change their meaning.")
    detail: str = Field(description="For people: what is wrong and what to do, in a sentence.")
    notice: NoticeAnswer | None = Field(
        default=None,
        description="The sentence more closely than `code`, as code and values; null where that says it all.",
    )


class ProblemError(Exception):
    """An error that is a matter of HTTP and not of pictures; it never leaves the server.

    Args:
        code: one of `CODES`.
        detail: the sentence, a `Notice` where it says more than the code does.
        headers: further headers of the answer.
    """

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.status = CODES[code]
        self.headers = dict(headers or {})


def problem_of(error: Exception) -> tuple[Problem, dict[str, str]]:
    """What to tell of an error, and the headers that go with it. Its message stays inside if nobody foresaw it."""
    if isinstance(error, ProblemError):
        return _problem(error.code, notice_of(error)), error.headers
    if isinstance(error, JournalError):
        # Its message says where on this machine the journal is.
        _log.error("%s", error)
        return _problem("failed", "the server's journal of jobs cannot be used; its log says why"), {}
    for kind, code in _KNOWN:
        if isinstance(error, kind):
            headers = {"Retry-After": str(error.retry_after)} if isinstance(error, ServerBusyError) else {}
            return _problem(code, notice_of(error)), headers
    if isinstance(error, MemoryError):
        return _problem("out-of-memory", Notice("server.no-memory")), {"Retry-After": "10"}
    return _problem("unexpected", Notice("server.unexpected", {"kind": type(error).__name__})), {}


def problem_response(error: Exception) -> JSONResponse:
    """The answer for an error."""
    problem, headers = problem_of(error)
    return JSONResponse(problem.model_dump(), status_code=problem.status, headers=headers, media_type=PROBLEM_TYPE)


@contextmanager
def full_disk_told() -> Generator[None]:
    """Within it a disk without room is told as one, and not as a bug."""
    try:
        yield
    except OSError as error:
        if not disk_is_full(error):
            raise
        _log.error("the disk of the data folder is full")
        raise ProblemError("storage-full", Notice("server.disk-full")) from error


def log_unforeseen(error: BaseException, where: str) -> None:
    """Log an error that is a bug of ours. Its message may hold what a client sent, the lines that led there do not."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    _log.error("unexpected %s in %s (a bug in Likeness)\n%s", type(error).__name__, where, lines.rstrip())


def add_error_handlers(app: FastAPI) -> None:
    """Have an application answer every error in this shape; what nobody foresaw is `likeness.server.http.guard`'s."""

    async def known(_: Request, error: Exception) -> JSONResponse:
        return problem_response(error)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code, sentence = _HTTP.get(error.status_code, _HTTP[400])
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(app, request, headers.get("Allow", ""))
        return problem_response(ProblemError(code, sentence, headers=headers))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem_response(ProblemError("request-invalid", sentences(error.errors())))

    app.add_exception_handler(LikenessError, known)
    app.add_exception_handler(ProblemError, known)
    app.add_exception_handler(MemoryError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def _allowed(app: FastAPI, request: Request, found: str) -> str:
    """Every method of an address: where several routes share it, the framework names the first one's only."""
    path = getattr(request.scope.get("route"), "path", "")
    methods = app.openapi()["paths"].get(path, {})
    return ", ".join(sorted(method.upper() for method in methods)) or found


def sentences(errors: Any) -> str:
    """What Pydantic found, in one line: each field and what is wrong with it."""
    found: list[str] = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        message = str(error["msg"]).removeprefix("Value error, ")
        found.append(f"{field}: {message}" if field else message)
    shown = "; ".join(found[:5])
    return f"{shown}; and {len(found) - 5} more" if len(found) > 5 else shown


def _problem(code: str, detail: str) -> Problem:
    status = CODES[code]
    title = HTTPStatus(status).phrase
    notice = NoticeAnswer(**_cleaned(detail.to_dict())) if isinstance(detail, Notice) and detail.coded else None
    return Problem(title=title, status=status, code=code, detail=_cleaned(detail), notice=notice)


def _cleaned(told: Any) -> Any:
    """A text that may repeat a client's: no control characters, and no halves of characters, which UTF-8 cannot carry.

    Lists and dictionaries are cleaned through and through.
    """
    if isinstance(told, str):
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in told[:_LONGEST])
    if isinstance(told, dict):
        return {name: _cleaned(value) for name, value in cast("dict[str, Any]", told).items()}
    return [_cleaned(item) for item in cast("list[Any]", told)] if isinstance(told, list) else told
