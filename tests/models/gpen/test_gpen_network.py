from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.network import Gpen
from likeness.models.gpen.ops import Blur, ModulatedConv, blur_kernel

SMALL = GpenConfig(size=64, channel_multiplier=1, narrow=0.125)


def test_computes_the_published_function(shared: Path) -> None:
    state = torch.load(shared / "golden" / "gpen_size64_cm2_narrow0125.pth", weights_only=True)
    arrays = np.load(shared / "golden" / "gpen_size64_cm2_narrow0125.npz")
    network = Gpen(GpenConfig.from_shapes({key: tuple(value.shape) for key, value in state.items()}))
    network.load_state_dict(state)
    with torch.no_grad():
        y = network(torch.from_numpy(arrays["x"])).numpy()
    assert np.abs(y - arrays["y"]).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("GPEN-BFR-256", GpenConfig(size=256, channel_multiplier=1, narrow=0.5)),
        ("GPEN-BFR-512", GpenConfig(size=512, channel_multiplier=2, narrow=1.0)),
    ],
)
def test_keys_and_shapes_are_the_published_ones(shared: Path, name: str, config: GpenConfig) -> None:
    published = json.loads((shared / "golden" / "keys.json").read_text())[name]
    with torch.device("meta"):
        network = Gpen(config)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == published
    assert GpenConfig.from_shapes({key: tuple(shape) for key, shape in published.items()}) == config


@pytest.mark.parametrize("size", [64, 128, 256, 1024])
def test_any_power_of_two(size: int) -> None:
    network = Gpen(GpenConfig(size=size, channel_multiplier=1, narrow=0.0625))
    with torch.no_grad():
        latent, features = network.encode(torch.zeros(1, 3, size, size))
        y = network.decode(latent, features)
    assert latent.shape == (1, 512)
    assert [feature.shape[-1] for feature in features] == [size >> k for k in range(len(features))]
    assert features[-1].shape[-1] == 4
    assert y.shape == (1, 3, size, size)


@pytest.mark.parametrize("size", [32, 96, 500])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        GpenConfig(size=size)


def test_configuration_survives_rounding_of_channels() -> None:
    config = GpenConfig(size=1024, channel_multiplier=2, narrow=0.3)
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in Gpen(config).state_dict().items()}
    found = GpenConfig.from_shapes(shapes)
    assert [found.channels(r) for r in found.resolutions] == [config.channels(r) for r in config.resolutions]


def test_starts_as_the_identity() -> None:
    torch.manual_seed(1)
    network = Gpen(SMALL)
    network.free_styles(32)
    network.start_as_identity()
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert (network(x) - x).abs().max() < 1e-5


def test_free_styles_compute_the_same_function_anywhere() -> None:
    torch.manual_seed(2)
    network = Gpen(SMALL)
    network.free_styles(16)
    other = Gpen(SMALL)
    other.load_state_dict(network.state_dict())  # knows nothing of free styles
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network(x), other(x), atol=1e-4)


def test_modulation_off_the_weights_is_modulation_of_the_weights() -> None:
    torch.manual_seed(3)
    conv = ModulatedConv(6, 5, 3, 512)
    x, w, bias = torch.randn(2, 6, 8, 8), torch.randn(2, 512), torch.randn(5)
    style = conv.modulation(w)
    weight = conv.weight * conv.scale * style[:, None, :, None, None]
    weight = weight * torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    expected = torch.cat([torch.conv2d(x[i : i + 1], weight[i], padding=1) for i in range(2)])
    assert torch.allclose(conv(x, w, bias), expected + bias[None, :, None, None], atol=1e-5)


@pytest.mark.parametrize("padding", [1, 2])
def test_blur_gradient_is_that_of_the_plain_convolution(padding: int) -> None:
    x = torch.randn(2, 3, 9, 9, requires_grad=True)
    y = x.detach().clone().requires_grad_(True)
    weight = blur_kernel(4.0).expand(3, 1, 4, 4)
    ours = Blur(padding, gain=4.0)(x)
    plain = torch.conv2d(y, weight, padding=padding, groups=3)
    seed = torch.randn_like(plain)
    ours.backward(seed)
    plain.backward(seed)
    assert torch.allclose(ours, plain, atol=1e-5)
    assert x.grad is not None
    assert y.grad is not None
    assert torch.allclose(x.grad, y.grad, atol=1e-5)


def _smooth_pictures(count: int, size: int) -> torch.Tensor:
    torch.manual_seed(1)
    coarse = torch.randn(count, 3, size // 8, size // 8)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(-1, 1)


@torch.no_grad()
def test_a_grown_network_changes_pictures_as_the_small_one_did() -> None:
    torch.manual_seed(0)
    small = Gpen(SMALL)
    small.free_styles(32)
    small.start_as_identity()
    for parameter in small.parameters():
        if parameter.requires_grad and parameter.numel() > 1:
            parameter.add_(0.05 * parameter.std() * torch.randn_like(parameter))
    large = _smooth_pictures(8, 128)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    grown = small.grown(halved)
    assert grown.config == GpenConfig(size=128, channel_multiplier=1, narrow=0.125)
    wanted = small(halved) - halved
    got = torch.nn.functional.avg_pool2d(grown(large) - large, 2)
    assert float(wanted.abs().mean()) > 0.01
    assert float((got - wanted).abs().mean()) < 0.3 * float(wanted.abs().mean())


def test_a_network_with_styles_at_the_top_cannot_grow() -> None:
    with pytest.raises(ValueError, match="cannot grow"):
        Gpen(SMALL).grown(_smooth_pictures(1, 64))


def test_texture_begins_without_a_change_and_is_new_only_in_training() -> None:
    plain = Gpen(GpenConfig(size=64, channel_multiplier=1, narrow=0.125))
    plain.free_styles(32)
    network = plain.with_texture().eval()
    assert network.config.texture
    assert GpenConfig.from_shapes({key: tuple(value.shape) for key, value in network.state_dict().items()}).texture
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network(x), plain(x), rtol=0, atol=0)
    torch.nn.init.ones_(network.get_parameter("texture.strength"))
    with torch.inference_mode():
        y = network(x)
        assert not torch.equal(y, plain(x))
        assert torch.equal(network(x), y)
        network.train()
        assert not torch.equal(network(x), network(x))
        assert not network.grown(_smooth_pictures(4, 64)).config.texture
