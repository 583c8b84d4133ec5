"""What a finder of marks looks like, as numbers. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.models.unet.architecture import UnetConfig

__all__ = ["CLASSES", "PLANES", "MarksConfig", "first_kernel"]

PLANES = 4
"""What the first, fixed convolution makes of a picture (`first_kernel`)."""
CLASSES = ("thin", "missing")
"""What a pixel may be besides sound: part of a scratch, a hair, a speck, a fold or a tear; or of a piece that is gone."""
_DETAIL_REACH = 3
_DETAIL_GAIN = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksConfig(UnetConfig):
    """Configuration of a finder of marks."""

    what = "a finder of marks"
    inputs = PLANES
    outputs = 4 * len(CLASSES)


def first_kernel() -> NDArray[np.float32]:
    """What the first convolution sees of RGB (4 x 3 x 7 x 7): the colours, and how far luma stands out from a 7 px square.

    A scratch under grain is a step of some hundredths of the range; amplified, the network sees it beside edges, too.
    """
    side = 2 * _DETAIL_REACH + 1
    kernel = np.zeros((PLANES, 3, side, side), np.float32)
    for colour in range(3):
        kernel[colour, colour, _DETAIL_REACH, _DETAIL_REACH] = 1
    detail = np.full((side, side), -1 / side**2, np.float32)
    detail[_DETAIL_REACH, _DETAIL_REACH] += 1
    # Rec. 709 weights, as `likeness.imaging.colour.luma`, but plain numbers: a file's meaning must not move.
    for colour, share in enumerate((0.2126, 0.7152, 0.0722)):
        kernel[3, colour] = detail * np.float32(share * _DETAIL_GAIN)
    return kernel
