"""Inpainting: the network gets the face with its holes marked, and its answer is taken inside of them alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import to_channels
from likeness.imaging.image import Pixels
from likeness.restore.arbitration import HeldDetail, nothing_held
from likeness.restore.controls import Controls
from likeness.restore.tasks.task import FaceCrop

__all__ = ["Inpainting"]

_BORDER = 0.05
"""Share of the crop's side over which the answer fades out toward its border, where another picture begins."""

_Map = NDArray[np.float32]


class Inpainting:
    """See `likeness.restore.tasks.task.Task`."""

    adds_colour = False
    only_holes = True

    def to_network(self, face: FaceCrop, _estimate: Pixels, _controls: Controls) -> Pixels:
        """The face as it is, its holes white: so GPEN's inpainting network was trained to see them."""
        if face.hole is None:
            return face.pixels
        return face.pixels + to_channels(face.hole) * (np.float32(1) - face.pixels)

    def taken(self, _face: FaceCrop, answer: Pixels) -> Pixels:
        """All of it."""
        return answer

    def share_drawn(self, _blur: float) -> float:
        """None: holes are told by themselves (`FaceOutcome.filled`)."""
        return 0.0

    def held_detail(self, crop: Pixels, _answer: Pixels) -> HeldDetail:
        """Nothing of what a hole was filled with."""
        return nothing_held(crop.shape[0])

    def target(self, _crop: Pixels, answer: Pixels, _held: HeldDetail) -> Pixels:
        """The answer."""
        return answer

    def mask(self, face: FaceCrop, _answer: Pixels) -> _Map:
        """The holes with a margin; outside of the very hole the image is kept as it is when the face is laid back."""
        if face.hole_with_margin is None:
            return np.zeros_like(face.valid)
        mask = face.hole_with_margin * face.valid
        if face.aligned:
            return mask
        side = mask.shape[0]
        distance = np.minimum(np.arange(side), np.arange(side)[::-1]).astype(np.float32)
        fade = np.minimum(distance / np.float32(_BORDER * side), np.float32(1))
        return mask * np.minimum(fade[:, None], fade[None, :])
