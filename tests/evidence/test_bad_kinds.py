"""The kinds of pictures whose results should never have left as "done": each made anew from a free portrait.

Heavy blur over spectacles, a child, a profile, under a green cast, in motion, of a tiny avatar, and under JPEG.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from shared_portraits import portrait

from likeness.degradations import Degradation
from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.preflight import preflight
from likeness.imaging.files import read_image
from likeness.imaging.image import Image, Pixels
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceOutcome
from likeness.restore.pipeline import Restorer

ORIGINALS = Path(__file__).resolve().parents[2] / "examples" / "original"

HEAVY = Degradation(blur=(8.0, 8.0), down=6.0, noise=6.0, jpeg=(45,))
MOTION = Degradation(motion=44.0, motion_angle=0.3, down=3.0, noise=4.0, jpeg=(70,))
AVATAR = Degradation(blur=(1.0, 1.0), down=18.0, jpeg=(75,))
CODED = Degradation(blur=(8.0, 8.0), down=8.0, noise=3.0, jpeg=(20,))


@pytest.fixture(scope="module")
def portraits(request: pytest.FixtureRequest) -> Callable[[str], Pixels]:
    def sharp(name: str) -> Pixels:
        if name == "child":
            shared = request.getfixturevalue("shared")
            return portrait(shared, "ekip-d0008309-0.jpg", "portraits-more/train-*.tar")
        if name == "profile":
            return _cut_out(request.getfixturevalue("shared") / "oldphotos" / "wiki-40756035.jpg")
        if name == "green cast":
            return _cut_out(ORIGINALS / "astronaut.jpg") * np.array([0.72, 1.0, 0.66], np.float32)
        return _cut_out(ORIGINALS / ("hopper.jpg" if name == "spectacles" else "astronaut.jpg"))

    return sharp


def _cut_out(path: Path) -> Pixels:
    image = read_image(path)
    face = max(MediaPipeDetector().detect(image), key=lambda found: found.box.area)
    return warp(image.pixels, align(face.five_points, image.size, 512))


@pytest.fixture(scope="module")
def restored() -> Callable[[Image], FaceOutcome]:
    restorer = Restorer()
    return lambda image: restorer.restore(image, Controls(), aligned=True).faces[0]


@pytest.mark.parametrize(
    ("name", "degradation"),
    [
        ("spectacles", HEAVY),
        ("child", HEAVY),
        ("profile", HEAVY),
        ("green cast", HEAVY),
        ("woman", MOTION),
        ("woman", AVATAR),
        ("woman", CODED),
    ],
    ids=["spectacles", "child", "profile", "green-cast", "motion", "avatar", "coded"],
)
def test_it_is_told_before_and_after(
    portraits: Callable[[str], Pixels], restored: Callable[[Image], FaceOutcome], name: str, degradation: Degradation
) -> None:
    image = Image(pixels=degradation.apply(portraits(name), 3))
    outcome = restored(image)
    assert outcome.verdict is not None
    assert outcome.verdict.level == "bad"
    assert outcome.verdict.values["pixels"] < 40
    assert "blur" in {finding.code for finding in preflight(image, [outcome.face])}


@pytest.mark.parametrize("name", ["spectacles", "child", "profile", "green cast"])
def test_the_same_portrait_left_sharp_is_good(
    portraits: Callable[[str], Pixels], restored: Callable[[Image], FaceOutcome], name: str
) -> None:
    image = Image(pixels=portraits(name))
    outcome = restored(image)
    assert outcome.verdict is not None
    assert (outcome.verdict.level, outcome.verdict.sentence) == ("good", "")
    assert "blur" not in {finding.code for finding in preflight(image, [outcome.face])}
