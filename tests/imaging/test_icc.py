from __future__ import annotations

import io
import struct
from typing import Literal

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms
from profiles import ADOBE, gamma_curve, matrix_profile, profile, s15

from likeness.imaging.colour import linear_to_srgb
from likeness.imaging.icc import (
    can_convert_back,
    from_srgb,
    from_tones,
    is_srgb_profile,
    pillow_to_srgb,
    profile_space,
    to_srgb,
    to_tones,
)
from likeness.imaging.samples import to_unit

_ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]])


def _samples(kind: type[np.unsignedinteger], *shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)


def test_adobe_rgb_matches_the_published_matrix(adobe_profile: bytes) -> None:
    samples = _samples(np.uint16, 40, 50, 3)
    linear = (samples / 65535) ** (563 / 256) @ _ADOBE_TO_SRGB.T
    linear = np.clip(linear, 0, 1)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    # The matrix above and the profile's primaries have five digits each, and sRGB is steep near black.
    assert np.abs(to_srgb(samples, adobe_profile) - expected).max() < 1 / 255
    assert np.abs(to_srgb(samples, adobe_profile) - expected).mean() < 1e-4


def test_matrix_profiles_agree_with_littlecms(adobe_profile: bytes) -> None:
    samples = _samples(np.uint8, 40, 50, 3)
    source = ImageCms.getOpenProfile(io.BytesIO(adobe_profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB", 1)
    theirs = np.asarray(ImageCms.applyTransform(PillowImage.fromarray(samples), transform))
    assert np.abs(to_srgb(samples, adobe_profile) * 255 - theirs).max() < 1.0  # they round to 8 bits


@pytest.mark.parametrize("bits", [8, 16])
def test_white_black_and_greys_stay_neutral(adobe_profile: bytes, bits: int) -> None:
    kind = np.uint8 if bits == 8 else np.uint16
    greys = np.linspace(0, np.iinfo(kind).max, 52).astype(kind)
    values = to_srgb(np.stack([greys] * 3, axis=-1)[None], adobe_profile)
    assert np.ptp(values, axis=-1).max() < 1e-3
    assert values[0, 0].max() == 0
    assert values[0, -1].min() > 1 - 1e-6


def test_srgb_is_known_by_what_it_does(adobe_profile: bytes, srgb_like_profile: bytes, grey_profile: bytes) -> None:
    assert is_srgb_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert is_srgb_profile(srgb_like_profile)
    assert not is_srgb_profile(adobe_profile)
    assert not is_srgb_profile(grey_profile)


@pytest.mark.parametrize("name", ["adobe_profile", "table_profile"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_unchanged_pixels_get_their_samples_back(
    name: str, kind: type[np.unsignedinteger], request: pytest.FixtureRequest
) -> None:
    profile: bytes = request.getfixturevalue(name)
    samples = _samples(kind, 64, 48, 3)
    pixels = to_srgb(samples, profile)
    pixels[10:20, 5:30] = 0.5
    back = from_srgb(pixels, profile, 8 if kind is np.uint8 else 16, samples)
    assert back.dtype == kind
    kept = np.ones((64, 48), bool)
    kept[10:20, 5:30] = False
    assert np.array_equal(back[kept], samples[kept])
    # What was changed really shows the new colour.
    assert np.abs(to_srgb(back, profile)[~kept] - 0.5).max() < 2.5 / 255


def test_equal_samples_give_equal_values_anywhere(adobe_profile: bytes) -> None:
    """Vector and scalar code paths of the mathematics library must not differ, or nothing would count as unchanged."""
    samples = np.tile(_samples(np.uint16, 1, 7, 3), (301, 1, 1))
    values = to_srgb(samples, adobe_profile)
    assert (values == values[:1]).all()
    assert np.array_equal(to_srgb(samples[37:38, 2:5], adobe_profile), values[37:38, 2:5])


def test_adobe_rgb_converts_back_within_rounding(adobe_profile: bytes) -> None:
    inside = (to_srgb(_samples(np.uint16, 50, 50, 3), adobe_profile) * 0.6 + 0.2).astype(np.float32)
    for bits, top in ((8, 255), (16, 65535)):
        again = to_srgb(from_srgb(inside, adobe_profile, bits), adobe_profile)
        moved = np.abs(again - inside)
        assert moved.mean() < 0.5 / top
        assert moved.max() < 4 / top  # a dark channel beside a bright one: one step of the file is several in sRGB


def test_16_bit_samples_keep_their_depth_through_a_table(table_profile: bytes) -> None:
    ramp = np.full((1, 4000, 3), 32768, np.uint16)
    ramp[..., 0] = np.arange(30000, 34000)
    values = to_srgb(ramp, table_profile)[0, :, 2]  # the profile swaps red and blue
    assert len(np.unique(values)) > 3000  # 8 bits would leave about 16
    assert values[-1] - values[0] == pytest.approx(4000 / 65535, abs=0.01)


def test_tables_are_followed(table_profile: bytes) -> None:
    colours = np.array([[[255, 0, 0], [200, 100, 50], [255, 255, 255]]], np.uint8)
    values = to_srgb(colours, table_profile) * 255
    assert np.abs(values - colours[..., ::-1]).max() < 6


def test_grey_profiles(grey_profile: bytes) -> None:
    samples = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = to_srgb(samples, grey_profile)
    linear = (samples[8, 0] / 255) ** (461 / 256)  # gamma 1.8 as the profile can say it
    assert values.shape == (16, 16)
    assert values[8, 0] == pytest.approx(1.055 * linear ** (1 / 2.4) - 0.055, abs=1e-5)
    assert np.array_equal(from_srgb(values, grey_profile, 8), samples)
    with pytest.raises(ValueError, match="grey ICC profile"):
        to_srgb(np.zeros((4, 4, 3), np.uint8), grey_profile)


def test_a_scanner_profile_has_no_way_back(scanner_profile: bytes, table_profile: bytes) -> None:
    assert can_convert_back(table_profile)
    assert not can_convert_back(scanner_profile)


def test_cmyk_goes_through_its_inks(cmyk_profile: bytes) -> None:
    sheet = PillowImage.new("CMYK", (3, 1))
    sheet.putpixel((0, 0), (255, 0, 0, 0))
    sheet.putpixel((1, 0), (0, 255, 255, 0))
    rgb = np.asarray(pillow_to_srgb(sheet, cmyk_profile)).astype(int)[0]
    assert np.abs(rgb[0] - [0, 158, 224]).max() <= 12
    assert rgb[1][0] > 200
    assert rgb[1][1] < 30
    assert rgb[2].min() >= 254


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:60], "signature"),
        (lambda _: b"\0" * 200, "signature"),
        (lambda data: data[:140], "cut short|damaged"),
        (lambda data: data.replace(b"rTRC", b"xTRC"), "damaged"),
        (lambda data: data.replace(b"curv", b"vruc"), "unknown kind"),
        (lambda data: data[:128] + struct.pack(">I", 0), "cannot be used|damaged"),
    ],
)
def test_damaged_profiles_are_refused(adobe_profile: bytes, damage, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        is_srgb_profile(damage(adobe_profile))


@pytest.mark.parametrize(
    "curve",
    [
        gamma_curve(0.0),  # every power of 0 is 1
        b"para" + bytes(4) + struct.pack(">Hxx", 0) + s15(-1.0),
        b"curv" + bytes(4) + struct.pack(">I3H", 3, 65535, 30000, 0),  # a negative's
        b"curv" + bytes(4) + struct.pack(">I2H", 2, 30000, 30000),
    ],
)
def test_tone_curves_that_do_not_rise_are_refused(curve: bytes) -> None:
    """Made to rise, each of them turned every picture into one flat tone."""
    for data in (matrix_profile(ADOBE, curve), profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve})):
        with pytest.raises(ValueError, match="does not rise"):
            is_srgb_profile(data)


