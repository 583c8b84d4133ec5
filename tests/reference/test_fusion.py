from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.errors import ControlError
from likeness.faces.regions import region_masks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Pixels, Size
from likeness.metrics import psnr
from likeness.reference.expression import Expression
from likeness.reference.fusion import WarpedReference, best_of, fuse, photograph_blur, warp_reference
from likeness.reference.irises import iris_colours, skin_colour
from likeness.reference.photographs import Reference

_WHOLE = np.ones((SIDE, SIDE), np.float32)


def _warped(sitting: Sitting, reference: Reference | None = None, crop: Pixels | None = None) -> WarpedReference:
    return warp_reference(
        reference or sitting.reference,
        crop=sitting.blurred if crop is None else crop,
        target=sitting.guessed if crop is None else crop,
        landmarks=sitting.landmarks,
    )


def _expression(sitting: Sitting, **changes: object) -> Expression:
    return replace(sitting.reference.expression, **changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("sigma", [0.5, 2.0, 4.0])
def test_the_photographs_blur_is_found_under_noise(sitting: Sitting, sigma: float) -> None:
    sharp = luma(sitting.crop)
    noise = np.random.default_rng(0).standard_normal(sharp.shape, dtype=np.float32) * np.float32(12 / 255)
    assert photograph_blur(gaussian_blur(sharp, sigma) + noise, sharp, _WHOLE) == pytest.approx(sigma, rel=0.25)


def test_the_same_face_brings_its_detail_back(sitting: Sitting) -> None:
    warped = _warped(sitting)
    assert 2.5 < warped.sigma < 5.5
    fused = fuse(sitting.guessed, warped)
    inside = np.s_[70:210, 70:186]
    assert psnr(fused[inside], sitting.crop[inside]) > psnr(sitting.guessed[inside], sitting.crop[inside]) + 4
    gifts = {gift.region: gift for gift in warped.gifts(region_masks(sitting.landmarks.points, SIDE))}
    assert gifts["eye"].name == "astronaut.jpg"
    assert gifts["eye"].share > 0.9


def test_nobody_gets_spectacles_that_he_does_not_wear(sitting: Sitting) -> None:
    """On blurred faces rims are seen faintly all around the eyes."""
    warped, masks = _warped(sitting), region_masks(sitting.landmarks.points, SIDE)
    around_the_eyes = masks["eye"] + masks["brow"]
    for share, told in ((0.3, False), (0.9, True)):
        rims = np.where(around_the_eyes > 0.5, np.float32(share), np.float32(0))
        seen = replace(masks, masks={**masks.masks, "glasses": rims})
        assert ("glasses" in {gift.region for gift in warped.gifts(seen)}) is told


def test_a_soft_answer_does_not_hide_how_poor_the_photograph_is(sitting: Sitting) -> None:
    """Blurred by 4 px, and the network made it hardly sharper: what is finer is the reference's all the same."""
    photograph, answer = gaussian_blur(sitting.crop, 4), gaussian_blur(sitting.crop, 3.8)
    warped = warp_reference(sitting.reference, crop=photograph, target=answer, landmarks=sitting.landmarks)
    assert warped.sigma >= 4
    inside = np.s_[70:210, 70:186]
    assert psnr(fuse(answer, warped)[inside], sitting.crop[inside]) > psnr(answer[inside], sitting.crop[inside]) + 4


def test_a_lost_photograph_contradicts_less(sitting: Sitting) -> None:
    """The same difference, in what the poorer photograph shows hardly at all."""
    shares = []
    for sigma in (1.5, 4.0):
        photograph = gaussian_blur(sitting.crop, sigma)
        other = sitting.with_reference(light=np.clip(0.5 + 0.4 * (sitting.reference.light - 0.5), 0, 1))
        warped = warp_reference(other, crop=photograph, target=sitting.crop, landmarks=sitting.landmarks)
        shares.append(float(warped.shares[70:210, 70:186].mean()))
    assert shares[0] + 0.1 < shares[1], shares


def test_strength_is_a_straight_line_and_nothing_is_nothing(sitting: Sitting) -> None:
    warped, target = _warped(sitting), sitting.guessed
    assert fuse(target, warped, 0.0) is target
    half = fuse(target, warped, 0.5) - target
    np.testing.assert_allclose(2 * half, fuse(target, warped) - target, atol=1e-6)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ControlError, match="reference_strength"):
            fuse(target, warped, wrong)


def test_a_larger_target_gets_the_same_detail(sitting: Sitting) -> None:
    """As on an enlarged picture."""
    warped, twice = _warped(sitting), Size(2 * SIDE, 2 * SIDE)
    larger = resize(sitting.guessed, twice, "cubic")
    change = resize((fuse(larger, warped) - larger), Size(SIDE, SIDE), "area")[:, :, 0]
    assert np.corrcoef(change.ravel(), warped.detail[:, :, 0].ravel())[0, 1] > 0.99


