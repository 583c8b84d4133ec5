from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import TrainingError

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.runtimes.marks import MarksRuntime  # noqa: E402
from likeness.training import lookalikes  # noqa: E402
from likeness.training.lookalikes import draw_lookalikes  # noqa: E402
from likeness.training.marks import MarksLesson, example, learn_marks, weights_of  # noqa: E402

WIDTHS = (4, 6, 8, 8)
LOOKALIKES = vars(lookalikes)["_DRAW"]


@pytest.fixture(scope="module")
def photographs() -> list[NDArray[np.uint8]]:
    """Soft forms, 96 x 120."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(40, 210, (6, 3, 5, 6)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(96, 120), mode="bicubic").clamp(0, 255)
    return list(smooth.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def test_examples_say_where_damage_is(photographs: list[NDArray[np.uint8]]) -> None:
    damaged = sound = 0
    for seed in range(30):
        shown, truth, counts = example(photographs[seed % 6], np.random.default_rng(seed), side=64)
        assert shown.shape == (3, 64, 64)
        assert truth.shape == counts.shape == (2, 64, 64)
        assert 0 <= shown.min() <= shown.max() <= 1
        assert set(np.unique(truth)) <= {0, 1}
        assert set(np.unique(counts)) <= {0, 1}
        damaged, sound = damaged + (truth.max() > 0), sound + (truth.max() == 0)
    assert damaged > 15
    assert sound > 2


@pytest.mark.parametrize("number", range(len(LOOKALIKES)))
def test_what_looks_like_damage_is_drawn_and_stays_a_picture(number: int) -> None:
    ground = np.full((64, 64, 3), 0.4, np.float32)
    changed = []
    for seed in range(6):
        drawn = LOOKALIKES[number](ground, np.random.default_rng(seed))
        assert drawn.shape == ground.shape
        assert drawn.dtype == np.float32
        assert np.isfinite(drawn).all()
        changed.append(float((np.abs(drawn - ground).max(axis=2) > 0.05).mean()))
    assert max(changed) > 0.01, "nothing to learn from"
    assert np.array_equal(ground, np.full_like(ground, 0.4)), "what was given is left alone"


def test_lookalikes_are_a_pictures_own(photographs: list[NDArray[np.uint8]]) -> None:
    """They are drawn into what counts as sound."""
    ground = photographs[0][:64, :64].astype(np.float32) / np.float32(255)
    drawn = draw_lookalikes(ground, np.random.default_rng(1))
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert not np.array_equal(drawn, ground)
    assert np.array_equal(drawn, draw_lookalikes(ground, np.random.default_rng(1)))


def test_it_learns_goes_on_and_refuses_another_run(photographs: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    lessons: list[MarksLesson] = []
    state = tmp_path / "state.pt"
    learn_marks(photographs, examples=80, widths=WIDTHS, side=48, state=state, report=lessons.append)
    network = learn_marks(photographs, examples=480, widths=WIDTHS, side=48, state=state, report=lessons.append)
    assert [(lesson.seen, lesson.of) for lesson in lessons] == [(80, 80), (480, 480)]
    runtime = MarksRuntime(weights_of(network), threads=1)
    on, off = [], []
    for seed in range(1000, 1030):
        shown, truth, _ = example(photographs[seed % 6], np.random.default_rng(seed), side=64)
        thin = runtime.look(shown.transpose(1, 2, 0)).thin
        on.append(thin[truth[0] == 1])
        off.append(thin[truth[0] == 0])
    assert np.concatenate(on).mean() > 1.15 * np.concatenate(off).mean()
    with pytest.raises(TrainingError, match="side"):
        learn_marks(photographs, examples=480, widths=WIDTHS, side=64, state=state)
