"""What an enlarger looks like, as numbers, and the fixed interpolation it adds to. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.models.own_weights import refuse_other_shapes

__all__ = [
    "BICUBIC_REACH",
    "FINE_REACH",
    "INPUT_CHANNELS",
    "SCALES",
    "SLOPE",
    "EnlargerConfig",
    "bicubic_kernel",
    "expected_shapes",
    "fine_kernel",
]

SCALES = (2, 4)
INPUT_CHANNELS = 6
"""Red, green, blue, and each once more as `fine_kernel` shows it."""
FINE_REACH = 2
"""Pixels on each side of a pixel that `fine_kernel` looks at."""
_FINE_GAIN = 8.0
SLOPE = 0.1
"""Of every leaky ReLU below zero."""
BICUBIC_REACH = 2
"""Pixels on each side of a pixel that the bicubic interpolation looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargerConfig:
    """Configuration of an enlarger.

    Attributes:
        channels: of every feature map.
        blocks: residual blocks of two 3 x 3 convolutions each.
    """

    channels: int
    blocks: int

    def __post_init__(self) -> None:
        if self.channels < 1 or self.blocks < 1:
            raise ValueError(f"channels and blocks must be at least 1, not {self.channels} and {self.blocks}")

    @property
    def reach(self) -> int:
        """Input pixels on each side that an output pixel depends on: what a tile needs around it, and how far a border is
        continued before the network sees it."""
        return FINE_REACH + 2 * self.blocks + 2 + BICUBIC_REACH

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(shape)) for shape in expected_shapes(self).values())

    def operations(self, scale: int) -> int:
        """Multiplications and additions for one pixel of the input, biases and activations left out."""
        entry = (2 * FINE_REACH + 3) ** 2 * 3 * self.channels
        convolutions = entry + 9 * 2 * self.blocks * self.channels**2
        head = 9 * self.channels * 3 * (scale**2 + 1)
        return 2 * (convolutions + head + 3 * scale**2 * (2 * BICUBIC_REACH + 1) ** 2)

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> EnlargerConfig:
        """Read the configuration from a state dict's names and shapes.

        Raises:
            ValueError: if they are not an enlarger's.
        """
        blocks = 0
        while f"blocks.{blocks}.first.weight" in shapes:
            blocks += 1
        if not blocks or "entry.weight" not in shapes:
            raise ValueError("there are no weights of an enlarger in it")
        config = EnlargerConfig(channels=shapes["entry.weight"][0], blocks=blocks)
        refuse_other_shapes(expected_shapes(config), shapes, "an enlarger")
        return config


def expected_shapes(config: EnlargerConfig) -> dict[str, tuple[int, ...]]:
    """The names and shapes of an enlarger's state dict."""
    width = config.channels
    shapes: dict[str, tuple[int, ...]] = {"entry.weight": (width, INPUT_CHANNELS, 3, 3), "entry.bias": (width,)}
    for block in range(config.blocks):
        for layer in ("first", "second"):
            shapes[f"blocks.{block}.{layer}.weight"] = (width, width, 3, 3)
            shapes[f"blocks.{block}.{layer}.bias"] = (width,)
    shapes["noise.weight"] = (3, width, 3, 3)
    shapes["noise.bias"] = (3,)
    for scale in SCALES:
        shapes[f"to_{scale}x.weight"] = (3 * scale**2, width, 3, 3)
        shapes[f"to_{scale}x.bias"] = (3 * scale**2,)
    return shapes


def fine_kernel() -> NDArray[np.float32]:
    """How much a pixel stands out from its surroundings, as a 5 x 5 kernel for one colour: itself less the mean, times 8.

    Noise and JPEG's blocks are steps of a hundredth of the range. Beside an edge a network hardly sees them: it stays linear
    in them, and learns neither to keep nor to remove them (docs/enlarger.md).
    """
    side = 2 * FINE_REACH + 1
    kernel = np.full((side, side), -1 / side**2)
    kernel[FINE_REACH, FINE_REACH] += 1
    return (_FINE_GAIN * kernel).astype(np.float32)


def bicubic_kernel(scale: int) -> NDArray[np.float32]:
    """Bicubic enlargement as a 5 x 5 convolution from 3 to ``3 * scale^2`` channels, to be followed by a pixel shuffle.

    Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -1/2, as Pillow and MATLAB have it;
    pixel centres are at halves. Sample (y, x) of colour c is channel ``(c * scale + y) * scale + x``.
    """
    offsets = np.arange(-BICUBIC_REACH, BICUBIC_REACH + 1)
    phases = (np.arange(scale) + 0.5) / scale - 0.5
    distance = np.abs(offsets[None, :] - phases[:, None])
    a = -0.5
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    taps = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    planes = np.einsum("ai,bj->abij", taps, taps).reshape(scale**2, len(offsets), len(offsets))
    kernel = np.zeros((3, scale**2, 3, len(offsets), len(offsets)))
    for colour in range(3):
        kernel[colour, :, colour] = planes
    return kernel.reshape(3 * scale**2, 3, len(offsets), len(offsets)).astype(np.float32)
