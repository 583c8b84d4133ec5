from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.errors import CheckpointFormatError
from likeness.models.embedding.architecture import EmbeddingConfig, expected_shapes
from likeness.models.embedding.graph import build
from likeness.models.embedding.weights import EmbeddingWeights, packaged_weights, read_weights, write_weights

CONFIG = EmbeddingConfig(side=48, width=4, squeeze=6, numbers=10)


def _random_weights(config: EmbeddingConfig = CONFIG) -> EmbeddingWeights:
    rng = np.random.default_rng(5)
    state = {
        name: rng.standard_normal(shape).astype(np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
        for name, shape in expected_shapes(config).items()
    }
    return EmbeddingWeights(state=state, config=config)


def _embed(weights: EmbeddingWeights, views: NDArray[np.float32]) -> NDArray[np.float32]:
    properties = {"INFERENCE_PRECISION_HINT": "f32"}
    network = Network(shared_core().compile_model(build(weights.state, weights.config), "CPU", properties))
    return network.run({"view": views}, ["embedding"])[0]


def test_a_configuration_is_read_from_shapes() -> None:
    shapes = expected_shapes(CONFIG)
    assert EmbeddingConfig.from_shapes(shapes) == CONFIG
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == CONFIG.parameters
    with pytest.raises(ValueError, match=r"stages\.1\.skip"):
        EmbeddingConfig.from_shapes({**shapes, "stages.1.skip.weight": (8, 8, 1, 1)})
    with pytest.raises(ValueError, match="no weights of a face embedding"):
        EmbeddingConfig.from_shapes({"entry.weight": (48, 6, 3, 3)})


@pytest.mark.parametrize("changed", [{"side": 50}, {"side": 16}, {"width": 0}])
def test_a_size_that_nobody_can_run(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(CONFIG, **changed)


def test_the_packaged_file_is_small_and_whole() -> None:
    weights = packaged_weights()
    assert weights.config.parameters * 2 < 4_000_000
    views = np.random.default_rng(0).uniform(0, 1, (2, 1, weights.config.side, weights.config.side))
    found = _embed(weights, views.astype(np.float32))
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_light_and_contrast_hardly_move_an_embedding() -> None:
    """The network sees local contrast: three quarters of the light, as of a later hour, is the same face."""
    weights = packaged_weights()
    side = weights.config.side
    rng = np.random.default_rng(1)
    view = rng.uniform(0.2, 1, (1, 1, side, side)).astype(np.float32)
    one, half = _embed(weights, np.concatenate([view, 0.75 * view]))
    assert one @ half > 0.95, one @ half


def test_a_file_goes_round(tmp_path: Path) -> None:
    weights = replace(_random_weights(), source="a test")
    write_weights(tmp_path / "e.safetensors", weights)
    again = read_weights(tmp_path / "e.safetensors")
    assert (again.config, again.source) == (CONFIG, "a test")
    for name, array in weights.state.items():
        np.testing.assert_array_equal(again.state[name], array.astype(np.float16))


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "e.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointFormatError, match="no readable safetensors"):
        read_weights(tmp_path / "e.safetensors")


def test_the_graph_is_the_module_that_learnt() -> None:
    torch = pytest.importorskip("torch", reason="the module needs the extra torch")
    from likeness.training.face_views import ViewWindow
    from likeness.training.identity import FaceEmbedding
    from likeness.training.matcher import folded

    torch.manual_seed(3)
    network = FaceEmbedding(ViewWindow(side=48, centre=(257.0, 303.0), reach=416.0), 4, squeeze=6)
    views = torch.rand(5, 1, 48, 48)
    network(views)  # moves the means and variances that are folded
    network.eval()
    with torch.no_grad():
        expected = network(views).numpy()
    weights = folded(network)
    np.testing.assert_allclose(_embed(weights, views.numpy()), expected, atol=1e-4)
