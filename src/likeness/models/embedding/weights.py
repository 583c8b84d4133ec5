"""A face embedding's weights as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from likeness.models.embedding.architecture import EmbeddingConfig
from likeness.models.own_weights import OwnWeights, packaged_file, read_own_weights, write_own_weights

__all__ = ["EmbeddingWeights", "packaged_weights", "read_weights", "write_weights"]

EmbeddingWeights: TypeAlias = OwnWeights[EmbeddingConfig]


def packaged_weights() -> EmbeddingWeights:
    """The face embedding in the package, `likeness-embed`.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    return read_weights(packaged_file("likeness-embed"))


def read_weights(path: Path) -> EmbeddingWeights:
    """Read a face embedding's weights; raises as `read_own_weights`."""
    return read_own_weights(path, "face embedding", EmbeddingConfig.from_shapes)


def write_weights(path: Path, weights: EmbeddingWeights) -> None:
    """Write a face embedding's weights in float16; raises as `write_own_weights`."""
    write_own_weights(path, "likeness-embedding", weights)
