"""What the pipeline asks of a task: what the network is given, what its answer means, and where it may change the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.image import Pixels
from likeness.restore.arbitration import HeldDetail
from likeness.restore.controls import Controls

__all__ = ["FaceCrop", "Task"]

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceCrop:
    """An aligned face, as a task gets it.

    Attributes:
        pixels: S x S x 3 in [0, 1].
        points: 478 x 2, the mesh in pixels of the crop.
        masks: the regions.
        valid: S x S, 1 where the crop holds pixels of the image and 0 where it was mirrored.
        face: S x S in [0, 1], the face with a soft rim; 1 everywhere in an aligned crop.
        aligned: whether the image is this crop, and nothing else.
        blur: the photograph's, sigma as a share of the crop (`EffectiveResolution.blur`).
        hole: S x S in [0, 1], 1 where the image held nothing and was filled from its surroundings; None if nowhere.
        hole_with_margin: the same, falling softly to 0 outside.
    """

    pixels: Pixels
    points: _Map
    masks: RegionMasks
    valid: _Map
    face: _Map
    aligned: bool
    blur: float = 0.0
    hole: _Map | None = None
    hole_with_margin: _Map | None = None


class Task(Protocol):
    """One of these for each purpose of a network; `likeness.restore.tasks.registry` is their table."""

    @property
    def adds_colour(self) -> bool:
        """Whether a black-and-white photograph is to get colours; else it stays black and white."""
        ...

    @property
    def only_holes(self) -> bool:
        """Whether nothing may change outside of holes; a face without any is left alone."""
        ...

    def to_network(self, face: FaceCrop, estimate: Pixels, controls: Controls, /) -> Pixels:
        """What the network is given: S x S x 3 in [0, 1].

        Args:
            face: the face.
            estimate: S x S x 3 in [0, 1], where the current window starts from; the face's pixels in the first.
            controls: how the face is restored.
        """
        ...

    def taken(self, face: FaceCrop, answer: Pixels, /) -> Pixels:
        """What counts as the network's answer from here on: S x S x 3 in [0, 1]."""
        ...

    def share_drawn(self, blur: float, /) -> float:
        """How far the answer shows what the photograph is too blurred to show, drawn anew as a guess: in [0, 1].

        Args:
            blur: the photograph's (`FaceCrop.blur`).
        """
        ...

    def held_detail(self, crop: Pixels, answer: Pixels, /) -> HeldDetail:
        """How much of the photograph's own detail stays beside the answer; both S x S x 3 in [0, 1]."""
        ...

    def target(self, crop: Pixels, answer: Pixels, held: HeldDetail, /) -> Pixels:
        """What the answer means: S x S x 3, where relaxation leads from the crop.

        On an enlarged image (`likeness.restore.placing`) crop and answer are both finer than the network's.
        """
        ...

    def mask(self, face: FaceCrop, answer: Pixels, /) -> _Map:
        """Where the image may change: S x S in [0, 1], 0 toward the border of a crop that is not aligned."""
        ...
