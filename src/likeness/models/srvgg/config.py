"""What a compact network looks like, as numbers, and the tensors of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from likeness.messages.notice import Notice
from likeness.models.spec import Spec

__all__ = ["SrvggConfig", "expected_shapes"]

_LARGEST_SCALE = 8
_MOST_CHANNELS = 1024
_MOST_CONVOLUTIONS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SrvggConfig:
    """Configuration of a compact network, a plain row of convolutions (as VGG: Simonyan and Zisserman, 2014).

    Attributes:
        features: channels between the convolutions.
        convolutions: how many stand between the first and the last.
        scale: 1 to 8.
    """

    features: int = 64
    convolutions: int = 32
    scale: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.features <= _MOST_CHANNELS:
            raise ValueError(f"features must be from 1 to {_MOST_CHANNELS}")
        if not 0 <= self.convolutions <= _MOST_CONVOLUTIONS:
            raise ValueError(f"there must be from 0 to {_MOST_CONVOLUTIONS} convolutions")
        if not 0 < self.scale <= _LARGEST_SCALE:
            raise ValueError(f"scale must be from 1 to {_LARGEST_SCALE}")

    @property
    def last(self) -> int:
        """Place of the last convolution in the row, where activations count, too."""
        return 2 * (self.convolutions + 1)

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        title = Notice("network.srvgg", {"scale": self.scale})
        return Spec.of_enlarger("srvgg", self, title=title, scale=self.scale)

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> SrvggConfig:
        """Read the configuration from a state dict's shapes.

        Raises:
            KeyError: if a key that a compact network's state dict must have is missing.
            ValueError: if the shapes describe no valid network.
        """
        features = shapes["body.0.weight"][0]
        convolutions = 0
        while convolutions <= _MOST_CONVOLUTIONS and f"body.{2 * convolutions + 3}.weight" in shapes:
            convolutions += 1
        outputs = shapes[f"body.{2 * convolutions + 2}.weight"][0]
        scale = isqrt(outputs // 3)
        if outputs != 3 * scale**2:
            raise ValueError(f"its last convolution makes {outputs} channels, which are no square of pixels")
        return SrvggConfig(features=features, convolutions=convolutions, scale=scale)


def expected_shapes(config: SrvggConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor of a compact network, as in the files of Real-ESRGAN."""
    shapes: dict[str, tuple[int, ...]] = {}
    for place in range(0, config.last + 1, 2):
        inputs = 3 if place == 0 else config.features
        outputs = 3 * config.scale**2 if place == config.last else config.features
        shapes[f"body.{place}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"body.{place}.bias"] = (outputs,)
        if place < config.last:
            shapes[f"body.{place + 1}.weight"] = (config.features,)
    return shapes
