"""A real server for tests, on a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from likeness.restore.pipeline import Restorer
from likeness.server.app import create_app
from likeness.server.http.listen import Listener
from likeness.server.http.settings import ServerSettings
from likeness.server.http.state import ServerState
from likeness.server.live.editing import Editing
from likeness.server.live.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class Running:
    """A real server on a free port of this machine."""

    url: str
    state: ServerState
    sessions: Sessions

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def http(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, headers=headers)


@contextmanager
def served(settings: ServerSettings, restorer: Restorer, editing: Editing | None = None) -> Generator[Running]:
    app = create_app(settings, restorer, model="tiny", editing=editing)
    listener = Listener(app)
    ready = threading.Event()

    def told(_: str) -> None:
        ready.set()

    thread = threading.Thread(target=listener.run, args=(told,))
    thread.start()
    assert ready.wait(20)
    try:
        yield Running(url=listener.url, state=app.state.likeness, sessions=app.state.live)
    finally:
        listener.stop()
        thread.join(30)
        assert not thread.is_alive()
