"""One file that the page is opened on, as a picture editor opens it: nothing is sent, and what is seen is saved as a file.

The page of ``likeness edit``. There the server ends with the work: when the picture is saved, when it is left as it is, or
when the page is gone for so long that it was not merely loaded again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from likeness.imaging.files import write_image
from likeness.imaging.image import Image
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import State, client_of
from likeness.server.http.waiting import in_turn
from likeness.server.live.looks import LiveSizedLook
from likeness.server.live.sessions import LEAVING_SECONDS, OpenSessions

__all__ = ["Editing", "EditingOrNone", "Ending", "editing_router", "leave_file", "open_file", "save_file"]

Ending: TypeAlias = Literal["saved", "left"]


class Editing:
    """What is edited, and where it goes. Safe to use from several threads.

    Args:
        image: the picture.
        name: its file's name.
        target: the file that is written when it is saved; one that is there is replaced.
        on_end: called once, when it was saved or is left as it is.
    """

    def __init__(self, image: Image, name: str, target: Path, *, on_end: Callable[[Ending], None]) -> None:
        self.image = image
        self.name = name
        self.target = target
        self.key = ""
        """The name under which it is open; empty until it is."""
        self._on_end = on_end
        self._lock = threading.Lock()
        self._ended = False
        self._openings = 0

    def opening(self) -> int:
        """A page begins to open it; which opening that is, for `unopened`."""
        with self._lock:
            self._openings += 1
            return self._openings

    def unopened(self, opening: int, *, within: float = LEAVING_SECONDS) -> None:
        """The page went before it was open: nobody sits before it, unless a page opens it in so many seconds."""

        def unless_opened() -> None:
            if self._openings == opening:
                self.end("left")

        timer = threading.Timer(within, unless_opened)
        timer.daemon = True  # the command may end sooner
        timer.start()

    def save(self, after: Image) -> None:
        """Write it.

        Raises:
            ImageWriteError: if that cannot be done; it may be tried again.
        """
        write_image(after, self.target)
        self.end("saved")

    def end(self, how: Ending) -> None:
        """It is done with; only the first time counts."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._on_end(how)

    def gone(self, key: str) -> None:
        """An open picture's time is over: if it is this one, nobody sits before it any more."""
        if key == self.key:
            self.end("left")

    def to_dict(self) -> dict[str, str]:
        """What the page says of it."""
        return {"name": self.name, "saves": self.target.name}


editing_router = APIRouter(prefix="/live/editing", include_in_schema=False)


def _editing_or_none(request: Request) -> Editing | None:
    return cast("Editing | None", request.app.state.editing)


EditingOrNone = Annotated[Editing | None, Depends(_editing_or_none)]


def _editing(editing: EditingOrNone) -> Editing:
    if editing is None:
        raise ProblemError("not-found", "no file is edited here")
    return editing


_EditingOf = Annotated[Editing, Depends(_editing)]


@editing_router.post("", status_code=201)
async def open_file(request: Request, state: State, sessions: OpenSessions, editing: _EditingOf) -> JSONResponse:
    """Open the file that is edited."""

    def work() -> dict[str, Any]:
        key, session = sessions.open(editing.image, editing.name, client=client_of(request))
        editing.key = key
        return {"id": key, **session.to_dict()}

    opening = editing.opening()
    try:
        opened = await in_turn(request, state, work, kind="live")
    except ClientDisconnect:
        editing.unopened(opening)
        raise
    return JSONResponse(opened, status_code=201)


@editing_router.post("/{key}")
async def save_file(
    key: str, look: LiveSizedLook, request: Request, state: State, sessions: OpenSessions, editing: _EditingOf
) -> dict[str, str]:
    """Save what is seen."""
    opened = sessions.get(key)
    if key != editing.key:  # another picture, or this one in another window, where it may look otherwise
        raise ProblemError("picture-closed", "this is not the picture that is edited here")

    def work() -> dict[str, str]:
        framing, controls, wanted = look.framing(), look.by_face(), look.wanted()
        session = opened.framed(framing).mended(look.mending())
        upscale = session.upscale(look.faces, controls, look.upscale)
        after = session.finished(look.faces, controls, look.finishing(), upscale, wanted)
        editing.save(framing.cropped(after, session.image.size))
        return editing.to_dict()

    return await in_turn(request, state, work, kind="live")


@editing_router.delete("", status_code=204)
def leave_file(editing: _EditingOf) -> None:
    """Leave the file as it is."""
    editing.end("left")
