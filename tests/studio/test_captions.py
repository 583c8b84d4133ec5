from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from likeness.imaging.image import Image
from likeness.studio.captions import done_line, figures_line, kept_line, untouched

FIGURES: list[dict[str, Any]] = [
    {"name": "identity", "before": None, "after": 0.1254, "verdict": "good"},
    {"name": "face_shape", "before": 0.858, "after": 0.8512, "verdict": "good"},
    {"name": "nose_length", "before": 0.3, "after": 0.31, "verdict": "look"},
    {"name": "nose_width", "before": 0.3, "after": 0.3, "verdict": "good"},
    {"name": "eye_opening", "before": 0.3, "after": 0.3, "verdict": "good"},
    {"name": "eye_distance", "before": 0.3, "after": None, "verdict": "none"},
    {"name": "colour_skin", "before": None, "after": 0.42, "verdict": "good"},
    {"name": "plastic_skin", "before": None, "after": 3.0, "verdict": "good"},
    {"name": "iris", "before": 1.0, "after": None, "verdict": "none"},
]

RECORD: dict[str, Any] = {
    "preset": "natural",
    "controls": {"strength": 0.8, "keep_grain": True},
    "faces": [{"status": "restored"}, {"status": "restored"}, {"status": "skipped"}],
    "repairs": {},
}


def test_what_was_done() -> None:
    assert done_line("en", RECORD, 9) == (
        'Restored with the preset "natural" at 80% strength, 2 faces, film grain kept, whole picture repaired.'
    )
    assert done_line("zh", RECORD, 9) == "采用“自然”预设修复，强度 80%，2 张面孔，保留胶片颗粒，并修补整幅画面。"
    plain = {**RECORD, "controls": {}, "repairs": None, "faces": RECORD["faces"][:1]}
    assert done_line("en", plain, 9) == 'Restored with the preset "natural" at 100% strength, 1 face.'
    assert done_line("en", {**plain, "preset": ""}, 9) == "Restored with settings of its own at 100% strength, 1 face."
    assert done_line("zh", {**plain, "preset": ""}, 9) == "不用预设修复，强度 100%，1 张面孔。"
    assert done_line("en", None, 1) == "Portrait restoration: 1 face."
    assert done_line("zh", None, 3) == "人像修复：3 张面孔。"


def test_what_was_kept_in_plain_words() -> None:
    assert kept_line("en", FIGURES, 0.86) == (
        "79% you; eyes, face shape unchanged; please look at nose; skin tone as it was; 86% of the picture untouched."
    )
    assert kept_line("zh", FIGURES, 0.86) == (
        "与原照片的人相像度 79%；眼睛、面部比例保持原样；请看鼻；肤色保持原样；画面 86% 保持原样。"
    )
    assert kept_line("en", [{"name": "identity", "after": 0.9, "verdict": "bad"}], None) == "0% you."
    assert kept_line("en", [], None) == ""


def test_a_guess_is_called_one_and_no_part_of_it_unchanged() -> None:
    drawn = {"status": "restored", "native_side": 300.0, "drawn_anew": 0.6}
    shown = {"status": "restored", "native_side": 200.0, "drawn_anew": 0.0}
    record = {**RECORD, "repairs": None, "controls": {}, "faces": [shown, drawn]}
    assert done_line("en", record, 2) == (
        'Restored with the preset "natural" at 100% strength, 2 faces, drawn anew where the photograph is too blurred to '
        "show a face: a guess."
    )
    assert (
        done_line("zh", record, 2)
        == "采用“自然”预设修复，强度 100%，2 张面孔，脸上照片看不清的部分为补画，或与原样不同。"
    )
    assert kept_line("en", FIGURES, None, record) == (
        "79% you; please look at eyes, nose, face shape; skin tone as it was."
    )
    # The figures are of the largest face, which a small one says nothing of.
    aside = {**record, "faces": [{**shown, "native_side": 400.0}, drawn]}
    assert kept_line("en", FIGURES, None, aside) == kept_line("en", FIGURES, None)


def test_what_was_kept_in_figures() -> None:
    assert figures_line("en", FIGURES, 0.86) == (
        "Kept: identity 0.13 (0.6 and more: another person), proportions within 3.3%, skin tone ΔE 0.4, 3% of the skin "
        "smoothed, 86% of the picture untouched."
    )
    assert figures_line("zh", FIGURES, 0.86) == (
        "保留情况：身份差异 0.13（0.6 以上为不同的人）；五官比例变化不超过 3.3%；肤色差异 ΔE 0.4；皮肤磨平 3%；"
        "画面 86% 保持原样。"
    )
    assert figures_line("en", [], None) == ""
    assert figures_line("en", FIGURES[:1], None) == "Kept: identity 0.13 (0.6 and more: another person)."


def test_the_untouched_share() -> None:
    before = np.full((10, 10, 3), 0.5, np.float32)
    after = before.copy()
    after[:3] += 0.1
    after[3:5] += 1 / 255
    assert untouched(Image(pixels=before), Image(pixels=after)) == pytest.approx(0.7)
    assert untouched(Image(pixels=before), Image(pixels=after[:5])) is None
