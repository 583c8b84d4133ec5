from __future__ import annotations

import numpy as np
import pytest

from likeness.imaging.filters import gaussian_blur
from likeness.repair.fill import fill_holes, fill_thin, grain_field, membrane, picture_grain


@pytest.fixture(scope="module")
def slope() -> np.ndarray:
    """Brightness that falls off smoothly, 300 x 360 x 3."""
    y, x = np.mgrid[:300, :360].astype(np.float32)
    grey = 0.2 + 0.5 * x / 360 + 0.2 * y / 300
    return np.stack([grey, 0.9 * grey, 0.8 * grey], axis=-1)


def test_what_is_there_stays_and_what_is_missing_follows_its_surroundings(slope: np.ndarray) -> None:
    missing = np.zeros(slope.shape[:2], np.bool_)
    missing[100:180, 120:220] = True
    broken = slope.copy()
    broken[missing] = 0
    filled = fill_holes(broken, missing)
    assert (filled[~missing] == broken[~missing]).all()
    assert np.abs(filled - slope)[missing].mean() < 0.03
    # No seam along the rim.
    assert np.abs(filled[101, 121:219] - filled[99, 121:219]).max() < 0.03


def test_an_edge_runs_on_through_a_thin_gap() -> None:
    picture = np.full((80, 80, 3), 0.2, np.float32)
    picture[:, 40:] = 0.8
    missing = np.zeros((80, 80), np.bool_)
    missing[38:42] = True
    broken = picture.copy()
    broken[missing] = 1
    filled = fill_thin(broken, missing, 3)
    assert (filled[~missing] == broken[~missing]).all()
    assert np.abs(filled - picture)[38:42, :36].max() < 0.02
    assert np.abs(filled - picture)[38:42, 45:].max() < 0.02


@pytest.mark.parametrize("upright", [True, False])
def test_where_a_thin_gap_lies_in_a_large_picture_does_not_matter(upright: bool) -> None:
    """It is filled block by block; one along the edge of a block was filled from one side alone."""
    rng = np.random.default_rng(0)
    pixels = np.clip(0.5 + 4 * gaussian_blur(rng.normal(0, 1, (100, 700, 3)).astype(np.float32), 6), 0, 1)
    missing = np.zeros((100, 700), np.bool_)
    missing[10:90, 505:520] = True
    missing[40:52, 300:700] = True
    whole, part = (slice(None), slice(None)), (slice(None), slice(250, None))
    if not upright:
        pixels, missing, part = pixels.transpose(1, 0, 2), missing.T, part[::-1]
    filled, alone = (fill_thin(np.ascontiguousarray(pixels[w]), missing[w], 3.0) for w in (whole, part))
    assert np.array_equal(filled[part], alone)


def test_a_corner_is_filled_and_nothing_left_is_refused(slope: np.ndarray) -> None:
    missing = np.zeros(slope.shape[:2], np.bool_)
    missing[:60, :60] = True
    assert np.abs(fill_holes(slope * ~missing[:, :, None], missing) - slope)[missing].mean() < 0.06
    assert (fill_holes(slope, np.zeros_like(missing)) == slope).all()
    with pytest.raises(ValueError, match="whole picture"):
        fill_holes(slope, np.ones_like(missing))


def test_a_membrane_is_constant_where_all_known_values_are() -> None:
    missing = np.ones((70, 90), np.bool_)
    missing[:5] = missing[:, :4] = False
    assert membrane(np.full((70, 90, 3), 0.3, np.float32), missing) == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize("grey", [False, True])
def test_new_grain_is_as_strong_as_the_pictures_own(grey: bool) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.04, (256, 256, 1 if grey else 3)).astype(np.float32)
    grain = picture_grain(np.float32(0.5) + np.broadcast_to(noise, (256, 256, 3)))
    assert grain is not None
    field = grain_field(grain, np.full((600, 700, 3), 0.5, np.float32), seed=3, grey=grey)
    assert field.shape == (600, 700, 3)
    assert field.std() == pytest.approx(0.04, rel=0.15)
    assert abs(field.mean()) < 0.002
    assert (np.ptp(field, axis=2).max() < 1e-6) == grey
    # Another seed, another field.
    other = grain_field(grain, np.full((600, 700, 3), 0.5, np.float32), seed=4, grey=grey)
    assert abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) < 0.05


def test_a_tiny_picture_has_no_grain_to_measure() -> None:
    assert picture_grain(np.zeros((40, 200, 3), np.float32)) is None
