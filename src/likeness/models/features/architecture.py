"""What the networks that draw faces anew look like, as numbers. No torch here.

An encoder and decoder with bridges (Ronneberger et al., "U-Net", 2015) whose residual blocks are scaled and shifted by where
on the path from noise to picture they are (Perez et al., "FiLM", 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from likeness.models.own_weights import refuse_other_shapes

__all__ = ["CLOCK", "FACE_SIDE", "HALF_SIDE", "PLANES", "WINDOWS", "FeaturesConfig", "Window", "clock"]

FACE_SIDE = 512
"""Side of the aligned face that the windows lie in, px."""
HALF_SIDE = FACE_SIDE // 2
"""Side at which the networks see it, px."""
CLOCK = 16
"""Numbers that tell a network where on the path it is (`clock`)."""
PLANES = 9
"""What a network is given: the state on the path, the restored face and the photograph, three planes each."""
_COLOURS, _THIN, _FINE = 3, 23, 32
_WIDTHS, _DEPTHS = (64, 128, 192, 192), (1, 1, 2, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of the aligned face, px of `FACE_SIDE`; networks see it at half its size."""

    left: int
    top: int
    width: int
    height: int

    @property
    def half(self) -> tuple[slice, slice]:
        """Its rows and columns in the face at half size."""
        top, left = self.top // 2, self.left // 2
        return slice(top, top + self.height // 2), slice(left, left + self.width // 2)


WINDOWS: Mapping[str, Window] = {
    "face": Window(left=0, top=0, width=FACE_SIDE, height=FACE_SIDE),
    "eyes": Window(left=128, top=184, width=256, height=112),
    "mouth": Window(left=176, top=314, width=160, height=112),
}
"""What each network draws: the whole face, the eyes with their brows, and the mouth. All sides are even."""


def clock(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """How networks are told that they are at these shares of the path, N in [0, 1]: N x 16, sines and cosines."""
    angles = shares[:, None] * np.float32(np.pi) * np.exp2(np.arange(-1, CLOCK // 2 - 1, dtype=np.float32))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesConfig:
    """Configuration of the networks, which have one shape.

    Attributes:
        widths: channels at each level, the finest (a quarter of the window's side) first.
        depths: residual blocks at each level, each way.
        memory: numbers that the place on the path is made into.
    """

    widths: tuple[int, ...] = field(default=_WIDTHS)
    depths: tuple[int, ...] = field(default=_DEPTHS)
    memory: int = 64

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or len(self.depths) != len(self.widths) or min(*self.widths, *self.depths) < 1:
            raise ValueError(f"levels need channels and blocks, not {self.widths} and {self.depths}")

    @property
    def parameters(self) -> int:
        """Of all networks together."""
        return sum(int(np.prod(shape)) for shape in self.shapes().values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of the state dicts, each under the name of its window."""
        return {f"{part}.{name}": shape for part in WINDOWS for name, shape in self.part_shapes().items()}

    def part_shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of one network's state dict."""
        shapes: dict[str, tuple[int, ...]] = {}

        def add(name: str, *weight: int) -> None:
            shapes[f"{name}.weight"] = weight
            shapes[f"{name}.bias"] = weight[:1]

        def blocks(name: str, level: int) -> None:
            width = self.widths[level]
            for number in range(self.depths[level]):
                block = f"{name}.{level}.{number}"
                add(f"{block}.first", width, width, 3, 3)
                add(f"{block}.second", width, width, 3, 3)
                add(f"{block}.tune", 2 * width, self.memory)
                shapes[f"{block}.gain"] = (width, 1, 1)

        widths = self.widths
        add("clock.0", self.memory, CLOCK)
        add("clock.1", self.memory, self.memory)
        add("stem", widths[0], 4 * PLANES, 3, 3)
        for level in range(len(widths)):
            if level:
                add(f"down.{level - 1}", widths[level], widths[level - 1], 3, 3)
            blocks("encoder", level)
        for level in range(len(widths) - 1):
            add(f"up.{level}", widths[level], widths[level + 1], 1, 1)
            blocks("decoder", level)
        add("thin", _THIN, widths[0], 1, 1)
        add("fine.0", _FINE, PLANES + _THIN, 3, 3)
        add("fine.1", _FINE, _FINE, 3, 3)
        add("head", _COLOURS, _FINE, 3, 3)
        return shapes

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> FeaturesConfig:
        """Read the configuration from names and shapes.

        Raises:
            ValueError: if they are not those of such networks.
        """
        what = "networks that draw faces anew"
        part = next(iter(WINDOWS))
        widths: list[int] = []
        depths: list[int] = []
        while (gain := f"{part}.encoder.{len(widths)}.0.gain") in shapes:
            depth = 1
            while f"{part}.encoder.{len(widths)}.{depth}.gain" in shapes:
                depth += 1
            widths.append(shapes[gain][0])
            depths.append(depth)
        if len(widths) < 2 or f"{part}.clock.1.bias" not in shapes:
            raise ValueError(f"there are no weights of {what} in it")
        config = cls(widths=tuple(widths), depths=tuple(depths), memory=shapes[f"{part}.clock.1.bias"][0])
        refuse_other_shapes(config.shapes(), shapes, what)
        return config
