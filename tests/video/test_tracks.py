from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Box, Image, Pixels
from likeness.reference.matching import FaceMatcher
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.restore.selection import Selection
from likeness.video.options import VideoOptions
from likeness.video.person import person_in
from likeness.video.session import FrameByFrame, SteadySession
from likeness.video.tracks import Tracker

Samples = NDArray[np.uint8]
Frames = list[Image]
OTHER = Path(__file__).parents[2] / "examples" / "original" / "hopper.jpg"


def placed(astronaut: Image, places: list[tuple[float, float]], *, noise: int | None = None) -> Image:
    """Faces, 90 px wide, at places of a 320 x 160 frame; the later ones over the earlier."""
    frame = np.full((160, 320, 3), 0.35, np.float32)
    for left, top in places:
        matrix = np.array([[0.7, 0, left], [0, 0.7, top]])
        laid = cv2.warpAffine(astronaut.pixels[20:200, 60:190], matrix, (320, 160), borderValue=(-1.0, 0, 0))
        inside = laid[:, :, 0] >= 0
        frame[inside] = laid[inside]
    if noise is not None:
        frame = frame + np.random.default_rng(noise).normal(0, 3 / 255, frame.shape)
    return Image(pixels=np.clip(frame, 0, 1).astype(np.float32))


@pytest.fixture(scope="module")
def turning(moving: Callable[[int], list[Samples]]) -> Frames:
    """Six frames of a face that moves by a known motion, with noise of their own."""
    rng = np.random.default_rng(5)
    return [
        Image(pixels=np.clip(x / 255 + rng.normal(0, 3 / 255, x.shape), 0, 1).astype(np.float32)) for x in moving(6)
    ]


def back_matrix(number: int) -> NDArray[np.float64]:
    matrix = cv2.getRotationMatrix2D((128.0, 128.0), 1.0 * number, 0.55)
    matrix[:, 2] += (-34.0 + 1.5 * number, -58.0)
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def test_landmarks_do_not_tremble_and_do_not_lag(turning: Frames, restorer: Restorer) -> None:
    tracker = Tracker(restorer.find_faces)
    followed: list[NDArray[np.float64]] = []
    found: list[NDArray[np.float64]] = []
    for number, image in enumerate(turning):
        (item,) = tracker.step(image)
        assert item.number == 0
        matrix = back_matrix(number)
        detected = restorer.find_faces(image)[0].five_points
        for points, kept in ((item.face.five_points, followed), (detected, found)):
            kept.append(points @ matrix[:, :2].T + matrix[:, 2])

    def tremble(points: list[NDArray[np.float64]]) -> float:
        return float(np.sqrt(np.square(np.diff(points, axis=0)).mean()))

    assert tremble(followed) < 0.4 * tremble(found)
    assert np.abs(np.mean(followed, axis=0) - np.mean(found, axis=0)).max() < 1.5


def test_a_person_who_comes_back_is_the_same_and_another_is_not(astronaut: Image, restorer: Restorer) -> None:
    tracker = Tracker(restorer.find_faces)
    numbers: list[list[int]] = []
    for places in ([(20, 10)], [(20, 10), (200, 10)], [(20, 10), (200, 10)]):
        numbers += [[item.number for item in tracker.step(placed(astronaut, list(places)))] for _ in range(4)]
    assert numbers[0] == [0]
    assert sorted(numbers[-1]) == [0, 1]
    assert not tracker.cut
    # The first leaves: nobody takes the number.
    left: list[int] = []
    for _ in range(10):
        left = [item.number for item in tracker.step(placed(astronaut, [(200, 10)]))]
    assert left == [1]


def scene(portrait: Image, shade: tuple[float, float]) -> Image:
    """A portrait before a backdrop that goes from one shade to another."""
    frame = np.linspace(*shade, 480, dtype=np.float32)[None, :, None] * np.ones((320, 1, 3), np.float32)
    frame[40:296, 112:368] = cv2.resize(portrait.pixels, (256, 256), interpolation=cv2.INTER_AREA)
    return Image(pixels=frame)


