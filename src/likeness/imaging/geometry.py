"""The named types for sizes, points and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Box", "Point", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size must be at least 1 x 1, not {self.width} x {self.height}")

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def times(self, factor: float) -> Size:
        """So many times as wide and high, rounded."""
        return Size(max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def within(self, longest: float) -> Size:
        """The same shape, its longer side ``longest`` px at most; itself if it is no longer."""
        return self.times(min(1.0, longest / max(self.width, self.height)))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Point:
    """A position in pixels; (0, 0) is the centre of the top left pixel."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels: left and top inside, right and bottom outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> Point:
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def intersection(self, other: Box) -> float:
        """Area common to both boxes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, in [0, 1]."""
        common = self.intersection(other)
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0

    def expanded(self, fraction: float) -> Box:
        """The box grown on each side by ``fraction`` of its width and height."""
        dx, dy = self.width * fraction, self.height * fraction
        return Box(self.left - dx, self.top - dy, self.right + dx, self.bottom + dy)

    def clipped(self, size: Size) -> Box:
        """The part of the box inside a picture of ``size``."""
        return Box(
            min(max(self.left, 0.0), size.width),
            min(max(self.top, 0.0), size.height),
            max(min(self.right, float(size.width)), 0.0),
            max(min(self.bottom, float(size.height)), 0.0),
        )

    def rounded(self) -> Box:
        """The box to a tenth of a pixel, for JSON."""
        return Box(round(self.left, 1), round(self.top, 1), round(self.right, 1), round(self.bottom, 1))

    def to_slices(self) -> tuple[slice, slice]:
        """Row and column slices that cover the box, rounded outward."""
        return (
            slice(int(np.floor(self.top)), int(np.ceil(self.bottom))),
            slice(int(np.floor(self.left)), int(np.ceil(self.right))),
        )
