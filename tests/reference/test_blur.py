from __future__ import annotations

import numpy as np
import pytest
from sittings import SIDE, Sitting

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Size
from likeness.reference.blur import face_blur


def test_a_known_blur_is_told(sitting: Sitting) -> None:
    sharp = luma(sitting.crop)
    for sigma in (2.0, 4.0):
        assert face_blur(gaussian_blur(sharp, sigma)) == pytest.approx(512 / SIDE * sigma, rel=0.35)
    assert face_blur(sharp) < 2.5


def test_blotches_do_not_pass_for_detail(sitting: Sitting) -> None:
    """Noise of few pixels that was enlarged with them, as in small pictures that messengers have compressed."""
    lost = gaussian_blur(luma(sitting.crop), 3.5)
    noise = np.random.default_rng(0).standard_normal((SIDE // 4, SIDE // 4), dtype=np.float32) * np.float32(5 / 255)
    blotches = resize(noise, Size(SIDE, SIDE), "cubic")
    assert face_blur(lost + blotches) == pytest.approx(face_blur(lost), rel=0.4)


def test_the_size_of_the_crop_hardly_matters(large_sitting: Sitting) -> None:
    poor = gaussian_blur(luma(large_sitting.crop), 6)
    half = resize(poor, Size(256, 256), "area")
    assert face_blur(half) == pytest.approx(face_blur(poor), rel=0.05)
