"""What a face embedding looks like, as numbers. No torch here: the module that learns is `likeness.training.identity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from likeness.models.own_weights import refuse_other_shapes

__all__ = ["BRANCHES", "OVAL", "STAGES", "EmbeddingConfig", "expected_shapes"]

STAGES = 3
BRANCHES = ("first.0", "first.2", "skip", "second.0", "second.2")
"""The convolutions of a stage."""
OVAL = (0.86, 0.02, 0.98, 8.0)
"""Half width, shift up, half height and steepness of the soft oval that is seen, in halves of the view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingConfig:
    """Configuration of a face embedding.

    Attributes:
        side: of the grey view, px; a multiple of 16.
        width: channels of the first convolution; each of three stages has twice as many as the one before.
        squeeze: channels to which the last stage's are brought before the head, which is most of the file without it.
        numbers: length of the embedding.
    """

    side: int
    width: int
    squeeze: int
    numbers: int

    def __post_init__(self) -> None:
        if self.side < 32 or self.side % 16:
            raise ValueError(f"the view's side must be a multiple of 16 from 32 on, not {self.side}")
        if min(self.width, self.squeeze, self.numbers) < 1:
            raise ValueError("width, squeeze and numbers must be at least 1")

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(shape)) for shape in expected_shapes(self).values())

    @staticmethod
    def from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> EmbeddingConfig:
        """Read the configuration from a state dict's names and shapes.

        Raises:
            ValueError: if they are not a face embedding's.
        """
        try:
            squeeze, numbers = shapes["squeeze.weight"][0], shapes["head.weight"][0]
            places = shapes["head.weight"][1] // squeeze
            config = EmbeddingConfig(
                side=16 * round(places**0.5), width=shapes["stem.weight"][0], squeeze=squeeze, numbers=numbers
            )
        except (KeyError, IndexError, ZeroDivisionError):
            raise ValueError("there are no weights of a face embedding in it") from None
        refuse_other_shapes(expected_shapes(config), shapes, "a face embedding")
        return config


def expected_shapes(config: EmbeddingConfig) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a face embedding's state dict, with every normalisation folded into its convolution."""
    shapes: dict[str, tuple[int, ...]] = {"stem.weight": (config.width, 1, 3, 3), "stem.bias": (config.width,)}
    for stage in range(STAGES):
        fewer, more = config.width << stage, config.width << (stage + 1)
        for branch in BRANCHES:
            inputs = fewer if branch in ("first.0", "skip") else more
            kernel = 1 if branch == "skip" else 3
            shapes[f"stages.{stage}.{branch}.weight"] = (more, inputs, kernel, kernel)
            shapes[f"stages.{stage}.{branch}.bias"] = (more,)
    last, places = config.width << STAGES, (config.side // 16) ** 2
    shapes["squeeze.weight"] = (config.squeeze, last, 1, 1)
    shapes["squeeze.bias"] = (config.squeeze,)
    shapes["head.weight"] = (config.numbers, config.squeeze * places)
    shapes["head.bias"] = (config.numbers,)
    return shapes
