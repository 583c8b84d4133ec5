from __future__ import annotations

from pathlib import Path

import pytest

from likeness.imaging.files import read_image
from likeness.imaging.image import Image


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures that are not part of the project."""
    folder = Path(__file__).resolve().parents[1] / ".." / "shared"
    if not folder.is_dir():
        pytest.skip("the shared pictures are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def astronaut_file() -> Path:
    """A 256 x 256 JPEG with one frontal face (tests/data/README.md says whose)."""
    return Path(__file__).resolve().parent / "data" / "astronaut.jpg"


@pytest.fixture(scope="session")
def astronaut(astronaut_file: Path) -> Image:
    return read_image(astronaut_file)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small, real network in the project's own format: it returns its input, softened by the pre-degradation."""
    torch = pytest.importorskip("torch")
    from likeness.checkpoints.formats import ModelInfo, write_checkpoint
    from likeness.networks.config import GpenConfig
    from likeness.networks.gpen import Gpen

    torch.manual_seed(0)
    network = Gpen(GpenConfig(size=128, channel_multiplier=1, narrow=0.125))
    network.free_styles(32)
    network.start_as_identity()
    state = {name: value.float().numpy() for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    write_checkpoint(path, state, network.config, ModelInfo(name="tiny", licence="MIT"))
    return path
