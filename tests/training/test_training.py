from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError, ImageReadError, LicenceError, TrainingError
from likeness.imaging.portraits import Portraits
from likeness.training.config import TrainConfig
from likeness.training.settings import read_settings

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.faces.align import FFHQ_TEMPLATE  # noqa: E402
from likeness.models.formats import ModelInfo, read_checkpoint, write_checkpoint  # noqa: E402
from likeness.models.srvgg.config import SrvggConfig  # noqa: E402
from likeness.models.srvgg.config import expected_shapes as srvgg_shapes  # noqa: E402
from likeness.training.data import PairStream, make_pair, to_planes  # noqa: E402
from likeness.training.discriminator import eye_pairs, mouths  # noqa: E402
from likeness.training.loop import train  # noqa: E402
from likeness.training.losses import face_weights, gradient_l1, texture_l1, weighted_l1  # noqa: E402
from likeness.training.muon import orthogonalise  # noqa: E402
from likeness.training.progress import Progress, Statistics  # noqa: E402
from likeness.training.run_state import load_state, save_state  # noqa: E402
from likeness.training.start import start_network, start_terms  # noqa: E402
from likeness.training.trainer import Trainer  # noqa: E402


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six crops of a real portrait."""
    folder = tmp_path_factory.mktemp("portraits")
    picture = PillowImage.open(Path(__file__).parents[1] / "data" / "astronaut.jpg").convert("RGB")
    for number in range(6):
        picture.crop((number * 8, 0, number * 8 + 160, 160)).resize((64, 64)).save(folder / f"p{number}.png")
    return folder


def _config(portraits: Path, run: Path) -> TrainConfig:
    return TrainConfig(
        portraits=str(portraits), run=str(run), size=64, narrow=0.125, pictures=16, batch=2, adversarial_from=8,
        discriminator_crop=32, discriminator_channels=8, save_every=4, sheet_every=16, min_native_side=0,
        noise=True,
    )  # fmt: skip


def test_a_run_writes_weights_statistics_and_a_sheet(portraits: Path, tmp_path: Path) -> None:
    path = train(_config(portraits, tmp_path))
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec.config.size == 64
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in lines] == [4, 8, 12, 16]
    assert "d" not in lines[1]
    assert "d" in lines[2]
    assert list(tmp_path.glob("sheet-*.jpg"))


def test_resuming_goes_the_same_way(portraits: Path, tmp_path: Path) -> None:
    config = replace(_config(portraits, tmp_path / "whole"), parts=0.01, relativistic=True)
    whole = read_checkpoint(train(config))
    stopped = replace(config, run=str(tmp_path / "parts"))
    with pytest.raises(_StopError):
        train(stopped, report=_stop_at(8))
    resumed = read_checkpoint(train(stopped))
    for key, value in whole.state.items():
        np.testing.assert_allclose(resumed.state[key], value, atol=1e-3, err_msg=key)


def test_the_starts_share_stays_in_the_written_weights(portraits: Path, tmp_path: Path) -> None:
    first = train(replace(_config(portraits, tmp_path / "first"), pictures=8))
    config = replace(_config(portraits, tmp_path / "run"), start=str(first), noise_gain=1.5)
    start, plain = read_checkpoint(first).state, read_checkpoint(train(config)).state
    mixed = read_checkpoint(train(replace(config, start_share=0.75))).state  # the run is at its end: it only writes
    for key, value in mixed.items():
        np.testing.assert_allclose(value, 0.25 * plain[key] + 0.75 * start[key], atol=1e-3, rtol=2e-3, err_msg=key)
    assert max(np.abs(plain[key] - start[key]).max() for key in plain) > 0.01
    with pytest.raises(ConfigError, match="needs start"):
        replace(config, start="identity", start_share=0.5)


class _StopError(Exception):
    pass


def _stop_at(pictures: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.pictures >= pictures:
            raise _StopError

    return report


@pytest.mark.long
def test_steps_make_the_pictures_better(portraits: Path, tmp_path: Path) -> None:
    """Sixty steps on one batch: its loss must fall by a sixth, or the loop does not learn."""
    config = replace(_config(portraits, tmp_path), adversarial_from=1000, pictures=1000, learning_rate=1e-2)
    sharp = Portraits.read(portraits, 64)
    trainer = Trainer(config, start_network(config, sharp))
    pairs = [make_pair(sharp.pixels(i), (0, i + 20), size=64, pre_degrade_odds=1.0) for i in range(2)]
    target, shown = (torch.stack([to_planes(x) for x in side]) for side in zip(*pairs, strict=True))
    losses = [trainer.step(target, shown)["l1"].item() for _ in range(60)]
    assert losses[-1] < 0.85 * losses[0]


@pytest.mark.long
def test_the_penalty_keeps_the_critic_from_growing_steep(portraits: Path, tmp_path: Path) -> None:
    stream = PairStream(portraits=Portraits.read(portraits, 64), size=64, seed=1, pre_degrade_odds=0.0)
    pairs = [stream.pair(number) for number in range(2)]
    target, shown = torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])

    def slope(penalty: float) -> float:
        config = replace(
            _config(portraits, tmp_path), adversarial_from=0, discriminator_rate=1e-3, gradient_penalty=penalty
        )
        trainer = Trainer(config, start_network(config, stream.portraits))
        for _ in range(17):  # the penalty comes at the first and the last
            trainer.step(target, shown)
        x = target[:, :, :32, :32].clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(trainer.discriminator(x)[0].sum(), x)
        return float(gradient.square().sum())

    assert slope(10.0) < 0.5 * slope(0.0)


def test_eyes_are_judged_as_a_pair_and_the_mouth_for_itself() -> None:
    face = torch.zeros(1, 3, 512, 512)
    for channel, (x, y) in enumerate(FFHQ_TEMPLATE[[0, 1, 3]]):
        face[0, channel, round(float(y)), round(float(x))] = 1
    pair, mouth = eye_pairs(face), mouths(face)
    assert pair.shape == (1, 6, 96, 96)
    assert mouth.shape == (1, 3, 96, 144)
    assert pair.sum(dim=(0, 2, 3)).tolist() == [1, 0, 0, 0, 1, 0]  # each eye in its own half, and nothing else
    assert mouth.sum(dim=(0, 2, 3)).tolist() == [0, 0, 1]
    left, right = (pair[0, channel].nonzero()[0] for channel in (0, 4))
    assert (left - right).abs().max() <= 1  # mirrored: alike eyes lie on one another
    assert eye_pairs(face[..., ::8, ::8]).shape == (1, 6, 32, 32)


def test_critics_that_compare_cannot_tell_a_picture_from_itself(portraits: Path, tmp_path: Path) -> None:
    config = replace(_config(portraits, tmp_path), adversarial_from=0, parts=0.01, relativistic=True)
    stream = PairStream(portraits=Portraits.read(portraits, 64), size=64, seed=1, pre_degrade_odds=0.0)
    trainer = Trainer(config, start_network(config, stream.portraits))
    target, _ = (x[None] for x in stream.pair(0))
    for critic in (trainer.discriminator, *trainer.part_critics.values()):
        torch.nn.init.normal_(critic.logits.weight)
    # From the identity, the sharp picture comes back as it is, and nobody can be more real than himself.
    losses = trainer.step(target, target)
    for name in ("g", "d", "g_eyes", "d_eyes", "g_mouth", "d_mouth"):
        assert float(losses[name]) == pytest.approx(math.log(2), abs=0.1), name  # bf16


def test_a_run_goes_on_with_the_critics_of_another(portraits: Path, tmp_path: Path) -> None:
    config = replace(_config(portraits, tmp_path / "first"), adversarial_from=0, pictures=4, parts=0.01)
    train(config)
    start = start_network(config, Portraits.read(portraits, 64))
    critics = tmp_path / "first" / "critics.safetensors"
    trainer = Trainer(replace(config, critics=str(critics)), start)
    again = tmp_path / "again.safetensors"
    trainer.export_critics(again)
    assert again.read_bytes() == critics.read_bytes()
    Trainer(config, start).export_critics(again)
    assert again.read_bytes() != critics.read_bytes()
    with pytest.raises(TrainingError, match="critics of a run"):
        Trainer(replace(config, critics=str(tmp_path / "none")), start)
    with pytest.raises(TrainingError, match="critics of a run"):
        Trainer(replace(config, critics=str(critics), discriminator_channels=12), start)


def test_what_is_learnt_from_weights_stays_under_their_licence(portraits: Path, tmp_path: Path) -> None:
    config = replace(_config(portraits, tmp_path / "own"), pictures=2)
    own = train(config)
    assert read_checkpoint(own).info is not None
    assert start_terms(config) == ("", "")
    state, info = read_checkpoint(own), ModelInfo(name="theirs", licence="NC", licence_url="https://example.com/nc")
    write_checkpoint(tmp_path / "theirs.safetensors", state.state, state.spec, info)
    later = replace(config, run=str(tmp_path / "later"), start=str(tmp_path / "theirs.safetensors"))
    said = read_checkpoint(train(later)).info
    assert said is not None
    assert (said.licence, said.licence_url) == ("NC", "https://example.com/nc")
    assert start_terms(replace(config, start="likeness-512"))[0] == "MIT"


def test_heavy_blur_can_be_drawn_more_often(portraits: Path) -> None:
    sharp = Portraits.read(portraits, 64).pixels(0)

    def detail(severe: float) -> float:
        pairs = [make_pair(sharp, (0, number), size=64, pre_degrade_odds=0.0, severe=severe) for number in range(24)]
        return float(np.median([np.abs(np.diff(shown, axis=1)).mean() for _, shown in pairs]))

    assert detail(1000.0) < 0.8 * detail(1.0)


def test_another_runs_state_is_refused(portraits: Path, tmp_path: Path) -> None:
    config = _config(portraits, tmp_path)
    train(config)
    with pytest.raises(TrainingError, match="another run folder"):
        train(replace(config, narrow=0.25))


def test_a_damaged_state_is_told_and_one_that_cannot_be_written_leaves_the_last(
    portraits: Path, tmp_path: Path
) -> None:
    config = _config(portraits, tmp_path)
    trainer = Trainer(config, start_network(config, Portraits.read(portraits, 64)))
    path = tmp_path / "state.pt"
    trainer.save(path)
    whole = path.read_bytes()
    with pytest.raises(TrainingError, match="cannot be written"):
        trainer.save(tmp_path / "nowhere" / "state.pt")
    older = torch.load(path, weights_only=True)
    del older["config"]["relativistic"]
    torch.save(older, tmp_path / "older.pt")
    for name, data in (("cut.pt", whole[: len(whole) // 2]), ("text.pt", b"no state"), ("older.pt", None)):
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(TrainingError, match=f"{name} cannot be read as the state of a run"):
            trainer.load(tmp_path / name)
    trainer.load(path)
    wider = Trainer(config, start_network(replace(config, narrow=0.25), Portraits.read(portraits, 64)))
    with pytest.raises(TrainingError, match=r"state\.pt cannot be read as the state of a run"):
        wider.load(path)


def test_what_an_optimiser_kept_is_applied_to_the_weights_that_it_is_of(tmp_path: Path) -> None:
    """Fused steps look at no strides: a state whose moments lie otherwise than the weights would scramble them."""
    gradients = torch.randn(4, 8, 4, 3, 3, generator=torch.Generator().manual_seed(1))

    def made() -> tuple[torch.nn.Conv2d, torch.optim.Adam]:
        torch.manual_seed(0)
        network = torch.nn.Conv2d(4, 8, 3, bias=False)
        return network, torch.optim.Adam(network.parameters(), lr=0.01, fused=True)

    def stepped(network: torch.nn.Conv2d, optimiser: torch.optim.Adam, some: torch.Tensor) -> None:
        for gradient in some:
            network.weight.grad = torch.empty_like(network.weight).copy_(gradient)
            optimiser.step()

    network, optimiser = made()
    stepped(network, optimiser, gradients[:2])
    save_state(tmp_path / "state.pt", {}, 2, {"network": network, "optimiser": optimiser})
    stepped(network, optimiser, gradients[2:])
    other, resumed = made()
    other.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    load_state(tmp_path / "state.pt", {}, (), {"network": other, "optimiser": resumed}, "cpu")
    stepped(other, resumed, gradients[2:])
    assert torch.equal(other.weight, network.weight)


def test_a_loss_that_joins_late_is_the_mean_of_its_own_steps(tmp_path: Path) -> None:
    statistics = Statistics(tmp_path / "stats.jsonl")
    for step in range(4):
        losses = {"l1": torch.tensor(2.0)} | ({"d": torch.tensor(3.0)} if step == 3 else {})
        statistics.add(losses, 2)
    assert statistics.progress(8).losses == {"l1": 2.0, "d": 3.0}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("save_every", 0, "save_every must be at least 1"),
        ("sheet_every", 0, "sheet_every must be at least 1"),
        ("size", 100, "no such network can be built: size must be a power of two"),
        ("severe", -1.0, "severe must be 0 or more"),
        ("pre_degrade_odds", 1.5, "pre_degrade_odds must be from 0 to 1"),
        ("threads", -1, "threads must be 0 or more"),
        ("seed", -1, "seed must be 0 or more"),
    ],
)
def test_settings_that_no_run_can_have_are_told_before_it(name: str, value: float, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(TrainConfig(portraits="p", run="r"), **{name: value})


def test_without_a_discriminator_its_crop_does_not_matter(portraits: Path, tmp_path: Path) -> None:
    config = replace(_config(portraits, tmp_path), discriminator_crop=256)
    with pytest.raises(TrainingError, match="discriminator_crop 256 is larger than size 64"):
        train(config)
    assert not (tmp_path / "state.pt").exists()
    assert train(replace(config, adversarial_from=config.pictures, pictures=2, save_every=2)).is_file()


def test_no_portraits(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageReadError, match="no portraits"):
        train(_config(tmp_path / "empty", tmp_path / "run"))


def test_a_start_of_another_architecture_is_refused(portraits: Path, tmp_path: Path) -> None:
    enlarger = SrvggConfig(features=4, convolutions=0, scale=2)
    state = {name: np.zeros(shape, np.float32) for name, shape in srvgg_shapes(enlarger).items()}
    write_checkpoint(tmp_path / "up.safetensors", state, enlarger.spec, ModelInfo(name="up"))
    config = replace(_config(portraits, tmp_path), start=str(tmp_path / "up.safetensors"))
    with pytest.raises(
        TrainingError, match="holds a Real-ESRGAN compact network of scale 2; a run trains a GPEN network"
    ):
        train(config)


def test_a_start_whose_licence_was_not_accepted_is_refused(
    portraits: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is trained from published weights is theirs as well."""
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    shutil.copy(tiny_model, tmp_path / "GPEN-BFR-256.pth")
    with pytest.raises(LicenceError, match="likeness models accept GPEN-BFR-256"):
        train(replace(_config(portraits, tmp_path), start=str(tmp_path / "GPEN-BFR-256.pth")))


