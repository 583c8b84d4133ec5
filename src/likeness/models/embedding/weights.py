"""A face embedding's weights as a file."""

from __future__ import annotations

from typing import TypeAlias

from likeness.models.embedding.architecture import EmbeddingConfig
from likeness.models.own_weights import OwnWeights, WeightsFile

__all__ = ["EmbeddingWeights", "packaged_weights", "read_weights", "write_weights"]

EmbeddingWeights: TypeAlias = OwnWeights[EmbeddingConfig]

_FILE = WeightsFile(
    packaged_name="likeness-embed",
    file_format="likeness-embedding",
    what="face embedding",
    configure=EmbeddingConfig.from_shapes,
)
packaged_weights, read_weights, write_weights = _FILE.packaged, _FILE.read, _FILE.write