def test_tables_of_one_tone_are_refused(one_tone_profile: bytes) -> None:
    with pytest.raises(ValueError, match="one tone"):
        is_srgb_profile(one_tone_profile)


def test_measured_tone_curves_may_fall_by_a_trifle() -> None:
    levels = [0, 900, 800, 20000, 65535]
    curve = b"curv" + bytes(4) + struct.pack(">I5H", 5, *levels)
    values = to_srgb(np.arange(256, dtype=np.uint8)[None], profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve}))
    assert (np.diff(values) >= 0).all()
    assert values[0, -1] == pytest.approx(1, abs=1e-6)


def test_spaces(adobe_profile: bytes, grey_profile: bytes, cmyk_profile: bytes) -> None:
    assert [profile_space(data) for data in (adobe_profile, grey_profile, cmyk_profile)] == ["RGB", "GRAY", "CMYK"]


@pytest.mark.parametrize("bits", [8, 16])
def test_tones_of_linear_light_and_back_are_exact(adobe_profile: bytes, bits: Literal[8, 16]) -> None:
    codes = np.arange(256 if bits == 8 else 65536, dtype=np.uint8 if bits == 8 else np.uint16)
    samples = np.stack([codes.reshape(16, -1)] * 3, axis=-1)
    # Encoded pictures are taken as they are.
    assert np.array_equal(to_tones(samples, adobe_profile), to_unit(samples))
    linear = matrix_profile(ADOBE, gamma_curve(1.0))
    tones = to_tones(samples, linear)
    assert np.array_equal(tones, linear_to_srgb(to_unit(samples)))
    assert np.array_equal(from_tones(tones, linear, bits), samples)
