from __future__ import annotations

import socket
import threading

import pytest

from likeness.cli.opening import served_already


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example ESMTP\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
    ],
    ids=["another protocol", "silence", "another answer", "cut"],
)
def test_another_program_at_the_pages_port_is_none_of_ours(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert not served_already(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join(5)
