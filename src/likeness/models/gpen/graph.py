"""The GPEN network as an OpenVINO graph, built straight from a state dict: no torch, no conversion tools.

The graph computes the same function as the published network (Yang et al., GAN Prior Embedded Network, CVPR 2021, on
the StyleGAN2 generator of Karras et al., CVPR 2020) in its factored form:

- With style ``s`` over the input channels, a modulated convolution by ``w`` equals ``d * conv(x * s, w)`` with the
  demodulation ``d_o = rsqrt(sum_{i,k} (w_oik s_i)^2 + 1e-8)``, and the sum is the matrix product
  ``(s^2) @ sum_k(w^2)^T`` with a constant. Where maps are small and weights large, style and demodulation multiply the
  maps. Where maps are large and weights small they multiply the weights, once a face: then nothing stands between
  convolution, bias and activation, and the three run as one.
- The injected encoder maps are concatenated in meaning only: the next convolution sums over both halves.
- A transposed convolution makes maps of 2n + 1; those of up to `Graph.even_up_to` get one more row and column of zeros,
  in place of the blur's padding, as widths like 64 + 1 leave a tile of the matrix unit nearly empty.
- Equalised learning rates and the leaky ReLU's gain of sqrt(2) are multiplied into weights and biases beforehand:
  ``g * lrelu(x) = lrelu(g * x)`` for ``g > 0``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.models.architecture import State
from likeness.models.gpen.config import MAPPING_LAYERS, MAPPING_LR, GpenConfig
from likeness.models.style_nodes import ACTIVATION_GAIN, EPSILON, StyleNodes

if TYPE_CHECKING:
    import openvino

__all__ = ["Graph", "State", "build"]

_Maps = tuple[Any, ...]
"""Nodes of equal channels that stand for their concatenation: a convolution's own map and the injected one."""


def build(state: State, config: GpenConfig, *, any_batch: bool = False) -> openvino.Model:
    """The network as an OpenVINO model: input ``faces`` (1 x 3 x S x S, float32, RGB in [-1, 1]), output ``restored`` alike.

    Args:
        state: the network's weights under their published names, float32, as `likeness.models` reads them.
        config: the network's configuration; it must agree with the shapes in ``state``.
        any_batch: whether it takes any number of faces; then styles always multiply maps, as weights are the same for all.

    Raises:
        KeyError: if a weight is missing from ``state``.
    """
    return Graph(state, config, any_batch=any_batch).model()


