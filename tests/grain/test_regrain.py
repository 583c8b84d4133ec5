from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from likeness.faces.face import Alignment
from likeness.grain.measure import Grain, measure_grain
from likeness.grain.regrain import FaceGrain, measure_face_grain
from likeness.imaging.image import Pixels, Size

SIDE = 384
CROP = 256


def light() -> np.ndarray:
    line = np.linspace(0.25, 0.75, SIDE, dtype=np.float32)[:, None, None]
    return np.repeat(np.repeat(line, SIDE, axis=1), 3, axis=2)


def noise(sigma: float, blur: float, seed: int, channels: int = 1) -> np.ndarray:
    field = np.random.default_rng(seed).standard_normal((SIDE, SIDE, channels)).astype(np.float32)
    if blur:
        field = cv2.GaussianBlur(field, (0, 0), blur).reshape(SIDE, SIDE, channels)
    return np.repeat(field / field.std() * sigma / 255, 3 // channels, axis=2)


def alignment(scale: float = 1.0, turn: float = 0.0) -> Alignment:
    """A crop about the picture's middle."""
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[c, -s], [s, c]])
    shift = np.array([CROP / 2, CROP / 2]) - linear @ np.array([SIDE / 2, SIDE / 2])
    return Alignment(matrix=np.hstack([linear, shift[:, None]]), crop_size=CROP, picture_size=Size(SIDE, SIDE))


def disc() -> np.ndarray:
    down, across = np.mgrid[:CROP, :CROP] - (CROP - 1) / 2
    return np.clip((110 - np.hypot(down, across)) / 20, 0, 1).astype(np.float32)


def prepared(picture: Pixels, *, seed: int = 1, grey: bool = False, at: Alignment | None = None) -> FaceGrain:
    return measure_face_grain(picture, at or alignment(), disc(), seed=seed, grey=grey)


def placed(values: np.ndarray, face: FaceGrain) -> np.ndarray:
    whole = np.zeros((SIDE, SIDE, *values.shape[2:]), np.float32)
    whole[face.box.to_slices()] = values
    return whole


def middle(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x[SIDE // 2 - 72 : SIDE // 2 + 72, SIDE // 2 - 72 : SIDE // 2 + 72])


def rings(grain: Grain) -> np.ndarray:
    own = np.einsum("abcc->ab", grain.spectrum) / 3
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    edges = np.linspace(0.06, 0.5, 7)
    return np.array([own[(radius >= a) & (radius < b)].mean() for a, b in pairwise(edges)])


@pytest.mark.parametrize(("sigma", "blur", "channels"), [(8, 0.7, 1), (8, 0.7, 3), (12, 1.2, 1), (5, 0.0, 3)])
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_face_and_background_cannot_be_told_apart(sigma: float, blur: float, channels: int, left: float) -> None:
    grain = noise(sigma, blur, 3, channels)
    before = light() + grain
    face = prepared(before)
    mask = placed(disc(), face)[:, :, None]
    # A cross-fade to a picture that holds the share ``left`` of the grain.
    after = light() + grain * (1 - mask * (1 - left))
    laid = after + placed(face.lay(after, disc()), face)
    inside, outside = measure_grain(middle(laid)), measure_grain(before)
    for at in (0.42, 0.5, 0.58):
        for c in range(3):
            have, want = (float(g.at(np.float32([at]), c)[0]) ** 2 for g in (inside, outside))
            assert have == pytest.approx(want, rel=0.15)  # 144 x 144 px hold twenty independent blocks: 3% by chance
    assert float(np.mean(inside.sigma**2)) == pytest.approx(float(np.mean(outside.sigma**2)), rel=0.1)
    assert np.abs(rings(inside) - rings(outside)).sum() / rings(outside).sum() < 0.1
    assert inside.correlation == pytest.approx(outside.correlation, abs=0.05)


def test_no_ring_where_the_mask_fades() -> None:
    grain = noise(8, 0.7, 4)
    face = prepared(light() + grain)
    mask = placed(disc(), face)
    after = light() + grain * (1 - mask[:, :, None])
    left = after + placed(face.lay(after, disc()), face) - light()
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95)):
        rim = (mask > low) & (mask < high)
        assert left[rim].std() * 255 == pytest.approx(8, rel=0.1)


