"""What a GFPGAN network looks like, as numbers: the form without CUDA kernels of its own, that of versions 1.3 and 1.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from likeness.messages.notice import Notice
from likeness.models.spec import Spec

__all__ = ["STYLE", "GfpganConfig", "expected_shapes"]

STYLE = 512
"""Length of a style."""

_MAPPING_LAYERS = 8
"""Of the mapping network, whose weights the file holds though the encoder gives every style itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GfpganConfig:
    """Numbers of a GFPGAN network (Wang et al., "GFP-GAN", CVPR 2021); its channel multiplier is 2.

    Attributes:
        size: side of the square input and output in pixels, a power of two from 64 to 1024; published networks have 512.
        narrow: factor on the generator's channels; the encoder has half as many. Published networks have 1.
    """

    size: int = 512
    narrow: float = 1.0

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 1024 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 64 to 1024, not {str(self.size)[:20]}")
        if not 1 / 64 <= self.narrow <= 4:
            raise ValueError(f"narrow must be between 1/64 and 4, not {self.narrow}")

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture="gfpgan",
            purpose="restore",
            config=self,
            title=Notice("network.restorer", {"title": "GFPGAN", "size": self.size}),
            size=self.size,
            scale=1,
            value_range=(-1.0, 1.0),
            template="ffhq",
            precision="bf16",
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """4, 8, ... ``size``."""
        return tuple(4 << octave for octave in range(self.size.bit_length() - 2))

    def channels(self, size: int) -> int:
        """Of the generator's maps at a size."""
        return self._channels(size, self.narrow)

    def encoded(self, size: int) -> int:
        """Channels of the encoder's maps at a size."""
        return self._channels(size, self.narrow / 2)

    @staticmethod
    def _channels(size: int, narrow: float) -> int:
        return int(min(512, 32768 // size) * narrow)

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> GfpganConfig:
        """Read the numbers from a state dict's shapes.

        Raises:
            KeyError: if a tensor that such a state dict must have is missing.
            ValueError: if they describe no valid network.
        """
        shapes["toRGB.0.weight"]  # a KeyError names it
        octaves = sum(1 for name in shapes if name.startswith("conv_body_down.") and name.endswith(".skip.weight"))
        narrow = shapes["stylegan_decoder.constant_input.weight"][1] / 512
        return GfpganConfig(size=4 << min(octaves, 16), narrow=narrow)


def expected_shapes(config: GfpganConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor of such a network, as in the published files."""
    return dict(_shapes(config))


def _shapes(config: GfpganConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    sizes, largest = config.sizes, config.size
    yield from _convolution("conv_body_first", 3, config.encoded(largest), 1)
    for index, size in enumerate(reversed(sizes[:-1])):
        yield from _block(f"conv_body_down.{index}", config.encoded(2 * size), config.encoded(size))
    yield from _convolution("final_conv", config.encoded(4), config.encoded(4), 3)
    for index, size in enumerate(sizes[1:]):
        channels = config.encoded(size)
        yield from _block(f"conv_body_up.{index}", config.encoded(size // 2), channels)
        yield from _convolution(f"toRGB.{index}", channels, 3, 1)
        for kind in ("scale", "shift"):
            yield from _convolution(f"condition_{kind}.{index}.0", channels, channels, 3)
            yield from _convolution(f"condition_{kind}.{index}.2", channels, channels, 3)
    yield from _linear("final_linear", 16 * config.encoded(4), 2 * len(sizes) * STYLE)
    for layer in range(1, 2 * _MAPPING_LAYERS, 2):
        yield from _linear(f"stylegan_decoder.style_mlp.{layer}", STYLE, STYLE)
    yield "stylegan_decoder.constant_input.weight", (1, config.channels(4), 4, 4)
    yield from _styled("stylegan_decoder.style_conv1", config.channels(4), config.channels(4))
    yield from _to_rgb("stylegan_decoder.to_rgb1", config.channels(4))
    yield "stylegan_decoder.noises.noise0", (1, 1, 4, 4)
    for index, size in enumerate(sizes[1:]):
        before, channels = config.channels(size // 2), config.channels(size)
        yield from _styled(f"stylegan_decoder.style_convs.{2 * index}", before, channels)
        yield from _styled(f"stylegan_decoder.style_convs.{2 * index + 1}", channels, channels)
        yield from _to_rgb(f"stylegan_decoder.to_rgbs.{index}", channels)
        yield f"stylegan_decoder.noises.noise{2 * index + 1}", (1, 1, size, size)
        yield f"stylegan_decoder.noises.noise{2 * index + 2}", (1, 1, size, size)


def _convolution(key: str, before: int, after: int, side: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.weight", (after, before, side, side)
    yield f"{key}.bias", (after,)


def _linear(key: str, before: int, after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.weight", (after, before)
    yield f"{key}.bias", (after,)


def _block(key: str, before: int, after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _convolution(f"{key}.conv1", before, before, 3)
    yield from _convolution(f"{key}.conv2", before, after, 3)
    yield f"{key}.skip.weight", (after, before, 1, 1)


def _modulated(key: str, before: int, after: int, side: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.modulated_conv.weight", (1, after, before, side, side)
    yield from _linear(f"{key}.modulated_conv.modulation", STYLE, before)


def _styled(key: str, before: int, after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.weight", (1,)
    yield f"{key}.bias", (1, after, 1, 1)
    yield from _modulated(key, before, after, 3)


def _to_rgb(key: str, before: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{key}.bias", (1, 3, 1, 1)
    yield from _modulated(key, before, 3, 1)
