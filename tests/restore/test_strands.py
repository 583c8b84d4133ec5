"""Hair that a network drew as sand runs the way the photograph's hair does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.regions import REGIONS, RegionMasks
from likeness.imaging.directions import coherence, structure_tensor
from likeness.imaging.filters import gaussian_blur, to_channels
from likeness.imaging.image import Pixels
from likeness.restore.strands import along_strands

SIDE, BLUR = 512, 5.0 / 512
INNER = (slice(60, 200), slice(160, 350))
Map = NDArray[np.float32]


def _masks(hair: Map) -> RegionMasks:
    masks = {region: np.zeros_like(hair) for region in REGIONS}
    return RegionMasks(masks=masks | {"hair": hair, "other": 1 - hair}, side=SIDE, seen=True)


def _noise(seed: int, sigma: float) -> Map:
    drawn = np.random.default_rng(seed).standard_normal((SIDE, SIDE), dtype=np.float32)
    soft = gaussian_blur(drawn, sigma)
    return soft / soft.std()


@pytest.fixture
def hair() -> Map:
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[40:220, 140:370] = 1
    return mask


@pytest.fixture
def locks() -> Pixels:
    """Soft locks that run from top to bottom, as a blurred photograph shows them."""
    across = np.arange(SIDE, dtype=np.float32)
    light = np.tile(0.35 + 0.08 * np.sin(across / 4), (SIDE, 1)).astype(np.float32)
    return to_channels(light) * np.array([1.0, 0.8, 0.6], np.float32)


@pytest.fixture
def sand(locks: Pixels) -> Pixels:
    return np.clip(locks + to_channels(0.03 * _noise(1, 0.8)), 0, 1)


def _detail(pixels: Pixels) -> Map:
    light = pixels.mean(axis=2)
    return light - gaussian_blur(light, 1.5)


def _along(pixels: Pixels) -> float:
    """1 where all detail runs down the picture, -1 where it runs across."""
    xx, _, yy = (part[INNER].mean() for part in structure_tensor(_detail(pixels), 0.5, 4.0))
    return float((xx - yy) / (xx + yy))


def test_sand_becomes_strands_along_the_hair(hair: Map, locks: Pixels, sand: Pixels) -> None:
    found = along_strands(sand, locks, _masks(hair), BLUR)
    assert _along(sand) < 0.2
    assert _along(found) > 0.6
    kept = _detail(found)[INNER].std() / _detail(sand)[INNER].std()
    assert 0.85 < kept < 1.15
    # What is coarser than strands is the network's, light for light.
    coarse = gaussian_blur(found, 6.0) - gaussian_blur(sand, 6.0)
    assert np.abs(coarse[INNER]).max() < 0.01


def test_what_is_no_hair_stays(hair: Map, locks: Pixels, sand: Pixels) -> None:
    found = along_strands(sand, locks, _masks(hair), BLUR)
    beside = gaussian_blur(hair, 1.5) < 0.5
    assert np.array_equal(found[beside], sand[beside])


def test_strands_of_its_own_stay(hair: Map, locks: Pixels) -> None:
    down = np.tile(np.arange(SIDE, dtype=np.float32)[:, None], (1, SIDE))
    own = np.clip(locks + to_channels(0.08 * np.sin(down * 1.2)), 0, 1).astype(np.float32)
    found = along_strands(own, locks, _masks(hair), BLUR)
    assert coherence(structure_tensor(own.mean(axis=2), 0.8, 4.0))[INNER].mean() > 0.75
    assert np.abs(found - own)[INNER].mean() < 0.1 * np.abs(_detail(own))[INNER].mean()


def test_hair_of_a_sharp_photograph_is_left(hair: Map, locks: Pixels, sand: Pixels) -> None:
    assert along_strands(sand, locks, _masks(hair), 0.9 / SIDE) is sand


def test_nothing_changes_without_hair(hair: Map, locks: Pixels, sand: Pixels) -> None:
    assert along_strands(sand, locks, _masks(np.zeros_like(hair)), BLUR) is sand


@pytest.mark.parametrize("side", [256, 1024])
def test_crops_of_other_sizes(side: int) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.random((side, side, 3), dtype=np.float32)
    hair = np.zeros((256, 256), np.float32)
    hair[:80] = 1
    masks = {region: np.zeros_like(hair) for region in REGIONS} | {"hair": hair, "other": 1 - hair}
    found = along_strands(pixels, gaussian_blur(pixels, 4.0), RegionMasks(masks=masks, side=side, seen=True), BLUR)
    assert found.shape == pixels.shape
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert not np.array_equal(found, pixels)
