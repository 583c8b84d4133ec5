"""Examples for the networks that draw faces anew: portraits degraded and restored, as those networks see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.image import Image
from likeness.imaging.portraits import Portraits
from likeness.models.features.architecture import FACE_SIDE
from likeness.runtimes.base import Runtime
from likeness.runtimes.features import half_of
from likeness.training.data import PairStream

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

    def example(self, number: int) -> NDArray[np.uint8]:
        """Example ``number`` as `learn_features` takes it: 3 x 256 x 256 x 3 RGB at half size.

        The three are the degraded photograph, the restored face and the original.
        """
        stream = PairStream(
            portraits=self.portraits,
            size=FACE_SIDE,
            seed=self.seed,
            pre_degrade_odds=_PRE_DEGRADED,
            severe=_SEVERE,
        )
        original, shown = stream.pair(number)
        (restored,) = self.runtime.run(shown[None].clamp(-1, 1).numpy())
        return np.stack([_half(planes) for planes in (shown.numpy(), restored, original.numpy())])


def _half(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """3 x S x S from -1 to 1 as S/2 x S/2 x 3."""
    pixels = np.ascontiguousarray(np.clip(planes.transpose(1, 2, 0) / 2 + 0.5, 0, 1), np.float32)
    halved = np.clip(half_of(pixels).transpose(1, 2, 0) / 2 + 0.5, 0, 1)
    return Image(pixels=np.ascontiguousarray(halved)).to_uint8()
