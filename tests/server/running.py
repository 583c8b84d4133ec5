"""A real server for tests, on a free port of this machine."""

from __future__ import annotations

import faulthandler
import json
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from likeness.restore.pipeline import Restorer
from likeness.server.app import create_app
from likeness.server.http.listen import Listener
from likeness.server.http.settings import ServerSettings
from likeness.server.http.state import ServerState
from likeness.server.jobs.jobs import Jobs
from likeness.server.live.editing import Editing
from likeness.server.live.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class Running:
    """A real server on a free port of this machine."""

    url: str
    state: ServerState
    sessions: Sessions
    jobs: Jobs

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
        yield Running(url=listener.url, state=app.state.likeness, sessions=app.state.live, jobs=app.state.jobs)
    finally:
        listener.stop()
        thread.join(90)  # 15 s for answers that are being made, and then the work that was begun
        if thread.is_alive():
            # Seldom, at the end of a whole run: this says what it waits for.
            faulthandler.dump_traceback(file=sys.__stderr__)
        assert not thread.is_alive()


def finished(client: httpx.Client, job: str) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """The events of a job until its end, and the job then."""
    events: list[tuple[str, Any]] = []
    with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    return events, client.get(f"/v1/jobs/{job}").json()
