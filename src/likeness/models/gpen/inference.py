"""The network in the form that runs fastest on a GPU: `Gpen` for inference only, everything constant worked out beforehand.

It computes the same function as `likeness.models.gpen.network.Gpen` from the same state dict, with the same factored
modulation (`likeness.models.gpen.ops`), and is arranged for what a GPU is short of, which at this size is memory traffic
and launches:

- Equalised learning rates, the activation's gain and, where a style does not depend on the latent, modulation and
  demodulation are multiplied into the weights; weights lie in half precision and channels-last, ready for tensor cores.
- The styles of all layers are one matrix product, in float32, as are the mapping network and the demodulation.
- A convolution's bias, demodulation and the concatenation with the encoder's map are one write into the joined map.
- To-RGB is a matrix product that carries the style in its small matrix: the large map is read once and not rescaled.
- The binomial blur [1, 3, 3, 1] is [1, 1] three times: three 2 x 2 average pools, plain passes over memory; PyTorch's
  depthwise convolutions are reported to be slow on CUDA, and an even kernel is a rare one.
- RGB is summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from likeness.models.gpen.config import MAPPING_LAYERS, MAPPING_LR, GpenConfig
from likeness.models.gpen.ops import blur_kernel
from likeness.models.style_nodes import ACTIVATION_GAIN, EPSILON, LEAKY_SLOPE

__all__ = ["Filters", "InferenceGpen"]

Filters = Literal["pooled", "depthwise"]
"""How a blur is computed: three average pools, or one depthwise convolution. Kernels other than the binomial one are always
convolved."""

_State = Mapping[str, Tensor]

_RGB_COLUMNS = 8
"""Columns of a to-RGB matrix: three, and zeros up to what tensor cores ask of a matrix of halves."""


class InferenceGpen(nn.Module):
    """`Gpen` for inference: N x 3 x S x S float32 in [-1, 1] to the same, not clipped.

    Args:
        state: the network's weights under their published names, float32.
        config: the network; it must agree with the shapes in ``state``.
        dtype: arithmetic of the convolutions; what depends on the latent alone, and RGB, are float32 in any case.
        filters: how blurs are computed.

    Raises:
        KeyError: if a weight is missing from ``state``.
    """

    def __init__(
        self,
        state: _State,
        config: GpenConfig,
        *,
        dtype: torch.dtype = torch.float32,
        filters: Filters = "pooled",
    ) -> None:
        super().__init__()
        self.config = config
        self.dtype = dtype
        octaves = range(config.octaves + 1)
        self.encoder = nn.ModuleList([_EncoderLayer(state, index, dtype, filters) for index in octaves])
        self.texture = _Texture(state, dtype) if config.texture else None
        self.latent = _Linear(state, "final_linear.0", activate=True)
        self.mapping = nn.ModuleList(
            [_Linear(state, f"generator.style.{layer}", rate=MAPPING_LR, activate=True)
             for layer in range(1, MAPPING_LAYERS + 1)]
        )  # fmt: skip
        names = ["conv1", *(f"convs.{index}" for index in range(2 * config.octaves))]
        self.convs = nn.ModuleList([_StyledConv(state, f"generator.{name}", dtype, filters) for name in names])
        names = ["to_rgb1", *(f"to_rgbs.{index}" for index in range(config.octaves))]
        self.rgbs = nn.ModuleList([_ToRgb(state, f"generator.{name}", dtype) for name in names])
        self.styles = _Styles(state, [*self.convs, *self.rgbs], dtype)
        self.constant = _constant(state["generator.input.input"], dtype)
        self.requires_grad_(False)

    def encode(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """E: faces (N x 3 x S x S) to the latent z (N x 512, float32) and the maps from S x S down to 4 x 4."""
        x = x.to(self.dtype, memory_format=torch.channels_last)
        features: list[Tensor] = []
        for index, layer in enumerate(self.encoder):
            x = layer(x)
            if index == 0 and self.texture is not None:
                x = self.texture(x)
            features.append(x)
        return self.latent(x.flatten(1).float()), tuple(features)

    def decode(self, latent: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """G: the latent z (N x 512) and the maps, in this network's type, to faces, N x 3 x S x S float32."""
        w = latent.float()
        w = w * torch.rsqrt(w.square().mean(dim=1, keepdim=True) + EPSILON)
        for layer in self.mapping:
            w = layer(w)
        scales, norms, rgb_scales = self.styles(w)
        count, maps = len(latent), features[::-1]
        x = self.constant.expand(count, -1, -1, -1)
        rgb: Tensor | None = None
        for index, conv in enumerate(self.convs):
            # Two styled convolutions an octave, but one at 4 x 4; after the last of each, RGB.
            octave = (index + 1) // 2
            x = conv(x, scales[index], norms[index], maps[octave])
            if index % 2 == 0:
                rgb = self.rgbs[octave](x, rgb_scales[octave], rgb)
        assert rgb is not None
        return rgb.contiguous()

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(*self.encode(x))


