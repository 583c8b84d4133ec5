"""Slow and silent clients: they keep nobody out, and health is always answered. Real sockets, on this machine only."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from running import Running, served

from likeness.errors import ConfigError
from likeness.restore.pipeline import Restorer
from likeness.server.http.addresses import client_key, is_among, network_of
from likeness.server.http.settings import ServerSettings

HALF = b"GET /v1/presets HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PRESETS = b"GET /v1/presets HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = (
    b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 9999\r\n\r\n--x"
)


def opened(port: int, address: str = "127.0.0.1") -> socket.socket:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))
    except OSError:
        if address == "127.0.0.1":
            raise
        pytest.skip(f"this machine has no address {address}")


@contextmanager
def held(port: int, count: int, sent: bytes, address: str = "127.0.0.1") -> Generator[list[socket.socket]]:
    """So many connections on which that much was sent."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(opened(port, address))) for _ in range(count)]
        for connection in connections:
            connection.sendall(sent)
        yield connections


def received(connection: socket.socket) -> bytes:
    """What came; nothing if it was closed."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def status(port: int, sent: bytes, address: str = "127.0.0.1") -> int:
    """The status that a request gets, in time."""
    began = time.monotonic()
    with opened(port, address) as connection:
        connection.sendall(sent)
        found = int(connection.recv(65536).split(b" ", 2)[1])
    assert time.monotonic() - began < 3.0
    return found


def settings(tmp_path: Path, **more: Any) -> ServerSettings:
    return ServerSettings(port=0, data=tmp_path, **more)


def test_256_half_sent_heads_keep_nobody_out(tiny_restorer: Restorer, tmp_path: Path) -> None:
    """As the server is by itself: its limits are the defaults, and so the heads could come for 20 seconds."""
    with served(settings(tmp_path), tiny_restorer) as running, held(running.port, 256, HALF) as connections:
        assert status(running.port, HEALTH) == 200
        assert status(running.port, PRESETS) == 200
        assert status(running.port, PRESETS, "127.0.0.2") == 200
        # The newest of them may still become requests, and the oldest made room and were told so.
        connections[-1].sendall(b"y\r\n\r\n")
        assert connections[-1].recv(65536).startswith(b"HTTP/1.1 200 ")
        told = [received(connection) for connection in connections[:150]]
        assert all(answer == b"" or answer.startswith(b"HTTP/1.1 503 ") for answer in told)


@pytest.fixture
def small(tiny_restorer: Restorer, tmp_path: Path) -> Generator[Running]:
    found = settings(
        tmp_path, connections=12, connections_per_client=8, queue=64, queue_per_client=64, stall_seconds=30.0
    )
    with served(found, tiny_restorer) as running:
        yield running


def test_silent_and_kept_connections_make_room(small: Running) -> None:
    for sent in (b"", PRESETS):
        with held(small.port, 40, sent) as connections:
            if sent:
                for connection in connections:
                    received(connection)
                time.sleep(1.1)
            assert status(small.port, PRESETS) == 200
            assert status(small.port, PRESETS, "127.0.0.2") == 200


def test_slow_bodies_take_an_address_s_own_share_and_health_is_answered(small: Running) -> None:
    with held(small.port, 8, BODY):
        wait_until_admitted(small, 8)
        # Requests in hand do not make room: the ninth connection is over the limit.
        assert status(small.port, PRESETS) == 503
        assert status(small.port, HEALTH) == 200
        assert status(small.port, PRESETS, "127.0.0.2") == 200
        with held(small.port, 4, BODY, "127.0.0.2"):
            wait_until_admitted(small, 12)
            assert status(small.port, PRESETS, "127.0.0.3") == 503
            assert status(small.port, HEALTH, "127.0.0.3") == 200
            # Not even heads that never come take the reserve away from who asks for health.
            with held(small.port, 100, HALF), held(small.port, 100, b"", "127.0.0.3"):
                assert status(small.port, HEALTH) == 200
                assert status(small.port, HEALTH, "127.0.0.3") == 200
    wait_until_admitted(small, 0)
    assert status(small.port, PRESETS) == 200


def wait_until_admitted(running: Running, count: int) -> None:
    end = time.monotonic() + 10
    while running.state.pool.admitted != count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_connection_over_the_limit_is_told_so_and_closed(small: Running) -> None:
    with held(small.port, 8, BODY):
        wait_until_admitted(small, 8)
        with opened(small.port) as connection:
            connection.sendall(PRESETS)
            answer = b""
            while more := connection.recv(65536):
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert {b"retry-after: 5", b"connection: close", b"x-content-type-options: nosniff"} <= set(
            head.lower().split(b"\r\n")
        )
        assert json.loads(body)["code"] == "too-many-connections"
        # One that says nothing is not waited for as long as others are.
        began = time.monotonic()
        with opened(small.port) as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert time.monotonic() - began < 5


def test_the_busiest_address_makes_room_when_all_places_are_taken(small: Running) -> None:
    with (
        held(small.port, 8, HALF),
        held(small.port, 2, HALF, "127.0.0.2") as few,
        held(small.port, 2, BODY, "127.0.0.3"),
    ):
        wait_until_admitted(small, 2)
        with held(small.port, 4, HALF, "127.0.0.4") as late:
            for connection in (*few, *late):
                connection.sendall(b"y\r\n\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_is_read_too_slowly_is_given_up(tiny_restorer: Restorer, tmp_path: Path) -> None:
    with (
        served(settings(tmp_path, stall_seconds=0.4), tiny_restorer) as running,
        socket.socket() as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", running.port))
        connection.settimeout(20)
        asked = b"GET /page/sample.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(asked * 600)
        with pytest.raises(ConnectionError):
            read_slowly(connection, until=time.monotonic() + 15)


def read_slowly(connection: socket.socket, *, until: float) -> None:
    while connection.recv(200):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("proxies", "named", "same"),
    [((), "10.1.1.1", True), (("127.0.0.1",), "10.1.1.1", False), (("127.0.0.0/8",), "10.1.1.1", False)],
)
def test_a_proxy_s_word_counts_only_if_it_is_one(
    proxies: tuple[str, ...], named: str, same: bool, tiny_restorer: Restorer, tmp_path: Path, portrait: bytes
) -> None:
    found = settings(tmp_path, proxies=proxies, queue_per_client=1, workers=1)
    with (
        served(found, tiny_restorer) as running,
        running.state.pool.admit("127.0.0.1"),
        running.http(**{"x-forwarded-for": named}) as client,
    ):
        answer = client.post("/v1/check", files={"file": ("a.jpg", portrait)})
    assert answer.status_code == (429 if same else 200)


def test_a_proxy_has_no_share_of_its_own(tiny_restorer: Restorer, tmp_path: Path) -> None:
    found = settings(tmp_path, proxies=("127.0.0.1",), queue_per_client=64, connections_per_client=4, connections=20)
    with served(found, tiny_restorer) as running, held(running.port, 10, BODY):
        wait_until_admitted(running, 10)
        assert status(running.port, PRESETS) == 200


def test_whom_an_address_counts_as() -> None:
    assert client_key("2a00:1450:4001:81b::1") == client_key("2a00:1450:4001:81b:ffff::2")
    assert client_key("2a00:1450:4001:81b::1") != client_key("2a00:1450:4001:81c::1")
    assert client_key("::ffff:10.0.0.1") == client_key("10.0.0.1") == "10.0.0.1"
    assert client_key("fe80::1%eth0") != client_key("fe80::2%eth0")
    assert client_key("local") == "local"
    assert is_among("::ffff:10.9.9.9", [network_of("10.0.0.0/8")])
    assert not is_among("local", [network_of("0.0.0.0/0")])
    with pytest.raises(ConfigError, match="is no address of a proxy"):
        ServerSettings(proxies=("nginx",))
