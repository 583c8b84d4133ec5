"""What a finder of marks looks like, as numbers. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.models.own_weights import refuse_other_shapes

__all__ = ["CLASSES", "LEVELS", "RASTER", "SLOPE", "MarksConfig", "expected_shapes", "first_kernel", "upward"]

LEVELS = 4
"""Feature maps at a half, a quarter, an eighth and a sixteenth of the picture's side."""
RASTER = 1 << LEVELS
"""Both sides of what the network is given are multiples of this."""
CLASSES = ("thin", "missing")
"""What a pixel may be besides sound: part of a scratch, a hair, a speck, a fold or a tear; or of a piece that is gone."""
SLOPE = 0.1
"""Of every leaky ReLU below zero."""
_DETAIL_REACH = 3
_DETAIL_GAIN = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksConfig:
    """Configuration of a finder of marks.

    Attributes:
        widths: channels at each level, the finest first.
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.widths) != LEVELS or min(self.widths) < 1:
            raise ValueError(f"there are {LEVELS} levels of at least one channel, not {self.widths}")

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(shape)) for shape in expected_shapes(self).values())

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> MarksConfig:
        """Read the configuration from a state dict's names and shapes.

        Raises:
            ValueError: if they are not those of a finder of marks.
        """
        names = [f"down.{level}.enter.weight" for level in range(LEVELS)]
        if any(name not in shapes for name in names):
            raise ValueError("there are no weights of a finder of marks in it")
        config = MarksConfig(widths=tuple(shapes[name][0] for name in names))
        refuse_other_shapes(expected_shapes(config), shapes, "a finder of marks")
        return config


def expected_shapes(config: MarksConfig) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a state dict."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, into: int, out: int, side: int = 3) -> None:
        shapes[f"{name}.weight"] = (out, into, side, side)
        shapes[f"{name}.bias"] = (out,)

    widths = config.widths
    for level, width in enumerate(widths):
        convolution(f"down.{level}.enter", widths[level - 1] if level else 16, width)
        convolution(f"down.{level}.first", width, width)
        convolution(f"down.{level}.second", width, width)
    for level in upward():
        convolution(f"up.{level}.enter", widths[level + 1], 4 * widths[level], 1)
        convolution(f"up.{level}.first", widths[level], widths[level])
        convolution(f"up.{level}.second", widths[level], widths[level])
    convolution("head", widths[0], 4 * len(CLASSES))
    return shapes


def upward() -> range:
    """The levels that what was found below is brought back to, in order."""
    return range(LEVELS - 2, -1, -1)


def first_kernel() -> NDArray[np.float32]:
    """What the first convolution sees of RGB (4 x 3 x 7 x 7): the colours, and how far luma stands out from a 7 px square.

    A scratch under grain is a step of some hundredths of the range; amplified, the network sees it beside edges, too.
    """
    side = 2 * _DETAIL_REACH + 1
    kernel = np.zeros((4, 3, side, side), np.float32)
    for colour in range(3):
        kernel[colour, colour, _DETAIL_REACH, _DETAIL_REACH] = 1
    detail = np.full((side, side), -1 / side**2, np.float32)
    detail[_DETAIL_REACH, _DETAIL_REACH] += 1
    # Rec. 709 weights, as `likeness.imaging.colour.luma`, but plain numbers: a file's meaning must not move.
    for colour, share in enumerate((0.2126, 0.7152, 0.0722)):
        kernel[3, colour] = detail * np.float32(share * _DETAIL_GAIN)
    return kernel
