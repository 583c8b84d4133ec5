from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.imaging.image import Image
from likeness.restore.compare import SheetOptions, compare
from likeness.restore.outcome import Restoration
from likeness.restore.pipeline import Restorer

GROUND = 64 / 255


@pytest.fixture(scope="module")
def restoration(tiny_model: Path, astronaut: Image) -> Restoration:
    return Restorer(tiny_model, device="cpu", precision="f32").restore(astronaut)


def test_before_stands_left_and_after_right_at_the_same_place(astronaut: Image, restoration: Restoration) -> None:
    white = replace(restoration, image=astronaut.with_pixels(np.ones_like(astronaut.pixels)), faces=())
    options = SheetOptions(width=256, height=256, gap=10, caption=20)
    sheet = compare(astronaut, white, options).pixels
    assert sheet.shape == (10 + 20 + 256 + 10, 10 + 256 + 10 + 256 + 10, 3)
    assert np.array_equal(sheet[30:286, 10:266], astronaut.pixels)
    assert (sheet[30:286, 276:532] == 1).all()
    assert sheet[30:286, 266:276] == pytest.approx(GROUND)
    # The captions are light text on the ground.
    assert sheet[10:30, 10:266].max() > 0.7


def test_each_face_has_a_pair_of_crops_in_line_with_the_pictures(astronaut: Image, restoration: Restoration) -> None:
    options = SheetOptions(width=256, height=256, face_side=128, gap=10, caption=20)
    sheet = compare(astronaut, restoration, options).pixels
    outcome = restoration.faces[0]
    assert outcome.before is not None
    assert outcome.after is not None
    top = 10 + 20 + 256 + 10 + 20
    assert sheet.shape[0] == top + 128 + 10
    assert sheet[top : top + 128, 10:138] == pytest.approx(outcome.before.pixels, abs=1 / 255)
    assert sheet[top : top + 128, 276:404] == pytest.approx(outcome.after.pixels, abs=1 / 255)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (3, 2), (6, 2), (29, 2)])
def test_many_faces_stay_a_sheet_one_can_look_at(
    astronaut: Image, restoration: Restoration, count: int, rows: int
) -> None:
    faces = tuple(replace(restoration.faces[0], index=number) for number in range(count))
    sheet = compare(astronaut, replace(restoration, faces=faces))
    assert sheet.size.width <= 2 * 1000 + 3 * 12
    assert sheet.size.height <= 900 + rows * (512 + 28 + 12) + 3 * 40


def test_large_pictures_are_reduced_and_small_ones_enlarged(restoration: Restoration) -> None:
    for side, shown in ((3000, 900), (120, 450)):
        picture = Image(pixels=np.full((side, side, 3), 0.5, np.float32))
        sheet = compare(picture, replace(restoration, image=picture, faces=()))
        assert sheet.size.width == 2 * shown + 3 * 12


def test_another_picture_is_refused(astronaut: Image, restoration: Restoration) -> None:
    other = Image(pixels=np.ascontiguousarray(astronaut.pixels[:100]))
    with pytest.raises(ValueError, match="not the same picture"):
        compare(other, restoration)
    with pytest.raises(ValueError, match="every size from 1 px on"):
        SheetOptions(width=0)


def test_an_enlarged_result_stands_beside_its_photograph_at_equal_size(
    astronaut: Image, restoration: Restoration
) -> None:
    large = Image(pixels=np.repeat(np.repeat(astronaut.pixels, 2, axis=0), 2, axis=1))
    enlarged = replace(restoration, image=large, faces=(), upscale=2.0)
    sheet = compare(astronaut, enlarged, SheetOptions(width=512, height=512, gap=10, caption=20)).pixels
    assert sheet.shape == (10 + 20 + 512 + 10, 10 + 512 + 10 + 512 + 10, 3)
    assert np.abs(sheet[30:542, 10:522] - sheet[30:542, 532:1044]).mean() < 6 / 255
    with pytest.raises(ValueError, match="not the same picture"):
        compare(astronaut, replace(enlarged, upscale=1.5))
