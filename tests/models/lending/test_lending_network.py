from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.library import shared_core
from likeness.errors import CheckpointFormatError
from likeness.models.lending.architecture import LendingConfig
from likeness.models.lending.graph import build
from likeness.models.lending.weights import LendingWeights, packaged_weights, read_weights, write_weights
from likeness.runtimes.lending import judge_lending, lending_planes

SMALL = LendingConfig(widths=(4, 6, 8, 10))


@pytest.fixture(scope="module")
def weights(scaled_state: Callable[[Mapping[str, tuple[int, ...]]], dict[str, NDArray[np.float32]]]) -> LendingWeights:
    return LendingWeights(state=scaled_state(SMALL.shapes()), config=SMALL)


def test_graph_and_module_are_one_function(weights: LendingWeights) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.lending.network import LendingNetwork

    network = LendingNetwork(SMALL).eval().requires_grad_(False)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.state.items()})
    planes = np.random.default_rng(1).standard_normal((1, 8, 256, 256)).astype(np.float32)
    compiled = shared_core().compile_model(build(weights.state, SMALL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = np.asarray(compiled([planes])[0])
    assert answer.shape == (1, 2, 128, 128)
    assert np.abs(answer - torch.sigmoid(network(torch.from_numpy(planes))).numpy()).max() < 1e-4


def test_a_file_is_read_as_it_was_written_and_another_networks_is_refused(
    weights: LendingWeights, tmp_path: Path
) -> None:
    write_weights(tmp_path / "lend.safetensors", weights)
    read = read_weights(tmp_path / "lend.safetensors")
    assert read.config == SMALL
    for name, array in weights.state.items():
        assert np.abs(read.state[name] - array).max() < 1e-2
    other = {name: array for name, array in weights.state.items() if name != "head.bias"}
    write_weights(tmp_path / "other.safetensors", LendingWeights(state=other, config=SMALL))
    with pytest.raises(CheckpointFormatError, match=r"head\.bias is missing"):
        read_weights(tmp_path / "other.safetensors")
    write_weights(tmp_path / "none.safetensors", LendingWeights(state={"x": np.zeros(1, np.float32)}, config=SMALL))
    with pytest.raises(CheckpointFormatError, match="no weights of a judge of lent detail"):
        read_weights(tmp_path / "none.safetensors")


def test_the_package_has_a_small_one_that_tells_what_it_learnt_from() -> None:
    weights = packaged_weights()
    assert weights.config.parameters < 300_000
    assert "examples" in weights.source


def test_light_and_contrast_of_a_face_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    shown, restored, laid = rng.uniform(0.2, 0.8, (3, 256, 256)).astype(np.float32)
    valid = np.ones((256, 256), np.float32)
    planes = lending_planes(shown, restored, laid, valid, 4.0)
    assert planes.shape == (8, 256, 256)
    darker = lending_planes(*(0.9 * x - 0.1 for x in (shown, restored, laid)), valid, 4.0)
    assert np.abs(planes[:4] - darker[:4]).max() < 0.15
    assert np.array_equal(planes[4:], darker[4:])


@pytest.mark.parametrize("side", [128, 512])
def test_crops_of_any_size_are_judged(side: int) -> None:
    rng = np.random.default_rng(3)
    shown, restored, laid = rng.uniform(0.2, 0.8, (3, side, side)).astype(np.float32)
    for likely in judge_lending(shown, restored, laid, np.ones((side, side), np.float32), 4.0):
        assert likely.shape == (side, side)
        assert 0 <= float(likely.min()) <= float(likely.max()) <= 1
