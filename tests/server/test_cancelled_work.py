"""Work that nobody waits for ends at its next step: after a 503, after the client went away, after its job was deleted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Running, served

from likeness.compute.cancellation import WorkCancelled, cancellable, checkpoint
from likeness.compute.network import Network
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image
from likeness.restore.controls import Controls
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings

FACES = 12
SECONDS = 0.05
"""What each run of a network takes here, at least."""

PATIENCE = 1.5
SETTINGS: dict[str, Any] = {"degradation_scale": 0.9, "refine": 8}
"""With 12 faces 96 runs, and so far more seconds than the server's patience."""


@dataclass(kw_only=True)
class Counted:
    """How many runs of networks there were."""

    runs: int = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The real networks, slowed down, as on a larger picture, and counted."""
    found = Counted()
    run = Network.run

    def slow(self: Network, inputs: Any, outputs: Any) -> Any:
        result = run(self, inputs, outputs)
        time.sleep(SECONDS)
        found.runs += 1
        return result

    monkeypatch.setattr(Network, "run", slow)
    return found


@pytest.fixture(scope="module")
def hasty(tiny_restorer: Restorer, astronaut: Image, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    settings = ServerSettings(
        port=0, data=tmp_path_factory.mktemp("hasty"), workers=1, queue=4, request_seconds=60, max_faces=FACES
    )
    tiny_restorer.restore(astronaut)  # networks are compiled when they are first used
    with served(settings, tiny_restorer) as running:
        yield running


@pytest.fixture(scope="module")
def group(astronaut: Image) -> bytes:
    """A group photograph of twelve."""
    row = np.concatenate([astronaut.pixels] * 4, axis=1)
    return encode_image(Image(pixels=np.concatenate([row] * 3, axis=0)), "JPEG")


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.01)


def assert_ended(running: Running, counted: Counted) -> None:
    """Nothing is worked on any more, soon, and nothing goes on unseen."""
    wait_for(lambda: running.state.pool.running == 0)
    wait_for(lambda: running.state.pool.admitted == 0)
    runs = counted.runs
    time.sleep(10 * SECONDS)
    assert counted.runs == runs
    assert running.state.upload_memory.bytes == 0


def form(picture: bytes, **fields: Any) -> dict[str, Any]:
    return {"files": {"file": ("a.jpg", picture)}, "data": {name: str(value) for name, value in fields.items()}}


def test_a_503_ends_the_work(hasty: Running, group: bytes, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hasty.state.settings.__dict__, "request_seconds", PATIENCE)
    with hasty.http() as client:
        answer = client.post("/v1/restore", **form(group, **SETTINGS))
    assert (answer.status_code, answer.json()["code"]) == (503, "too-long")
    at_the_answer = counted.runs
    assert_ended(hasty, counted)
    assert counted.runs <= at_the_answer + 2
    with hasty.http() as client:
        assert 'likeness_pictures_total{outcome="cancelled"}' in client.get("/metrics").text


def test_a_client_that_goes_away_ends_the_work(hasty: Running, group: bytes, counted: Counted) -> None:
    with hasty.http() as client:
        asked = client.build_request("POST", "/v1/restore", **form(group, **SETTINGS))
    asked.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as connection:
        connection.sendall(f"POST /v1/restore HTTP/1.1\r\n{head}\r\n".encode() + asked.content)
        wait_for(lambda: counted.runs > 2)
    left = counted.runs
    assert_ended(hasty, counted)
    assert counted.runs <= left + 3


@pytest.mark.parametrize("what", ["views", "fields", "files/web"])
def test_a_look_that_takes_too_long_ends_and_the_picture_can_be_used(
    what: str, hasty: Running, group: bytes, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    look: dict[str, Any] = {"faces": list(range(FACES)), **SETTINGS}
    if what == "views":
        look["areas"] = [{"left": 0, "top": 0, "right": 1024, "bottom": 768, "width": 512}]
    with hasty.http() as client:
        opened = client.post("/live/pictures", files={"file": ("a.jpg", group)}).json()
        assert len(opened["faces"]) == FACES
        monkeypatch.setitem(hasty.state.settings.__dict__, "request_seconds", PATIENCE)
        answer = client.post(f"/live/pictures/{opened['id']}/{what}", json=look)
        assert answer.status_code == 503, answer.text
        assert_ended(hasty, counted)
        monkeypatch.undo()
        one = {**look, "faces": [0], "refine": 1}
        assert client.post(f"/live/pictures/{opened['id']}/{what}", json=one).status_code == 200


def test_a_job_that_is_deleted_ends(hasty: Running, group: bytes, counted: Counted) -> None:
    with hasty.http() as client:
        job = client.post("/v1/jobs", files=[("files", ("a.jpg", group))], data={"refine": "8"}).json()["id"]
        wait_for(lambda: counted.runs > 2)
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        left = counted.runs
        assert_ended(hasty, counted)
        assert counted.runs <= left + 2
        assert client.get(f"/v1/jobs/{job}").status_code == 404
    assert not (hasty.state.settings.data / "jobs" / job).exists()


def test_a_job_s_picture_asked_for_in_another_way_is_begun_anew(hasty: Running, group: bytes, counted: Counted) -> None:
    with hasty.http() as client:
        job = client.post("/v1/jobs", files=[("files", ("a.jpg", group))], data={"refine": "8"}).json()["id"]
        wait_for(lambda: counted.runs > 2)
        again = client.post(f"/v1/jobs/{job}/pictures/0", files={"faces": (None, "largest")})
        assert again.status_code == 202
        left = counted.runs
        wait_for(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done")
        again_runs = counted.runs - left
        found = client.get(f"/v1/jobs/{job}/pictures/0").json()
        client.delete(f"/v1/jobs/{job}")
        left = counted.runs
        files = [("files", ("a.jpg", group))]
        alone = client.post("/v1/jobs", files=files, data={"faces": "largest"}).json()["id"]
        wait_for(lambda: client.get(f"/v1/jobs/{alone}").json()["state"] == "done")
        client.delete(f"/v1/jobs/{alone}")
    assert (found["state"], found["options"]) == ("final", {"faces": "largest"})
    # As many runs as when it is asked for so from the first, and one or two that were going on: not 96 more.
    assert again_runs <= counted.runs - left + 2


def test_an_address_watches_so_many_jobs_at_a_time_and_no_more(hasty: Running, group: bytes, counted: Counted) -> None:
    with hasty.http() as client, ExitStack() as stack:
        job = client.post("/v1/jobs", files=[("files", ("a.jpg", group))], data={"refine": "8"}).json()["id"]
        asked = f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(16):
            watching = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port), timeout=20))
            watching.sendall(asked)
            assert watching.recv(65536).startswith(b"HTTP/1.1 200 ")
        answer = client.get(f"/v1/jobs/{job}/events")
        assert (answer.status_code, answer.json()["code"]) == (429, "busy")
        stack.close()
        wait_for(lambda: not hasty.state.streams)
        with client.stream("GET", f"/v1/jobs/{job}/events") as again:
            assert again.status_code == 200
        client.delete(f"/v1/jobs/{job}")
        assert_ended(hasty, counted)


def test_more_faces_than_are_taken_at_a_time_are_refused(
    tiny_restorer: Restorer, group: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = ServerSettings(port=0, data=tmp_path_factory.mktemp("few"), max_faces=FACES - 1)
    with served(settings, tiny_restorer) as running, running.http() as client:
        answer = client.post("/v1/restore", **form(group))
        assert (answer.status_code, answer.json()["code"]) == (422, "control-out-of-range")
        assert f"has {FACES} faces to restore, and {FACES - 1} at a time are taken" in answer.json()["detail"]
        assert client.post("/v1/restore", **form(group, faces="0,3")).headers["likeness-restored"] == "2"
        opened = client.post("/live/pictures", files={"file": ("a.jpg", group)}).json()["id"]
        look = {"faces": list(range(FACES))}
        assert client.post(f"/live/pictures/{opened}/fields", json=look).status_code == 422
        # What is kept of faces looked at before is bounded, too.
        for index in range(FACES):
            client.post(f"/live/pictures/{opened}/fields", json={"faces": [index]})
        (session,) = [entry.session for entry in running_sessions(running)]
        assert len(session._projections) == FACES - 1


class AfterSome(threading.Event):
    """Set when it has been asked so many times: a request whose time is over in the midst of its faces."""

    def __init__(self, asked: int) -> None:
        super().__init__()
        self.left = asked

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_faces_that_were_restored_in_time_are_kept_for_the_next_request(server: Running, group: bytes) -> None:
    with server.http() as client:
        told = client.post("/live/pictures", files={"file": ("a.jpg", group)}).json()
    session = running_sessions(server)[-1].session
    faces = [face["index"] for face in told["faces"]]
    assert len(faces) == FACES
    kept: list[int] = []
    for _ in range(FACES):
        with cancellable(AfterSome(6 + FACES)):
            try:
                assert len(session.projections(faces, ControlsByFace(Controls()))) == FACES
                break
            except WorkCancelled:
                kept.append(len(session._projections))
    else:
        raise AssertionError("it never came to its end")
    # It was broken off, and went on from where it was.
    assert kept
    assert kept[-1] > 0
    assert kept == sorted(kept)


def running_sessions(running: Running) -> list[Any]:
    return list(running.sessions._entries.values())  # pyright: ignore[reportPrivateUsage]


def test_a_face_named_twice_is_refused_before_any_work(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        opened = client.post("/live/pictures", files={"file": ("a.jpg", portrait)}).json()["id"]
        for what, more in (
            ("fields", {"faces": [0] * 256}),
            ("fields", {"faces": [0, 0]}),
            ("evidence", {"faces": [0, 0]}),
            ("files/png", {"faces": [0, 0]}),
            ("views", {"faces": [0, 0], "areas": [{"left": 0, "top": 0, "right": 9, "bottom": 9, "width": 9}]}),
            (
                "views",
                {"layers": ["warmth"] * 2, "areas": [{"left": 0, "top": 0, "right": 9, "bottom": 9, "width": 9}]},
            ),
        ):
            answer = client.post(f"/live/pictures/{opened}/{what}", json=more)
            assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
            assert "named twice" in answer.json()["detail"]


def test_a_print_of_more_pixels_than_there_is_memory_for_is_refused(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, data=tmp_path, max_pixels=256 * 256)
    with served(settings, tiny_restorer) as running, running.http() as client:
        opened = client.post("/live/pictures", files={"file": ("a.jpg", portrait)}).json()["id"]
        small = client.post(f"/live/pictures/{opened}/files/print", json={"scale": 1.25})
        large = client.post(f"/live/pictures/{opened}/files/print", json={"scale": 1.5})
    assert small.status_code == 200
    assert (large.status_code, large.json()["code"]) == (413, "picture-too-large")
    assert "this server makes" in large.json()["detail"]


def test_the_flag_counts_in_its_own_thread_and_context_only() -> None:
    cancelled = threading.Event()
    cancelled.set()
    checkpoint()
    with cancellable(cancelled):
        other = threading.Thread(target=checkpoint)
        other.start()
        other.join()
        with pytest.raises(WorkCancelled):
            checkpoint()
    checkpoint()
