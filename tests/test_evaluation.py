from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dlib", reason="evaluation needs the extra evaluate")

from likeness.errors import ConfigError
from likeness.evaluation import evaluate, make_pairs, sheet
from likeness.imaging.image import Pixels
from likeness.imaging.portraits import Portraits
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def portraits(shared: Path) -> list[tuple[str, Pixels]]:
    found = Portraits.read(shared / "portraits", 512, split="val")
    return [(found.names[i], found.pixels(i)) for i in (0, 150)]


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, precision="f32")


def test_figures_stand_beside_the_inputs_own(portraits: list[tuple[str, Pixels]], restorer: Restorer) -> None:
    # Strength 0 restores nothing, so both columns must agree.
    tables = evaluate(restorer, portraits, recipes=["clean", "moderate"], controls=Controls(strength=0.0))
    clean, moderate = tables
    assert (clean.recipe, clean.pictures) == ("clean", 2)
    for table in tables:
        assert table.degraded.to_dict() == table.restored.to_dict()
    assert clean.degraded.psnr == 99.0
    assert clean.degraded.identity == 0
    assert clean.degraded.skin == pytest.approx(1)
    assert moderate.degraded.psnr < 35
    assert moderate.degraded.identity > 0.02
    assert moderate.degraded.landmarks > 0


def test_pairs_are_the_same_for_everybody(portraits: list[tuple[str, Pixels]]) -> None:
    first, again = (list(make_pairs(portraits, "severe")) for _ in range(2))
    assert all(np.array_equal(a.degraded, b.degraded) for a, b in zip(first, again, strict=True))
    grey = next(make_pairs(portraits, "grey-film"))
    assert np.allclose(
        grey.original[:, :, 0], grey.original[:, :, 2]
    )  # a grey picture is compared with a grey original


def test_sheet_and_errors(portraits: list[tuple[str, Pixels]], restorer: Restorer) -> None:
    picture = sheet(restorer, list(make_pairs(portraits, "mild")))
    assert (picture.size.width, picture.size.height) == (3 * 512, 2 * 512)
    with pytest.raises(ConfigError, match='unknown recipe "harsh"'):
        list(make_pairs(portraits, "harsh"))
    with pytest.raises(ConfigError, match="no portraits"):
        evaluate(restorer, [])
