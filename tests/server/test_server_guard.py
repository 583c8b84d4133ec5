"""What stands before every route, on a real server."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest
from running import Running, served

from likeness.restore.pipeline import Restorer
from likeness.server.http.guard import Guard
from likeness.server.http.metrics import Metrics
from likeness.server.http.settings import ServerSettings

KEY = "correct-horse-battery"
STUDIO = "https://studio.example"


@pytest.fixture(scope="module")
def strict(tiny_restorer: Restorer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server with a key, an origin that may call it, and little patience."""
    settings = ServerSettings(
        port=0,
        api_key=KEY,
        cors=(STUDIO,),
        data=tmp_path_factory.mktemp("strict"),
        stall_seconds=0.4,
        connections=6,
        workers=1,
        queue=2,
        queue_per_client=2,
        request_seconds=0.5,
    )
    with served(settings, tiny_restorer) as running:
        yield running


def test_every_answer_carries_the_headers(server: Running) -> None:
    with server.http() as client:
        for path in ("/", "/healthz", "/nothing", "/v1/presets", "/v1/openapi.json"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert "server" not in headers
        assert client.get("/v1/presets").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example", "0.0.0.0"])
def test_a_name_that_leads_here_from_elsewhere_is_refused(host: str, server: Running) -> None:
    with server.http(host=host) as client:
        answer = client.get("/v1/presets")
    assert (answer.status_code, answer.json()["code"]) == (421, "host-unknown")


def test_a_page_of_another_origin_may_not_call(server: Running) -> None:
    with server.http() as client:
        for origin in ("https://evil.example", "null", "file://", f"http://127.0.0.1:{server.port + 1}"):
            answer = client.post("/v1/check", headers={"origin": origin})
            assert (answer.status_code, answer.json()["code"]) == (403, "origin-refused")
        assert client.get("/v1/presets", headers={"origin": server.url}).status_code == 200


def test_a_key_that_is_wanted_has_to_be_right(strict: Running) -> None:
    basic = base64.b64encode(f"anyone:{KEY}".encode()).decode()
    with strict.http() as client:
        for headers in (
            {},
            {"authorization": "Bearer"},
            {"authorization": f"Bearer {KEY}x"},
            {"authorization": "Basic !!!"},
            {"authorization": f"Basic {base64.b64encode(KEY.encode()).decode()}"},
            {"x-api-key": KEY[:-1]},
        ):
            answer = client.get("/v1/presets", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "key-needed")
            assert answer.headers["www-authenticate"].startswith("Basic")
        for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": f"Basic {basic}"}, {"x-api-key": KEY}):
            assert client.get("/v1/presets", headers=headers).status_code == 200
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").status_code == 200


def test_an_origin_on_the_list_may_call_and_read_refusals(strict: Running) -> None:
    with strict.http() as client:
        asked = {
            "origin": STUDIO,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key",
        }
        preflight = client.options("/v1/restore", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == STUDIO
        refused = client.get("/v1/presets", headers={"origin": STUDIO})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == STUDIO
        other = client.options("/v1/restore", headers={**asked, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_web_socket_is_checked_as_well() -> None:
    """uvicorn is told to take none; behind another server the guard still holds."""
    sent: list[dict[str, Any]] = []
    reached: list[str] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        reached.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    guard = Guard(app, settings=ServerSettings(), metrics=Metrics())
    for origin, let_in in ((b"http://evil.example", False), (b"http://localhost:1", True)):
        scope = {"type": "websocket", "path": "/live", "headers": [(b"host", b"localhost:1"), (b"origin", origin)]}
        asyncio.run(guard(scope, receive, send))
        assert bool(reached) == let_in
    assert sent == [{"type": "websocket.close", "code": 1008}]


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces with pauses until there is an answer, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
            if select.select([connection], [], [], pause)[0]:
                break
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer


def test_a_head_that_does_not_come_is_not_waited_for(strict: Running) -> None:
    answer = talk(strict.port, b"GET /healthz HTTP/1.1\r\nHost: local")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "upload-too-slow"


def test_a_body_that_stops_is_not_waited_for(strict: Running) -> None:
    head = f"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: 1000\r\n"
    answer = talk(strict.port, head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert strict.state.pool.admitted == 0


def test_a_body_that_trickles_is_not_waited_for(strict: Running) -> None:
    head = f"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: 1000\r\n"
    first = head.encode() + b'Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: "'
    answer = talk(strict.port, first, *[b"y"] * 12, pause=0.1)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_answer_that_nobody_reads_is_given_up(strict: Running) -> None:
    asked = f"GET /page/sample.jpg HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", strict.port))
        # Many times what the two ends' buffers hold.
        connection.sendall(asked.encode() * 600)
        watched = select.poll()
        watched.register(connection, 0)
        # Nothing is read here: that the server is gone is told by the connection itself.
        assert watched.poll(20_000)


def test_more_connections_than_allowed_are_refused(strict: Running) -> None:
    held = [socket.create_connection(("127.0.0.1", strict.port), timeout=20) for _ in range(6)]
    try:
        for connection in held:  # each is served, and so known to the server
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        answer = talk(strict.port, b"")
    finally:
        for connection in held:
            connection.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too-many-connections"


def test_a_request_that_takes_too_long_is_answered_and_its_work_never_begun(strict: Running, portrait: bytes) -> None:
    # The one worker is kept busy; nothing waits for a measured time.
    end = threading.Event()
    blocker = strict.state.pool.submit_background(lambda: end.wait(20))
    try:
        with strict.http(**{"x-api-key": KEY}) as client:
            answer = client.post("/v1/check", files={"file": ("a.jpg", portrait)})
        assert (answer.status_code, answer.json()["code"]) == (503, "too-long")
        assert "retry-after" in answer.headers
        # The answer may be here a moment before its place in the line is given back.
        for _ in range(200):
            if (strict.state.pool.waiting, strict.state.upload_memory.bytes) == (0, 0):
                break
            time.sleep(0.02)
        assert strict.state.pool.waiting == 0
        assert strict.state.upload_memory.bytes == 0
    finally:
        end.set()
        blocker.result(20)


def test_a_full_line_is_answered_before_anything_is_read(strict: Running, portrait: bytes) -> None:
    pool = strict.state.pool
    with pool.admit("127.0.0.1"), pool.admit("127.0.0.1"), strict.http(**{"x-api-key": KEY}) as client:
        answer = client.post("/v1/restore", files={"file": ("a.jpg", portrait)})
    assert (answer.status_code, answer.json()["code"]) == (429, "busy")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_log_names_routes_and_neither_paths_nor_pictures(
    server: Running, portrait: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="likeness"), server.http() as client:
        client.post("/v1/restore", files={"file": ("secret-aunt.jpg", portrait)}, data={"preset": "natural"})
        client.post("/v1/check", files={"file": ("secret-aunt.jpg", b"nothing")})
        client.get("/secret-path?secret=query")
        client.get(f"/v1/jobs/{'5ec2e7' * 5}00")
    assert "POST /v1/restore 200" in caplog.text
    assert "GET other 404" in caplog.text
    assert "GET /v1/jobs/{job} 404" in caplog.text
    assert not any(word in caplog.text for word in ("secret", "5ec2e7", "127.0.0.1"))


def test_a_bug_is_told_as_one_and_keeps_its_message_to_itself(
    server: Running, portrait: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    what_a_client_sent = "secret-aunt.jpg"

    def broken(*_: object, **__: object) -> None:
        raise KeyError(what_a_client_sent)

    monkeypatch.setattr(server.state.restorer, "restore", broken)
    with caplog.at_level(logging.DEBUG, logger="likeness"), server.http() as client:
        answer = client.post("/v1/restore", files={"file": ("a.jpg", portrait)})
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "KeyError" in answer.json()["detail"]
    assert "unexpected KeyError in /v1/restore" in caplog.text
    assert "restoring.py" in caplog.text
    assert "secret" not in caplog.text + answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
