"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import likeness

SOURCE = Path(likeness.__file__).parent
MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if "\n    >>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_examples_in_docstrings(path: Path) -> None:
    module = import_module(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts))
    done = doctest.testmod(module, extraglobs={"np": np}, optionflags=doctest.ELLIPSIS)
    assert done.attempted > 0
    assert done.failed == 0
