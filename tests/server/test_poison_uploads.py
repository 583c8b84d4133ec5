"""Uploads that end the process which decodes them, and formats that are not wanted: refused, and the server lives."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from poison import poison_heic
from running import Running, served

from likeness.errors import ConfigError
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings


def test_a_poison_is_refused_and_the_server_goes_on(server: Running, portrait: bytes) -> None:
    with server.http() as http:
        for _ in range(2):
            answer = http.post("/v1/restore", files={"file": poison_heic()})
            assert answer.status_code == 422
            assert answer.json()["code"] == "picture-unreadable"
            assert answer.json()["detail"].startswith("the picture is HEIC but cut short or damaged")
            notice = answer.json()["notice"]
            assert (notice["code"], notice["values"]["kind"]) == ("image.damaged", "HEIC")
            assert http.post("/v1/restore", files={"file": portrait}).status_code == 200
        assert http.post("/live/pictures", files={"file": poison_heic()}).status_code == 422
        found = http.post("/v1/check", files={"file": poison_heic()}).json()
        assert [finding["code"] for finding in found["findings"]] == ["unreadable"]


@pytest.mark.skipif(os.name != "posix", reason="Windows reads in this process")
def test_a_decoder_process_may_die_at_any_time(server: Running, portrait: bytes) -> None:
    with server.http() as http:
        for _ in range(3):
            assert http.post("/v1/check", files={"file": portrait}).status_code == 200
            for child in list(server.state.decoder._idle):
                os.kill(child.pid, signal.SIGSEGV)
            time.sleep(0.05)


def test_formats_that_are_not_wanted_are_refused(tiny_restorer: Restorer, tmp_path: Path, portrait: bytes) -> None:
    settings = ServerSettings(port=0, data=tmp_path, formats=frozenset({"PNG"}))
    with served(settings, tiny_restorer) as running, running.http() as http:
        answer = http.post("/v1/restore", files={"file": portrait})
        assert answer.status_code == 422
        assert answer.json()["detail"] == "the picture is JPEG, which is not accepted here; send it as one of PNG"
    with pytest.raises(ConfigError, match="formats must be some of"):
        ServerSettings(formats=frozenset({"PSD"}))
