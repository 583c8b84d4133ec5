"""Errors as answers: one shape for all of them (RFC 9457), with the sentences that the command line prints."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from likeness.errors import (
    ConfigError,
    ControlError,
    ImageReadError,
    ImageTooLargeError,
    ImageWriteError,
    LikenessError,
    NoFaceError,
    PairError,
    ResolutionError,
    ServerBusyError,
)

__all__ = [
    "PROBLEM_TYPE",
    "Problem",
    "ProblemError",
    "add_error_handlers",
    "log_unforeseen",
    "problem_of",
    "problem_response",
    "sentences",
]

_log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
"""Media type of every error."""

_KNOWN: tuple[tuple[type[LikenessError], int, str], ...] = (
    (ImageTooLargeError, 413, "picture-too-large"),
    (ImageReadError, 422, "picture-unreadable"),
    (ResolutionError, 422, "resolution-low"),
    (ImageWriteError, 422, "picture-unwritable"),
    (NoFaceError, 422, "no-face"),
    (PairError, 422, "pair-unequal"),
    (ControlError, 422, "control-out-of-range"),
    (ConfigError, 422, "option-unusable"),
    (ServerBusyError, 429, "busy"),
)
"""The library's errors, narrower ones first: status and code. What is not among them is the server's own fault."""


class Problem(BaseModel):
    """An error; the same shape wherever it comes from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": HTTPStatus(422).phrase,
                    "status": 422,
                    "code": "no-face",
                    "detail": "no face was found in the picture",
                }
            ]
        }
    )

    type: str = Field(default="about:blank", description="Always about:blank: the code says more.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status in figures.")
    code: str = Field(description="For programs; codes do not change their meaning.")
    detail: str = Field(description="For people: what is wrong and what to do, in a sentence.")


class ProblemError(Exception):
    """An error that is a matter of HTTP and not of pictures; it never leaves the server.

    Args:
        status: the answer's status.
        code: for programs.
        detail: the sentence.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def problem_of(error: Exception) -> tuple[Problem, dict[str, str]]:
    """What to tell of an error, and the headers that go with it. Its message stays inside if nobody foresaw it."""
    if isinstance(error, ProblemError):
        return _problem(error.status, error.code, str(error)), error.headers
    for kind, status, code in _KNOWN:
        if isinstance(error, kind):
            headers = {"Retry-After": str(error.retry_after)} if isinstance(error, ServerBusyError) else {}
            return _problem(status, code, str(error)), headers
    if isinstance(error, MemoryError):
        sentence = "not enough memory for this picture; make it smaller, or try again when less is going on"
        return _problem(503, "out-of-memory", sentence), {"Retry-After": "10"}
    if isinstance(error, LikenessError):
        return _problem(500, "failed", str(error)), {}
    return _problem(
        500, "unexpected", f"unexpected {type(error).__name__} (a bug in Likeness; the log shows where)"
    ), {}


def problem_response(error: Exception) -> JSONResponse:
    """The answer for an error."""
    problem, headers = problem_of(error)
    return JSONResponse(problem.model_dump(), status_code=problem.status, headers=headers, media_type=PROBLEM_TYPE)


def log_unforeseen(error: BaseException, where: str) -> None:
    """Log an error that is a bug of ours. Its message may hold what a client sent, the lines that led there do not."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    _log.error("unexpected %s in %s (a bug in Likeness)\n%s", type(error).__name__, where, lines.rstrip())


def add_error_handlers(app: FastAPI) -> None:
    """Have an application answer every error in this shape; what nobody foresaw is `likeness.server.guard`'s."""

    async def known(_: Request, error: Exception) -> JSONResponse:
        return problem_response(error)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(app, request, headers.get("Allow", ""))
        sentence = _HTTP_SENTENCES.get(error.status_code, f"{phrase}; docs/api.md says what there is")
        return problem_response(ProblemError(error.status_code, code, sentence, headers=headers))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem_response(ProblemError(422, "request-invalid", sentences(error.errors())))

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


_HTTP_SENTENCES = {
    404: "there is nothing at this address; docs/api.md lists the routes",
    405: "this address does not take that method; the header Allow says which it takes",
}


def sentences(errors: Any) -> str:
    """What Pydantic found, in one line: each field and what is wrong with it."""
    found: list[str] = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        message = str(error["msg"]).removeprefix("Value error, ")
        found.append(f"{field}: {message}" if field else message)
    shown = "; ".join(found[:5])
    return f"{shown}; and {len(found) - 5} more" if len(found) > 5 else shown


def _problem(status: int, code: str, detail: str) -> Problem:
    return Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail)
