from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import CheckpointFormatError
from likeness.models.marks.architecture import MarksConfig
from likeness.models.marks.weights import MarksWeights, packaged_weights, read_weights, write_weights
from likeness.runtimes.marks import MarksRuntime

SMALL = MarksConfig(widths=(4, 6, 8, 10))


@pytest.fixture(scope="module")
def weights(scaled_state: Callable[[Mapping[str, tuple[int, ...]]], dict[str, NDArray[np.float32]]]) -> MarksWeights:
    return MarksWeights(state=scaled_state(SMALL.shapes()), config=SMALL)


def test_graph_and_module_are_one_function(weights: MarksWeights) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.marks.network import MarksNetwork

    network = MarksNetwork(SMALL).eval().requires_grad_(False)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.state.items()})
    x = np.random.default_rng(1).random((48, 80, 3), dtype=np.float32)
    shares = MarksRuntime(weights, threads=1).look(x)
    expected = torch.sigmoid(network(torch.from_numpy(x.transpose(2, 0, 1)[None].copy())))[0].numpy()
    assert np.abs(shares.thin - expected[0]).max() < 1e-4
    assert np.abs(shares.missing - expected[1]).max() < 1e-4


def test_any_size_is_looked_at_and_a_large_one_made_smaller(weights: MarksWeights) -> None:
    runtime = MarksRuntime(weights, threads=1)
    rng = np.random.default_rng(2)
    for shape, seen in (((33, 50), (33, 50)), ((400, 1), (400, 1)), ((90, 3200), (45, 1600))):
        shares = runtime.look(rng.random((*shape, 3), dtype=np.float32))
        assert shares.thin.shape == shares.missing.shape == seen
        assert 0 <= float(shares.thin.min()) <= float(shares.thin.max()) <= 1


def test_a_file_is_read_as_it_was_written_and_another_networks_is_refused(
    weights: MarksWeights, tmp_path: Path
) -> None:
    write_weights(tmp_path / "marks.safetensors", weights)
    read = read_weights(tmp_path / "marks.safetensors")
    assert read.config == SMALL
    for name, array in weights.state.items():
        assert np.abs(read.state[name] - array).max() < 1e-2
    other = {name: array for name, array in weights.state.items() if name != "head.bias"}
    write_weights(tmp_path / "other.safetensors", MarksWeights(state=other, config=SMALL))
    with pytest.raises(CheckpointFormatError, match=r"head\.bias is missing"):
        read_weights(tmp_path / "other.safetensors")


def test_the_package_has_a_small_one() -> None:
    weights = packaged_weights()
    assert weights.config.parameters < 400_000
    assert "photographs" in weights.source


def test_a_network_has_four_levels() -> None:
    with pytest.raises(ValueError, match="4 levels"):
        MarksConfig(widths=(8, 8))
