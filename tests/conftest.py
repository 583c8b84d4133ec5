from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import cores  # noqa: F401 - before numpy, which counts them
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.models.formats import Checkpoint, read_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.layout import expected_shapes

State = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session", autouse=True)
def compiled_networks(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """A cache of compiled networks, in common with other workers and programs that tests start, and a state folder of their
    own."""
    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    own = {"LIKENESS_CACHE": shared_base / "compiled", "XDG_STATE_HOME": tmp_path_factory.mktemp("state")}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update({name: str(folder) for name, folder in own.items()})
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


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
def dusty_scan(astronaut: Image) -> PillowImage.Image:
    """416 x 256: beside the face a grainy wall, on it four specks of what surely is dust, and a faint scratch."""
    rng = np.random.default_rng(0)
    wall = np.clip(rng.normal(110, 5, (256, 160, 1)), 0, 255).repeat(3, axis=2).astype(np.uint8)
    scan = PillowImage.fromarray(np.concatenate([astronaut.to_uint8(), wall], axis=1))
    draw = ImageDraw.Draw(scan)
    for x, y in ((40, 60), (100, 120), (130, 30), (60, 200)):
        draw.ellipse((256 + x - 2, y - 2, 256 + x + 2, y + 2), (245, 245, 245))
    draw.line((336, 10, 346, 240), (130, 130, 130), 1)
    return scan


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small, real network in the project's own format: it returns its input, softened by the pre-degradation."""
    torch = pytest.importorskip("torch")
    from likeness.models.formats import ModelInfo, write_checkpoint
    from likeness.models.gpen.config import GpenConfig
    from likeness.models.gpen.network import Gpen

    torch.manual_seed(0)
    network = Gpen(GpenConfig(size=128, channel_multiplier=1, narrow=0.125))
    network.free_styles(32)
    network.start_as_identity()
    state = {name: value.float().numpy() for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    write_checkpoint(path, state, network.config.spec, ModelInfo(name="tiny", licence="MIT"))
    return path


@pytest.fixture(scope="session")
def random_state() -> Callable[[GpenConfig, int], State]:
    """Weights as at the start of a training run (Karras et al., equalised learning rate), but no bias left at zero."""

    def make(config: GpenConfig, seed: int) -> State:
        rng = np.random.default_rng(seed)
        taps = np.array([1, 3, 3, 1], dtype=np.float32) / 8
        state: State = {}
        for name, shape in expected_shapes(config).items():
            if name.endswith("kernel"):
                state[name] = np.outer(taps, taps) * (1 if name.startswith("ecd") else 4)
            elif name.endswith("bias"):
                centre = 1 if "modulation" in name else 0
                state[name] = (centre + 0.1 * rng.standard_normal(shape)).astype(np.float32)
            elif name.startswith("generator.style"):
                state[name] = 100 * rng.standard_normal(shape, dtype=np.float32)
            else:
                state[name] = rng.standard_normal(shape, dtype=np.float32)
        return state

    return make


@pytest.fixture(scope="session")
def golden(shared: Path) -> tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]]:
    """A published-structure network with an input and its output, computed by the original implementation."""
    folder = shared / "golden"
    checkpoint = read_checkpoint(folder / "gpen_size64_cm2_narrow0125.pth")
    with np.load(folder / "gpen_size64_cm2_narrow0125.npz") as arrays:
        return checkpoint, arrays["x"], arrays["y"]


@pytest.fixture
def batch(tiny_model: Path) -> Callable[..., int]:
    """`likeness batch` with the tiny network, in this process: takes arguments, returns the exit status."""
    from likeness.cli import main

    def call(*arguments: object) -> int:
        return main(["batch", "--model", str(tiny_model), "--threads", "1", *map(str, arguments)])

    return call