def test_a_run_grows_from_a_smaller_one(portraits: Path, tmp_path: Path) -> None:
    small = train(replace(_config(portraits, tmp_path / "small"), workers=0))
    config = replace(
        _config(portraits, tmp_path / "large"), size=128, start=str(small), pictures=4, workers=0, save_every=4
    )
    assert read_checkpoint(train(config)).spec.config.size == 128
    with pytest.raises(TrainingError, match="is of size 128, the run of 64"):
        train(replace(config, run=str(tmp_path / "back"), start=str(tmp_path / "large/weights.safetensors"), size=64))


def test_a_pair_is_decided_by_its_number(portraits: Path) -> None:
    sharp = Portraits.read(portraits, 64).pixels(0)
    first, again = (make_pair(sharp, (0, 7), size=64, pre_degrade_odds=0.5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], make_pair(sharp, (0, 8), size=64, pre_degrade_odds=0.5)[1])


def test_a_small_network_sees_what_a_large_one_does_but_smaller(portraits: Path) -> None:
    """Degraded at 256 and halved, a picture must look like the same one degraded at 512 and brought down to 128."""
    large = Portraits.read(portraits, 512).pixels(0)
    half = Portraits.read(portraits, 256).pixels(0)
    for number in (1, 2, 3):
        at_512, at_256 = (make_pair(x, (0, number), size=128, pre_degrade_odds=0.0)[1] for x in (large, half))
        # Noise differs sample by sample; what it and the blur leave of contrast does not.
        assert at_256.std() == pytest.approx(at_512.std(), rel=0.05)
        assert np.abs(np.diff(at_256, axis=1)).mean() == pytest.approx(np.abs(np.diff(at_512, axis=1)).mean(), rel=0.3)


