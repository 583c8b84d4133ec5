"""GPEN, as the table of architectures has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from likeness.models.architecture import Architecture, State
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.graph import build
from likeness.models.gpen.layout import expected_shapes
from likeness.models.spec import FACE_PURPOSES, Authors

if TYPE_CHECKING:
    import torch

__all__ = ["GPEN", "run_by_its_authors"]


def _detect(names: Collection[str]) -> bool:
    return "generator.input.input" in names


def _module(state: State, config: GpenConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    import torch

    from likeness.models.gpen.inference import InferenceGpen

    tensors = {key: torch.from_numpy(np.array(value, np.float32)) for key, value in state.items()}
    filters = "pooled" if device.type == "cuda" else "depthwise"
    return InferenceGpen(tensors, config, dtype=dtype, filters=filters).eval().to(device)


def run_by_its_authors(size: int) -> Authors:
    """GPEN's demo has its own template, and lays four fifths of the answer on with the selfie network of 2048.

    Args:
        size: side of the faces that the network takes, px.
    """
    return Authors(template="gpen", strength=0.8 if size == 2048 else 1.0)


def _authors(config: GpenConfig) -> Authors:
    return run_by_its_authors(config.size)


GPEN = Architecture(
    name="gpen",
    title="GPEN",
    config=GpenConfig,
    detect=_detect,
    configure=GpenConfig.from_shapes,
    shapes=expected_shapes,
    module=_module,
    graph=build,
    authors=_authors,
    shared_by=FACE_PURPOSES,
)
