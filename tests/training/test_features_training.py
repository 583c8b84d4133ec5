"""How the networks that draw faces anew learn, and what from; the networks here are tiny."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.errors import TrainingError
from likeness.imaging.portraits import Portraits
from likeness.models.features.architecture import HALF_SIDE, WINDOWS, FeaturesConfig, Window
from likeness.models.features.path import NOISE, TO_TONES, base_of, drawn, scales
from likeness.models.features.weights import read_weights
from likeness.models.gpen.config import GpenConfig
from likeness.models.spec import Spec

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.training import features  # noqa: E402
from likeness.training.data import PairStream  # noqa: E402
from likeness.training.features import FeaturesLesson, learn_features, weights_of  # noqa: E402
from likeness.training.features_examples import FeaturesMaker  # noqa: E402
from likeness.training.muon import TurningMuon  # noqa: E402

TINY = FeaturesConfig(widths=(8, 8), depths=(1, 1), memory=8)
TOOL = Path(__file__).resolve().parents[2] / "tools" / "train_features.py"


class Darker:
    """A restorer that makes faces darker, and nothing else."""

    spec: Spec = GpenConfig(size=512, channel_multiplier=1, narrow=0.5).spec
    description = "darker"

    def run(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(faces * np.float32(0.5) - np.float32(0.7), -1.2, 1).astype(np.float32)


@pytest.fixture(scope="module")
def portraits() -> Portraits:
    """Three of soft forms."""
    coarse = np.random.default_rng(0).integers(0, 255, (3, 12, 12, 3)).astype(np.uint8)
    large = [PillowImage.fromarray(one).resize((512, 512), PillowImage.Resampling.BICUBIC) for one in coarse]
    return Portraits(samples=np.stack([np.asarray(one) for one in large]), names=("a.png", "b.png", "c.png"))


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """Faces with small mouths, whose originals have lines that the restored ones lack."""
    monkeypatch.setitem(WINDOWS, "mouth", Window(left=176, top=314, width=48, height=32))
    rng = np.random.default_rng(1)
    made: list[NDArray[np.uint8]] = []
    for _ in range(6):
        coarse = PillowImage.fromarray(rng.integers(40, 210, (42, 42, 3)).astype(np.uint8))
        soft = np.asarray(coarse.resize((HALF_SIDE, HALF_SIDE), PillowImage.Resampling.BICUBIC)).astype(float)
        lines = 40 * np.sin(np.arange(HALF_SIDE) / 1.5)[None, :, None]
        made.append(np.clip(np.stack([soft, soft, soft + lines]), 0, 255).astype(np.uint8))
    return made


def test_examples_are_photograph_answer_and_original_at_half_size(portraits: Portraits) -> None:
    maker = FeaturesMaker(portraits=portraits, runtime=Darker(), seed=3)
    example = maker.example(4)
    original, shown = PairStream(portraits=portraits, size=512, seed=3, pre_degrade_odds=0.5, severe=8).pair(4)
    restored = Darker().run(shown.clamp(-1, 1).numpy())
    assert (example.dtype, example.shape) == (np.uint8, (3, HALF_SIDE, HALF_SIDE, 3))
    for got, planes in zip(example, (shown.numpy(), restored, original.numpy()), strict=True):
        pixels = np.clip(planes.transpose(1, 2, 0) / 2 + 0.5, 0, 1)
        expected = pixels.reshape(HALF_SIDE, 2, HALF_SIDE, 2, 3).mean((1, 3))
        assert np.abs(got / 255 - expected).max() < 0.5 / 255 + 1e-6
    assert np.array_equal(FeaturesMaker(portraits=portraits, runtime=Darker(), seed=3).example(4), example)
    assert not np.array_equal(maker.example(5), example)


def test_moved_windows_lie_on_the_face() -> None:
    for part in ("eyes", "mouth"):
        window, shift = WINDOWS[part], 2 * vars(features)["_SHIFT"]
        assert min(window.left, window.top) >= shift
        assert max(window.left + window.width, window.top + window.height) <= 512 - shift
        assert not any(side % 2 for side in (window.left, window.top, window.width, window.height))


def test_the_right_answers_lead_to_the_original() -> None:
    """What is asked for, with what is shown, is what the path of use needs: going it with the right answers ends there."""
    rng = np.random.default_rng(5)
    views = list(np.tanh(rng.standard_normal((4, 3, 3, 56, 80))).astype(np.float32))
    planes, clocks, wanted = (side.numpy() for side in vars(features)["_questions"](views, rng))
    assert clocks.shape == (4, 16)
    for number, (shown, before, original) in enumerate(views):
        assert np.array_equal(planes[number, 3:6], before)
        assert np.array_equal(planes[number, 6:9], shown)
        share = float(np.arctan2(clocks[number, 0], clocks[number, 8]) * 2 / np.pi)
        assert (number / 4) ** 1.3 * 0.99 <= share <= ((number + 1) / 4) ** 1.3
        held, answers, asks = (scale[0] for scale in scales(np.array([share], np.float32)))
        state = planes[number, :3] / asks
        detail = np.tensordot(TO_TONES, original - base_of(before), 1)
        assert np.abs(held * state + answers * wanted[number] - detail).max() < 1e-3
        noise = (state - share * detail) / (1 - share) / NOISE
        assert share > 0.9 or np.abs(noise.std(axis=(1, 2)) - 1).max() < 0.05

        def predict(asked: NDArray[np.float32], at: float, detail: NDArray[np.float32] = detail) -> NDArray[np.float32]:
            held, answers, asks = (scale[0] for scale in scales(np.array([at], np.float32)))
            return (detail - held * asked / asks) / answers

        assert np.abs(drawn(predict, before, noise, steps=2) - original).max() < 1e-3


def test_windows_are_moved_mirrored_and_coloured(examples: list[NDArray[np.uint8]]) -> None:
    found: set[tuple[int, int, bool]] = set()
    pixels = examples[0][2].astype(np.float32).transpose(2, 0, 1) / np.float32(127.5)
    for seed in range(12):
        view = vars(features)["_view"](examples[0], "mouth", np.random.default_rng(seed))
        assert view.shape == (3, 3, 16, 24)
        assert view.dtype == np.float32
        assert -1 <= view.min() <= view.max() <= 1
        down, right = (int(v) for v in np.random.default_rng(seed).integers(-6, 7, 2))
        known = pixels[:, 157 + down : 173 + down, 88 + right : 112 + right]
        for mirrored in (False, True):
            other = view[2][..., ::-1] + 1 if mirrored else view[2] + 1
            unclipped = (other < 1.99) & (known > 0.1)
            gains = [other[plane][inside] / known[plane][inside] for plane, inside in enumerate(unclipped)]
            if all(float(np.ptp(gain)) < 1e-3 for gain in gains):
                assert all(0.76 < float(gain.mean()) < 1.27 for gain in gains)
                found.add((down, right, mirrored))
    assert len(found) == 12
    assert {mirrored for _, _, mirrored in found} == {False, True}


def test_of_a_whole_face_squares_anywhere_in_it_are_seen(examples: list[NDArray[np.uint8]]) -> None:
    view = vars(features)["_view"](examples[0], "face", np.random.default_rng(0))
    assert view.shape == (3, 3, 128, 128)
    rng = np.random.default_rng(1)
    sides = [vars(features)["_moved"](WINDOWS["face"].half[0], rng) for _ in range(2_000)]
    assert {side.stop - side.start for side in sides} == {128}
    assert {side.start for side in sides} == set(range(129))


def test_faces_that_were_restored_badly_come_more_often() -> None:
    grey = np.full((3, HALF_SIDE, HALF_SIDE, 3), 100, np.uint8)
    faces = [grey.copy() for _ in range(4)]
    for face, change in zip(faces, (0, 4, 7, 40), strict=True):
        rows, columns = WINDOWS["mouth"].half
        face[2, rows, columns] += np.uint8(change)
    odds = vars(features)["_odds"](faces, "mouth")
    assert odds.sum() == pytest.approx(1)
    assert odds / odds[3] == pytest.approx([0.1, 0.1, (7 / 127.5 - 0.03) / 0.05, 1])


def test_learning_lowers_the_loss_and_holds_the_norms(examples: list[NDArray[np.uint8]]) -> None:
    lessons: list[FeaturesLesson] = []
    learn = partial(learn_features, examples, "mouth", config=TINY, batch=4, every=40)
    network = learn(windows=320, report=lessons.append)
    assert [(lesson.seen, lesson.of) for lesson in lessons] == [(40 * n, 320) for n in range(1, 9)]
    rng = np.random.default_rng(9)
    planes, clocks, wanted = vars(features)["_questions"](
        [vars(features)["_view"](example, "mouth", rng) for example in examples for _ in range(3)], rng
    )
    fresh = learn(windows=4)  # one step of the slowest rate
    before, after = (float(vars(features)["_loss"](one(planes, clocks), wanted)) for one in (fresh, network))
    assert after < 0.8 * before
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_run_may_begin_with_weights(examples: list[NDArray[np.uint8]]) -> None:
    learnt = learn_features(examples, "mouth", windows=480, config=TINY, batch=4)
    weights = weights_of(dict.fromkeys(WINDOWS, learnt))
    first: list[float] = []
    for start in (None, weights):
        told: list[FeaturesLesson] = []
        learn_features(examples, "mouth", windows=40, config=TINY, start=start, batch=4, every=40, report=told.append)
        first.append(told[0].loss)
    assert first[1] < 0.9 * first[0]


def test_convolutions_turn_and_keep_their_norms() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(6, 4, 3, 3))
    first = weight.detach().clone()
    turning = TurningMuon([weight], lr=0.1, dtype=torch.float32)
    for _ in range(3):
        turning.zero_grad()
        (weight * first.flip(0)).sum().backward()
        before = weight.detach().clone()
        turning.step()
        assert float(weight.detach().norm()) == pytest.approx(float(first.norm()), rel=1e-5)
        assert float((weight.detach() - before).norm() / first.norm()) == pytest.approx(0.1, rel=0.1)
    assert float((weight.detach() * first.flip(0)).sum()) < float((first * first.flip(0)).sum())


def test_a_stopped_run_goes_on_to_the_same_bits_and_another_is_refused(
    examples: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    class StoppedError(Exception):
        pass

    def stop(lesson: FeaturesLesson) -> None:
        if lesson.seen == 24:
            raise StoppedError

    learn = partial(learn_features, examples, "mouth", windows=40, config=TINY, batch=2, every=8)
    whole = learn(state=tmp_path / "whole.pt")
    with pytest.raises(StoppedError):
        learn(state=tmp_path / "stopped.pt", report=stop)
    lessons: list[FeaturesLesson] = []
    resumed = learn(state=tmp_path / "stopped.pt", report=lessons.append)
    assert [lesson.seen for lesson in lessons] == [32, 40]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    states = [torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("whole", "stopped")]
    assert list(flat(states[0])) == list(flat(states[1]))
    for (name, one), (_, other) in zip(flat(states[0]).items(), flat(states[1]).items(), strict=True):
        assert torch.equal(one, other), name
    done = learn(state=tmp_path / "whole.pt", report=lessons.append)
    assert torch.equal(done.head.weight, whole.head.weight)
    assert len(lessons) == 2, "nothing is left to learn"
    with pytest.raises(TrainingError, match="seed"):
        learn(state=tmp_path / "whole.pt", seed=1)


def flat(state: Any, name: str = "") -> dict[str, Any]:
    """Every number of a state as a tensor, by its place."""
    if isinstance(state, dict):
        inner = [flat(value, f"{name}.{key}") for key, value in cast("dict[Any, Any]", state).items()]
        return {place: value for one in inner for place, value in one.items()}
    if isinstance(state, torch.Tensor):
        return {name: state}
    return {name: torch.tensor(float(state))} if isinstance(state, (int, float)) else {}


def test_examples_of_another_size_are_refused(examples: list[NDArray[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="examples are"):
        learn_features([example[:, 1:] for example in examples], "eyes", windows=4, config=TINY)
    with pytest.raises(ValueError, match="not none"):
        learn_features([], "eyes", windows=4, config=TINY)


def test_all_networks_are_needed_for_the_file(examples: list[NDArray[np.uint8]]) -> None:
    network = learn_features(examples, "mouth", windows=1, config=TINY, batch=1)
    with pytest.raises(ValueError, match="not for mouth alone"):
        weights_of({"mouth": network})
    weights = weights_of(dict.fromkeys(WINDOWS, network), "noise")
    assert FeaturesConfig.from_shapes({name: array.shape for name, array in weights.state.items()}) == TINY


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, with a restorer and networks of its own."""
    spec = importlib.util.spec_from_file_location("train_features_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def load(*_given: Any, **_named: Any) -> Darker:
        return Darker()

    monkeypatch.setattr(module, "load_runtime", load)
    monkeypatch.setattr(module, "learn_features", partial(module.learn_features, config=TINY, batch=2))
    monkeypatch.setattr(module, "PIECE", 2)
    return module


def test_the_tool_makes_examples_once_and_each_part_may_be_learnt_apart(
    tool: ModuleType,
    portraits: Portraits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "faces").mkdir()
    for name, samples in zip(portraits.names, portraits.samples, strict=True):
        PillowImage.fromarray(samples).save(tmp_path / "faces" / name)
    keep, out = tmp_path / "work", tmp_path / "features.safetensors"
    given = [str(tmp_path / "faces"), "--keep", str(keep), "--examples", "3", "--windows", "4"]

    def run(*more: str) -> str:
        monkeypatch.setattr(sys, "argv", ["train_features.py", *given, *more])
        tool.main()
        return capsys.readouterr().out

    said = run("--part", "mouth")
    # From the end, to meet the other run.
    assert said.index("examples 2 to 3 of 3") < said.index("examples 0 to 2 of 3")
    assert "mouth: 4 of 4" in said
    assert sorted(path.name for path in keep.iterdir()) == [
        "000000-000002.npy",
        "000002-000003.npy",
        "mouth.pt",
    ]
    said = run("--out", str(out))
    assert "examples" not in said
    assert "face: 4 of 4" in said
    assert "eyes: 4 of 4" in said
    assert "mouth: " not in said, "learnt before"
    weights = read_weights(out)
    assert weights.config == TINY
    assert weights.source == "3 examples, 4 windows of each part"
    with pytest.raises(SystemExit):
        run()
    assert "--out is needed" in capsys.readouterr().err