def test_the_stream_does_not_depend_on_its_workers(portraits: Path) -> None:
    stream = PairStream(portraits=Portraits.read(portraits, 64), size=64, seed=1, pre_degrade_odds=0.5)

    def inputs(workers: int, first: int = 0) -> list[torch.Tensor]:
        return [shown for _, shown in stream.batches(batch=2, first=first, last=8, workers=workers)]

    alone, two = inputs(0), inputs(2)
    assert len(alone) == 4
    assert all(torch.equal(a, b) for a, b in zip(alone, two, strict=True))
    assert torch.equal(alone[2], inputs(0, first=4)[0])


def test_an_error_in_a_worker_stops_the_run(portraits: Path) -> None:
    # No generator takes a negative seed: making the first pair fails in its thread.
    stream = PairStream(portraits=Portraits.read(portraits, 64), size=64, seed=-1, pre_degrade_odds=0.0)
    with pytest.raises(ValueError, match="non-negative"):
        next(iter(stream.batches(batch=2, first=0, last=16, workers=2)))


def test_muon_moves_along_all_directions_alike() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(24, 8) @ torch.diag(torch.logspace(0, 2, 8)) @ torch.randn(8, 60)
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert float(values[:8].min()) > 0.5
    assert float(values[:8].max()) < 1.4


