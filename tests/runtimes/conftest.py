from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.checkpoints.formats import Checkpoint, read_checkpoint
from likeness.checkpoints.layout import expected_shapes
from likeness.networks.config import GpenConfig

State = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session")
def random_state() -> Callable[[GpenConfig, int], State]:
    """Weights as at the start of a training run (Karras et al., equalised learning rate), but no bias left at zero."""

    def make(config: GpenConfig, seed: int) -> State:
        rng = np.random.default_rng(seed)
        taps = np.array([1, 3, 3, 1], dtype=np.float32) / 8
        state: State = {}
        for name, shape in expected_shapes(config).items():
            if name.endswith("kernel"):
                state[name] = np.outer(taps, taps) * (1 if name.startswith("ecd") else 4)
            elif name.endswith("bias"):
                centre = 1 if "modulation" in name else 0
                state[name] = (centre + 0.1 * rng.standard_normal(shape)).astype(np.float32)
            elif name.startswith("generator.style"):
                state[name] = 100 * rng.standard_normal(shape, dtype=np.float32)
            else:
                state[name] = rng.standard_normal(shape, dtype=np.float32)
        return state

    return make


@pytest.fixture(scope="session")
def golden(shared: Path) -> tuple[Checkpoint, NDArray[np.float32], NDArray[np.float32]]:
    """A published-structure network with an input and its output, computed by the original implementation."""
    folder = shared / "golden"
    checkpoint = read_checkpoint(folder / "gpen_size64_cm2_narrow0125.pth")
    with np.load(folder / "gpen_size64_cm2_narrow0125.npz") as arrays:
        return checkpoint, arrays["x"], arrays["y"]