class Graph(StyleNodes[GpenConfig]):
    """The network's nodes.

    The resolutions at which one form gives way to another were chosen by measurement (docs/speed.md); any give the same
    function.
    """

    style_in_weights_from = 128
    """Resolution from which on a convolution's style multiplies its weights."""
    upsampling_style_in_weights_from = 256
    """The same for transposed convolutions, by the resolution of what they make."""
    even_up_to = 128
    """Largest resolution whose transposed convolution makes an even number of rows and columns."""

    # Building blocks

    def _blur(self, node: Any, key: str, channels: int, pads: tuple[int, int]) -> Any:
        """A depthwise FIR filter with a checkpoint's kernel (true convolution, hence flipped for a correlating op)."""
        kernel = np.broadcast_to(self._weight(key)[::-1, ::-1], (channels, 1, 1, 4, 4))
        before, after = pads
        return self._op.group_convolution(
            node, self._constant(kernel), [1, 1], [before, before], [after, after], [1, 1]
        )

    # Encoder half

    def encoder(self, faces: Any) -> tuple[Any, dict[int, Any]]:
        """Faces to the latent z (N x 512) and the map of every resolution."""
        config = self._config
        node = self._activated_convolution(faces, "ecd0.0.0.weight", "ecd0.0.1.bias")
        if config.texture:
            strength = self._constant(self._weight("texture.strength"))
            noise = self._op.multiply(strength, self._constant(self._weight("texture.plane")))
            node = self._op.add(node, noise)
        features = {config.size: node}
        for octave in range(1, config.octaves + 1):
            size = config.size >> octave
            node = self._halved(node, octave)
            features[size] = node
        flat = self._op.reshape(node, self._ints(0, -1), True)
        weight = self._weight("final_linear.0.weight")
        latent = self._linear(
            flat,
            weight * np.float32(ACTIVATION_GAIN / math.sqrt(weight.shape[1])),
            self._weight("final_linear.0.bias") * ACTIVATION_GAIN,
        )
        return self._leaky_relu(latent), features

    def _halved(self, node: Any, octave: int) -> Any:
        """One downsampling layer of the encoder: blur, 3x3 convolution with stride 2, bias and activation."""
        # Pad 2,2 makes the blurred map one larger; the convolution without padding then halves it.
        node = self._blur(
            node, f"ecd{octave}.0.0.kernel", self._config.channels(self._config.size >> octave - 1), (2, 2)
        )
        return self._activated_convolution(node, f"ecd{octave}.0.1.weight", f"ecd{octave}.0.2.bias", stride=2)

    def _activated_convolution(self, node: Any, weight_key: str, bias_key: str, *, stride: int = 1) -> Any:
        weight = self._weight(weight_key)
        fan_in = math.prod(weight.shape[1:])
        kernel = self._constant(weight * np.float32(ACTIVATION_GAIN / math.sqrt(fan_in)))
        node = self._convolution(node, kernel, stride=stride)
        bias = self._weight(bias_key) * np.float32(ACTIVATION_GAIN)
        return self._leaky_relu(self._op.add(node, self._constant(bias.reshape(1, -1, 1, 1))))

    # Generator half

    def generator(self, latent: Any, features: Mapping[int, Any]) -> Any:
        """The latent z and the encoder's maps to faces."""
        config = self._config
        style = self._mapping(latent)
        maps: _Maps = (self._constant(self._weight("generator.input.input")),)
        maps = self._styled(maps, style, features[4], "generator.conv1", 4)
        rgb = self._to_rgb(maps, style, "generator.to_rgb1")
        for index, size in enumerate(config.resolutions[1:]):
            maps = self._styled(maps, style, features[size], f"generator.convs.{2 * index}", size, upsample=True)
            maps = self._styled(maps, style, features[size], f"generator.convs.{2 * index + 1}", size)
            key = f"generator.to_rgbs.{index}"
            rgb = self._op.add(self._upsampled(rgb, f"{key}.upsample.kernel"), self._to_rgb(maps, style, key))
        return rgb

    def _mapping(self, latent: Any) -> Any:
        """z to w: pixel norm and eight equalised linear layers (StyleGAN's mapping network)."""
        op = self._op
        mean = op.reduce_mean(op.multiply(latent, latent), self._ints(1), True)
        node = op.divide(latent, op.sqrt(op.add(mean, self._constant(np.array([EPSILON])))))
        for layer in range(1, MAPPING_LAYERS + 1):
            weight = self._weight(f"generator.style.{layer}.weight")
            bias = self._weight(f"generator.style.{layer}.bias")
            scale = np.float32(ACTIVATION_GAIN * MAPPING_LR / math.sqrt(weight.shape[1]))
            node = self._leaky_relu(self._linear(node, weight * scale, bias * np.float32(ACTIVATION_GAIN * MAPPING_LR)))
        return node

    def _modulation(self, style: Any, key: str) -> Any:
        """w to the scale of every input channel of one convolution, N x C."""
        weight = self._weight(f"{key}.conv.modulation.weight")
        scaled = weight * np.float32(1.0 / math.sqrt(weight.shape[1]))
        return self._linear(style, scaled, self._weight(f"{key}.conv.modulation.bias"))

    def _fixed_style(self, key: str) -> NDArray[np.float32] | None:
        """The style of a convolution that does not depend on w (`Gpen.free_styles`): its modulation has no weights."""
        weight = self._weight(f"{key}.conv.modulation.weight")
        return None if weight.any() else self._weight(f"{key}.conv.modulation.bias")

    def _styled(self, maps: _Maps, style: Any, feature: Any, key: str, size: int, *, upsample: bool = False) -> _Maps:
        """Modulated 3x3 convolution, bias and activation; returns its own map and the injected encoder map."""
        op = self._op
        weight = self._weight(f"{key}.conv.weight")[0]
        weight = weight * np.float32(1.0 / math.sqrt(math.prod(weight.shape[1:])))
        channels = weight.shape[0]
        bias = (self._weight(f"{key}.activate.bias") * np.float32(ACTIVATION_GAIN)).reshape(1, -1, 1, 1)
        fixed = self._fixed_style(key)
        if fixed is not None:
            # Everything is known: modulation and demodulation go into the constants.
            weight = weight * fixed.reshape(1, -1, 1, 1)
            energy = np.square(weight, dtype=np.float64).sum(axis=(1, 2, 3), keepdims=True)
            weight = (weight * (ACTIVATION_GAIN / np.sqrt(energy + EPSILON))).astype(np.float32)
            node = self._main_convolution(maps, weight, key, size, upsample=upsample)
        else:
            scale = self._modulation(style, key)
            demodulation = self._demodulation(scale, weight)
            large = size >= (self.upsampling_style_in_weights_from if upsample else self.style_in_weights_from)
            if large and not self._any_batch:
                node = self._main_convolution(maps, weight, key, size, scale, demodulation, upsample=upsample)
            else:
                node = self._main_convolution(self._scaled(maps, scale), weight, key, size, upsample=upsample)
                node = op.multiply(node, self._per_channel(demodulation))
        own = op.add(node, self._constant(bias[:, :channels]))
        return self._leaky_relu(own), self._injected(feature, key, bias[:, channels:])

    def _injected(self, feature: Any, key: str, bias: NDArray[np.float32]) -> Any:
        """The encoder map as one styled convolution hands it on: times a learned scalar, with bias and activation."""
        strength = self._weight(f"{key}.noise.weight").reshape(1, 1, 1, 1) * np.float32(ACTIVATION_GAIN)
        scaled = self._op.multiply(feature, self._constant(strength))
        return self._leaky_relu(self._op.add(scaled, self._constant(bias)))

    def _main_convolution(
        self,
        maps: _Maps,
        weight: NDArray[np.float32],
        key: str,
        size: int,
        scale: Any = None,
        demodulation: Any = None,
        *,
        upsample: bool,
    ) -> Any:
        """The 3x3 convolution to ``size``; ``scale`` and ``demodulation`` multiply its weights if given."""
        if not upsample:
            return self._summed_convolution(maps, weight, scale, demodulation, pad=1)
        op = self._op
        # Here one convolution over the concatenation was measured to be faster than the sum of two.
        node = maps[0] if len(maps) == 1 else op.concat(list(maps), 1)
        outputs, inputs = weight.shape[:2]
        transposed = self._constant(weight.transpose(1, 0, 2, 3))
        if scale is not None:
            transposed = op.multiply(transposed, self._reshaped(scale, inputs, 1, 1, 1))
            transposed = op.multiply(transposed, self._reshaped(demodulation, 1, outputs, 1, 1))
        return self._enlarged(node, transposed, key, size, outputs)

    def _enlarged(self, node: Any, kernel: Any, key: str, size: int, channels: int) -> Any:
        """The stride-2 transposed convolution of a map with ``kernel`` (inputs x outputs x 3 x 3), and its blur."""
        # CoreML knows no such zeros.
        zeros = int(size <= self.even_up_to and not self._any_batch)
        node = self._op.convolution_backprop_data(
            node, kernel, [2, 2], None, [0, 0], [0, 0], [1, 1], "explicit", [zeros, zeros]
        )
        return self._blur(node, f"{key}.conv.blur.kernel", channels, (1, 1 - zeros))

    def _to_rgb(self, maps: _Maps, style: Any, key: str) -> Any:
        """Modulated 1x1 convolution to three channels, without demodulation, plus a bias."""
        weight = self._weight(f"{key}.conv.weight")[0]
        weight = weight * np.float32(1.0 / math.sqrt(weight.shape[1]))
        fixed = self._fixed_style(key)
        if fixed is not None:
            node = self._summed_convolution(maps, weight * fixed.reshape(1, -1, 1, 1))
        elif self._any_batch:
            node = self._summed_convolution(self._scaled(maps, self._modulation(style, key)), weight)
        else:
            node = self._summed_convolution(maps, weight, self._modulation(style, key))
        return self._op.add(node, self._constant(self._weight(f"{key}.bias")))

    def _scaled(self, maps: _Maps, scale: Any) -> _Maps:
        """Every map times its part of the style (N x the channels of all maps)."""
        parts = self._parts(scale, len(maps))
        return tuple(self._op.multiply(node, self._per_channel(part)) for node, part in zip(maps, parts, strict=True))

    def _summed_convolution(
        self, maps: _Maps, weight: NDArray[np.float32], scale: Any = None, demodulation: Any = None, *, pad: int = 0
    ) -> Any:
        """The convolution of the maps' concatenation, as a sum over the maps: no copy of full-size maps.

        ``scale`` and ``demodulation`` multiply the weights' input and output channels if given.
        """
        op = self._op
        kernels: list[Any] = [self._constant(piece) for piece in np.split(weight, len(maps), axis=1)]
        if scale is not None:
            parts = [self._reshaped(part, 1, -1, 1, 1) for part in self._parts(scale, len(maps))]
            kernels = [op.multiply(kernel, part) for kernel, part in zip(kernels, parts, strict=True)]
        if demodulation is not None:
            kernels = [op.multiply(kernel, self._reshaped(demodulation, -1, 1, 1, 1)) for kernel in kernels]
        total = self._convolution(maps[0], kernels[0], pad=pad)
        for node, kernel in zip(maps[1:], kernels[1:], strict=True):
            total = op.add(total, self._convolution(node, kernel, pad=pad))
        return total

    def _upsampled(self, rgb: Any, key: str) -> Any:
        """Twice the size: zeros between the samples, pad (2, 1), FIR; as one transposed depthwise convolution."""
        kernel = np.broadcast_to(self._weight(key), (3, 1, 1, 4, 4))
        return self._op.group_convolution_backprop_data(
            rgb, self._constant(kernel), [2, 2], None, [1, 1], [1, 1], [1, 1]
        )
