"""One real face, restored from a blurred and noisy form, and the same face as a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from likeness.faces.face import Landmarks
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels
from likeness.reference.photographs import Reference

__all__ = ["SIDE", "Sitting"]

SIDE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Sitting:
    """An aligned crop, its mesh in the crop, and the same face made ready as a reference."""

    crop: Pixels
    landmarks: Landmarks
    reference: Reference

    @property
    def blurred(self) -> Pixels:
        """As a poor photograph shows it: sigma 4 of 256, noise of 5 levels."""
        noise = np.random.default_rng(2).standard_normal(self.crop.shape, dtype=np.float32)
        return np.clip(gaussian_blur(self.crop, 4) + noise * np.float32(5 / 255), 0, 1)

    @property
    def guessed(self) -> Pixels:
        """As a network that dares little restores that."""
        return gaussian_blur(self.crop, 1.5)

    def with_reference(self, **changes: object) -> Reference:
        return replace(self.reference, **changes)  # pyright: ignore[reportArgumentType]
