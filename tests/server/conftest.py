from __future__ import annotations

import io
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from browsing import started
from PIL import Image as PillowImage
from running import Running, served

from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings


@pytest.fixture(scope="session")
def tiny_restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, precision="f32")


@pytest.fixture(scope="session")
def server(tiny_restorer: Restorer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """One server for all tests that need no settings of their own."""
    settings = ServerSettings(port=0, data=tmp_path_factory.mktemp("data") / "server", max_upload=8 << 20)
    with served(settings, tiny_restorer) as running:
        yield running


@pytest.fixture(scope="session")
def portrait(astronaut_file: Path) -> bytes:
    return astronaut_file.read_bytes()


@pytest.fixture(scope="session")
def stranger() -> bytes:
    """Somebody whom the matcher takes for another person than the portrait's."""
    return (Path(__file__).parents[2] / "examples" / "original" / "hopper.jpg").read_bytes()


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="session")
def two_faces(astronaut_file: Path) -> bytes:
    """The same person twice, side by side."""
    picture = PillowImage.open(astronaut_file).convert("RGB")
    both = PillowImage.new("RGB", (picture.width * 2, picture.height))
    both.paste(picture, (0, 0))
    both.paste(picture, (picture.width, 0))
    stream = io.BytesIO()
    both.save(stream, "PNG")
    return stream.getvalue()
