from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.grain.measure import Grain, measure_grain

SIDE = 256


def ramp() -> np.ndarray:
    line = np.linspace(0.2, 0.8, SIDE, dtype=np.float32)[None, :, None]
    return np.repeat(np.repeat(line, SIDE, axis=0), 3, axis=2)


def shapes(seed: int = 0) -> np.ndarray:
    """A clean picture with flat parts, soft slopes and edges, as portraits have them."""
    field = cv2.GaussianBlur(
        np.random.default_rng(seed).standard_normal((SIDE, SIDE, 3)).astype(np.float32), (0, 0), 24
    )
    x = 0.5 + 0.12 * field / field.std()
    cv2.circle(x, (90, 120), 40, (0.8, 0.7, 0.6), -1, cv2.LINE_AA)
    return np.clip(cv2.GaussianBlur(x, (0, 0), 1.0), 0.05, 0.95)


def noise(sigma: float, blur: float, seed: int, channels: int = 1) -> np.ndarray:
    field = np.random.default_rng(seed).standard_normal((SIDE, SIDE, channels)).astype(np.float32)
    if blur:
        field = cv2.GaussianBlur(field, (0, 0), blur).reshape(SIDE, SIDE, channels)
    return np.repeat(field / field.std() * sigma / 255, 3 // channels, axis=2)


def jpeg(x: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    PillowImage.fromarray((np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)).save(stream, "JPEG", quality=quality)
    return np.asarray(PillowImage.open(stream)).astype(np.float32) / 255


def dots(x: np.ndarray, period: float, strength: float = 0.4) -> np.ndarray:
    """A printed screen at about 37 degrees, its dots as large as the picture is dark."""
    down, across = np.mgrid[:SIDE, :SIDE]
    u, v = (across * 0.8 + down * 0.6) / period, (-across * 0.6 + down * 0.8) / period
    wave = (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v)) / 4
    screen = 1 / (1 + np.exp(-6 * ((x.mean(axis=2) - 0.5) * 2 + wave)))
    return (x * (1 - strength) + strength * screen[:, :, None]).astype(np.float32)


def power(grain: Grain) -> np.ndarray:
    """8 mean powers, from coarse to fine."""
    own = np.einsum("abcc->ab", grain.spectrum) / 3
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    edges = np.linspace(0.06, 0.5, 9)
    return np.array([own[(radius >= a) & (radius < b)].mean() for a, b in pairwise(edges)])


def test_a_plain_wall_beside_a_face_has_no_grain() -> None:
    """The running sums of its blocks come to a little less than nothing, which no block was then as quiet as."""
    picture = np.full((512, 512, 3), np.float32(128 / 255))
    picture[:200, :200] += noise(8.0, 0.0, 1)[:200, :200]
    assert measure_grain(picture).sigma.max() < 8.0 / 255
    picture[:, 256:] = np.float32(130 / 255)
    assert np.isfinite(measure_grain(picture).sigma).all()


@pytest.mark.parametrize("sigma", [3.0, 8.0, 16.0])
@pytest.mark.parametrize("blur", [0.0, 0.7, 1.2])
def test_measures_the_deviation(sigma: float, blur: float) -> None:
    assert measure_grain(ramp() + noise(sigma, blur, 0)).level == pytest.approx(sigma, rel=0.08)


def test_measures_the_deviation_at_each_brightness() -> None:
    light = ramp()
    strength = 2 + 20 * light * (1 - light)
    grain = measure_grain(light + noise(1, 0.7, 1) * strength)
    for at in (0.25, 0.4, 0.6, 0.75):
        wanted = 2 + 20 * at * (1 - at)
        assert grain.at(np.float32([at]), 0)[0] * 255 == pytest.approx(wanted, rel=0.08)


@pytest.mark.parametrize("blur", [0.0, 0.6, 1.0])
def test_measures_the_spectrum(blur: float) -> None:
    grain = measure_grain(shapes() + noise(8, blur, 2))
    point = np.zeros((32, 32))
    point[16, 16] = 1
    true = np.abs(np.fft.fft2(cv2.GaussianBlur(point, (0, 0), blur) if blur else point)) ** 2
    wanted = power(replace(grain, spectrum=(true / true.mean())[:, :, None, None] * np.ones((3, 3))))
    measured = power(grain)
    assert np.abs(measured - wanted).sum() / wanted.sum() < 0.1


@pytest.mark.parametrize(("channels", "wanted"), [(1, 1.0), (3, 0.0)])
def test_measures_the_correlation_of_the_channels(channels: int, wanted: float) -> None:
    assert measure_grain(shapes() + noise(8, 0.6, 3, channels)).correlation == pytest.approx(wanted, abs=0.05)


def test_a_clean_picture_has_no_grain() -> None:
    assert measure_grain(ramp()).level == 0
    assert not measure_grain(ramp()).spectrum.any()
    assert measure_grain(shapes()).level < 0.5


@pytest.mark.parametrize("quality", [20, 40, 60, 80])
@pytest.mark.parametrize("cut", [0, 3])
def test_jpeg_cells_are_no_grain(quality: int, cut: int) -> None:
    coded = np.ascontiguousarray(jpeg(shapes(), quality)[cut:, cut:])
    assert np.std(coded - shapes()[cut:, cut:]) * 255 > 0.5
    assert measure_grain(coded).level < 0.8


@pytest.mark.parametrize("quality", [60, 90])
def test_grain_in_a_jpeg_is_measured(quality: int) -> None:
    grain = measure_grain(jpeg(shapes() + noise(8, 0.7, 4), quality))
    assert grain.level == pytest.approx(8, rel=0.1)
    assert grain.left_out < 0.1


@pytest.mark.parametrize("period", [3.3, 5.0, 8.0])
def test_printed_dots_are_no_grain(period: float) -> None:
    printed = dots(shapes(), period)
    screen = float(np.std(printed - shapes()) * 255)
    assert screen > 10
    grain = measure_grain(printed)
    assert grain.left_out > 0.9
    assert grain.level < 0.2 * screen


@pytest.mark.parametrize("period", [3.3, 5.0, 8.0])
def test_grain_over_printed_dots_is_measured(period: float) -> None:
    assert measure_grain(dots(shapes(), period) + noise(8, 0.7, 5)).level == pytest.approx(8, rel=0.4)


def test_the_background_is_the_first_witness() -> None:
    left = (np.mgrid[:SIDE, :SIDE][1] < SIDE // 2).astype(np.float32)
    flat = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    both = flat + noise(12, 0.7, 6) * left[:, :, None] + noise(6, 0.7, 7) * (1 - left[:, :, None])
    grain = measure_grain(both, left)
    assert grain.witness == "background"
    assert grain.level == pytest.approx(6, rel=0.08)
    # A brightness that only the face has is measured there.
    lighter = both + 0.3 * left[:, :, None]
    grain = measure_grain(lighter, left)
    assert grain.witness == "both"
    assert grain.at(np.float32([0.8]), 1)[0] * 255 == pytest.approx(12, rel=0.08)
    assert measure_grain(both, np.ones_like(left)).witness == "face"


def test_tiny_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64 x 64 pixels, not 80 x 40"):
        measure_grain(np.zeros((40, 80, 3), np.float32))
