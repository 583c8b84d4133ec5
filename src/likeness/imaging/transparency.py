"""Colours that nobody sees: what a file holds where its picture is fully transparent, black as a rule.

Whatever interpolates looks at neighbours, and would draw such colours into the edge of a cut-out as a dark fringe.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur, to_channels, wide_blur

__all__ = ["without_hidden"]

_REACHES = (1.5, 6.0, 24.0)
"""Sigmas within which a colour is looked for, px, the nearest first: 50 px in all, as far as enlarging networks look."""

_SEEN = 0.02
"""Least share of what is seen within such a reach."""


def without_hidden(pixels: NDArray[np.float32], alpha: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """H x W x 3 with the colours beside it where a picture is fully transparent; what is seen stays to the last bit.

    Farther than about 50 px from all that is seen colours stay, too.

    Args:
        pixels: H x W x 3.
        alpha: H x W in [0, 1]; None for an opaque picture.

    Returns:
        ``pixels`` itself if nothing is hidden, or everything.
    """
    if alpha is None or alpha.min() > 0 or alpha.max() <= 0:
        return pixels
    hidden = alpha <= 0
    result, seen = pixels.copy(), pixels * to_channels(alpha)
    for reach, blur in zip(_REACHES, (gaussian_blur, gaussian_blur, wide_blur), strict=True):
        share = blur(alpha, reach)
        found = hidden & (share > _SEEN)
        result[found] = blur(seen, reach)[found] / share[found][:, None]
        hidden &= ~found
    return result
