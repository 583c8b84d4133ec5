"""GPEN: an encoder that drives a style-based generator and hands it a map at every resolution.

Yang et al., "GAN Prior Embedded Network for Blind Face Restoration in the Wild", CVPR 2021. Module names follow the
published checkpoints, so that their state dicts load as they are.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from likeness.models.gpen.config import LATENT_CHANNELS, MAPPING_LAYERS, MAPPING_LR, GpenConfig
from likeness.models.gpen.ops import Bias, Blur, EncoderConv, EqualLinear, ModulatedConv, PixelNorm, SkipInjection
from likeness.models.style_nodes import ACTIVATION_GAIN, LEAKY_SLOPE

__all__ = ["Generator", "Gpen"]


class _StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, skip injection (doubling the channels), bias and activation."""

    def __init__(self, inputs: int, outputs: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, LATENT_CHANNELS, upsample=upsample)
        self.noise = SkipInjection()
        self.activate = Bias(2 * outputs)

    def forward(self, x: Tensor, w: Tensor, feature: Tensor) -> Tensor:
        own, injected = (self.activate.bias * ACTIVATION_GAIN).chunk(2)
        return self.noise(self.conv(x, w, own, gain=ACTIVATION_GAIN), feature, injected)


class _ToRgb(nn.Module):
    """Modulated 1 x 1 convolution to RGB, added to the doubled RGB of the octave below."""

    def __init__(self, inputs: int, *, upsample: bool = True) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, LATENT_CHANNELS, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Blur(gain=4.0, up=2) if upsample else None

    def forward(self, x: Tensor, w: Tensor, below: Tensor | None = None) -> Tensor:
        rgb = self.conv(x, w, self.bias.flatten()).float()
        if below is not None and self.upsample is not None:
            rgb = rgb + self.upsample(below)
        return rgb


class _Constant(nn.Module):
    """The learned 4 x 4 constant."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class _EncoderLayer(nn.Module):
    """(Blur,) convolution, bias and activation; ``0`` is the published checkpoints' name for the sequence."""

    def __init__(self, inputs: int, outputs: int, *, downsample: bool) -> None:
        super().__init__()
        conv = EncoderConv(inputs, outputs, 3, stride=2) if downsample else EncoderConv(inputs, outputs, 1)
        self.add_module("0", nn.ModuleList([*([Blur(2)] if downsample else []), conv, Bias(outputs)]))

    def forward(self, x: Tensor) -> Tensor:
        *blur, conv, bias = self.get_submodule("0").children()
        for layer in blur:
            x = layer(x)
        return conv(x, bias.bias)