def test_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('portraits = "a"\nrun = "b"\nlearning_rate = 1\n')
    assert read_settings(path).learning_rate == 1
    for text, message in (
        ('portraits = "a"\nrun = "b"\nlerning_rate = 1\n', 'unknown key "lerning_rate"'),
        ('portraits = "a"\nrun = "b"\nbatch = "4"\n', '"batch" must be int'),
        ('portraits = "a"\n', "run must be set"),
        ("portraits = \n", "is not TOML"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_settings(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")


def test_losses() -> None:
    weights = face_weights(64, 3.0)
    assert float(weights.mean()) == pytest.approx(1, abs=1e-5)
    assert float(weights[0, 0, 30, 24]) > float(weights[0, 0, 2, 2])
    zero, one = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    assert float(weighted_l1(zero, one, weights)) == pytest.approx(1, abs=1e-5)
    assert float(gradient_l1(zero, one, weights)) == 0


def test_the_texture_loss_wants_as_much_grain_not_the_same_grain() -> None:
    torch.manual_seed(0)
    smooth = torch.zeros(1, 3, 64, 64)
    grain, other = (0.1 * torch.randn(1, 1, 64, 64).expand(1, 3, 64, 64) for _ in range(2))
    assert float(texture_l1(grain, grain)) == 0
    assert float(texture_l1(other, grain)) < 0.2 * float(texture_l1(smooth, grain))
    assert float(weighted_l1(other, grain, torch.ones(()))) > float(weighted_l1(smooth, grain, torch.ones(())))
