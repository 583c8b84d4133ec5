from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clips import Samples, moving_frames

from likeness.imaging.image import Image
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="session")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, device="cpu", precision="f32")


@pytest.fixture(scope="session")
def moving(astronaut: Image) -> Callable[[int], list[Samples]]:
    """See `moving_frames`."""
    return lambda count: moving_frames(astronaut, count)
