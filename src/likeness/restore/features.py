"""Eyes and mouth drawn anew where the photograph is too blurred to be restored.

Of a heavily blurred face the restoring network draws the mean of all that may be there: one white bar for teeth, pupils
without an edge. Two small networks draw one of the things that may be there instead (`likeness.models.features.path`). That
is a guess, and another photograph's teeth would be another guess; so it is done only where nothing of them is left to keep.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.regions import RegionMasks
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Pixels
from likeness.models.features.architecture import FACE_SIDE, WINDOWS

__all__ = ["share_drawn", "with_features"]

_HELD, _LOST = 4.0, 5.5
"""Sigma of the blur up to which a face's features are restored as they are, and from which they are drawn anew; px of a 512
crop. Below, the restored ones are nearer to the person (docs/controls.md)."""

_SOFT = 20
"""How broad the rim is in which a window passes into the restored face, px."""


def share_drawn(blur: float, amount: float) -> float:
    """How far a face is drawn anew, in [0, 1]: 0 for one that shows its features.

    Args:
        blur: the photograph's, sigma as a share of the crop.
        amount: how far it may go, in [0, 1] (`Controls.features`).
    """
    needed = np.clip((blur * FACE_SIDE - _HELD) / (_LOST - _HELD), 0, 1)
    return float(amount * needed)


def with_features(answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float, amount: float) -> Pixels:
    """The network's answer with eyes and mouth drawn anew; itself where there is no need.

    Args:
        answer, crop: 512 x 512 x 3 in [0, 1], FFHQ-aligned.
        masks: the regions.
        blur: the photograph's, sigma as a share of the crop.
        amount: how far it may go, in [0, 1] (`Controls.features`).

    Raises:
        CheckpointError: if the installation is damaged.
    """
    strength = np.float32(share_drawn(blur, amount))
    if strength == 0:
        return answer
    from likeness.runtimes.features import redrawn  # here, as most faces need none

    grey = not np.ptp(answer, axis=2).any()
    found = answer.copy()
    for part, window in WINDOWS.items():
        change = redrawn(part, answer, crop)
        if grey:
            change = to_channels(change.mean(axis=2))
        weight = strength * _soft(window.height, window.width) * (1 - masks["occluder"][window.box])
        found[window.box] += to_channels(weight) * change
    np.clip(found, 0.0, 1.0, out=found)
    return found


def _soft(height: int, width: int) -> NDArray[np.float32]:
    """H x W, 1 within a window and falling smoothly to 0 at its border."""
    inside = np.ones((height, width), np.uint8)
    distance = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.minimum(distance / np.float32(_SOFT), np.float32(1))
    return np.asarray(share * share * (3 - 2 * share), np.float32)
