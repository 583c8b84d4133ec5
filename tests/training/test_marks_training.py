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
from likeness.training.marks import DAMAGED, UNSURE, MarksLesson, example, learn_marks, weights_of  # noqa: E402
from likeness.training.old_photographs import labels_of  # noqa: E402

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


def test_labels_of_an_old_photograph_are_shown(photographs: list[NDArray[np.uint8]]) -> None:
    labels = np.zeros((96, 120), np.uint8)
    labels[:, :60] = DAMAGED
    labels[:, 60:70] = UNSURE
    damaged = sound = 0.0
    for seed in range(30):
        _, truth, counts = example(photographs[seed % 6], np.random.default_rng(seed), side=64, labels=labels)
        assert set(np.unique(truth)) <= {0, 1}
        assert set(np.unique(counts)) <= {0, 1, 2}, "what is sound counts twice"
        damaged, sound = damaged + truth[0].mean(), sound + (counts[0] == 2).mean()
    assert damaged > 8
    assert sound > 4


def test_a_table_says_where_an_old_photograph_is_damaged() -> None:
    grey = np.full((60, 80), 100, np.uint8)
    grey[30:32, 10:30], grey[40, 50], grey[10, 60] = 140, 60, 140

    def row(what: str, *box: int, least: str = "20") -> dict[str, str]:
        return {
            "what": what,
            **dict(zip(("left", "top", "right", "bottom"), map(str, box), strict=True)),
            "least": least,
        }

    labels = labels_of(
        grey, [row("light", 0, 25, 40, 40), row("dark", 45, 35, 55, 45), row("unsure", 70, 0, 80, 60, least="")]
    )
    assert (labels[30:32, 10:30] == DAMAGED).all()
    assert labels[40, 50] == DAMAGED
    assert labels[29, 20] == labels[5, 75] == UNSURE, "the rim of a mark, and what is said to be"
    assert labels[10, 60] == 0, "in no box"
    assert not labels_of(grey, [{"what": "sound"}]).any()


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
    # Begun with these weights and more channels it goes on from what they knew.
    wider = learn_marks(
        photographs, examples=8, start=weights_of(network), widths=(4, 6, 10, 12), rate=0, side=48, mixed=True
    )
    shown = torch.from_numpy(example(photographs[0], np.random.default_rng(0), side=64)[0][None])
    assert torch.allclose(network(shown), wider(shown), atol=1e-4)
    with pytest.raises(TrainingError, match="side"):
        learn_marks(photographs, examples=480, widths=WIDTHS, side=64, state=state)
