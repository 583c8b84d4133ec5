from __future__ import annotations

from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from likeness.client.http import LikenessClient
from likeness.compute.web import web_client
from likeness.errors import ConfigError
from likeness.models.download import download

PROXIES = {
    "ALL_PROXY": "socks5://user:secret@127.0.0.1:9",
    "HTTP_PROXY": "socks4a://secret@proxy:1",
    "HTTPS_PROXY": "gopher://secret@proxy:1",
    "http_proxy": "ftp://secret@proxy:1",
    "https_proxy": "http://secret:notaport/",
    "all_proxy": "://secret",
}


@pytest.fixture
def here() -> Generator[str]:
    """A server on this machine."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that_cannot_be_used_is_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for other in PROXIES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, PROXIES[name])
    calls = (
        lambda: web_client("https://example.org" if "https" in name.lower() else "http://example.org"),
        lambda: LikenessClient("http://example.org"),
        lambda: download(["https://example.org/a"], tmp_path / "a"),
    )
    for call in calls:
        with pytest.raises(ConfigError, match="the environment names a") as refused:
            call()
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", PROXIES)
def test_no_proxy_stands_between_a_machine_and_itself(name: str, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    monkeypatch.setenv(name, PROXIES[name])
    for address in (here, here.replace("127.0.0.1", "localhost")):
        with web_client(address) as client:
            assert client.get(address).text == "ok"
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with web_client(here) as client:
        assert client.get(here).text == "ok"