class _Linear(nn.Module):
    """A linear layer with its equalised learning rate, and its activation's gain, in its weights; float32."""

    def __init__(self, state: _State, key: str, *, rate: float = 1.0, activate: bool = False) -> None:
        super().__init__()
        gain = rate * (ACTIVATION_GAIN if activate else 1.0)
        weight = state[f"{key}.weight"]
        self.weight = _constant(weight * (gain / math.sqrt(weight.shape[1])))
        self.bias = _constant(state[f"{key}.bias"] * gain)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return F.leaky_relu_(y, LEAKY_SLOPE) if self.activate else y


class _Blur(nn.Module):
    """A depthwise 4 x 4 FIR filter with a checkpoint's kernel, with zeros around the map.

    ``gain`` is taken out of the binomial kernel where it is pooled, as pools only average: the caller multiplies it into
    weights (`gain`).
    """

    def __init__(self, kernel: Tensor, padding: int, channels: int, dtype: torch.dtype, filters: Filters) -> None:
        super().__init__()
        total = float(kernel.sum())
        self.padding = padding
        self.channels = channels
        self.pooled = filters == "pooled" and torch.allclose(kernel, blur_kernel(total), rtol=1e-6, atol=0)
        # A checkpoint's kernel is a true convolution's, hence flipped for an operator that correlates.
        self.kernel = None if self.pooled else _constant(kernel.flip(0, 1)[None, None], dtype)
        self.gain = total if self.pooled else 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel is not None:
            kernel = self.kernel.expand(self.channels, 1, 4, 4)
            return F.conv2d(x, kernel, padding=self.padding, groups=self.channels)
        for step in range(3):
            # Zeros around the map, like those of the convolution; a sample of padding for each of the first steps.
            x = F.avg_pool2d(x, 2, stride=1, padding=1 if step < self.padding else 0)
        return x


class _EncoderLayer(nn.Module):
    """(Blur,) convolution, bias and activation."""

    def __init__(self, state: _State, index: int, dtype: torch.dtype, filters: Filters) -> None:
        super().__init__()
        key, first = f"ecd{index}.0", index == 0
        weight = state[f"{key}.{0 if first else 1}.weight"]
        self.blur = None if first else _Blur(state[f"{key}.0.kernel"], 2, weight.shape[1], dtype, filters)
        gain = ACTIVATION_GAIN / math.sqrt(weight[0].numel()) * (1.0 if self.blur is None else self.blur.gain)
        self.weight = _constant(weight * gain, dtype)
        self.bias = _constant(state[f"{key}.{1 if first else 2}.bias"] * ACTIVATION_GAIN, dtype)
        self.stride = 1 if first else 2

    def forward(self, x: Tensor) -> Tensor:
        if self.blur is not None:
            x = self.blur(x)
        return F.leaky_relu_(F.conv2d(x, self.weight, self.bias, stride=self.stride), LEAKY_SLOPE)