def test_light_and_colour_stay_the_photographs(sitting: Sitting) -> None:
    """A reference at dusk, half as bright and with a shadow over one half of the face, moves no tone."""
    shadow = np.linspace(0.3, 0.9, SIDE, dtype=np.float32)
    dusk = sitting.with_reference(light=sitting.reference.light * shadow)
    change = fuse(sitting.guessed, _warped(sitting, dusk)) - sitting.guessed
    assert np.ptp(change, axis=2).max() < 1e-6
    assert np.abs(gaussian_blur(change[:, :, 0], 12)[60:200, 60:196]).max() < 0.02


def test_a_good_photograph_is_left_alone(sitting: Sitting) -> None:
    warped = _warped(sitting, crop=sitting.crop)
    assert warped.sigma < 0.35
    assert not warped.detail.any()
    assert (warped.source == -1).all()
    assert warped.gifts(region_masks(sitting.landmarks.points, SIDE)) == ()


def test_closed_eyes_serve_none(sitting: Sitting) -> None:
    masks = region_masks(sitting.landmarks.points, SIDE)
    blink = sitting.with_reference(expression=_expression(sitting, eyes=(0.05, 0.05)))
    open_, closed = (masks.means(_warped(sitting, reference).shares) for reference in (sitting.reference, blink))
    assert open_["eye"] > 0.9
    assert closed["eye"] < 0.35
    assert closed["nose"] > 0.9


def test_an_open_mouth_serves_no_closed_one(sitting: Sitting) -> None:
    masks = region_masks(sitting.landmarks.points, SIDE)
    laughing = sitting.with_reference(expression=_expression(sitting, mouth=sitting.reference.expression.mouth + 0.2))
    given = masks.means(_warped(sitting, laughing).shares)
    assert given["lip"] < 0.1
    assert given["eye"] > 0.9


def test_a_face_turned_away_gives_nothing(sitting: Sitting) -> None:
    away = sitting.with_reference(expression=_expression(sitting, yaw=sitting.reference.expression.yaw + 45))
    assert not _warped(sitting, away).detail.any()


def test_what_the_photograph_contradicts_is_not_given(sitting: Sitting) -> None:
    """A dark patch on one cheek of the reference only, as large as the photograph could show: a bandage, a beard."""
    light = sitting.reference.light.copy()
    x, y = np.round(sitting.landmarks.points[205]).astype(int)
    light[y - 22 : y + 22, x - 22 : x + 22] = 0.05
    shares = _warped(sitting, sitting.with_reference(light=light)).shares
    plain = _warped(sitting).shares
    assert plain[y - 20 : y + 20, x - 20 : x + 20].min() > 0.9
    assert shares[y - 22 : y + 22, x - 22 : x + 22].mean() < 0.6


