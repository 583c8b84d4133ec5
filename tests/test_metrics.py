from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.imaging.colour import linear_to_srgb
from likeness.metrics import (
    IdentityModel,
    band_energy,
    landmark_distance,
    overshoot,
    overshoot_of_both,
    overshoots,
    piqe,
    plastic_skin,
    psnr,
    ssim,
    typology_angle,
)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).random((96, 96, 3)).astype(np.float32)


def test_psnr(noise: np.ndarray) -> None:
    assert psnr(noise, noise) == float("inf")
    assert psnr(noise + np.float32(0.1), noise) == pytest.approx(20, abs=0.01)
    with pytest.raises(ValueError, match="different size"):
        psnr(noise, noise[:50])


def test_ssim(noise: np.ndarray) -> None:
    assert ssim(noise, noise) == pytest.approx(1)
    # Only the luminance term is left when the structure is the same and the mean is shifted: (2ab + c) / (a2 + b2 + c).
    flat = np.full((96, 96, 3), 0.5, np.float32)
    expected = (2 * 0.5 * 0.6 + 1e-4) / (0.25 + 0.36 + 1e-4)
    assert ssim(flat + np.float32(0.1), flat) == pytest.approx(expected, abs=1e-5)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    assert ssim(blurred, noise) < 0.5


def test_band_energy_counts_fine_texture_under_the_mask(noise: np.ndarray) -> None:
    mask = np.zeros((96, 96), np.float32)
    mask[:48] = 1
    half = noise.copy()
    half[:48] = 0.5
    assert band_energy(half, mask) < 0.1 * band_energy(noise, mask)
    assert band_energy(cv2.GaussianBlur(noise, (0, 0), 2), mask) < 0.2 * band_energy(noise, mask)


def disc(sigma: float) -> np.ndarray:
    """A bright disc on a dark ground, with an edge of that softness."""
    y, x = np.mgrid[:512, :512].astype(np.float32)
    plain = np.clip(150.5 - np.hypot(x - 256, y - 256), 0, 1) * np.float32(0.4) + np.float32(0.3)
    return np.repeat(cv2.GaussianBlur(plain, (0, 0), sigma)[..., None], 3, axis=2)


def unsharp(x: np.ndarray, amount: float) -> np.ndarray:
    return x + np.float32(amount) * (x - cv2.GaussianBlur(x, (0, 0), 2))


def test_overshoot_is_a_share_of_the_step() -> None:
    sharp, soft = disc(1), disc(2.5)
    assert overshoot(sharp, sharp) == 0
    # Sharper or softer without going beyond the plateaus is no ringing.
    assert overshoot(sharp, soft) < 0.005
    assert overshoot(soft, sharp) < 0.005
    for amount in (0.5, 1):
        rings = unsharp(sharp, amount)
        # What lies beyond both plateaus, over the step of 0.4; interpolation between pixels takes a little off narrow rings.
        expected = ((rings.max() - 0.7) + (0.3 - rings.min())) / 0.4
        points, values = overshoots(rings, sharp)
        assert overshoot(rings, sharp) == pytest.approx(expected, rel=0.2)
        assert values.min() > 0.5 * expected
        assert np.hypot(*(points - 256).T) == pytest.approx(150, abs=2)
    with pytest.raises(ValueError, match="different size"):
        overshoot(sharp, sharp[:50])


def test_an_original_has_lines_of_its_own() -> None:
    rings = unsharp(disc(1), 1)
    points, own, originals = overshoot_of_both(rings, rings)
    assert len(points) == len(own) == len(originals)
    assert np.array_equal(own, originals)
    assert originals.min() > 0.1
    assert overshoot(rings, rings) == 0
    # What restoration does not bring back is no ringing either.
    assert overshoot_of_both(disc(1), rings)[1].max() < 0.005
    assert overshoots(disc(1), rings)[1].max() < 0


def test_overshoot_is_not_fooled_by_noise_or_brightness_and_minds_the_area() -> None:
    sharp = disc(1)
    noise = np.random.default_rng(3).normal(0, 0.02, (512, 512, 1)).astype(np.float32)
    assert overshoot(sharp + noise, sharp) < 0.02
    assert overshoot(sharp, sharp + noise) == 0
    assert overshoot(sharp * np.float32(0.9), sharp) < 0.005
    left = unsharp(sharp, 1)
    left[:, 256:] = sharp[:, 256:]
    where = np.zeros((512, 512), np.float32)
    where[:, 300:] = 1
    assert overshoot(left, sharp, where) == 0
    assert overshoot(left, sharp, 1 - where) > 0.1
    # Nothing to judge.
    assert np.isnan(overshoot(np.full_like(sharp, 0.5), np.full_like(sharp, 0.5)))