def test_a_cut_is_told_from_a_flash_and_a_person_is_known_again_behind_it(astronaut: Image, restorer: Restorer) -> None:
    other = read_image(OTHER)
    tracker = Tracker(restorer.find_faces)
    first = scene(astronaut, (0.2, 0.4))
    tracker.step(first)
    flash = Image(pixels=np.clip(first.pixels * 1.6, 0, 1).astype(np.float32))
    assert [item.number for item in tracker.step(flash)] == [0]
    assert not tracker.cut
    for image, number in ((scene(other, (0.9, 0.1)), 1), (scene(astronaut, (0.3, 0.6)), 0)):
        seen = tracker.step(image)
        assert tracker.cut
        assert [item.number for item in seen] == [number]
    assert [(track.number, track.first, track.last) for track in tracker.people] == [(0, 0, 3), (1, 2, 2)]


def crossed(frame: Box, other: Box) -> bool:
    return frame.iou(other) > 0.3


def test_faces_that_cross_are_not_two_people_on_one_face(astronaut: Image, restorer: Restorer) -> None:
    tracker = Tracker(restorer.find_faces)
    for step in range(8):
        seen = tracker.step(placed(astronaut, [(200.0 - 22 * step, 12.0), (20.0, 10.0)]))
        boxes = [item.face.box for item in seen]
        assert not any(crossed(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert len(tracker.people) <= 3


def poor(astronaut: Image, number: int, *, covered: bool = False) -> tuple[Image, NDArray[np.float64]]:
    """A frame of a face, 76 px wide, so blurred and noisy that the mesh and the detector often fail, and where the portrait
    is in it; the first frame has less noise."""
    matrix = cv2.getRotationMatrix2D((112.0, 61.0), 1.0 * number, 1.45)
    matrix[:, 2] += (-32.0 + 1.5 * number, 9.0)
    soft = cv2.GaussianBlur(astronaut.pixels, (0, 0), 1.0)
    frame = cv2.warpAffine(soft, matrix, (192, 160), borderMode=cv2.BORDER_REPLICATE)
    if covered:
        frame[:] = np.linspace(0.2, 0.6, 192, dtype=np.float32)[None, :, None]
    frame = cv2.GaussianBlur(frame, (0, 0), 2.5)
    noisy = frame + np.random.default_rng(number).normal(0, (25 if number else 4) / 255, frame.shape)
    return Image(pixels=np.clip(noisy, 0, 1).astype(np.float32)), np.asarray(matrix, np.float64)


def test_a_poor_face_is_followed_in_all_frames_until_it_is_gone(astronaut: Image, restorer: Restorer) -> None:
    tracker = Tracker(restorer.find_faces)
    right = restorer.find_faces(astronaut)[0].five_points
    found = 0
    for number in range(16):
        image, matrix = poor(astronaut, number)
        seen = tracker.step(image)
        assert [item.number for item in seen] == [0], number
        found += bool(restorer.find_faces(image))
        there = right @ matrix[:, :2].T + matrix[:, 2]
        off = np.hypot(*(seen[0].face.five_points - there).T).mean() / np.hypot(*(there[1] - there[0]))
        assert off < 0.35, number
    assert found < 12  # else the clip is too easy
    for number in range(16, 19):
        tracker.step(poor(astronaut, number, covered=True)[0])
    assert not tracker.step(poor(astronaut, 19, covered=True)[0])


@pytest.mark.parametrize(("which", "number"), [((1,), 1), ("largest", None), ((7,), None)])
def test_selection_is_of_people(astronaut: Image, restorer: Restorer, which: object, number: int | None) -> None:
    options = VideoOptions(selection=Selection(which=which))  # type: ignore[arg-type]
    session = SteadySession(restorer, options)
    image = placed(astronaut, [(20, 10), (200, 10)])
    session.restore(image)
    result = session.restore(image)
    assert result.restored == (0 if which == (7,) else 1)
    changed = np.abs(result.pixels - image.pixels).max(axis=2) > 0
    if number == 1:
        assert not changed[:, :150].any()
        assert changed[:, 200:].any()


def flicker(results: list[Pixels]) -> float:
    """RMS of what differs within the face from one frame to the next, warped back, in levels."""
    moved = [
        cv2.warpAffine(x, back_matrix(n), (256, 256), flags=cv2.INTER_CUBIC)[36:84, 90:136]
        for n, x in enumerate(results)
    ]
    return 255 * float(np.sqrt(np.square(np.diff(moved, axis=0)).mean()))


def test_what_is_drawn_is_steadier_than_frame_by_frame(turning: Frames) -> None:
    restorer = Restorer()  # the network in the package, as what it draws is what flickers
    # Faces drawn anew have the same noise in every frame, so they flicker less by themselves.
    controls = Controls(features=0.0)
    alone = [FrameByFrame(restorer, VideoOptions(controls=controls)).restore(image).pixels for image in turning]
    for every in (1, 4):
        session = SteadySession(restorer, VideoOptions(controls=controls, every=every))
        steady = [session.restore(image).pixels for image in turning]
        assert flicker(steady[2:]) < 0.8 * flicker(alone[2:])
        assert flicker(steady[2:]) < flicker([image.pixels for image in turning][2:])


class Counting:
    """The restorer's runtime, which counts how often it is asked."""

    def __init__(self, restorer: Restorer) -> None:
        self.asked = 0
        self._runtime = restorer.runtime
        self.spec, self.description = restorer.runtime.spec, restorer.runtime.description

    def run(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        self.asked += len(faces)
        return self._runtime.run(faces)


def test_the_network_looks_at_every_third_frame_and_where_a_face_changes(turning: Frames, restorer: Restorer) -> None:
    counting = Counting(restorer)
    session = SteadySession(Restorer(runtime=counting), VideoOptions(every=3))
    results = [session.restore(image) for image in turning]
    assert [result.restored for result in results] == [1] * 6
    assert counting.asked == 2
    pixels = turning[5].pixels.copy()
    pixels[40:110, 50:150] = pixels[40:110, 50:150][::-1]  # the face is another
    session.restore(Image(pixels=pixels))
    assert counting.asked == 3


def test_a_person_is_found_by_a_photograph(astronaut: Image, astronaut_file: Path, restorer: Restorer) -> None:
    other = read_image(OTHER)
    image = scene(other, (0.9, 0.1))
    image = Image(pixels=np.concatenate([image.pixels, scene(astronaut, (0.2, 0.4)).pixels], axis=1))
    person = person_in(astronaut_file, restorer.detector, FaceMatcher())
    session = SteadySession(restorer, VideoOptions(person=person))
    result = session.restore(image)
    assert len(session.people) == 2
    assert result.restored == 1
    changed = np.abs(result.pixels - image.pixels).max(axis=2) > 0
    assert not changed[:, :480].any()
    assert changed[:, 480:].any()
    # Of scenes without the person nothing is restored.
    assert session.restore(scene(other, (0.9, 0.1))).restored == 0


def test_a_photograph_without_a_face_finds_nobody(tmp_path: Path, restorer: Restorer) -> None:
    wall = tmp_path / "wall.png"
    write_image(np.full((64, 64, 3), 128, np.uint8), wall)
    with pytest.raises(NoFaceError, match=r"wall\.png shows no face by which a person could be found"):
        person_in(wall, restorer.detector, FaceMatcher())


def test_who_was_drawn_anew_is_told(astronaut: Image) -> None:
    blurred = Image(pixels=np.clip(cv2.GaussianBlur(astronaut.pixels, (0, 0), 2.0), 0, 1))
    with Restorer() as restorer:
        for image, told in ((blurred, ["video.drawn-anew"]), (astronaut, [])):
            session = SteadySession(restorer, VideoOptions())
            session.restore(image)
            assert [notice.code for notice in session.notices] == told
            assert all(notice.values == {"faces": "1"} for notice in session.notices)
