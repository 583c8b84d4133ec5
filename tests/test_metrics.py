from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.metrics import IdentityModel, band_energy, landmark_distance, psnr, ssim


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
