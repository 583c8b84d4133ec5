"""Other photographs of the people in a video: what they lend, to whom, and what a run depends on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image, Pixels
from likeness.reference.references import References
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.video.options import VideoOptions
from likeness.video.session import FrameByFrame, SteadySession

OTHER = Path(__file__).parents[2] / "examples" / "original" / "hopper.jpg"
Frames = list[Image]


@pytest.fixture(scope="module")
def blurred(astronaut: Image) -> Frames:
    """Eight frames of a blurred face at rest, with noise of their own."""
    soft = cv2.GaussianBlur(astronaut.pixels, (0, 0), 1.5)
    rng = np.random.default_rng(3)
    return [Image(pixels=np.clip(soft + rng.normal(0, 2 / 255, soft.shape), 0, 1).astype(np.float32)) for _ in range(8)]


def restored(restorer: Restorer, frames: Frames, options: VideoOptions) -> tuple[list[Pixels], SteadySession]:
    session = SteadySession(restorer, options)
    return [session.restore(image).pixels for image in frames], session


def face_of(pixels: Pixels) -> Pixels:
    return pixels[40:150, 80:160]


def test_a_photograph_lends_its_detail_to_every_frame_and_does_not_flicker(
    blurred: Frames, astronaut: Image, astronaut_file: Path, restorer: Restorer
) -> None:
    # At 64 px, as the small network sees a face, it is in doubt.
    references = References([astronaut_file], trusted=True)
    without, _ = restored(restorer, blurred, VideoOptions())
    served, session = restored(restorer, blurred, VideoOptions(references=references))
    assert session.notices == ()
    goal = face_of(astronaut.pixels)
    off, nearer = ([float(np.square(face_of(x) - goal).mean()) ** 0.5 for x in way] for way in (without, served))
    assert all(one < 0.98 * other for one, other in zip(nearer, off, strict=True))
    shaking, steady = (
        float(np.square(np.diff([face_of(x) for x in way], axis=0)).mean()) ** 0.5 for way in (without, served)
    )
    assert steady < 1.05 * shaking

    controls = Controls(reference_strength=0.0)
    none, _ = restored(restorer, blurred[:2], VideoOptions(controls=controls, references=references))
    assert np.array_equal(none[1], without[1])
    (alone,) = [FrameByFrame(restorer, VideoOptions(references=references)).restore(blurred[0]).pixels]
    assert np.square(face_of(alone) - goal).mean() ** 0.5 < 0.98 * off[0]


def test_a_face_that_changes_keeps_nothing_of_what_was_lent(
    blurred: Frames, astronaut_file: Path, restorer: Restorer
) -> None:
    options = VideoOptions(references=References([astronaut_file]))
    _, session = restored(restorer, blurred, options)
    other = read_image(OTHER)
    after = session.restore(other)
    (expected,), _ = restored(restorer, [other], options)
    assert np.array_equal(after.pixels, expected)


def test_a_strangers_photograph_serves_nobody_unless_somebody_says_so(blurred: Frames, restorer: Restorer) -> None:
    without, _ = restored(restorer, blurred[:2], VideoOptions())
    refused, session = restored(restorer, blurred[:2], VideoOptions(references=References([OTHER])))
    assert np.array_equal(refused[1], without[1])
    (notice,) = session.notices
    assert notice.code == "reference.other"
    assert "the face in hopper.jpg is likely another person's (likeness " in notice
    trusted, session = restored(restorer, blurred[:2], VideoOptions(references=References([OTHER], trusted=True)))
    assert not np.array_equal(trusted[1], without[1])
    assert [notice.code for notice in session.notices] == ["reference.trusted"]


def test_a_run_depends_on_what_the_photographs_show_and_not_on_how_they_are_given(
    astronaut: Image, tmp_path: Path
) -> None:
    file = tmp_path / "bride.png"
    write_image(astronaut, file)

    def identity(references: References | None) -> dict[str, object]:
        return VideoOptions(references=references).identity()

    first = identity(References([file]))
    assert first == identity(References([tmp_path]))
    assert first != identity(References([file], trusted=True))
    assert "references" not in identity(None)
    write_image(Image(pixels=astronaut.pixels[:, ::-1]), file)
    assert first != identity(References([file]))
    shown = identity(References([astronaut]))
    assert shown == identity(References([Image(pixels=astronaut.pixels.copy())]))
