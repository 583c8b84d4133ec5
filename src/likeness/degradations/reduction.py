"""Photographs made smaller as programs and cameras make them: what an enlarger has to undo."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

__all__ = ["Reduction", "reduce_samples"]

Reduction = Literal["area", "bicubic", "lanczos"]

_FILTERS = {
    "area": PillowImage.Resampling.BOX,
    "bicubic": PillowImage.Resampling.BICUBIC,
    "lanczos": PillowImage.Resampling.LANCZOS,
}


def reduce_samples(samples: NDArray[np.uint8], scale: int, method: Reduction = "bicubic") -> NDArray[np.uint8]:
    """H x W x 3 uint8 to 1/``scale`` of its size with a filter as wide as that needs ("antialiased"), sides rounded down."""
    height, width = (side // scale for side in samples.shape[:2])
    whole = PillowImage.fromarray(samples[: height * scale, : width * scale])
    return np.asarray(whole.resize((width, height), _FILTERS[method]))
