"""Weights for networks that are only timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.network import Gpen

__all__ = ["State", "random_state"]

State = Mapping[str, NDArray[np.float32]]


def random_state(config: GpenConfig) -> State:
    """Weights as at the start of training, but no bias and no scalar left at its round value: zeros fold away, which
    trained weights do not, and flatter both speed and dB."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    state = {key: value.numpy() for key, value in Gpen(config).state_dict().items()}
    for key, value in state.items():
        if key.endswith(("bias", "noise.weight")):
            state[key] = (value + 0.1 * rng.standard_normal(value.shape)).astype(np.float32)
    return state
