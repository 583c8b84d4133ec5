from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness.models.formats import Checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.inference import Filters, InferenceGpen
from likeness.models.gpen.network import Gpen

State = dict[str, torch.Tensor]
Arrays = dict[str, NDArray[np.float32]]

PUBLISHED = GpenConfig(size=64, channel_multiplier=2, narrow=0.125)
CONFIGS = [
    PUBLISHED,
    GpenConfig(size=64, channel_multiplier=2, narrow=0.1),  # channels rounded down
    GpenConfig(size=128, channel_multiplier=1, narrow=0.125, texture=True),
    GpenConfig(size=256, channel_multiplier=1, narrow=0.0625),
]
NAMES = ["published", "rounded", "texture", "256"]


def tensors(state: Arrays) -> State:
    return {name: torch.from_numpy(np.array(array)) for name, array in state.items()}


def reference(state: State, config: GpenConfig) -> Gpen:
    network = Gpen(config).eval()
    network.load_state_dict(state)
    return network


def decibel(y: torch.Tensor, expected: torch.Tensor) -> float:
    error = float((y - expected).double().square().mean())
    return 10 * np.log10(float(expected.max() - expected.min()) ** 2 / max(error, 1e-20))


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("filters", ["pooled", "depthwise"])
@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_it_is_the_reference(config: GpenConfig, filters: Filters, random_state: Callable[..., Arrays]) -> None:
    """Measured where this was written: f32 136 dB and more, bf16 58 to 63 dB, f16 75 to 81 dB."""
    state = tensors(random_state(config, 1))
    x = torch.rand(3, 3, config.size, config.size, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected = reference(state, config)(x)
    assert expected.std() > 0.1  # a picture, not a constant
    y = InferenceGpen(state, config, filters=filters)(x)
    assert decibel(y, expected) > 100
    assert (y - expected).abs().max() < 1e-4 * expected.abs().max()
    for dtype, least in ((torch.bfloat16, 50), (torch.float16, 68)):
        half = InferenceGpen(state, config, dtype=dtype, filters=filters)(x)
        assert half.dtype == torch.float32
        assert least < decibel(half, expected) < 100


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_any_number_of_faces(count: int, random_state: Callable[..., Arrays]) -> None:
    state = tensors(random_state(PUBLISHED, 3))
    network = InferenceGpen(state, PUBLISHED)
    x = torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(count)) * 2 - 1
    y = network(x)
    assert y.shape == x.shape
    assert y.is_contiguous()
    assert decibel(y, reference(state, PUBLISHED)(x)) > 100
    assert torch.equal(network(x), y)  # nothing is left behind by a pass


def test_golden(golden: tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]]) -> None:
    checkpoint, x, y = golden
    state = tensors(dict(checkpoint.state))
    for filters in ("pooled", "depthwise"):
        ours = InferenceGpen(state, checkpoint.spec.config, filters=filters)(torch.from_numpy(x)).numpy()
        assert np.abs(ours - y).max() < 1e-4


@pytest.mark.parametrize("above", [0, 8, 32])
def test_fixed_styles_are_folded(above: int) -> None:
    config = GpenConfig(size=64, channel_multiplier=1, narrow=0.125)
    torch.manual_seed(4)
    network = Gpen(config).eval()
    network.free_styles(above)
    for name, parameter in network.named_parameters():
        if name.endswith("modulation.bias"):
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    fast = InferenceGpen(network.state_dict(), config)
    assert decibel(fast(x), network(x)) > 100
    plain = InferenceGpen(reference(network.state_dict(), config).state_dict(), config)
    assert torch.equal(plain(x), fast(x))
    free = sum(width > 0 for width in fast.styles.widths)
    assert free == sum(r <= above for r in config.resolutions[1:]) * 3 + 2  # conv1 and its to-RGB are never fixed


def test_other_blur_kernels_are_read_from_the_weights(random_state: Callable[..., Arrays]) -> None:
    """Not symmetric, so that a kernel the wrong way round shows."""
    state = random_state(PUBLISHED, 5)
    other = np.outer([0.1, 0.5, 0.3, 0.1], [0.2, 0.3, 0.4, 0.1]).astype(np.float32)
    state["ecd2.0.0.kernel"] = other
    state["generator.convs.4.conv.blur.kernel"] = other * 3
    state["generator.to_rgbs.2.upsample.kernel"] = other * 5
    from likeness.compute.library import load_openvino
    from likeness.models.gpen.graph import build

    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(7)) * 2 - 1
    model = load_openvino().Core().compile_model(build(state, PUBLISHED), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = torch.from_numpy(np.array(model({"faces": x.numpy()})["restored"]))
    for filters in ("pooled", "depthwise"):
        assert decibel(InferenceGpen(tensors(state), PUBLISHED, filters=filters)(x), expected) > 100


def test_the_halves_are_the_whole(random_state: Callable[..., Arrays]) -> None:
    state = tensors(random_state(PUBLISHED, 6))
    network, gpen = InferenceGpen(state, PUBLISHED), reference(state, PUBLISHED)
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    latent, features = network.encode(x)
    expected_latent, expected = gpen.encode(x)
    assert decibel(latent, expected_latent) > 100
    assert all(decibel(ours, theirs) > 100 for ours, theirs in zip(features, expected, strict=True))
    assert torch.equal(network.decode(latent, features), network(x))


def test_weights_of_any_size_fit_half_precision(random_state: Callable[..., Arrays]) -> None:
    """Demodulation takes the weights' size out of the function, so it may not take the numbers out of float16 either."""
    state = random_state(PUBLISHED, 8)
    for name in state:
        if ".conv.weight" in name and "to_rgb" not in name:
            state[name] = state[name] * np.float32(3000)
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(9)) * 2 - 1
    expected = reference(tensors(state), PUBLISHED)(x)
    assert decibel(InferenceGpen(tensors(state), PUBLISHED, dtype=torch.float16)(x), expected) > 68


def test_every_constant_moves_with_the_network(random_state: Callable[..., Arrays]) -> None:
    """What a second device would show: no tensor is left on the processor. "meta" is a device of shapes without numbers."""
    config = CONFIGS[2]
    for filters in ("pooled", "depthwise"):
        network = InferenceGpen(tensors(random_state(config, 0)), config, dtype=torch.float16, filters=filters)
        y = network.to("meta")(torch.empty(2, 3, 128, 128, device="meta"))
        assert (y.device.type, tuple(y.shape), y.dtype) == ("meta", (2, 3, 128, 128), torch.float32)


def test_it_can_be_traced_as_a_whole(random_state: Callable[..., Arrays]) -> None:
    """For torch.compile: no graph breaks, and the branch for compilers computes the same."""
    config = GpenConfig(size=64, channel_multiplier=1, narrow=0.0625)
    state = tensors(random_state(config, 0))
    network = InferenceGpen(state, config)
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    traced = torch.compile(network, backend="eager", fullgraph=True)
    assert decibel(traced(x), network(x)) > 100


def test_a_missing_weight_is_named(random_state: Callable[..., Arrays]) -> None:
    state = tensors(random_state(PUBLISHED, 0))
    del state["generator.convs.3.noise.weight"]
    with pytest.raises(KeyError, match=r"generator\.convs\.3\.noise\.weight"):
        InferenceGpen(state, PUBLISHED)