class _Texture(nn.Module):
    """The fixed plane of noise on the encoder's first map (`GpenConfig.texture`)."""

    def __init__(self, state: _State, dtype: torch.dtype) -> None:
        super().__init__()
        self.strength = _constant(state["texture.strength"], dtype)
        self.plane = _constant(state["texture.plane"], dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x.addcmul_(self.strength, self.plane)


class _Modulated(nn.Module):
    """What a layer asks of w: ``modulation`` (weight and bias; None if its style is fixed), and to demodulate, ``energy``
    (O x C, of the weights) and ``epsilon`` (O): the norm is rsqrt(style^2 @ energy^T + epsilon)."""

    modulation: tuple[Tensor, Tensor] | None
    energy: Tensor | None
    epsilon: Tensor | None


class _StyledConv(_Modulated):
    """Modulated 3 x 3 convolution, skip injection (doubling the channels), bias and activation."""

    def __init__(self, state: _State, key: str, dtype: torch.dtype, filters: Filters) -> None:
        super().__init__()
        weight = state[f"{key}.conv.weight"][0]
        weight = weight / math.sqrt(weight[0].numel())
        kernel = state.get(f"{key}.conv.blur.kernel")
        self.outputs = weight.shape[0]
        self.blur = None if kernel is None else _Blur(kernel, 1, self.outputs, dtype, filters)
        self.modulation = _modulation(state, key)
        # Filters of length one: what is between convolution and norm then fits the short range of float16, whatever
        # the training did to the weights' size, which the norm takes out anyway.
        length = weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(EPSILON)
        weight = weight / length
        self.energy, self.epsilon = weight.square().sum(dim=(2, 3)), EPSILON / length.flatten().square()
        if self.modulation is None:
            # Everything is known: modulation, demodulation and gain go into the weights.
            weight = weight * state[f"{key}.conv.modulation.bias"].view(1, -1, 1, 1)
            norm = torch.rsqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + self.epsilon.view(-1, 1, 1, 1))
            weight, self.energy, self.epsilon = weight * norm * ACTIVATION_GAIN, None, None
        if self.blur is not None:
            weight = (weight * self.blur.gain).transpose(0, 1)
        self.weight = _constant(weight, dtype)
        bias = (state[f"{key}.activate.bias"] * ACTIVATION_GAIN).view(1, -1, 1, 1)
        own, injected = bias.chunk(2, dim=1)
        self.own, self.injected = _constant(own, dtype), _constant(injected, dtype)
        self.strength = _constant(state[f"{key}.noise.weight"].view(1, 1, 1, 1) * ACTIVATION_GAIN, dtype)

    def forward(self, x: Tensor, scale: Tensor | None, norm: Tensor | None, feature: Tensor) -> Tensor:
        if scale is not None:
            x = x * scale
        if self.blur is None:
            y = F.conv2d(x, self.weight, padding=1)
        else:
            y = self.blur(F.conv_transpose2d(x, self.weight, stride=2))
        return F.leaky_relu_(self._joined(y, norm, feature), LEAKY_SLOPE)

    def _joined(self, y: Tensor, norm: Tensor | None, feature: Tensor) -> Tensor:
        """The convolution's output and the encoder's map, each scaled and with its bias, one behind the other."""
        if torch.compiler.is_compiling():  # the compiler joins writes by itself, and cannot follow views of an output
            own = self.own + y if norm is None else torch.addcmul(self.own, y, norm)
            return torch.cat([own, torch.addcmul(self.injected, feature, self.strength)], dim=1)
        count, _, height, width = y.shape
        joined = torch.empty(
            (count, 2 * self.outputs, height, width),
            dtype=y.dtype,
            device=y.device,
            memory_format=torch.channels_last,
        )
        if norm is None:
            torch.add(y, self.own, out=joined[:, : self.outputs])
        else:
            torch.addcmul(self.own, y, norm, out=joined[:, : self.outputs])
        torch.addcmul(self.injected, feature, self.strength, out=joined[:, self.outputs :])
        return joined


