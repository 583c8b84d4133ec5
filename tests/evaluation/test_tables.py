from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("dlib", reason="evaluation needs the extra evaluate")

from likeness.errors import ConfigError, ImageReadError, NoFaceError
from likeness.evaluation.judge import Score
from likeness.evaluation.pairs import Failure, Pair, restored_by
from likeness.evaluation.tables import Result, evaluate, identity_ratio, landmarks_ratio
from likeness.imaging.image import Pixels
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer


def untouched(pair: Pair) -> Pixels:
    return pair.degraded


def test_figures_stand_beside_the_inputs_own(portraits: list[tuple[str, Pixels]], tiny_model: Path) -> None:
    # Strength 0 restores nothing, so both columns must agree.
    nothing = restored_by(Restorer(tiny_model, precision="f32"), Controls(strength=0.0))
    clean, moderate = tables = evaluate(nothing, portraits, recipes=["clean", "moderate"])
    assert (clean.recipe, clean.pictures, clean.left_out) == ("clean", 2, ())
    for table in tables:
        assert table.degraded.to_dict() == table.restored.to_dict()
    assert clean.degraded.psnr == 99.0
    assert clean.degraded.identity == 0
    assert clean.degraded.skin == clean.degraded.hair == clean.degraded.eye == pytest.approx(1)
    assert clean.degraded.plastic == 0
    assert np.isnan(identity_ratio(clean.results))
    assert moderate.degraded.psnr < 35
    assert moderate.degraded.identity > 0.02
    assert moderate.degraded.landmarks > 0
    assert moderate.degraded.eye < 0.9
    assert moderate.degraded.piqe > clean.degraded.piqe
    assert identity_ratio(moderate.results) == landmarks_ratio(moderate.results) == 1


def test_any_function_of_a_pair_can_be_judged(portraits: list[tuple[str, Pixels]]) -> None:
    def waxed(pair: Pair) -> Pixels:
        return np.asarray(cv2.GaussianBlur(pair.degraded, (0, 0), 3), np.float32)

    (perfect,) = evaluate(lambda pair: pair.original, portraits[:1], recipes=["mild"])
    assert perfect.restored.psnr == 99
    assert identity_ratio(perfect.results) == 0
    (wax,) = evaluate(waxed, portraits[:1], recipes=["clean"])
    assert wax.restored.plastic > 0.9
    assert wax.restored.skin < 0.3
    with pytest.raises(ConfigError, match="another size"):
        evaluate(lambda pair: pair.degraded[::2, ::2], portraits[:1], recipes=["clean"])


def test_portraits_without_a_face_are_left_out_by_name(portraits: list[tuple[str, Pixels]]) -> None:
    blank = ("blank.png", np.full((512, 512, 3), 0.5, np.float32))
    (table,) = evaluate(untouched, [portraits[0], blank], recipes=["clean"])
    assert (table.pictures, table.left_out) == (1, ("blank.png",))
    with pytest.raises(NoFaceError, match="any original"):
        evaluate(untouched, [blank], recipes=["clean"])


def test_a_picture_that_fails_does_not_cost_the_others(portraits: list[tuple[str, Pixels]]) -> None:
    (first, _), (second, _) = portraits

    def source(pair: Pair) -> Pixels:
        if pair.name == first:
            raise ImageReadError("its file is cut short")
        return pair.original

    done: list[int] = []
    (table,) = evaluate(source, portraits, recipes=["mild"], report=lambda _, count: done.append(count))
    assert table.failures == (Failure(picture=first, reason="its file is cut short"),)
    assert (table.pictures, table.asked, [result.name for result in table.results]) == (1, 2, [second])
    assert table.degraded == table.results[0].degraded
    assert done == [1, 2]
    (none,) = evaluate(source, portraits[:1], recipes=["mild"])
    assert (none.pictures, none.asked) == (0, 1)
    assert np.isnan(none.restored.psnr)


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(ConfigError, match="no portraits"):
        evaluate(untouched, [])
    with pytest.raises(ConfigError, match='unknown recipe "harsh"'):
        evaluate(untouched, [("a.png", np.zeros((64, 64, 3), np.float32))], recipes=["harsh"])


def test_a_lost_face_earns_nothing() -> None:
    names = ("psnr", "ssim", "identity", "found", "skin", "hair", "eye", "plastic", "piqe")
    near = Score(**dict.fromkeys(names, 1.0), landmarks=0.1)
    far, lost = replace(near, landmarks=0.5), replace(near, landmarks=float("nan"), found=0.0)
    results = [
        Result(name="a", degraded=near, restored=far),
        Result(name="b", degraded=far, restored=lost),
    ]
    assert landmarks_ratio(results) == pytest.approx(5)
    assert np.isnan(landmarks_ratio(results[1:]))
    assert Score.mean([near, lost]).landmarks == pytest.approx(0.1)
    assert Score.mean([near, lost]).found == 0.5
