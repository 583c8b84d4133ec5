"""What the encoder and decoder look like, as numbers. No torch here.

Squares of 2 x 2 pixels are folded into channels first (Shi et al., ESPCN, 2016): what is one pixel wide is kept, at a
quarter of the work. Then a bridge at every level (Ronneberger et al., "U-Net", 2015), added and not laid beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from likeness.models.own_weights import refuse_other_shapes

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LEVELS", "RASTER", "SLOPE", "UnetConfig", "upward"]

LEVELS = 4
"""Feature maps at a half, a quarter, an eighth and a sixteenth of the picture's side."""
RASTER = 1 << LEVELS
"""Both sides of what the network is given are multiples of this."""
SLOPE = 0.1
"""Of every leaky ReLU below zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetConfig:
    """Configuration of a network with such an encoder and decoder; each kind of network is a class of its own.

    Attributes:
        what: what messages call it: "a finder of marks".
        inputs: planes that it is given, before they are folded.
        outputs: channels of its head.
        widths: channels at each level, the finest first.
    """

    what: ClassVar[str]
    inputs: ClassVar[int]
    outputs: ClassVar[int]

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.widths) != LEVELS or min(self.widths) < 1:
            raise ValueError(f"there are {LEVELS} levels of at least one channel, not {self.widths}")

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes().values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of a state dict."""
        shapes: dict[str, tuple[int, ...]] = {}

        def convolution(name: str, into: int, out: int, side: int = 3) -> None:
            shapes[f"{name}.weight"] = (out, into, side, side)
            shapes[f"{name}.bias"] = (out,)

        widths = self.widths
        for level, width in enumerate(widths):
            convolution(f"down.{level}.enter", widths[level - 1] if level else 4 * self.inputs, width)
            convolution(f"down.{level}.first", width, width)
            convolution(f"down.{level}.second", width, width)
        for level in upward():
            convolution(f"up.{level}.enter", widths[level + 1], 4 * widths[level], 1)
            convolution(f"up.{level}.first", widths[level], widths[level])
            convolution(f"up.{level}.second", widths[level], widths[level])
        convolution("head", widths[0], self.outputs)
        return shapes

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> Self:
        """Read the configuration from a state dict's names and shapes.

        Raises:
            ValueError: if they are not those of such a network.
        """
        names = [f"down.{level}.enter.weight" for level in range(LEVELS)]
        if any(name not in shapes for name in names):
            raise ValueError(f"there are no weights of {cls.what} in it")
        config = cls(widths=tuple(shapes[name][0] for name in names))
        refuse_other_shapes(config.shapes(), shapes, cls.what)
        return config


def upward() -> range:
    """The levels that what was found below is brought back to, in order."""
    return range(LEVELS - 2, -1, -1)
