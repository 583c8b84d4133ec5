"""The web application of a review session. It needs the extra `serve`."""

from __future__ import annotations

import secrets
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from likeness.errors import ConfigError, RecordError
from likeness.studio.review.session import LETTERS, MAX_SCORE, ORIGINAL, Rater, ReviewSession, Vote
from likeness.studio.small_app import small_app

__all__ = ["NewRater", "NewVote", "make_app"]

_ASSETS = {"review.css": "text/css", "review.js": "text/javascript", "words.js": "text/javascript"}
"""What the page loads, with its media type."""


class NewRater(BaseModel):
    """Who comes in."""

    name: str = Field(max_length=200)


class NewVote(BaseModel):
    """A score, 1 to 5 or none, and a comment on one picture."""

    score: int | None = Field(default=None, ge=1, le=MAX_SCORE)
    comment: str = Field(default="", max_length=2000)


def make_app(session: ReviewSession, *, hosts: tuple[str, ...] = (), key: str = "") -> FastAPI:
    """The page and its interface.

    A picture's address holds the rater's token, the number of the screen and a letter; which side that is, only the
    session's file knows.

    Args:
        session: what is rated.
        hosts: names by which the server may be called (`small_app`).
        key: what somebody must know to come in; "" lets everybody in.
    """
    app = small_app("Likeness review", hosts=hosts, inline=False)

    @app.exception_handler(ConfigError)
    def refused(_: Request, error: ConfigError) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=422)

    @app.exception_handler(RecordError)
    def broken(_: Request, error: RecordError) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=500)

    @app.exception_handler(LookupError)
    def missing(_: Request, error: LookupError) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.get("/")
    def page() -> Response:
        return _asset("review.html", "text/html")

    @app.get("/{name}")
    def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404, f"there is no file {name!r}")
        return _asset(name, _ASSETS[name])

    @app.get("/api/session")
    def describe() -> dict[str, Any]:
        return {"title": session.title, "question": session.question, "pictures": len(session.items)}

    @app.post("/api/raters")
    def enter(rater: NewRater, x_review_key: Annotated[str, Header()] = "") -> dict[str, str]:
        if key and not secrets.compare_digest(x_review_key.encode(), key.encode()):
            raise HTTPException(403, "the address lacks the session's key; open it as it was given to you")
        return {"token": session.enter(rater.name).token}

    @app.get("/api/raters/{token}")
    def state(token: str) -> dict[str, Any]:
        rater = _known(session, token)
        return {
            "name": rater.name,
            "title": session.title,
            "question": session.question,
            "positions": list(LETTERS[: len(session.sides)]),
            "original": session.has_originals,
            "screens": [
                [{"score": vote.score, "comment": vote.comment} for vote in trial.votes]
                for trial in session.trials(rater)
            ],
        }

    @app.put("/api/raters/{token}/screens/{place}/{letter}", status_code=204)
    def vote(token: str, place: int, letter: str, vote: NewVote) -> None:
        position = _position(letter)
        if position == ORIGINAL:
            raise HTTPException(404, "the original is not rated")
        given = Vote(score=vote.score, comment=vote.comment.strip())
        session.vote(_known(session, token), place=place, position=position, vote=given)

    @app.get("/api/raters/{token}/screens/{place}/{letter}.webp")
    def picture(token: str, place: int, letter: str) -> Response:
        path = session.picture(_known(session, token), place=place, position=_position(letter))
        # Bytes, not the file: its date and name would come along in headers.
        return Response(path.read_bytes(), media_type="image/webp", headers={"Cache-Control": "private, max-age=86400"})

    # The decorators keep them; named here because nothing else calls them.
    _ = (refused, broken, missing, page, asset, describe, enter, state, vote, picture)
    return app


def _asset(name: str, kind: str) -> Response:
    return Response(files("likeness.studio.review").joinpath(name).read_bytes(), media_type=f"{kind}; charset=utf-8")


def _known(session: ReviewSession, token: str) -> Rater:
    rater = session.rater(token)
    if rater is None:
        raise HTTPException(404, "nobody of this session has this address; come in by your name again")
    return rater


def _position(letter: str) -> int:
    if letter == "original":
        return ORIGINAL
    if len(letter) != 1 or letter not in LETTERS:
        raise HTTPException(404, f"there is no picture {letter!r}")
    return LETTERS.index(letter)
