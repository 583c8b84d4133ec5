"""Pictures that a page is open on: kept in memory, bounded in number and bytes, gone after a stated time.

A session holds the picture, its faces, and what the network returned for them, so that a slider's move is arithmetic.
Nothing of it is written anywhere. Its name cannot be guessed, and knowing it is the only way to it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from likeness.imaging.image import Image
from likeness.reference.matching import FaceMatcher
from likeness.restore.pipeline import Restorer
from likeness.server.http.problems import ProblemError
from likeness.server.live.limits import LiveLimits
from likeness.server.live.session import Session

__all__ = ["LEAVING_SECONDS", "OpenSessions", "Sessions", "sessions_of"]

_log = logging.getLogger(__name__)

LEAVING_SECONDS = 30.0
"""A page that is left may be one that is loaded again: so long it finds its picture still."""


@dataclass(kw_only=True)
class _Entry:
    session: Session
    client: str
    touched: float
    ends: float


class Sessions:
    """All open pictures, by name.

    Args:
        restorer: shared by all.
        limits: how many, how large, how long.
        matcher: shared by all.
        on_gone: told, from a thread of its own, the name of a picture whose time is over.
    """

    def __init__(
        self,
        restorer: Restorer,
        limits: LiveLimits | None = None,
        matcher: FaceMatcher | None = None,
        *,
        on_gone: Callable[[str], None] | None = None,
    ) -> None:
        self.restorer = restorer
        self._on_gone = on_gone
        self._matcher = matcher or FaceMatcher()
        self.limits = limits or LiveLimits()
        self._entries: dict[str, _Entry] = {}
        self._changed = threading.Condition()
        self._sweeper: threading.Thread | None = None
        self._closed = False

    def open(self, image: Image, name: str, *, client: str = "") -> tuple[str, Session]:
        """Keep a picture of a client; returns its name and the session. Finds its faces first."""
        session = Session(
            image,
            name,
            self.restorer,
            matcher=self._matcher,
            most_faces=self.limits.faces,
            most_pixels=self.limits.pixels,
        )
        key = secrets.token_urlsafe(24)
        with self._changed:
            now = time.monotonic()
            self._entries[key] = _Entry(
                session=session, client=client, touched=now, ends=now + self.limits.idle_seconds
            )
            self._keep_bounds(key)
            if self._sweeper is None and not self._closed:
                self._sweeper = threading.Thread(target=self._sweep, name="likeness-sessions", daemon=True)
                self._sweeper.start()
            self._changed.notify_all()
        return key, session

    def get(self, key: str) -> Session:
        """The session of a name; its time starts again.

        Raises:
            ProblemError: 410, if there is none, or none any more.
        """
        with self._changed:
            now = time.monotonic()
            entry = self._entries.get(key)
            # One whose time is over is left to the thread that tells of it.
            if entry is None or entry.ends <= now:
                raise ProblemError("picture-closed", "this picture is no longer open here; open it again")
            entry.touched, entry.ends = now, now + self.limits.idle_seconds
            self._keep_bounds(key)
            return entry.session

    def leave(self, key: str) -> None:
        """The page was left: the picture goes soon, unless the page is loaded again."""
        with self._changed:
            entry = self._entries.get(key)
            if entry is not None:
                entry.ends = min(entry.ends, time.monotonic() + LEAVING_SECONDS)
                self._changed.notify_all()

    def close(self, key: str) -> None:
        """Forget a picture now; one that is not there is no error."""
        with self._changed:
            self._entries.pop(key, None)

    def close_all(self) -> None:
        """Forget all pictures, and end the thread that watches their time."""
        with self._changed:
            self._closed = True
            self._entries.clear()
            self._changed.notify_all()
            sweeper = self._sweeper
        if sweeper is not None:
            sweeper.join()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Memory of all open pictures."""
        return sum(entry.session.nbytes for entry in list(self._entries.values()))

    def _keep_bounds(self, newest: str) -> None:
        """Close pictures until the rest fits; the lock is held. Nobody drives others out by opening many, or large ones."""
        while len(self._entries) > 1:
            if len(self._entries) > self.limits.sessions:
                shares = Counter(entry.client for entry in self._entries.values())
            elif self.nbytes > self.limits.bytes:
                shares = Counter[str]()
                for entry in self._entries.values():
                    shares[entry.client] += entry.session.nbytes
            else:
                return
            others = [key for key in self._entries if key != newest]
            most = max(shares[self._entries[key].client] for key in others)
            greedy = [key for key in others if shares[self._entries[key].client] == most]
            del self._entries[min(greedy, key=lambda key: self._entries[key].touched)]
            _log.info("an open picture made room for another")

    def _sweep(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for key in [key for key, entry in self._entries.items() if entry.ends <= now]:
                    del self._entries[key]
                    if self._on_gone is not None:
                        self._on_gone(key)
                ends = [entry.ends for entry in self._entries.values()]
                self._changed.wait(max(0.0, min(ends) - now) if ends else None)


def sessions_of(request: Request) -> Sessions:
    """The open pictures of the application that a request came to."""
    return cast(Sessions, request.app.state.live)


OpenSessions = Annotated[Sessions, Depends(sessions_of)]
