from __future__ import annotations

from typing import Any

import pytest

from likeness.errors import ConfigError
from likeness.server.http.settings import ServerSettings


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"port": 70000}, "port from 0 to 65535"),
        ({"host": ""}, "needs an address"),
        ({"api_key": "short"}, "at least 16 characters"),
        ({"api_key": "ключ-которого-нет"}, "ASCII only"),
        ({"cors": ("*",)}, "is no origin"),
        ({"cors": ("https://a.example/path",)}, "is no origin"),
        ({"allowed_hosts": ("http://a.example",)}, "is no host name"),
        ({"keep_hours": 0}, "keep_hours must be more than 0"),
        ({"request_seconds": float("inf")}, "request_seconds must be more than 0, not inf"),
        ({"queue": 0}, "queue must be at least 1, not 0"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"max_held": 1000}, "max_held must be at least max_upload"),
    ],
)
def test_what_cannot_be_used_is_said(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ServerSettings(**values)


def test_the_key_is_in_no_text() -> None:
    assert "0123456789abcdef" not in repr(ServerSettings(api_key="0123456789abcdef"))


@pytest.mark.parametrize(
    ("settings", "host", "answers"),
    [
        (ServerSettings(), "localhost", True),
        (ServerSettings(), "127.0.0.1", True),
        (ServerSettings(), "[::1]", True),
        (ServerSettings(), "evil.example", False),
        (ServerSettings(), "", False),
        (ServerSettings(host="127.0.0.5"), "127.0.0.5", True),
        (ServerSettings(host="::1"), "[::1]", True),
        (ServerSettings(allowed_hosts=("Studio.local",)), "studio.local", True),
        (ServerSettings(host="0.0.0.0"), "10.0.0.7", True),
        (ServerSettings(host="0.0.0.0", allowed_hosts=("studio.local",)), "studio.local", True),
        (ServerSettings(host="0.0.0.0", allowed_hosts=("studio.local",)), "evil.example", False),
    ],
)
def test_names_that_a_server_answers_to(settings: ServerSettings, host: str, answers: bool) -> None:
    assert settings.answers_to(host) == answers
