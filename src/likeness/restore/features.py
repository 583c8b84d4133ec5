"""Faces drawn anew where the photograph is too blurred to be restored.

Of a heavily blurred face the restoring network draws the mean of all that may be there: one white bar for teeth, pupils
without an edge. Small networks draw one of the faces that may be there instead (`likeness.models.features.path`). That is a
guess, and another photograph's teeth would be another guess; so it is done only where nothing of them is left to keep.
"""

from __future__ import annotations

import numpy as np

from likeness.faces.regions import RegionMasks
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Pixels
from likeness.models.features.architecture import FACE_SIDE

__all__ = ["share_drawn", "with_features"]

_HELD, _LOST = 4.0, 5.5
"""Sigma of the blur up to which a face's features are kept as they are restored, and from which they are drawn anew; px of a
512 crop. Below, the restored ones are nearer to the person (docs/controls.md)."""


def share_drawn(blur: float, amount: float) -> float:
    """How far a face is drawn anew, in [0, 1]: 0 for one that shows its features.

    Args:
        blur: the photograph's, sigma as a share of the crop.
        amount: how far it may go, in [0, 1] (`Controls.features`).
    """
    needed = np.clip((blur * FACE_SIDE - _HELD) / (_LOST - _HELD), 0, 1)
    return float(amount * needed)


def with_features(answer: Pixels, crop: Pixels, masks: RegionMasks, blur: float, amount: float) -> Pixels:
    """The network's answer drawn anew; itself where there is no need.

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

    change = redrawn(answer, crop)
    if not np.ptp(answer, axis=2).any():
        change = to_channels(change.mean(axis=2))
    return np.clip(answer + to_channels(strength * (1 - masks["occluder"])) * change, 0.0, 1.0)
