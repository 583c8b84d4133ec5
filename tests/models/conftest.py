"""Small real checkpoints, and the server of webserver.py."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from webserver import Site

from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.layout import expected_shapes

State = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session")
def scaled_state() -> Callable[[Mapping[str, tuple[int, ...]]], State]:
    """Makes random weights of shapes, as large as a network's at its start."""

    def made(shapes: Mapping[str, tuple[int, ...]]) -> State:
        rng = np.random.default_rng(0)
        return {
            name: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
            for name, shape in shapes.items()
        }

    return made


@pytest.fixture(scope="session")
def config() -> GpenConfig:
    return GpenConfig(size=64, channel_multiplier=2, narrow=0.0625)


@pytest.fixture(scope="session")
def state(config: GpenConfig) -> State:
    """Weights of that configuration, which a test must not change; all of them fit in float16 exactly."""
    rng = np.random.default_rng(0)
    shapes = expected_shapes(config)
    return {name: rng.standard_normal(shape).astype(np.float16).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def pth(tmp_path_factory: pytest.TempPathFactory, state: State) -> Path:
    """The same weights as torch.save writes them."""
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("pth") / "small.pth"
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


@pytest.fixture(autouse=True)
def _without_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between the tests and their server, and no store of the user's."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    for name in ("LIKENESS_HOME", "LIKENESS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Generator[Site]:
    site = Site()
    site.thread.start()
    yield site
    site.server.shutdown()
    site.thread.join()
    site.server.server_close()
