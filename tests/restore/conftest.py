from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from counting import Counting

from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def runtime(tiny_model: Path) -> Counting:
    """Contrast up by a fifth."""
    return Counting(Restorer(tiny_model, precision="f32").runtime, lambda answer: answer * np.float32(1.2))


@pytest.fixture(scope="module")
def restorer(runtime: Counting) -> Restorer:
    return Restorer(runtime=runtime)
