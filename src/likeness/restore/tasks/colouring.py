"""Colouring: the network gets the face without colours, and of its answer only the colours are taken.

Lightness stays the photograph's, down to its grain: luma Y' is the crop's, the colour differences B' - Y' and R' - Y' are
the answer's (ITU-R BT.709-6, section 3). So GPEN's colouring network is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Pixels
from likeness.restore.arbitration import HeldDetail, nothing_held
from likeness.restore.controls import Controls
from likeness.restore.tasks.task import FaceCrop

__all__ = ["Colouring"]

_Map = NDArray[np.float32]


class Colouring:
    """See `likeness.restore.tasks.task.Task`."""

    adds_colour = True
    only_holes = False

    def to_network(self, _face: FaceCrop, estimate: Pixels, _controls: Controls) -> Pixels:
        """The face in black and white, whatever its colours; it is not pre-degraded, as its detail stays."""
        return to_channels(luma(estimate))

    def taken(self, _face: FaceCrop, answer: Pixels) -> Pixels:
        """All of it."""
        return answer

    def share_drawn(self, _blur: float) -> float:
        """None: only colours are added."""
        return 0.0

    def held_detail(self, crop: Pixels, _answer: Pixels) -> HeldDetail:
        """Nothing of the photograph's colours."""
        return nothing_held(crop.shape[0])

    def target(self, crop: Pixels, answer: Pixels, _held: HeldDetail) -> Pixels:
        """The crop's lightness with the answer's colours; may leave [0, 1] a little."""
        return answer + to_channels(luma(crop) - luma(answer))

    def mask(self, face: FaceCrop, _answer: Pixels) -> _Map:
        """The head; a filled hole gets colours like the rest."""
        return face.face
