from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.library import shared_core
from likeness.errors import CheckpointFormatError
from likeness.models.features.architecture import WINDOWS, FeaturesConfig, clock
from likeness.models.features.graph import build
from likeness.models.features.path import NOISE, TO_TONES, base_of, drawn, scales
from likeness.models.features.weights import FeaturesWeights, packaged_weights, read_weights, write_weights

SMALL = FeaturesConfig(widths=(8, 12, 16), depths=(1, 2, 1), memory=8)


@pytest.fixture(scope="module")
def weights(scaled_state: Callable[[Mapping[str, tuple[int, ...]]], dict[str, NDArray[np.float32]]]) -> FeaturesWeights:
    return FeaturesWeights(state=scaled_state(SMALL.shapes()), config=SMALL)


@pytest.mark.parametrize("part", WINDOWS)
def test_graph_and_module_are_one_function(weights: FeaturesWeights, part: str) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.features.network import FeatureNetwork

    network = FeatureNetwork(SMALL).eval().requires_grad_(False)
    own = {name: array for name, array in weights.state.items() if name.startswith(f"{part}.")}
    network.load_state_dict({name.partition(".")[2]: torch.from_numpy(array) for name, array in own.items()})
    window = WINDOWS[part]
    planes = np.random.default_rng(1).standard_normal((1, 9, window.height // 2, window.width // 2)).astype(np.float32)
    told = clock(np.array([0.3], np.float32))
    graph = build(weights.state, SMALL, part)
    compiled = shared_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = np.asarray(compiled([planes, told])[0])
    expected = network(torch.from_numpy(planes), torch.from_numpy(told)).numpy()
    assert answer.shape == expected.shape == (1, 3, *planes.shape[2:])
    assert np.abs(expected).max() > 0.01
    assert np.abs(answer - expected).max() < 1e-4 * max(1.0, float(np.abs(expected).max()))


def test_a_file_is_read_as_it_was_written_and_another_networks_is_refused(
    weights: FeaturesWeights, tmp_path: Path
) -> None:
    write_weights(tmp_path / "features.safetensors", weights)
    assert read_weights(tmp_path / "features.safetensors").config == SMALL
    other = {name: array for name, array in weights.state.items() if name != "mouth.head.bias"}
    write_weights(tmp_path / "other.safetensors", FeaturesWeights(state=other, config=SMALL))
    with pytest.raises(CheckpointFormatError, match=r"mouth\.head\.bias is missing"):
        read_weights(tmp_path / "other.safetensors")
    write_weights(tmp_path / "none.safetensors", FeaturesWeights(state={"x": np.zeros(1, np.float32)}, config=SMALL))
    with pytest.raises(CheckpointFormatError, match="no weights of networks that draw faces anew"):
        read_weights(tmp_path / "none.safetensors")


def test_the_package_has_those_that_tell_what_they_learnt_from() -> None:
    weights = packaged_weights()
    assert weights.config == FeaturesConfig()
    assert "windows" in weights.source


def test_what_is_asked_and_answered_has_unit_variance() -> None:
    rng = np.random.default_rng(2)
    spread = np.array([0.18, 0.037, 0.037], np.float32).reshape(3, 1, 1)
    originals = rng.standard_normal((3, 200, 200)).astype(np.float32) * spread
    noise = rng.standard_normal((3, 200, 200)).astype(np.float32)
    for share in (0.0, 0.3, 0.7, 0.95):
        held, answers, asks = (scale[0] for scale in scales(np.array([share], np.float32)))
        state = share * originals + (1 - share) * NOISE * noise
        assert np.abs((asks * state).std(axis=(1, 2)) - 1).max() < 0.02
        assert np.abs(((originals - held * state) / answers).std(axis=(1, 2)) - 1).max() < 0.02


def test_the_path_ends_at_what_a_network_that_knows_it_says() -> None:
    rng = np.random.default_rng(3)
    restored, original = rng.uniform(-1, 1, (2, 3, 20, 24)).astype(np.float32)
    wanted = np.tensordot(TO_TONES, original - base_of(restored), 1)

    def predict(asked: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        held, answers, asks = (scale[0] for scale in scales(np.array([share], np.float32)))
        return (wanted - held * asked / asks) / answers

    noise = rng.standard_normal(restored.shape).astype(np.float32)
    for steps in (1, 4):
        assert np.abs(drawn(predict, restored, noise, steps=steps) - original).max() < 1e-4


def test_lightness_is_lightness() -> None:
    assert np.abs(TO_TONES @ TO_TONES.T - np.eye(3)).max() < 1e-6
    assert np.abs(TO_TONES @ np.ones(3) - [np.sqrt(3), 0, 0]).max() < 1e-6