def test_beyond_the_references_border_nothing_is_given(sitting: Sitting) -> None:
    valid = np.ones((SIDE, SIDE), np.float32)
    valid[:, : SIDE // 2] = 0
    shares = _warped(sitting, sitting.with_reference(valid=valid)).shares
    assert shares[100:160, 80:110].max() < 0.02
    assert shares[100:160, 150:180].min() > 0.9


def test_a_soft_reference_gives_only_what_it_has(sitting: Sitting) -> None:
    """As soft as the photograph itself: it must not take the network's detail away."""
    soft = sitting.with_reference(light=gaussian_blur(sitting.reference.light, 4))
    fused = fuse(sitting.guessed, _warped(sitting, soft))
    inside = np.s_[70:210, 70:186]
    assert psnr(fused[inside], sitting.crop[inside]) > psnr(sitting.guessed[inside], sitting.crop[inside]) - 0.3


def test_of_several_the_best_in_each_region(sitting: Sitting) -> None:
    masks = region_masks(sitting.landmarks.points, SIDE)
    blink = sitting.with_reference(name="blink", expression=_expression(sitting, eyes=(0.05, 0.05)))
    laughing = sitting.with_reference(
        name="laugh", expression=_expression(sitting, mouth=sitting.reference.expression.mouth + 0.2)
    )
    both = best_of([_warped(sitting, blink), _warped(sitting, laughing)], masks)
    gifts = {(gift.region, gift.name): gift.share for gift in both.gifts(masks)}
    assert both.names == ("blink", "laugh")
    assert gifts["eye", "laugh"] > 0.7
    assert gifts["lip", "blink"] > 0.7
    with pytest.raises(ValueError, match="at least one"):
        best_of([], masks)


def test_sizes_that_do_not_fit(sitting: Sitting) -> None:
    with pytest.raises(ValueError, match="one size"):
        warp_reference(
            sitting.reference,
            crop=np.zeros((512, 512, 3), np.float32),
            target=np.zeros((512, 512, 3), np.float32),
            landmarks=sitting.landmarks,
        )


def test_noise_of_a_reference_is_not_carried_over(sitting: Sitting) -> None:
    """A photograph at high ISO: its detail comes, and smooth skin stays as smooth as the restored face has it."""
    noise = np.random.default_rng(1).standard_normal((SIDE, SIDE), dtype=np.float32) * np.float32(12 / 255)
    noisy = sitting.with_reference(light=np.clip(sitting.reference.light + noise, 0, 1))
    fused = luma(fuse(sitting.guessed, _warped(sitting, noisy)))
    clean = luma(fuse(sitting.guessed, _warped(sitting)))
    points = sitting.landmarks.points
    rough = {}
    for name, place in (("cheek", 50), ("other cheek", 280), ("forehead", 151)):
        x, y = np.round(points[place]).astype(int)
        around = np.s_[y - 8 : y + 8, x - 8 : x + 8]
        rough[name] = float((fused - clean - gaussian_blur(fused - clean, 4))[around].std()) * 255
    assert max(rough.values()) < 6, rough
    inside = np.s_[70:210, 70:186]
    ours, plain = (psnr(x[inside], luma(sitting.crop)[inside]) for x in (fused, luma(sitting.guessed)))
    assert ours > plain + 1.5


def _brown(pixels: Pixels, sitting: Sitting) -> Pixels:
    """The same face with stained irises."""
    stained = pixels.copy()
    for middle in (468, 473):
        x, y = np.round(sitting.landmarks.points[middle]).astype(int)
        stained[y - 6 : y + 7, x - 6 : x + 7] += np.array([0.12, 0.0, -0.12], np.float32)
    return stained


def _iris_colour(pixels: Pixels, sitting: Sitting) -> float:
    """Red less blue in the ring of both irises."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    seen = np.zeros((SIDE, SIDE), np.bool_)
    for middle in (468, 473):
        x, y = sitting.landmarks.points[middle]
        away = np.hypot(columns - x, rows - y)
        seen |= (away > 2) & (away < 4)
    return float((pixels[seen][:, 0] - pixels[seen][:, 2]).mean())


def test_a_lost_photograph_gets_the_colour_of_the_irises(large_sitting: Sitting) -> None:
    sitting = large_sitting
    assert sitting.reference.irises is not None
    photograph, answer = (gaussian_blur(_brown(sitting.crop, sitting), sigma) for sigma in (5, 1.0))
    warped = warp_reference(sitting.reference, crop=photograph, target=answer, landmarks=sitting.landmarks)
    fused = fuse(answer, warped)
    true = _iris_colour(sitting.crop, sitting)
    assert _iris_colour(answer, sitting) > true + 0.08
    assert abs(_iris_colour(fused, sitting) - true) < 0.04
    change = fused - answer
    for region in (np.s_[170:250], np.s_[0:80]):
        assert np.ptp(change[region], axis=2).max() < 1e-6


def test_colour_of_the_irises_in_another_light(large_sitting: Sitting) -> None:
    """A reference under a lamp of another colour says the same."""
    lamp = np.array([1.0, 0.85, 0.65], np.float32)
    points, crop = large_sitting.reference.points, large_sitting.crop
    day, evening = iris_colours(crop, points), iris_colours(crop * lamp, points)
    assert day is not None
    assert evening is not None
    for one, other in zip(day.eyes, evening.eyes, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one, other, rtol=0.02)


def test_a_print_without_colours_tells_none_of_the_irises(sitting: Sitting) -> None:
    sepia = to_channels(luma(sitting.crop)) * np.array([1.0, 0.88, 0.7], np.float32)
    for plain in (to_channels(luma(sitting.crop)), sepia):
        assert iris_colours(plain, sitting.reference.points) is None
        assert skin_colour(plain, sitting.landmarks.points) is None


def test_folds_of_a_laugh_around_the_eyes_stay_out(sitting: Sitting) -> None:
    laughing = sitting.with_reference(expression=_expression(sitting, smile=sitting.reference.expression.smile + 0.2))
    plain, given = _warped(sitting).shares, _warped(sitting, laughing).shares
    for place in (118, 347, 35, 265):
        x, y = np.round(sitting.landmarks.points[place]).astype(int)
        assert given[y, x] < 0.65 * plain[y, x]
    masks = region_masks(sitting.landmarks.points, SIDE)
    assert masks.means(given)["nose"] > 0.8
    x, y = np.round(sitting.landmarks.points[468]).astype(int)
    assert given[y, x] > 0.9 * plain[y, x]


def test_an_iris_that_the_photograph_shows_keeps_its_colour(large_sitting: Sitting) -> None:
    """Whatever the reference says: lenses may be worn."""
    sitting = large_sitting
    other = _brown(sitting.crop, sitting)
    photograph = gaussian_blur(other, 1.2)
    warped = warp_reference(sitting.reference, crop=photograph, target=other, landmarks=sitting.landmarks)
    assert warped.shares[100:150, 80:180].max() > 0.4
    assert abs(_iris_colour(fuse(other, warped), sitting) - _iris_colour(other, sitting)) < 0.03
