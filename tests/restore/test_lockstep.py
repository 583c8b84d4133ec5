from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.faces.face import Face
from likeness.imaging.image import Image
from likeness.restore.controls import Controls
from likeness.restore.lockstep import Answer, Steps, run_in_lockstep
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch


def face(value: float) -> Batch:
    return np.full((1, 3, 4, 4), value, np.float32)


def rounds(value: float, count: int, *, fails_at: int | None = None) -> Steps[float]:
    """Asks ``count`` times, each time for what it was told before."""
    for number in range(count):
        if number == fails_at:
            raise ValueError(f"{value} broke")
        answer: Answer = yield face(value)
        assert answer.milliseconds >= 0
        value = float(answer.face[0, 0, 0, 0])
    return value


class Doubling:
    """Twice its input; refuses batches that hold a negative face, and notes how many faces came at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, faces: Batch) -> Batch:
        self.sizes.append(len(faces))
        if (faces < 0).any():
            raise ConfigError("negative")
        return faces * 2


def test_each_gets_its_own_answer_and_all_go_in_one_batch() -> None:
    network = Doubling()
    assert run_in_lockstep([rounds(1, 1), rounds(3, 3), rounds(5, 2), rounds(7, 0)], network) == [2, 24, 20, 7]
    assert network.sizes == [3, 2, 1]
    assert run_in_lockstep([], network) == []


def test_an_error_stays_with_its_face() -> None:
    network = Doubling()
    first, broken, refused, last = run_in_lockstep(
        [rounds(1, 2), rounds(2, 2, fails_at=1), rounds(-3, 1), rounds(4, 2)], network
    )
    assert (first, last) == (4, 16)
    assert isinstance(broken, ValueError)
    assert str(broken) == "4.0 broke"
    assert isinstance(refused, ConfigError)
    assert network.sizes == [4, 1, 1, 1, 1, 2]
    (alone,) = run_in_lockstep([rounds(-1, 1)], network)
    assert isinstance(alone, ConfigError)


def test_other_errors_are_nobodys_and_stop_all() -> None:
    def broken(_: Batch) -> Batch:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        run_in_lockstep([rounds(1, 1), rounds(2, 1)], broken)


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, precision="f32")


@pytest.fixture(scope="module")
def faces(restorer: Restorer, astronaut: Image) -> list[Face]:
    """Eleven faces, more than go at once, no two cut out alike."""
    (found,) = restorer.find_faces(astronaut)
    points = np.asarray(found.five_points)
    centre = points.mean(axis=0)
    faces: list[Face] = []
    for number in range(11):
        turned = centre + (points - centre) * (0.8 + 0.04 * number)
        faces.append(Face(box=found.box, score=1.0, landmarks=found.landmarks, five_points=turned))
    return faces


@pytest.mark.parametrize("refine", [1, 2])
def test_together_is_one_by_one(restorer: Restorer, astronaut: Image, faces: list[Face], refine: int) -> None:
    controls = Controls(refine=refine)
    together = restorer.project_all(astronaut, faces, controls)
    assert [item.index for item in together] == list(range(11))
    for item in (together[0], together[7], together[8], together[10]):
        alone = restorer.project(astronaut, item.face, controls, index=item.index)
        for name in ("crop", "projection", "start", "mask"):
            assert np.array_equal(getattr(item, name), getattr(alone, name)), name
        assert set(item.milliseconds) == set(alone.milliseconds) == {"align", "masks", "network"}
    crops = [item.crop for item in together]
    assert not any(np.array_equal(crops[0], crop) for crop in crops[1:])


def test_eight_faces_at_most_go_at_once(restorer: Restorer, astronaut: Image, faces: list[Face]) -> None:
    sizes: list[int] = []

    class Noting:
        spec = restorer.runtime.spec
        description = restorer.runtime.description

        def run(self, batch: Batch) -> Batch:
            sizes.append(len(batch))
            return restorer.runtime.run(batch)

    class Given:
        def detect(self, _: Image) -> tuple[Face, ...]:
            return tuple(faces)

    result = Restorer(runtime=Noting(), detector=Given()).restore(astronaut)
    assert sizes == [8, 3]
    assert [outcome.index for outcome in result.restored] == list(range(11))


def test_a_broken_face_is_raised(restorer: Restorer, astronaut: Image, faces: list[Face]) -> None:
    broken = Face(box=faces[0].box, score=1.0, landmarks=faces[0].landmarks, five_points=np.zeros((5, 2), np.float32))
    with pytest.raises(ValueError, match="points"):
        restorer.project_all(astronaut, [faces[0], broken], Controls())
    assert all(isinstance(item, FaceProjection) for item in restorer.project_all(astronaut, faces[:2], Controls()))
