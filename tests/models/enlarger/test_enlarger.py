from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from safetensors.numpy import save_file

from likeness.compute.compiled import CompiledCache
from likeness.degradations.operations import add_noise
from likeness.degradations.reduction import reduce_samples
from likeness.errors import CheckpointError, CheckpointFormatError, ConfigError
from likeness.imaging.image import Image
from likeness.metrics import luma_psnr
from likeness.models.enlarger.architecture import SCALES, EnlargerConfig, bicubic_kernel, expected_shapes
from likeness.models.enlarger.weights import EnlargerWeights, packaged_weights, read_weights, write_weights
from likeness.runtimes.enlarging import EnlargerRuntime

CONFIG = EnlargerConfig(channels=8, blocks=2)
PACKAGED = Path(__file__).parents[3] / "src" / "likeness" / "weights" / "likeness-enlarge.safetensors"


def _random_weights(config: EnlargerConfig = CONFIG) -> EnlargerWeights:
    """As strong as He's at the start of a training, no bias left at zero."""
    rng = np.random.default_rng(5)
    state = {
        name: (
            rng.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
            if len(shape) > 1
            else rng.uniform(-0.2, 0.2, shape)
        )
        for name, shape in expected_shapes(config).items()
    }
    return EnlargerWeights(state={name: array.astype(np.float32) for name, array in state.items()}, config=config)


@pytest.fixture(scope="module")
def photograph(astronaut_file: Path) -> NDArray[np.float32]:
    """61 x 83 px of a real photograph, odd on purpose."""
    return np.asarray(PillowImage.open(astronaut_file).convert("RGB"), np.float32)[90:151, 80:163] / np.float32(255)


def test_a_configuration_is_read_from_shapes() -> None:
    shapes = expected_shapes(CONFIG)
    assert EnlargerConfig.from_shapes(shapes) == CONFIG
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == CONFIG.parameters
    with pytest.raises(ValueError, match="entry"):
        EnlargerConfig.from_shapes({**shapes, "entry.weight": (8, 4, 3, 3)})
    with pytest.raises(ValueError, match="tail"):
        EnlargerConfig.from_shapes({**shapes, "tail.weight": (8,)})
    with pytest.raises(ValueError, match="no weights of an enlarger"):
        EnlargerConfig.from_shapes({"generator.input.input": (1, 64, 4, 4)})


def test_a_size_that_nobody_can_run() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        EnlargerConfig(channels=8, blocks=0)


def test_operations_are_those_of_the_convolutions() -> None:
    # 48 channels, 5 blocks: 10 convolutions of 48 x 48 x 9 make nearly all of it.
    config = EnlargerConfig(channels=48, blocks=5)
    assert config.operations(2) == 2 * (49 * 3 * 48 + 9 * (10 * 48 * 48 + 48 * 15) + 12 * 25)


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_is_pillows(photograph: NDArray[np.float32], scale: int) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.enlarger.network import bicubic

    size = (photograph.shape[1] * scale, photograph.shape[0] * scale)
    wanted = np.stack(
        [
            np.asarray(PillowImage.fromarray(photograph[:, :, c]).resize(size, PillowImage.Resampling.BICUBIC))
            for c in range(3)
        ]
    )
    got = bicubic(torch.from_numpy(photograph.transpose(2, 0, 1).copy())[None], scale)[0].numpy()
    inside = slice(2 * scale, -2 * scale)  # at the border Pillow leaves taps out, where ours repeat the outermost pixel
    np.testing.assert_allclose(got[:, inside, inside], wanted[:, inside, inside], atol=1e-5)
    assert bicubic_kernel(scale).sum() == pytest.approx(3 * scale**2, abs=1e-4)


@pytest.mark.parametrize("clean", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", SCALES)
def test_the_graph_is_the_module(photograph: NDArray[np.float32], scale: int, clean: float) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.enlarger.network import Enlarger

    weights = _random_weights()
    module = Enlarger(CONFIG).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.state.items()})
    with torch.no_grad():
        planes = torch.from_numpy(photograph.transpose(2, 0, 1).copy())[None]
        wanted = module(planes, torch.tensor([clean]), scale)[0].numpy().transpose(1, 2, 0)
    got = EnlargerRuntime(weights, precision="f32").enlarge(photograph, scale, clean=clean)
    assert np.abs(got - np.clip(wanted, 0, 1)).max() < 1e-4
    assert np.std(wanted) > 0.1
    other = EnlargerRuntime(weights, precision="f32").enlarge(photograph, scale, clean=(clean + 0.5) % 1)
    assert np.abs(got - other).max() > 1e-2