def test_nothing_outside_the_share() -> None:
    face = prepared(light() + noise(8, 0.7, 5))
    share = disc()
    share[:, : CROP // 2] = 0
    laid = face.lay(light(), share)
    assert np.abs(laid[share == 0]).max() == 0
    assert laid[share > 0.9].std() * 255 == pytest.approx(8, rel=0.1)


def test_what_was_not_taken_is_not_laid() -> None:
    before = light() + noise(8, 0.7, 6)
    face = prepared(before)
    assert face.lay(before, disc()).std() * 255 < 1.0
    assert not face.lay(light(), np.zeros((CROP, CROP), np.float32)).any()


def test_a_network_s_own_texture_counts_for_the_light_and_not_for_the_colours() -> None:
    grain = noise(8, 0.7, 12, 3)
    weights = np.array([0.2126, 0.7152, 0.0722], np.float32)
    # What the network drew is as strong as the grain's light, other, and without colour.
    drawn = light() + noise(float((grain @ weights).std() * 255), 0.7, 13)
    face = prepared(light() + grain)
    laid = placed(face.lay(drawn, disc()), face)
    assert middle(laid @ weights).std() < 0.35 * middle(grain @ weights).std()
    for channel in (0, 2):
        had, has = (middle(x[:, :, channel] - x @ weights).std() for x in (grain, laid))
        assert has == pytest.approx(had, rel=0.1)


def test_a_face_that_had_no_grain_gets_none() -> None:
    # An engraving: noise in the paper's colours, none in the face.
    before = light() + noise(10, 0.7, 14, 3)
    rows = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) < 130
    before[rows] = (light() + noise(1, 0.7, 15, 3))[rows]
    face = prepared(before)
    assert middle(placed(face.lay(light(), disc()), face)).std() * 255 < 2.0


def test_a_place_that_was_left_alone_gets_none() -> None:
    before = light() + noise(8, 0.7, 7)
    after = light()
    after[:, : SIDE // 2] = before[:, : SIDE // 2]
    laid = prepared(before).lay(after, np.ones((CROP, CROP), np.float32))
    assert laid[40:-40, 20:90].std() < 0.4 * laid[40:-40, -90:-20].std()
    assert laid[40:-40, -90:-20].std() * 255 > 6


def test_the_amount_is_linear() -> None:
    face = prepared(light() + noise(8, 0.7, 8))
    one = face.lay(light(), disc())
    for amount in (0.0, 0.5, 2.0):
        assert np.allclose(face.lay(light(), disc(), amount), one * amount, atol=1e-6)


def test_a_seed_decides_the_grain() -> None:
    before = light() + noise(8, 0.7, 9)
    first = prepared(before).lay(light(), disc())
    assert np.array_equal(first, prepared(before).lay(light(), disc()))
    other = prepared(before, seed=2).lay(light(), disc())
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.05


def test_every_layer_that_is_kept_counts_as_memory() -> None:
    face = prepared(light() + noise(8, 0.7, 9))
    layers = [layer for kept in vars(face).values() if isinstance(kept, tuple) for layer in kept]
    assert len(layers) > 10
    assert face.nbytes == sum(layer.nbytes for layer in layers)


def test_grey_stays_grey() -> None:
    grey = light() + noise(8, 0.7, 10)
    tinted = grey + noise(0.5, 0, 11, 3)
    laid = prepared(tinted, grey=True).lay(light(), disc())
    assert np.array_equal(laid[:, :, 0], laid[:, :, 1])
    assert np.array_equal(laid[:, :, 0], laid[:, :, 2])
    assert laid.std() > 0.01


@pytest.mark.parametrize("level", [0.0, 0.02, 0.98, 1.0])
def test_black_and_white_keep_their_mean(level: float) -> None:
    face = prepared(light() + noise(12, 0.7, 12))
    flat = np.full((SIDE, SIDE, 3), level, np.float32)
    area = flat[face.box.to_slices()]
    after = np.clip(area + face.lay(flat, disc()), 0, 1)
    assert float((after - area).mean()) * 255 == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("scale", "turn"), [(2.0, 0.3), (0.7, 0.1)])
def test_other_scales_keep_the_pictures_own_spectrum(scale: float, turn: float) -> None:
    before = light() + noise(8, 0.7, 13)
    at = alignment(scale, turn)
    face = prepared(before, at=at)
    rows, columns = face.box.to_slices()
    share = np.ones((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    inside = measure_grain(light()[rows, columns] + face.lay(light(), share))
    outside = measure_grain(before)
    assert inside.level == pytest.approx(outside.level, rel=0.1)
    assert np.abs(rings(inside) - rings(outside)).sum() / rings(outside).sum() < 0.12


def test_a_large_face_lacks_coarse_grain_only() -> None:
    """A crop half as fine as the picture took nothing from the picture's finest octave, so none is laid there."""
    before = light() + noise(8, 0.0, 14)
    face = prepared(before, at=alignment(0.5))
    assert face.level == 1
    laid = face.lay(light(), np.ones((SIDE, SIDE), np.float32)[face.box.to_slices()])
    power = np.abs(np.fft.fft2(laid[:, :, 0])) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(power.shape[1]), np.fft.fftfreq(power.shape[0])))
    assert power[radius > 0.35].sum() < 0.1 * power.sum()
    assert laid.std() * 255 > 1.5
