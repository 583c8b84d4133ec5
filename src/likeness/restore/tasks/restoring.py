"""Restoring: the answer is the face as a sharp photograph would show it, and the photograph keeps what it truly holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.degradations import pre_degrade
from likeness.imaging.image import Pixels
from likeness.restore.arbitration import HeldDetail, arbitrate, held_detail
from likeness.restore.controls import Controls
from likeness.restore.features import share_drawn, with_features
from likeness.restore.rims import along_rims
from likeness.restore.strands import along_strands
from likeness.restore.tasks.task import FaceCrop

__all__ = ["Restoring"]

_Map = NDArray[np.float32]


class Restoring:
    """See `likeness.restore.tasks.task.Task`.

    Args:
        features: how far a heavily blurred face is drawn anew, in [0, 1].
    """

    adds_colour = False
    only_holes = False

    def __init__(self, features: float = 0.0) -> None:
        self._features = features

    def to_network(self, _face: FaceCrop, estimate: Pixels, controls: Controls) -> Pixels:
        """The estimate, pre-degraded."""
        return pre_degrade(estimate, controls.degradation_scale)

    def taken(self, face: FaceCrop, answer: Pixels) -> Pixels:
        """The answer, drawn anew where the photograph is too blurred to show the face, with hair in strands, and rims of
        spectacles along the photograph's edges."""
        drawn = with_features(answer, face.pixels, face.masks, face.blur, self._features)
        combed = along_strands(drawn, face.pixels, face.masks, face.blur)
        return along_rims(combed, face.pixels, face.masks, face.blur, face.points)

    def share_drawn(self, blur: float) -> float:
        """More than 0 of a heavily blurred face (`likeness.restore.features`)."""
        return share_drawn(blur, self._features)

    def held_detail(self, crop: Pixels, answer: Pixels) -> HeldDetail:
        """What the photograph holds above its noise."""
        return held_detail(crop, answer)

    def target(self, crop: Pixels, answer: Pixels, held: HeldDetail) -> Pixels:
        """The answer with the photograph's own detail and tone put back."""
        return arbitrate(crop, answer, held)

    def mask(self, face: FaceCrop, _answer: Pixels) -> _Map:
        """The head without holes: what the network draws in those would be invented."""
        if face.hole_with_margin is not None:
            return face.face * (np.float32(1) - face.hole_with_margin)
        return face.face
