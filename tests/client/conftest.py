from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings

sys.path.append(str(Path(__file__).resolve().parents[1] / "server"))
from running import Running, served

KEY = "correct-horse-battery"


@pytest.fixture(scope="package")
def keyed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A real server that wants a key."""
    settings = ServerSettings(port=0, api_key=KEY, data=tmp_path_factory.mktemp("keyed"), queue=1, workers=1)
    with served(settings, Restorer(tiny_model, precision="f32")) as running:
        yield running
