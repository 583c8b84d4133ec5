"""What a GPEN network looks like, as numbers. No torch here: the base install reads checkpoints with this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from likeness.messages.notice import Notice
from likeness.models.features.architecture import FACE_SIDE as FEATURES_SIDE
from likeness.models.spec import Spec

__all__ = [
    "LATENT_CHANNELS",
    "MAPPING_LAYERS",
    "MAPPING_LR",
    "GpenConfig",
]

LATENT_CHANNELS = 512
MAPPING_LAYERS = 8

MAPPING_LR = 0.01
"""Learning-rate multiplier of the mapping network, on weights and biases."""

_LARGEST_SIZE = 16384
_LARGEST_FACTOR = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GpenConfig:
    """Configuration of a GPEN network (Yang et al., GAN Prior Embedded Network, CVPR 2021).

    Attributes:
        size: side of the square input and output in pixels, a power of two of at least 64.
        channel_multiplier: factor ``c`` on the channels at 64 x 64 and above.
        narrow: factor ``n`` on all channels.
        texture: whether a fixed plane of noise is added to the encoder's first map (`Gpen`). Published networks have none.
    """

    size: int
    channel_multiplier: float = 2
    narrow: float = 1.0
    texture: bool = False

    def __post_init__(self) -> None:
        # Also what a file says of itself comes in here: no number may be so large that shapes made of it exhaust anything.
        if not 64 <= self.size <= _LARGEST_SIZE or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 64 to {_LARGEST_SIZE}, not {str(self.size)[:20]}")
        if not (0 < self.channel_multiplier <= _LARGEST_FACTOR and 0 < self.narrow <= _LARGEST_FACTOR):
            raise ValueError(f"channel_multiplier and narrow must be positive, and {_LARGEST_FACTOR} at most")
        if self.channels(self.size) < 1:
            raise ValueError(f"narrow {self.narrow} leaves no channels at {self.size} x {self.size}")

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture="gpen",
            purpose="restore",
            config=self,
            title=Notice("network.gpen", {"size": self.size}),
            size=self.size,
            scale=1,
            value_range=(-1.0, 1.0),
            template="ffhq",
            precision="bf16",
            features=self.texture and self.size == FEATURES_SIDE,
        )

    @property
    def octaves(self) -> int:
        """Number of doublings from 4 x 4 to ``size``."""
        return self.size.bit_length() - 3

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8, ... ``size``."""
        return tuple(4 << octave for octave in range(self.octaves + 1))

    def channels(self, resolution: int) -> int:
        """Channels of the encoder map, and of each styled convolution's own output, at a resolution."""
        if resolution <= 32:
            return int(512 * self.narrow)
        return int(16384 // resolution * self.channel_multiplier * self.narrow)

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> GpenConfig:
        """Read the configuration from a state dict's shapes (published key names).

        Raises:
            KeyError: if a key that a GPEN state dict must have is missing.
            ValueError: if the shapes describe no valid network.
        """
        narrow = shapes["generator.input.input"][1] / 512
        octaves = 0
        while f"ecd{octaves + 1}.0.1.weight" in shapes and 4 << octaves < _LARGEST_SIZE:
            octaves += 1
        size = 4 << octaves
        if size < 64:
            raise KeyError("ecd4.0.1.weight")
        widths = {4 << (octaves - k): shapes[f"ecd{k}.0.{1 if k else 0}.weight"][0] for k in range(octaves + 1)}
        exact = widths[64] / (256 * narrow)
        # Channels are rounded down, so the true factor may lie a little above what a width says.
        for multiplier in (round(exact), exact):
            if multiplier > 0:
                config = GpenConfig(
                    size=size, channel_multiplier=multiplier, narrow=narrow, texture="texture.plane" in shapes
                )
                if all(config.channels(resolution) == width for resolution, width in widths.items()):
                    return config
        raise ValueError(f"encoder widths {widths} are not those of a GPEN network")
