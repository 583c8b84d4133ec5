"""Restoring as the network's own authors show it: its answer as it is, laid over the whole head.

Nothing of the photograph is put back, so that this is what a network's demo gives and what other controls are compared with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.degradations import pre_degrade
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels
from likeness.models.spec import Authors
from likeness.restore.arbitration import HeldDetail, nothing_held
from likeness.restore.controls import Controls
from likeness.restore.tasks.task import FaceCrop

__all__ = ["Plain"]

_BORDER = 26 / 512
"""Share of the crop's side that is left out along its border, as GPEN's demo does."""

_SOFT = 4 / 512
"""Sigma of the blur that softens the mask, twice, as a share of the crop's side; GPEN's demo too."""


class Plain:
    """See `likeness.restore.tasks.task.Task`.

    Args:
        authors: how the network's authors run it.
    """

    adds_colour = False
    only_holes = False

    def __init__(self, authors: Authors) -> None:
        self._strength = np.float32(authors.strength)

    def to_network(self, _face: FaceCrop, estimate: Pixels, controls: Controls) -> Pixels:
        """The estimate; pre-degraded if that is asked for, which the preset does not."""
        return pre_degrade(estimate, controls.degradation_scale)

    def taken(self, _face: FaceCrop, answer: Pixels) -> Pixels:
        """All of it."""
        return answer

    def share_drawn(self, _blur: float) -> float:
        """None: the answer is the network's own."""
        return 0.0

    def held_detail(self, crop: Pixels, _answer: Pixels) -> HeldDetail:
        """Nothing."""
        return nothing_held(crop.shape[0])

    def target(self, crop: Pixels, answer: Pixels, _held: HeldDetail) -> Pixels:
        """The answer; or, where the authors lay less of it on, the mixture."""
        if self._strength == 1:
            return answer
        return crop + self._strength * (answer - crop)

    def mask(self, face: FaceCrop, _answer: Pixels) -> NDArray[np.float32]:
        """The head with hair, ears and neck, without the crop's border, softened twice; holes stay out."""
        if face.aligned:
            mask = face.face
        else:
            side = face.valid.shape[0]
            mask = np.float32(1) - face.masks["other"] - face.masks["occluder"]
            border = int(np.ceil(_BORDER * side))
            mask[:border], mask[-border:], mask[:, :border], mask[:, -border:] = 0, 0, 0, 0
            for _ in range(2):
                mask = gaussian_blur(mask, _SOFT * side)
            mask = mask * face.valid
        if face.hole_with_margin is not None:
            mask = mask * (np.float32(1) - face.hole_with_margin)
        return mask