class _Texture(nn.Module):
    """Noise on a map, as strong in each channel as was learnt: what pores and hairs are drawn from.

    A network has to draw texture out of something. Where the input is smooth and nothing random is there to shape, a
    network that is asked for texture draws worms (docs/training.md). StyleGAN adds noise to every map (Karras et al.,
    2019); GPEN put the encoder's maps in that place. New noise each time while training, one fixed plane afterwards.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("plane", torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        plane = self.get_buffer("plane")
        noise = plane.new_empty(len(x), *plane.shape[1:]).normal_() if self.training else plane
        return x + (self.strength * noise).to(x.dtype)


class Generator(nn.Module):
    """The generator half G: latent z (N x 512) and the encoder's maps (S down to 4) to N x 3 x S x S."""

    def __init__(self, config: GpenConfig) -> None:
        super().__init__()
        mapping = (
            EqualLinear(LATENT_CHANNELS, LATENT_CHANNELS, lr_multiplier=MAPPING_LR, activate=True)
            for _ in range(MAPPING_LAYERS)
        )
        self.style = nn.Sequential(PixelNorm(), *mapping)
        channels = config.channels(4)
        self.input = _Constant(channels)
        self.conv1 = _StyledConv(channels, channels)
        self.to_rgb1 = _ToRgb(2 * channels, upsample=False)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for resolution in config.resolutions[1:]:
            outputs = config.channels(resolution)
            self.convs.append(_StyledConv(2 * channels, outputs, upsample=True))
            self.convs.append(_StyledConv(2 * outputs, outputs))
            self.to_rgbs.append(_ToRgb(2 * outputs))
            channels = outputs

    def forward(self, latent: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        w = self.style(latent)
        maps = features[::-1]
        x = self.input.input.expand(latent.shape[0], -1, -1, -1).to(maps[0].dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.conv1(x, w, maps[0])
        rgb = self.to_rgb1(x, w)
        for octave, to_rgb in enumerate(self.to_rgbs):
            feature = maps[octave + 1]
            x = self.convs[2 * octave](x, w, feature)
            x = self.convs[2 * octave + 1](x, w, feature)
            rgb = to_rgb(x, w, rgb)
        return rgb


class Gpen(nn.Module):
    """The whole network: N x 3 x S x S in [-1, 1] to the same, not clipped."""

    def __init__(self, config: GpenConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.resolutions[::-1]
        self.ecd0 = _EncoderLayer(3, config.channels(sizes[0]), downsample=False)
        for index in range(1, len(sizes)):
            inputs, outputs = config.channels(sizes[index - 1]), config.channels(sizes[index])
            self.add_module(f"ecd{index}", _EncoderLayer(inputs, outputs, downsample=True))
        self.texture = _Texture(config.channels(config.size), config.size) if config.texture else None
        self.final_linear = nn.Sequential(EqualLinear(config.channels(4) * 16, LATENT_CHANNELS, activate=True))
        self.generator = Generator(config)

    def encode(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """E: faces to the latent z (N x 512) and the maps from S x S down to 4 x 4."""
        features: list[Tensor] = []
        for index in range(self.config.octaves + 1):
            x = self.get_submodule(f"ecd{index}")(x)
            if index == 0 and self.texture is not None:
                x = self.texture(x)
            features.append(x)
        return self.final_linear(x.flatten(1)), tuple(features)

    def decode(self, latent: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """G: the encoding to faces."""
        return self.generator(latent, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(*self.encode(x))

    @torch.no_grad()
    def with_texture(self) -> Gpen:
        """The same function with `GpenConfig.texture`, at strength 0."""
        network = Gpen(replace(self.config, texture=True))
        network.load_state_dict({**network.state_dict(), **self.state_dict()})
        network.free_styles(max((r for r in self.config.resolutions if not self._style_free(r)), default=0))
        return network

    def free_styles(self, above: int) -> None:
        """Make every modulation above ``above`` x ``above`` independent of the latent, here and in the state dict.

        Above 32 x 32 this quadruples training speed on a CPU (design, section 6).
        """
        for octave, resolution in enumerate(self.config.resolutions[1:]):
            if resolution <= above:
                continue
            generator = self.generator
            for layer in (generator.convs[2 * octave], generator.convs[2 * octave + 1], generator.to_rgbs[octave]):
                conv = layer.get_submodule("conv")
                assert isinstance(conv, ModulatedConv)
                conv.style_free = True
                conv.modulation.weight.requires_grad_(False).zero_()

    @torch.no_grad()
    def start_as_identity(self) -> None:
        """Set the weights so that the network returns its input, exactly but for rounding.

        Six encoder channels at full resolution hold +x and -x; they reach the last to-RGB through the skip injection. With
        leaky ReLU (slope 0.2, gain sqrt(2)) applied twice, f(x) - f(-x) = 2 (1 + 0.04) x = 2.08 x. Every other to-RGB
        starts at zero (design, section 7). Call after `free_styles`, or the last style is not 1.
        """
        ecd0 = self.get_submodule("ecd0.0.0")
        assert isinstance(ecd0, EncoderConv)
        first = ecd0.weight
        scale = ecd0.scale
        for colour in range(3):
            for sign, channel in ((1.0, colour), (-1.0, colour + 3)):
                first[channel] = 0.0
                first[channel, colour] = sign / scale
        rgbs = [self.generator.to_rgb1, *self.generator.to_rgbs]
        for rgb in rgbs:
            conv = rgb.get_submodule("conv")
            assert isinstance(conv, ModulatedConv)
            conv.weight.zero_()
        last = rgbs[-1].get_submodule("conv")
        assert isinstance(last, ModulatedConv)
        skip = self.config.channels(self.config.size)
        for colour in range(3):
            last.weight[0, colour, skip + colour] = 1.0 / (2.08 * last.scale)
            last.weight[0, colour, skip + 3 + colour] = -1.0 / (2.08 * last.scale)

    @torch.no_grad()
    def grown(self, pictures: Tensor) -> Gpen:
        """A network of twice the size that adds to its input what this one adds to the input at half the size.

        Progressive growing (Karras et al., 2018) without a jump: the new network starts as the identity at its full size,
        its second encoder layer computes what this network's first did, and this network's last to-RGB gives up its share
        that repeats the input, found by least squares on ``pictures`` (N x 3 x S x S, S this network's size). The noise of
        ``texture`` is left behind: it belongs to the first map of its size.

        Raises:
            ValueError: if the last to-RGB depends on the latent (see `free_styles`).
        """
        last = self.generator.to_rgbs[-1].get_submodule("conv")
        assert isinstance(last, ModulatedConv)
        if not last.style_free:
            raise ValueError("a network whose last layers depend on the latent cannot grow")
        config = GpenConfig(
            size=2 * self.config.size,
            channel_multiplier=self.config.channel_multiplier,
            narrow=self.config.narrow,
        )
        network = Gpen(config).to(last.weight.device)
        network.free_styles(max((r for r in self.config.resolutions if not self._style_free(r)), default=0))
        network.start_as_identity()
        state = network.state_dict()
        for key, value in self.state_dict().items():
            if key.startswith("texture."):
                continue
            if key.startswith("ecd"):
                index, rest = key[3:].split(".", 1)
                key = f"ecd{int(index) + 1}.{rest}"
                if index == "0" and rest.endswith("0.weight"):
                    continue
                if index == "0":
                    key = "ecd1.0.2.bias"
            state[key] = value
        network.load_state_dict(state)

        # The old first layer was 1 x 1 on the picture; here it reads the picture from the six channels of the new one.
        old, second = self.get_submodule("ecd0.0.0"), network.get_submodule("ecd1.0.1")
        assert isinstance(old, EncoderConv)
        assert isinstance(second, EncoderConv)
        second.weight.zero_()
        read = old.weight[:, :, 0, 0] * (old.scale / second.scale / (ACTIVATION_GAIN * (1 + LEAKY_SLOPE)))
        second.weight[:, 0:3, 1, 1] = read
        second.weight[:, 3:6, 1, 1] = -read

        seen: list[Tensor] = []
        hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
        self(pictures)
        hook.remove()
        features = torch.cat(seen).movedim(1, -1).flatten(0, -2)
        colours = pictures.movedim(1, -1).flatten(0, -2)
        ones = torch.ones_like(features[:, :1])
        design = torch.cat([features, ones], dim=1).double()
        ridge = 1e-6 * design.square().mean() * len(design) * torch.eye(design.shape[1], device=design.device)
        share = torch.linalg.solve(design.T @ design + ridge, design.T @ colours.double()).float()
        rgb = network.generator.to_rgbs[-2]
        conv = rgb.get_submodule("conv")
        assert isinstance(conv, ModulatedConv)
        conv.weight[0, :, :, 0, 0] -= share[:-1].T / (conv.modulation.bias * conv.scale)
        rgb.get_parameter("bias").sub_(share[-1].view(1, 3, 1, 1))
        return network

    def _style_free(self, resolution: int) -> bool:
        if resolution == self.config.resolutions[0]:
            return False
        conv = self.generator.to_rgbs[self.config.resolutions.index(resolution) - 1].get_submodule("conv")
        assert isinstance(conv, ModulatedConv)
        return conv.style_free
