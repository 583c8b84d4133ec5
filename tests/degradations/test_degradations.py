from __future__ import annotations

import hashlib
import math
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.degradations import RECIPES, TRAINING, Degradation, Recipe, pre_degrade


@pytest.fixture
def picture() -> NDArray[np.float32]:
    down, across = np.mgrid[0:128, 0:128] / 128
    x = np.stack([0.5 + 0.3 * np.sin(20 * across), 0.3 + 0.4 * down, 0.5 + 0.3 * np.cos(31 * down * across)], axis=-1)
    return x.astype(np.float32)


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_and_a_seed_decide_the_result(name: str, picture: NDArray[np.float32]) -> None:
    recipe = RECIPES[name]
    first, again, other = (recipe.degrade(picture, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert first.shape == picture.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    if name == "clean":
        assert np.array_equal(first, picture)
    else:
        assert not np.array_equal(first, other)


def test_the_picture_is_not_modified(picture: NDArray[np.float32]) -> None:
    before = picture.copy()
    for _, recipe in TRAINING:
        recipe.degrade(picture, 1)
    assert np.array_equal(before, picture)


def test_worse_recipes_are_worse(picture: NDArray[np.float32]) -> None:
    def error(name: str) -> float:
        return float(np.mean([np.square(RECIPES[name].degrade(picture, s) - picture).mean() for s in range(8)]))

    assert 0 < error("mild") < error("moderate") < error("severe")


def test_keep_small_gives_the_small_picture(picture: NDArray[np.float32]) -> None:
    assert Degradation(down=4.0).apply(picture, 0, keep_small=True).shape == (32, 32, 3)


def test_noise_has_the_stated_deviation() -> None:
    grey = np.full((256, 256, 3), 0.5, np.float32)
    white = Degradation(noise=10.0).apply(grey, 0) - grey
    soft = Degradation(noise=10.0, noise_grain=1.5).apply(grey, 0) - grey
    assert white.std() * 255 == pytest.approx(10, rel=0.02)
    assert soft.std() * 255 == pytest.approx(10, rel=0.02)
    shared = Degradation(noise=10.0, noise_colour=0.0).apply(grey, 0)
    assert np.array_equal(shared[:, :, 0], shared[:, :, 2])


def test_blur_is_measured_in_pixels_of_a_512_crop() -> None:
    edge = np.zeros((512, 512, 3), np.float32)
    edge[:, 256:] = 1
    blurred = Degradation(blur=(4.0, 4.0)).apply(edge, 0)[256, :, 0]
    half = Degradation(blur=(4.0, 4.0)).apply(np.ascontiguousarray(edge[::2, ::2]), 0)[128, :, 0]
    # The derivative of a blurred edge is the Gaussian itself.
    for line, sigma in ((blurred, 4.0), (half, 2.0)):
        spread = np.diff(line.astype(np.float64))
        place = np.arange(len(spread))
        mean = (spread * place).sum() / spread.sum()
        assert np.sqrt((spread * (place - mean) ** 2).sum() / spread.sum()) == pytest.approx(sigma, rel=0.05)


def test_tone_holds_no_loss_of_detail() -> None:
    drawn = RECIPES["film-scan"].draw(1)
    tone = drawn.tone()
    assert tone.yellow == drawn.yellow
    assert (tone.blur, tone.grain, tone.scratches, tone.jpeg) == ((0.0, 0.0), 0.0, 0, ())


def test_grey_pictures_stay_grey(picture: NDArray[np.float32]) -> None:
    degraded = RECIPES["grey-film"].degrade(picture, 5)
    # JPEG's chroma rounding may differ by a level.
    assert np.abs(degraded[:, :, 0] - degraded[:, :, 2]).max() < 0.02


def test_pre_degradation_grows_with_its_scale(picture: NDArray[np.float32]) -> None:
    assert pre_degrade(picture, 0.0) is picture
    errors = [np.square(pre_degrade(picture, s) - picture).mean() for s in (0.3, 0.6, 0.9, 1.2)]
    assert errors == sorted(errors)


def test_pre_degradation_does_not_jump(picture: NDArray[np.float32]) -> None:
    """A quality is a whole number to JPEG; between two there is a mixture."""
    steps = [
        np.sqrt(np.square(pre_degrade(picture, s + 0.005) - pre_degrade(picture, s)).mean())
        for s in np.arange(0.3, 1.19, 0.02)
    ]
    assert max(steps) < 3 * np.median(steps)


@pytest.mark.parametrize("wrong", [{"grey_p": 1.5}, {"blur": (3.0, 1.0)}, {"noise": (-1.0, 2.0)}])
def test_recipes_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="recipe odd"):
        Recipe(name="odd", **wrong)  # type: ignore[arg-type]


def test_a_halftone_prints_dots_of_its_period_and_keeps_the_tone() -> None:
    grey = np.full((256, 256, 3), 0.4, np.float32)
    printed = Degradation(halftone=8.0, halftone_strength=0.8).apply(grey, 3)
    assert printed.mean() == pytest.approx(0.4, abs=0.06)
    spectrum = np.abs(np.fft.fft2(printed[:, :, 0] - printed[:, :, 0].mean()))
    down, across = (int(v) for v in np.unravel_index(spectrum.argmax(), spectrum.shape))
    frequency = math.hypot(*(min(v, 256 - v) / 256 for v in (down, across)))
    # At half the reference side the period is 4 px.
    assert 1 / frequency == pytest.approx(4.0, rel=0.05)


def test_light_that_falls_off_belongs_to_the_tone(picture: NDArray[np.float32]) -> None:
    drawn = Degradation(uneven=0.6, noise=5.0)
    lit = drawn.tone().apply(picture, 4)
    assert not np.allclose(lit, picture, atol=0.02)
    # The same fall of light with the noise on top: nothing but the noise is left to undo.
    assert (drawn.apply(picture, 4) - lit).std() * 255 == pytest.approx(5.0, rel=0.1)


def test_training_covers_what_users_bring() -> None:
    drawn = [recipe.draw(seed) for _, recipe in TRAINING for seed in range(200)]
    for name in (
        "motion", "fringe", "smear", "sharpen", "grain", "scratches", "dust", "halftone_strength", "uneven", "fade",
        "yellow", "backlight",
    ):  # fmt: skip
        assert any(getattr(d, name) > 0 for d in drawn), name
    assert any(len(d.jpeg) == 2 for d in drawn)
    assert any(d.webp is not None for d in drawn)
    weights = np.array([weight for weight, _ in TRAINING])
    grey = sum(weight * recipe.grey_p for weight, recipe in TRAINING) / weights.sum()
    assert 0.15 < grey < 0.3


def test_recipes_draw_what_they_always_drew() -> None:
    # Figures and training runs refer to them. New recipes come after "backlit"; new fields keep their defaults in old ones.
    plain, digest = Degradation(), hashlib.sha256()
    names = list(RECIPES)
    frozen = [RECIPES[name] for name in names[: names.index("backlit") + 1]]
    for recipe in [*frozen, *(recipe for _, recipe in TRAINING)]:
        for seed in range(20):
            drawn = recipe.draw(seed)
            values = [(field.name, getattr(drawn, field.name)) for field in fields(drawn)]
            changed = [(name, value) for name, value in values if value != getattr(plain, name)]
            digest.update(repr(changed).encode())
    assert digest.hexdigest() == "8ae842f07e4e3d68130321977c6b770a56f6dffffbb3410a95903f86274e304f"


def test_a_camera_s_sharpening_draws_lines_along_edges() -> None:
    edge = np.full((64, 64, 3), 0.3, np.float32)
    edge[:, 32:] = 0.6
    sharp = Degradation(sharpen=1.5).apply(edge, 0)
    assert sharp[:, 31].max() < 0.25
    assert sharp[:, 32].min() > 0.65
    assert np.allclose(sharp[:, :24], 0.3, atol=1e-3)


def test_a_bayer_pattern_keeps_flat_colour_and_colours_fine_grey_lines() -> None:
    flat = np.ones((64, 64, 3), np.float32) * np.array([0.8, 0.5, 0.2], np.float32)
    assert np.allclose(Degradation(mosaic=True).apply(flat, 0)[2:-2, 2:-2], flat[2:-2, 2:-2], atol=1e-3)
    lines = np.zeros((64, 64, 3), np.float32)
    lines[:, ::2] = 0.8
    assert np.ptp(Degradation(mosaic=True).apply(lines, 0)[8:-8, 8:-8], axis=2).mean() > 0.2


def test_blotches_are_colour_and_no_brightness() -> None:
    grey = np.full((256, 256, 3), 0.5, np.float32)
    change = Degradation(blotches=6.0).apply(grey, 0) - grey
    assert np.abs(change @ np.array([0.299, 0.587, 0.114], np.float32)).max() < 1e-3
    assert np.ptp(change, axis=2).std() * 255 > 2
    # Coarse: neighbours are alike.
    red = change[:, :, 0]
    assert np.corrcoef(red[:, 1:].ravel(), red[:, :-1].ravel())[0, 1] > 0.85


def test_purple_glows_on_the_dark_side_of_bright_edges_only() -> None:
    edge = np.full((512, 512, 3), 0.1, np.float32)
    edge[:, 256:] = 1.0
    glow = Degradation(purple=1.5).apply(edge, 0) - edge
    assert np.allclose(glow[:, :230], 0, atol=1e-6)
    assert np.allclose(glow[:, 256:], 0, atol=1e-6)
    red, green, blue = glow[:, 250:256].mean(axis=(0, 1))
    assert blue > red > 0.05
    assert green <= 0


def test_a_steep_tone_curve_belongs_to_the_tone_and_burns_lights(picture: NDArray[np.float32]) -> None:
    drawn = Degradation(contrast=0.5, noise=4.0)
    assert drawn.tone().contrast == 0.5
    light = np.full((8, 8, 3), 0.9, np.float32)
    assert drawn.tone().apply(light, 0).min() == 1.0
    assert drawn.tone().apply(picture, 0).std() > picture.std()
