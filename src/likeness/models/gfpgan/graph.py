"""The GFPGAN network as an OpenVINO graph, built straight from a state dict: no torch, no spandrel.

An encoder (a U-Net of residual blocks) makes one style for every layer of a StyleGAN2 generator and, for every size, a scale
and a shift for half of the generator's channels (Wang et al., "GFP-GAN", CVPR 2021, sections 3.2 and 3.3). Nothing is
converted, so the graph can have the forms that are quick on a processor:

- Styles multiply maps where these are small, and weights where they are large, as in `likeness.models.gpen.graph`.
- Halving by bilinear interpolation is the mean of two by two. A 1x1 convolution and an enlargement may change places.
- The noise that a file holds is added as a constant: the same face gets the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.models.architecture import State
from likeness.models.gfpgan.config import GfpganConfig
from likeness.models.style_nodes import StyleNodes

if TYPE_CHECKING:
    import openvino

__all__ = ["Graph", "build"]


def build(state: State, config: GfpganConfig, *, any_batch: bool = False) -> openvino.Model:
    """The network as an OpenVINO model: input ``faces`` (1 x 3 x S x S, float32, RGB in [-1, 1]), output ``restored`` alike.

    Args:
        state: the network's weights under their published names, float32.
        config: its numbers; they must agree with the shapes in ``state``.
        any_batch: whether it takes any number of faces; then styles always multiply maps, as weights are the same for all.

    Raises:
        KeyError: if a weight is missing from ``state``.
    """
    return Graph(state, config, any_batch=any_batch).model()


class Graph(StyleNodes[GfpganConfig]):
    """The network's nodes."""

    style_in_weights_from = 128
    """Size from which on a convolution's style multiplies its weights."""

    # Encoder

    def encoder(self, faces: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
        """Faces to the styles of all layers (N x 512 each), and a scale and a shift for every size from 8 on."""
        op, octaves = self._op, len(self._config.sizes) - 1
        node = self._leaky_relu(self._layer(faces, "conv_body_first", pad=0))
        skips: list[Any] = []
        for index in range(octaves):
            node = self._block(node, f"conv_body_down.{index}", enlarge=False)
            skips.insert(0, node)
        node = self._leaky_relu(self._layer(node, "final_conv"))
        flat = op.reshape(node, self._ints(0, -1), True)
        all_styles = self._linear(flat, self._weight("final_linear.weight"), self._weight("final_linear.bias"))
        conditions: list[tuple[Any, Any]] = []
        for index in range(octaves):
            node = self._block(op.add(node, skips[index]), f"conv_body_up.{index}", enlarge=True)
            conditions.append((self._condition(node, "scale", index), self._condition(node, "shift", index)))
        return self._parts(all_styles, 2 * (octaves + 1)), conditions

    def _layer(self, node: Any, key: str, *, pad: int = 1) -> Any:
        bias = self._weight(f"{key}.bias").reshape(1, -1, 1, 1)
        node = self._convolution(node, self._constant(self._weight(f"{key}.weight")), pad=pad)
        return self._op.add(node, self._constant(bias))

    def _block(self, node: Any, key: str, *, enlarge: bool) -> Any:
        """Two convolutions with a change of size between them, and a way round them."""
        own = self._leaky_relu(self._layer(node, f"{key}.conv1"))
        own = self._doubled(own) if enlarge else self._halved(own)
        own = self._leaky_relu(self._layer(own, f"{key}.conv2"))
        across = self._constant(self._weight(f"{key}.skip.weight"))
        skip = (
            self._doubled(self._convolution(node, across)) if enlarge else self._convolution(self._halved(node), across)
        )
        return self._op.add(own, skip)

    def _condition(self, node: Any, kind: str, index: int) -> Any:
        key = f"condition_{kind}.{index}"
        return self._layer(self._leaky_relu(self._layer(node, f"{key}.0")), f"{key}.2")

    def _halved(self, node: Any) -> Any:
        return self._op.avg_pool(node, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor")

    def _doubled(self, node: Any) -> Any:
        """Twice the size, bilinear, with the centres of pixels as their places."""
        twice = self._constant(np.array([2, 2], np.float32))
        return self._op.interpolate(
            node, twice, "linear_onnx", "scales", [0, 0], [0, 0], "half_pixel", "floor", False, -0.75, self._ints(2, 3)
        )

    # Generator

    def generator(self, styles: Sequence[Any], conditions: Sequence[tuple[Any, Any]]) -> Any:
        """Styles, scales and shifts to faces."""
        op = self._op
        node = self._constant(self._weight("stylegan_decoder.constant_input.weight"))
        node = self._styled(node, styles[0], "style_conv1", 0, 4)
        rgb = self._to_rgb(node, styles[1], "to_rgb1", 4)
        for index, size in enumerate(self._config.sizes[1:]):
            first, second = 2 * index, 2 * index + 1
            node = self._styled(node, styles[first + 1], f"style_convs.{first}", first + 1, size, enlarge=True)
            same, changed = self._parts(node, 2)
            scale, shift = conditions[index]
            node = op.concat([same, op.add(op.multiply(changed, scale), shift)], 1)
            node = self._styled(node, styles[first + 2], f"style_convs.{second}", second + 1, size)
            rgb = op.add(self._doubled(rgb), self._to_rgb(node, styles[first + 3], f"to_rgbs.{index}", size))
        return rgb

    def _styled(self, node: Any, style: Any, key: str, noise: int, size: int, *, enlarge: bool = False) -> Any:
        """Modulated 3x3 convolution, noise, bias and activation."""
        key = f"stylegan_decoder.{key}"
        weight = self._weight(f"{key}.modulated_conv.weight")[0]
        scale = self._modulation(style, key)
        demodulation = self._demodulation(scale, weight)
        if size >= self.style_in_weights_from and not self._any_batch:
            kernel = self._op.multiply(self._constant(weight), self._reshaped(scale, 1, -1, 1, 1))
            kernel = self._op.multiply(kernel, self._reshaped(demodulation, -1, 1, 1, 1))
            node = self._convolution(self._doubled(node) if enlarge else node, kernel, pad=1)
        else:
            node = self._op.multiply(node, self._per_channel(scale))
            node = self._convolution(self._doubled(node) if enlarge else node, self._constant(weight), pad=1)
            node = self._op.multiply(node, self._per_channel(demodulation))
        plane: NDArray[np.float32] = self._weight(f"stylegan_decoder.noises.noise{noise}") * self._weight(
            f"{key}.weight"
        )
        node = self._op.add(node, self._constant(plane)) if plane.any() else node
        return self._leaky_relu(self._op.add(node, self._constant(self._weight(f"{key}.bias"))))

    def _to_rgb(self, node: Any, style: Any, key: str, size: int) -> Any:
        """Modulated 1x1 convolution to three channels, without demodulation, plus a bias."""
        key = f"stylegan_decoder.{key}"
        weight = self._weight(f"{key}.modulated_conv.weight")[0]
        scale = self._modulation(style, key)
        if size >= self.style_in_weights_from and not self._any_batch:
            kernel = self._op.multiply(self._constant(weight), self._reshaped(scale, 1, -1, 1, 1))
            node = self._convolution(node, kernel)
        else:
            node = self._convolution(self._op.multiply(node, self._per_channel(scale)), self._constant(weight))
        return self._op.add(node, self._constant(self._weight(f"{key}.bias")))

    def _modulation(self, style: Any, key: str) -> Any:
        """A style to the scale of every input channel of one convolution, N x C."""
        key = f"{key}.modulated_conv.modulation"
        return self._linear(style, self._weight(f"{key}.weight"), self._weight(f"{key}.bias"))
