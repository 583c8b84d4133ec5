"""What an ESRGAN network looks like, as numbers, and the tensors of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from likeness.messages.notice import Notice
from likeness.models.spec import Spec

__all__ = ["DENSE_BLOCKS", "DENSE_LAYERS", "RESIDUAL", "SLOPE", "EsrganConfig", "expected_shapes", "present_name"]

DENSE_BLOCKS = 3
"""Dense blocks in a residual-in-residual block."""
DENSE_LAYERS = 5
"""Convolutions in a dense block; all but the last are followed by a leaky ReLU."""
RESIDUAL = 0.2
"""What a block adds is times this."""
SLOPE = 0.2
"""Of every leaky ReLU below zero."""

_UPSAMPLED = 4
"""The two upsamplings enlarge so much; for a smaller scale, the input is folded into channels first."""
_MOST_CHANNELS = 1024
_MOST_BLOCKS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class EsrganConfig:
    """Configuration of an RRDB network (Wang et al., "ESRGAN", 2018; scales 2 and 1 as in Wang et al., "Real-ESRGAN", 2021).

    Attributes:
        features: channels between the blocks.
        blocks: residual-in-residual dense blocks.
        growth: channels that each convolution of a dense block adds.
        scale: 1, 2 or 4.
    """

    features: int = 64
    blocks: int = 23
    growth: int = 32
    scale: int = 4

    def __post_init__(self) -> None:
        if not (0 < self.features <= _MOST_CHANNELS and 0 < self.growth <= _MOST_CHANNELS):
            raise ValueError(f"features and growth must be from 1 to {_MOST_CHANNELS}")
        if not 0 < self.blocks <= _MOST_BLOCKS:
            raise ValueError(f"there must be from 1 to {_MOST_BLOCKS} blocks")
        if self.scale not in (1, 2, 4):
            raise ValueError("scale must be 1, 2 or 4")

    @property
    def folding(self) -> int:
        """Squares of so many pixels a side become channels of one pixel before the first convolution."""
        return _UPSAMPLED // self.scale

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        title = Notice("network.esrgan", {"scale": self.scale})
        return Spec.of_enlarger("esrgan", self, title=title, scale=self.scale)

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> EsrganConfig:
        """Read the configuration from a state dict's shapes (today's key names).

        Raises:
            KeyError: if a key that an ESRGAN state dict must have is missing.
            ValueError: if the shapes describe no valid network.
        """
        features, inputs = shapes["conv_first.weight"][:2]
        blocks = 0
        while blocks < _MOST_BLOCKS and f"body.{blocks}.rdb1.conv1.weight" in shapes:
            blocks += 1
        scales = {3 * (_UPSAMPLED // scale) ** 2: scale for scale in (1, 2, 4)}
        if inputs not in scales:
            raise ValueError(f"conv_first takes {inputs} channels, not one of {', '.join(map(str, sorted(scales)))}")
        growth = shapes["body.0.rdb1.conv1.weight"][0]
        return EsrganConfig(features=features, blocks=blocks, growth=growth, scale=scales[inputs])


def expected_shapes(config: EsrganConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor of an ESRGAN network, as in the files of Real-ESRGAN."""
    width, growth = config.features, config.growth
    layers: dict[str, tuple[int, int]] = {"conv_first": (3 * config.folding**2, width)}
    for block in range(config.blocks):
        for dense in range(1, DENSE_BLOCKS + 1):
            for layer in range(1, DENSE_LAYERS + 1):
                outputs = width if layer == DENSE_LAYERS else growth
                layers[f"body.{block}.rdb{dense}.conv{layer}"] = (width + (layer - 1) * growth, outputs)
    layers |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (width, width))
    layers["conv_last"] = (width, 3)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in layers.items():
        shapes[f"{name}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"{name}.bias"] = (outputs,)
    return shapes


_OLDER = (
    # ESRGAN's second naming, of 2019 ...
    (re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\."), r"body.\1.rdb\2."),
    (re.compile(r"trunk_conv\."), "conv_body."),
    (re.compile(r"upconv(\d)\."), r"conv_up\1."),
    (re.compile(r"HRconv\."), "conv_hr."),
    # ... and its first, of 2018, which many networks that people share still have.
    (re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\."), r"body.\1.rdb\2.conv\3."),
    (re.compile(r"model\.0\."), "conv_first."),
    (re.compile(r"model\.1\.sub\.\d+\."), "conv_body."),
    (re.compile(r"model\.3\."), "conv_up1."),
    (re.compile(r"model\.6\."), "conv_up2."),
    (re.compile(r"model\.8\."), "conv_hr."),
    (re.compile(r"model\.10\."), "conv_last."),
)


def present_name(name: str) -> str:
    """Today's name of a tensor that an older file may call otherwise; other names come back as they are."""
    for pattern, present in _OLDER:
        if pattern.match(name):
            return pattern.sub(present, name, count=1)
    return name
