"""Examples for the networks of eyes and mouth: portraits degraded and restored, and cut where those networks look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from likeness.imaging.image import Image
from likeness.imaging.portraits import Portraits
from likeness.models.features.architecture import FACE_SIDE, WINDOWS
from likeness.runtimes.base import Runtime
from likeness.training.data import PairStream
from likeness.training.features import wide

__all__ = ["FeaturesMaker"]

_SEVERE = 8.0
"""How many times as often as in a restorer's training photographs are heavily blurred: the networks are for those."""
_PRE_DEGRADED = 0.5
"""How often photographs are pre-degraded besides, as faces may be in use (`likeness.degradations.pre_degrade`)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FeaturesMaker:
    """Makes examples by number: number, seed and portraits decide everything, so that several processes can share the work.

    Attributes:
        portraits: N x 512 x 512 x 3, FFHQ-aligned; as many examples are made of each (`PairStream`).
        runtime: the restorer whose faces are to be drawn anew, for faces of 512 x 512 from -1 to 1.
        seed: decides what happens to the portraits, and their order.
    """

    portraits: Portraits
    runtime: Runtime
    seed: int = 0

    def example(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """Example ``number`` by each part's name: 3 x H x W x 3 uint8 RGB, as `learn_features` takes it.

        The three are the degraded photograph, the restored face and the original; H x W is the part's window with `MARGIN`
        around it.
        """
        stream = PairStream(
            portraits=self.portraits,
            size=FACE_SIDE,
            seed=self.seed,
            pre_degrade_odds=_PRE_DEGRADED,
            severe=_SEVERE,
        )
        original, shown = stream.pair(number)
        shown = shown.clamp(-1, 1)
        (restored,) = self.runtime.run(shown[None].numpy())
        faces = np.stack([_samples(shown), _samples(restored), _samples(original)])
        boxes = {part: wide(part).box for part in WINDOWS}
        return {part: np.ascontiguousarray(faces[:, rows, columns]) for part, (rows, columns) in boxes.items()}


def _samples(planes: Tensor | NDArray[np.float32]) -> NDArray[np.uint8]:
    """3 x S x S from -1 to 1 as S x S x 3."""
    pixels = (np.asarray(planes, dtype=np.float32).transpose(1, 2, 0) + np.float32(1)) / np.float32(2)
    return Image(pixels=np.ascontiguousarray(np.clip(pixels, 0, 1))).to_uint8()
