"""The page on situations says what its data file says, and the data file belongs to the presets that there are."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest

from likeness.evaluation.situations import SITUATIONS
from likeness.imaging.files import read_image
from likeness.restore.controls import PRESETS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def program() -> Iterator[ModuleType]:
    """The module `benchmarks/situations.py`."""
    pytest.importorskip("dlib", reason="evaluation needs the extra evaluate")
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import situations

        yield situations
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_the_page_is_in_step_with_its_figures(program: ModuleType) -> None:
    figures = json.loads(program.DATA.read_text(encoding="utf-8"))
    assert program.PAGE.read_text(encoding="utf-8") == program.page_of(figures)


def test_the_figures_belong_to_the_presets_and_situations(program: ModuleType) -> None:
    figures = json.loads(program.DATA.read_text(encoding="utf-8"))
    assert [found["name"] for found in figures["situations"]] == [situation.name for situation in SITUATIONS]
    for name, values in figures["presets"].items():
        assert values == asdict(PRESETS[name]), f"{name} is another now: run benchmarks/situations.py"
    for found, situation in zip(figures["situations"], SITUATIONS, strict=True):
        assert {"degraded", "standard", situation.preset} <= set(found["rows"])


def test_every_situation_has_its_small_picture(program: ModuleType) -> None:
    shown = re.findall(r"\((images/situations/[\w-]+\.jpg)\)", program.PAGE.read_text(encoding="utf-8"))
    assert len(shown) == len(SITUATIONS)
    for name in shown:
        path = program.PAGE.parent / name
        assert path.stat().st_size < 100_000
        assert read_image(path).size.width >= 4 * 300


def _figures(identity: tuple[float, float], mended: float) -> dict[str, object]:
    """Figures of one preset in the generated face: its identity difference and error, and the eye's mended share."""
    row = dict.fromkeys(("psnr", "identity", "skin", "hair", "eye", "plastic", "change"), 0.5)
    rows = {name: {**row, "mended eye": mended, "mended ear": 0.0} for name in ("degraded", "standard", "ai-portrait")}
    against = {name: [0.0, 0.1] for name in row} | {"identity": list(identity)}
    situation = {"name": "generated face", "pictures": 3, "rows": rows, "against standard": {"ai-portrait": against}}
    presets = {"ai-portrait": {"keep_grain": False}}
    return {"model": "m", "weights": "w", "portraits": 3, "presets": presets, "situations": [situation]}


@pytest.mark.parametrize(
    ("identity", "mended", "said"),
    [
        ((-0.02, 0.005), 0.7, ("closer to the person (by 0.020)", "largely mended")),
        ((0.02, 0.005), 0.2, ("further from the person (by 0.020)", "mended in part")),
        ((0.02, 0.015), 0.0, ("as close to the person", "no preset mends the eye")),
    ],
)
def test_sentences_follow_the_figures(
    program: ModuleType, identity: tuple[float, float], mended: float, said: tuple[str, ...]
) -> None:
    page = " ".join(program.page_of(_figures(identity, mended)).split())
    assert all(sentence in page for sentence in said)