class _ToRgb(_Modulated):
    """Modulated 1 x 1 convolution to RGB, without demodulation, added to the doubled RGB of the octave below."""

    def __init__(self, state: _State, key: str, dtype: torch.dtype) -> None:
        super().__init__()
        weight = state[f"{key}.conv.weight"][0, :, :, 0, 0].t()
        weight = weight / math.sqrt(weight.shape[0])
        self.modulation = _modulation(state, key)
        self.energy = self.epsilon = None
        self.dtype = dtype
        if self.modulation is None:
            weight = weight * state[f"{key}.conv.modulation.bias"].view(-1, 1)
        weight = F.pad(weight, (0, _RGB_COLUMNS - 3))
        self.weight = _constant(weight[None], torch.float32 if self.modulation else dtype)
        self.bias = _constant(state[f"{key}.bias"])
        kernel = state.get(f"{key}.upsample.kernel")
        self.binomial = kernel is not None and torch.allclose(kernel, blur_kernel(4.0), rtol=1e-6, atol=0)
        self.kernel = None if kernel is None or self.binomial else _constant(kernel[None, None])

    def forward(self, x: Tensor, scale: Tensor | None, below: Tensor | None) -> Tensor:
        count, channels, height, width = x.shape
        # Channels-last memory is that of a matrix with a row for every pixel.
        rows = x.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        matrix = self.weight if scale is None else (self.weight * scale).to(self.dtype)
        own = torch.matmul(rows, matrix).view(count, height, width, _RGB_COLUMNS)[..., :3].permute(0, 3, 1, 2)
        return own + (self.bias if below is None else self._doubled(below) + self.bias)

    def _doubled(self, rgb: Tensor) -> Tensor:
        """Zeros between the samples, pad (2, 1), FIR."""
        if self.kernel is not None:
            return F.conv_transpose2d(rgb, self.kernel.expand(3, 1, 4, 4), stride=2, padding=1, groups=3)
        # With [1, 3, 3, 1] that is linear interpolation, of a picture with zeros around it.
        padded = F.pad(rgb, (1, 1, 1, 1))
        return F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


class _Styles(nn.Module):
    """All that depends on w, at once: N x 512 to the layers' scales, norms and to-RGB scales, None where fixed.

    Returns ``scales`` (N x C x 1 x 1) and ``norms`` (N x O x 1 x 1, the gain in them) of the styled convolutions, in their
    type, and the scales of the to-RGBs (N x C x 1, float32).
    """

    def __init__(self, state: _State, layers: list[nn.Module], dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        modulated = [layer for layer in layers if isinstance(layer, _Modulated)]
        self.is_conv = [isinstance(layer, _StyledConv) for layer in modulated]
        self.widths = [0 if layer.modulation is None else len(layer.modulation[1]) for layer in modulated]
        free = [layer.modulation for layer in modulated if layer.modulation is not None]
        empty = state["generator.style.1.weight"][:0]
        self.weight = _constant(torch.cat([empty, *(weight for weight, _ in free)]))
        self.bias = _constant(torch.cat([empty[:, 0], *(bias for _, bias in free)]))
        # The gain goes into the norm: g / sqrt(p + e) = 1 / sqrt(p / g^2 + e / g^2).
        gain = ACTIVATION_GAIN**2
        self.energies = nn.ParameterList(_constant(x.energy.t() / gain) for x in modulated if x.energy is not None)
        self.epsilons = nn.ParameterList(_constant(x.epsilon / gain) for x in modulated if x.epsilon is not None)

    def forward(self, w: Tensor) -> tuple[list[Tensor | None], list[Tensor | None], list[Tensor | None]]:
        scales: list[Tensor | None] = []
        norms: list[Tensor | None] = []
        rgb_scales: list[Tensor | None] = []
        exact = F.linear(w, self.weight, self.bias)
        powers, rounded = exact.square(), exact.to(self.dtype)
        demodulation = iter(zip(self.epsilons, self.energies, strict=True))
        begin = 0
        for width, is_conv in zip(self.widths, self.is_conv, strict=True):
            end = begin + width
            if not width:
                (scales if is_conv else rgb_scales).append(None)
                norms.extend([None] if is_conv else [])
            elif is_conv:
                scales.append(rounded[:, begin:end, None, None])
                epsilon, energy = next(demodulation)
                norm = torch.addmm(epsilon, powers[:, begin:end], energy).rsqrt_()
                norms.append(norm.to(self.dtype)[:, :, None, None])
            else:
                rgb_scales.append(exact[:, begin:end, None])
            begin = end
        return scales, norms, rgb_scales


def _modulation(state: _State, key: str) -> tuple[Tensor, Tensor] | None:
    """Weight and bias that make a layer's style of w, or None if it does not depend on w (`Gpen.free_styles`)."""
    weight = state[f"{key}.conv.modulation.weight"]
    if not weight.any():
        return None
    return weight / math.sqrt(weight.shape[1]), state[f"{key}.conv.modulation.bias"]


def _constant(tensor: Tensor, dtype: torch.dtype = torch.float32) -> nn.Parameter:
    """A constant of the network: channels-last if it is a stack of kernels."""
    memory_format = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return nn.Parameter(tensor.detach().to(dtype).clone(memory_format=memory_format), requires_grad=False)