def test_plastic_skin_is_a_share_of_the_area() -> None:
    noise = 0.5 + 0.1 * np.random.default_rng(2).standard_normal((512, 512, 3)).astype(np.float32)
    skin = np.ones((512, 512), np.float32)
    assert plastic_skin(noise, noise, skin) == 0
    # More texture than the original is not plastic.
    assert plastic_skin(noise, cv2.GaussianBlur(noise, (0, 0), 1), skin) == 0
    waxed = noise.copy()
    waxed[:, :256] = 0.5 + 0.3 * (waxed[:, :256] - 0.5)
    assert plastic_skin(waxed, noise, skin) == pytest.approx(0.5, abs=0.03)
    softer = 0.5 + np.float32(0.6) * (noise - 0.5)
    assert plastic_skin(softer, noise, skin) < 0.01
    assert np.isnan(plastic_skin(noise, np.full_like(noise, 0.5), skin))  # nothing that could be lost
    assert np.isnan(plastic_skin(noise, noise, 0 * skin))


def test_piqe_grows_with_blur_noise_and_blocks(astronaut_file: Path) -> None:
    sharp = np.asarray(PillowImage.open(astronaut_file).convert("RGB"), np.float32) / 255
    noise = np.random.default_rng(3).standard_normal(sharp.shape).astype(np.float32)
    figures = [piqe(cv2.GaussianBlur(sharp, (0, 0), sigma)) for sigma in (0.3, 1.0, 3.0)]
    assert figures[0] < figures[1] < figures[2] <= 100
    assert piqe(sharp) + 5 < piqe(sharp + np.float32(0.08) * noise)
    _, coded = cv2.imencode(".jpg", np.round(sharp * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 10])
    assert piqe(sharp) + 5 < piqe(cv2.imdecode(coded, cv2.IMREAD_COLOR).astype(np.float32) / 255)
    assert piqe(np.full((50, 70, 3), 0.5, np.float32)) == 100  # no active block: nothing but the paper's constant


def test_typology_angle() -> None:
    # L* 65 and b* 15 by hand, in a grey-red plane: Y = ((65 + 16) / 116)^3, Z from b* = 200 (f_y - f_z).
    f_y = (65 + 16) / 116
    y, z = f_y**3, (f_y - 15 / 200) ** 3 * 1.089
    to_rgb = np.linalg.inv(np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]))
    colour = linear_to_srgb((to_rgb @ np.array([y * 0.98, y, z])).astype(np.float32))
    skin = np.broadcast_to(colour, (20, 20, 3)).astype(np.float32)
    mask = np.ones((20, 20), np.float32)
    assert typology_angle(skin, mask) == pytest.approx(45, abs=0.3)
    assert typology_angle(skin * np.float32(0.4), mask) < 0
    assert np.isnan(typology_angle(skin, 0 * mask))


def test_landmark_distance_is_in_eye_spans() -> None:
    points = np.random.default_rng(1).random((478, 2)).astype(np.float32) * 100
    points[33], points[263] = (0, 0), (80, 60)
    assert landmark_distance(points + np.float32(10), points) == pytest.approx(np.hypot(10, 10) / 100, rel=1e-4)


def test_identity_knows_the_same_person(shared: Path) -> None:
    pytest.importorskip("dlib", reason="identity figures need the extra evaluate")
    import io
    import tarfile

    with tarfile.open(shared / "portraits" / "val-000.tar") as archive:
        members = [m for m in archive if m.name.endswith(".jpg")][:2]
        a, b = (
            np.asarray(PillowImage.open(io.BytesIO(archive.extractfile(m).read())).convert("RGB"), np.float32) / 255
            for m in members
        )
    model = IdentityModel()
    assert model.distance(a, a) == 0
    softer = cv2.GaussianBlur(a, (0, 0), 1.5)
    assert model.distance(a, softer) < 0.2
    assert np.linalg.norm(model.embed(a) - model.embed(b)) > 0.4
