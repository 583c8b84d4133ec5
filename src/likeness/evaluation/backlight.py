"""Light from behind: the person dark, the background burnt out, and its light spilling over the edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["light_from_behind"]


def light_from_behind(pixels: Pixels, person: NDArray[np.float32], seed: int) -> Pixels:
    """The same scene against the light: H x W x 3 in [0, 1] to the same.

    The person is 1.5 to 2.3 stops darker, the background 2 stops brighter with a bright sky in it; a lens's flare lays a
    veil over all, most near the edges. Light adds in linear values.

    Args:
        pixels: the scene.
        person: H x W in [0, 1] (`likeness.faces.person.person_mask`).
        seed: decides how much.
    """
    rng = np.random.default_rng((seed, 13))
    unit = max(pixels.shape[:2]) / 512
    shade, sky = np.float32(2.0 ** -rng.uniform(1.5, 2.3)), np.float32(rng.uniform(0.25, 0.6))
    linear = np.power(np.clip(pixels, 0, 1), 2.2)
    matte = person[:, :, None]
    behind = np.clip(linear * 4 + sky, 0, 1.6)
    lit = matte * linear * shade + (1 - matte) * behind
    spilled = (1 - matte) * behind
    veil = np.float32(0.05) * gaussian_blur(spilled, 5 * unit) + np.float32(0.03) * gaussian_blur(spilled, 60 * unit)
    return np.power(np.clip(lit + veil * matte, 0, 1), 1 / 2.2).astype(np.float32)
