from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.formats import Checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.graph import Graph, build

State = dict[str, NDArray[np.float32]]
SMALL = GpenConfig(size=64, channel_multiplier=2, narrow=0.0625)


def run(model: Any, inputs: dict[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    compiled = load_openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(inputs)[name])


def test_the_graph_is_the_published_function(
    golden: tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]],
) -> None:
    checkpoint, x, y = golden
    restored = run(build(checkpoint.state, checkpoint.spec.config), {"faces": x}, "restored")
    assert np.abs(restored - y).max() < 1e-4


@pytest.mark.parametrize(
    "config",
    [
        GpenConfig(size=128, channel_multiplier=1, narrow=0.125),  # narrower towards the full size, like BFR-256
        GpenConfig(size=64, channel_multiplier=2, narrow=0.1),  # channels rounded down
        GpenConfig(size=64, channel_multiplier=1, narrow=0.125, texture=True),
    ],
    ids=["bfr-256-like", "rounded", "texture"],
)
def test_the_graph_equals_the_torch_network(config: GpenConfig, random_state: Callable[..., State]) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.gpen.network import Gpen

    state = random_state(config, 3)
    network = Gpen(config).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    x = np.random.default_rng(4).uniform(-1, 1, (1, 3, config.size, config.size)).astype(np.float32)
    with torch.inference_mode():
        y = network(torch.from_numpy(x)).numpy()
    assert y.std() > 0.1  # a picture, not a constant
    restored = run(build(state, config), {"faces": x}, "restored")
    assert np.abs(restored - y).max() < 1e-4 * np.abs(y).max()


@pytest.mark.parametrize(
    ("style_in_weights_from", "upsampling_style_in_weights_from", "even_up_to"),
    [(8, 8, 64), (128, 128, 4), (16, 128, 16), (128, 32, 32)],
    ids=["in-weights-even", "on-maps-odd", "convolutions", "upsampling"],
)
def test_every_form_is_the_same_function(
    style_in_weights_from: int,
    upsampling_style_in_weights_from: int,
    even_up_to: int,
    golden: tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The forms that large networks take at 128 and above, at every resolution of a small one."""
    checkpoint, x, y = golden
    usual = len(build(checkpoint.state, checkpoint.spec.config).get_ops())
    monkeypatch.setattr(Graph, "style_in_weights_from", style_in_weights_from)
    monkeypatch.setattr(Graph, "upsampling_style_in_weights_from", upsampling_style_in_weights_from)
    monkeypatch.setattr(Graph, "even_up_to", even_up_to)
    model = build(checkpoint.state, checkpoint.spec.config)
    assert (len(model.get_ops()) != usual) == (style_in_weights_from < 128 or upsampling_style_in_weights_from < 128)
    assert np.abs(run(model, {"faces": x}, "restored") - y).max() < 1e-4


def test_blur_kernels_are_read_from_the_weights(random_state: Callable[..., State]) -> None:
    torch = pytest.importorskip("torch")
    from likeness.models.gpen.network import Gpen

    state = random_state(SMALL, 5)
    other = np.outer([0.1, 0.4, 0.4, 0.1], [0.2, 0.3, 0.3, 0.2]).astype(np.float32)
    state["ecd2.0.0.kernel"] = other
    state["generator.convs.4.conv.blur.kernel"] = other * 3
    state["generator.to_rgbs.2.upsample.kernel"] = other * 5
    network = Gpen(SMALL)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    x = np.random.default_rng(7).uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        y = network(torch.from_numpy(x)).numpy()
    restored = run(build(state, SMALL), {"faces": x}, "restored")
    assert np.abs(restored - y).max() < 1e-4 * np.abs(y).max()


def test_inputs_and_outputs_carry_their_names_and_shapes(random_state: Callable[..., State]) -> None:
    model = build(random_state(SMALL, 0), SMALL)
    assert [port.any_name for port in model.inputs] == ["faces"]
    assert [port.any_name for port in model.outputs] == ["restored"]
    assert tuple(model.input("faces").shape) == tuple(model.output("restored").shape) == (1, 3, 64, 64)


def test_a_missing_weight_is_named(random_state: Callable[..., State]) -> None:
    state = random_state(SMALL, 0)
    del state["generator.convs.3.noise.weight"]
    with pytest.raises(KeyError, match=r"generator\.convs\.3\.noise\.weight"):
        build(state, SMALL)
