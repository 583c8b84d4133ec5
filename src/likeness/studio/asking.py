"""The web application that shows clients their proofs and writes their answers into the book. It needs the extra `serve`."""

from __future__ import annotations

import mimetypes
import threading
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from likeness.errors import ConfigError, LikenessError
from likeness.messages.notice import Notice
from likeness.studio.acceptance import Entry, open_book
from likeness.studio.answers import asked_in
from likeness.studio.proof_index import INDEX
from likeness.studio.small_app import small_app

__all__ = ["AskingFolder", "ClientAnswer", "make_app"]

_SHOWN = (".html", ".jpg", ".jpeg", ".png")


class ClientAnswer(BaseModel):
    """What a client says to a picture."""

    picture: str = Field(max_length=1000)
    client: str = Field(default="", max_length=200)
    answer: Literal["accepted", "revise", "rejected"]
    note: str = Field(default="", max_length=1000)
    mark: str = Field(default="", max_length=40, description="What was shown of the picture: `Proof.mark`.")


class AskingFolder:
    """A folder of proofs that ask.

    Args:
        folder: of the pages; nothing else is shown.

    Attributes:
        root: the folder.
        asked: client and name of each picture that a page asks about.
        pages: where each client begins, relative to the folder: the page of all, or the only one.

    Raises:
        ConfigError: if there is no page that asks.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve()
        self.asked: set[tuple[str, str]] = set()
        self.pages: dict[str, str] = {}
        # A page of all comes before the single ones to which it leads.
        for path in sorted(self.root.rglob("*.html"), key=lambda path: (path.name != INDEX, path)):
            found = asked_in(path.read_text(encoding="utf-8", errors="replace"))
            self.asked.update((client, picture) for picture, client in found.items())
            for client in found.values():
                self.pages.setdefault(client, path.relative_to(self.root).as_posix())
        if not self.asked:
            raise ConfigError(Notice("answers.no-pages", {"folder": str(folder)}))


def make_app(folder: AskingFolder, book: Path, *, hosts: tuple[str, ...] = (), key: str = "") -> FastAPI:
    """The pages of a folder of proofs, and their answers.

    An answer that is changed while this runs is a correction of the one before: a wrong button is no revision. One to a
    picture that was done anew meanwhile is an answer of its own.

    Args:
        folder: of the proofs.
        book: the book of acceptance; made at the first answer if there is none.
        hosts: names by which the server may be called; none allows all.
        key: what the addresses of pages begin with, so that only who was told them comes in; "" for none.
    """
    given: dict[tuple[str, str, str], Entry] = {}
    writing = threading.Lock()
    app = small_app("Likeness proofs", hosts=hosts, inline=True)
    base = f"/{key}" if key else ""

    @app.exception_handler(LikenessError)
    def refused(_: Request, error: LikenessError) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=422 if isinstance(error, ConfigError) else 500)

    def write(said: ClientAnswer) -> None:
        of = (said.client, said.picture, said.mark)
        if of[:2] not in folder.asked:
            raise ConfigError(Notice("answers.unknown-picture"))
        with writing, open_book(book, create=True) as opened:
            before = given.get(of)
            if before is None:
                (entry,) = opened.add([said.picture], said.answer, client=said.client, note=said.note)
            else:
                entry = opened.correct(before.entry, said.answer, note=said.note)
            given[of] = entry

    # A page in a folder asks beside itself.
    @app.put(f"{base}/{{place:path}}answers", status_code=204)
    async def answer(place: str, said: ClientAnswer) -> None:
        del place
        await run_in_threadpool(write, said)

    @app.get(f"{base}/{{place:path}}answers")
    def answers(place: str, client: str = "") -> dict[str, dict[str, str]]:
        del place
        return {
            picture: {"answer": entry.answer, "note": entry.note, "mark": mark}
            for (of, picture, mark), entry in list(given.items())
            if of == client
        }

    @app.get(f"{base}/{{name:path}}")
    def page(name: str) -> Response:
        if not name:
            return Response(status_code=307, headers={"Location": f"{base}/{quote(next(iter(folder.pages.values())))}"})
        path = folder.root / name
        if path.suffix.lower() not in _SHOWN or not _in(folder.root, path):
            return JSONResponse({"detail": "there is no such page"}, status_code=404)
        return Response(path.read_bytes(), media_type=mimetypes.guess_type(path.name)[0])

    # The decorators keep them; named here because nothing else calls them.
    _ = (refused, answer, answers, page)
    return app


def _in(root: Path, path: Path) -> bool:
    """Whether a file lies in the folder, and is none that is hidden."""
    try:
        place = path.resolve(strict=True)
    except (OSError, ValueError):
        return False
    inside = place.is_relative_to(root) and place.is_file()
    return inside and not any(part.startswith(".") for part in place.relative_to(root).parts)
