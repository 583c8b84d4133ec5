from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.degradations.operations import print_halftone
from likeness.degradations.recipe import Degradation
from likeness.imaging.image import Image, Pixels
from likeness.metrics import psnr
from likeness.repair.dot_screen import fade_dot_screen, find_dot_screen
from likeness.repair.repair import repair
from likeness.repair.repairs import Repairs


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """320 x 300: soft shapes, a hard edge and grain, as a photograph has them."""
    rng = np.random.default_rng(3)
    x = cv2.resize(rng.random((8, 8, 3)).astype(np.float32), (300, 320), interpolation=cv2.INTER_CUBIC)
    x[:, 180:] *= np.float32(0.6)
    return np.clip(x + rng.normal(0, 0.01, x.shape), 0, 1).astype(np.float32)


def printed(x: Pixels, period: float) -> Pixels:
    dots = print_halftone(x, period, 0.4, np.random.default_rng(1))
    return np.clip(cv2.GaussianBlur(dots, (0, 0), 0.6), 0, 1)


@pytest.mark.parametrize("period", [3.0, 5.0, 8.0])
def test_dots_are_found_and_taken_away(photograph: Pixels, period: float) -> None:
    x = printed(photograph, period)
    screen = find_dot_screen(x)
    assert screen is not None
    assert screen.period == pytest.approx(period, rel=0.08)
    result = fade_dot_screen(x, screen, 1.0)
    assert psnr(result, photograph) > psnr(x, photograph) + 6
    half = fade_dot_screen(x, screen, 0.5)
    assert psnr(x, photograph) < psnr(half, photograph) < psnr(result, photograph)
    # The hard edge stays nearly as steep as the scan had it: a blur that takes such dots away leaves a third of it.
    scan = cv2.GaussianBlur(photograph, (0, 0), 0.6)
    before, after = (np.abs(np.diff(y.mean(axis=(0, 2))))[170:190].max() for y in (scan, result))
    assert after > 0.7 * before


def test_each_ink_has_a_grid_of_its_own(photograph: Pixels) -> None:
    """Four-colour print: red, green and blue are dotted at other angles."""
    inks = [print_halftone(photograph, 5.0, 0.4, np.random.default_rng(seed))[:, :, seed] for seed in range(3)]
    x = np.ascontiguousarray(np.stack(inks, axis=2))
    screen = find_dot_screen(x)
    assert screen is not None
    assert psnr(fade_dot_screen(x, screen, 1.0), photograph) > psnr(x, photograph) + 6


def test_no_screen_is_seen_in_a_photograph(photograph: Pixels) -> None:
    assert find_dot_screen(photograph) is None
    # Cells of a JPEG picture, every 8 px in both directions, are no print; nor are the lines of a blind.
    assert find_dot_screen(Degradation(jpeg=(10,)).apply(photograph, 0)) is None
    lines = photograph + np.float32(0.2) * np.sin(np.arange(320, dtype=np.float32) * 1.7)[:, None, None]
    assert find_dot_screen(np.clip(lines, 0, 1)) is None
    # Nor is a print that is only a corner of the picture.
    part = photograph.copy()
    part[:90, :90] = printed(photograph, 4.0)[:90, :90]
    assert find_dot_screen(part) is None
    for nothing in (np.full((100, 100, 3), 0.5, np.float32), photograph[:40]):
        assert find_dot_screen(nothing) is None


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 97), (131, 256)])
def test_a_screen_that_keeps_everything_changes_nothing(photograph: Pixels, height: int, width: int) -> None:
    screen = find_dot_screen(printed(photograph, 4.0))
    assert screen is not None
    x = photograph[:height, :width]
    assert np.abs(fade_dot_screen(x, screen, 0.0) - x).max() < 1e-5


def test_a_repair_says_what_it_found(photograph: Pixels) -> None:
    asked = Repairs(screen=1.0)
    assert asked.any
    print_ = repair(Image(pixels=printed(photograph, 4.0)), asked)
    assert print_.to_dict()["screen"] == {"amount": 1.0, "period": pytest.approx(4.0, abs=0.2)}
    image = Image(pixels=photograph)
    plain = repair(image, asked)
    assert plain.image is image
    assert plain.to_dict()["screen"] == {"amount": 1.0, "period": None}
    assert repair(image, Repairs(fringes=1.0)).to_dict()["screen"] is None