def test_tiles_leave_no_seam(photograph: NDArray[np.float32]) -> None:
    weights = _random_weights()
    whole, tiled = (EnlargerRuntime(weights, precision="f32", tile=tile).enlarge(photograph, 2) for tile in (100, 17))
    assert np.abs(whole - tiled).max() < 1e-4
    # A tile knows no more of its surroundings than it needs.
    changed = photograph.copy()
    changed[CONFIG.reach + 1 :] = 0
    again = EnlargerRuntime(weights, precision="f32").enlarge(changed, 2)
    assert np.abs(again[:2] - whole[:2]).max() < 1e-4
    assert np.abs(again[2:] - whole[2:]).max() > 1e-2


def test_a_cached_network_is_the_same(photograph: NDArray[np.float32], tmp_path: Path) -> None:
    weights, cache = _random_weights(), CompiledCache(folder=tmp_path)
    first, second = (EnlargerRuntime(weights, cache=cache).enlarge(photograph, 2) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(cache.files()) == 1


@pytest.mark.parametrize(("scale", "clean"), [(3, 0.0), (2, 1.5), (2, float("nan"))])
def test_what_it_cannot_do_is_refused(photograph: NDArray[np.float32], scale: int, clean: float) -> None:
    with pytest.raises(ConfigError, match=r"enlarges 2 or 4 times|from 0 to 1"):
        EnlargerRuntime(_random_weights()).enlarge(photograph, scale, clean=clean)


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    weights = _random_weights()
    write_weights(tmp_path / "w.safetensors", replace(weights, source="random"))
    read = read_weights(tmp_path / "w.safetensors")
    assert (read.config, read.source) == (CONFIG, "random")
    for name, array in weights.state.items():
        np.testing.assert_array_equal(read.state[name], array.astype(np.float16).astype(np.float32))


def test_files_that_are_no_enlarger(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors cannot be read"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights at all")
    with pytest.raises(CheckpointFormatError, match="no readable safetensors"):
        read_weights(tmp_path / "text.safetensors")
    restorer = PACKAGED.with_name("likeness-512.safetensors")
    with pytest.raises(CheckpointFormatError, match="holds no enlarger"):
        read_weights(restorer)
    weights = _random_weights()
    state = dict(weights.state)
    state["entry.bias"] = np.full_like(state["entry.bias"], np.nan)
    with pytest.raises(CheckpointFormatError, match="float16 cannot"):
        write_weights(tmp_path / "nan.safetensors", replace(weights, state=state))
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(CheckpointFormatError, match="undefined numbers"):
        read_weights(tmp_path / "nan.safetensors")


# The network in the package


@pytest.fixture(scope="module")
def packaged() -> EnlargerRuntime:
    return EnlargerRuntime(packaged_weights())


def test_it_is_small() -> None:
    assert PACKAGED.stat().st_size <= 2_000_000
    assert read_weights(PACKAGED).config.parameters <= 1_000_000
    assert PACKAGED.with_suffix(".md").is_file()


@pytest.mark.parametrize("clean", [0.0, 1.0])
@pytest.mark.parametrize("scale", SCALES)
def test_flat_stays_flat(packaged: EnlargerRuntime, scale: int, clean: float) -> None:
    """Up to the border, within one level: greys from black to white, and the corners of the colour cube."""
    greys = [np.full(3, level) for level in (0, 16, 64, 128, 200, 255)]
    colours = [np.array(c) * 255 for c in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))]
    for colour in [*greys, *colours, np.array([210, 160, 130])]:
        flat = np.broadcast_to(colour / 255, (20, 24, 3)).astype(np.float32)
        levels = 255 * packaged.enlarge(flat, scale, clean=clean)
        assert np.abs(levels - colour).max() < 1, f"{colour}: {levels.min(axis=(0, 1))} to {levels.max(axis=(0, 1))}"


def test_it_sharpens_what_bicubic_leaves_soft(packaged: EnlargerRuntime, astronaut: Image) -> None:
    original = (astronaut.pixels * 255 + 0.5).astype(np.uint8)
    for scale, least in ((2, 1.0), (4, 0.5)):
        small = reduce_samples(original, scale)
        plain = PillowImage.fromarray(small).resize(original.shape[1::-1], PillowImage.Resampling.BICUBIC)
        ours = packaged.enlarge(small.astype(np.float32) / np.float32(255), scale)
        sharp, soft = (luma_psnr(x, astronaut.pixels, cut=scale) for x in (ours, np.asarray(plain) / np.float32(255)))
        assert sharp > soft + least


def test_clean_removes_noise_and_faithful_keeps_it(packaged: EnlargerRuntime) -> None:
    noisy = add_noise(np.full((64, 64, 3), 0.5, np.float32), 6.0, 1.0, 0.0, np.random.default_rng(0))
    noisy = np.round(noisy * 255) / np.float32(255)
    plain = PillowImage.fromarray((noisy * 255).astype(np.uint8)).resize((128, 128), PillowImage.Resampling.BICUBIC)
    before = float(np.asarray(plain, np.float32).std())
    faithful, clean = (255 * float(packaged.enlarge(noisy, 2, clean=c).std()) for c in (0.0, 1.0))
    assert 0.75 * before < faithful < 1.5 * before
    assert clean < 0.6 * before
