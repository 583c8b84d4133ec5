from __future__ import annotations

from pathlib import Path

import pytest

from likeness.imaging.image import Pixels
from likeness.imaging.portraits import Portraits


@pytest.fixture(scope="session")
def portraits(shared: Path) -> list[tuple[str, Pixels]]:
    """Two validation portraits at 512, and their names."""
    found = Portraits.read(shared / "portraits", 512, split="val")
    return [(found.names[i], found.pixels(i)) for i in (0, 150)]
