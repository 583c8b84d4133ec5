from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("dlib", reason="dlib says who is in two portraits")

from likeness.faces.align import align, warp  # noqa: E402
from likeness.faces.detect import MediaPipeDetector  # noqa: E402
from likeness.imaging.files import read_image  # noqa: E402
from likeness.imaging.image import Image  # noqa: E402
from likeness.imaging.portraits import Portraits  # noqa: E402
from likeness.training import lending  # noqa: E402
from likeness.training.lending import LendingExamples, LendingLesson, learn_lending, weights_of  # noqa: E402
from likeness.training.lending_examples import LendingMaker  # noqa: E402

ORIGINALS = Path(__file__).resolve().parents[2] / "examples" / "original"


@pytest.fixture(scope="module")
def portraits() -> Portraits:
    samples = []
    for name in ("astronaut.jpg", "hopper.jpg"):
        photograph = read_image(ORIGINALS / name)
        (face,) = MediaPipeDetector().detect(photograph)
        crop = warp(photograph.pixels, align(face.five_points, photograph.size, 512))
        samples.append(Image(pixels=np.clip(crop, 0, 1)).to_uint8())
    return Portraits(samples=np.stack(samples), names=("astronaut.jpg", "hopper.jpg"))


def noise(count: int) -> LendingExamples:
    rng = np.random.default_rng(0)
    return LendingExamples(
        pictures=rng.integers(0, 255, (count, 4, 256, 256)).astype(np.uint8),
        sigmas=np.full(count, 4, np.float32),
        gains=rng.normal(0, 1, (count, 2, 2, 128, 128)).astype(np.float16),
    )


def test_answers_are_worth_what_they_bring_nearer_to_the_truth() -> None:
    """In the upper half a change is right, in the lower one it is wrong; beside the other photograph nothing counts."""
    gains = torch.ones(1, 2, 2, 8, 8)
    gains[:, :, 0, 4:] = -1
    valid = torch.ones(1, 1, 8, 8)
    right = torch.full((1, 2, 8, 8), 5.0)
    right[:, :, 4:] = -5
    loss = vars(lending)["_loss"]
    costs = [
        (float(cost), gained) for cost, gained in (loss(x, gains, valid[:, 0]) for x in (right, 0 * right, -right))
    ]
    assert costs[0][0] < costs[1][0] < costs[2][0]
    assert costs[0][1] == pytest.approx([1, 1])
    assert costs[2][1] == pytest.approx([-5 / 3, -5 / 3])
    nowhere, gained = loss(-right, gains, 0 * valid[:, 0])
    assert (float(nowhere), gained) == (0, [0, 0])


def test_learning_tells_where_it_stands_and_can_be_done_again() -> None:
    lessons: list[LendingLesson] = []
    networks = [learn_lending(noise(4), views=32, widths=(4, 4, 4, 4), report=lessons.append) for _ in range(2)]
    assert [(lesson.seen, lesson.of) for lesson in lessons] == [(32, 32)] * 2
    weights, again = (weights_of(network, "4 examples") for network in networks)
    assert weights.config.widths == (4, 4, 4, 4)
    assert all(np.array_equal(array, again.state[name]) for name, array in weights.state.items())


def test_examples_have_to_fit_together() -> None:
    examples = noise(2)
    with pytest.raises(ValueError, match="do not go with 1 examples"):
        LendingExamples(pictures=examples.pictures, sigmas=examples.sigmas[:1], gains=examples.gains)


def test_examples_are_faces_with_others_laid_over_them(portraits: Portraits) -> None:
    maker = LendingMaker(portraits, ["astronaut.jpg"], seed=1)
    assert maker.others(0) == []
    examples = maker.make(3)
    assert len(examples.sigmas) == 3
    assert (examples.sigmas > 0.5).all()
    assert examples.pictures[:, :3].std(axis=(2, 3)).min() > 5
    change, square = np.abs(examples.gains[:, :, 0].astype(np.float32)), examples.gains[:, :, 1].astype(np.float32)
    assert square.min() >= -0.01
    assert change.max() > 0.01
    again = maker.make(1)
    assert np.array_equal(again.pictures[0], examples.pictures[0])
