from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError, ImageReadError, TrainingError
from likeness.imaging.shards import read_photographs
from likeness.models.enlarger.architecture import EnlargerConfig
from likeness.training.enlarger.config import EnlargerTrainConfig
from likeness.training.settings import read_settings

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.models.enlarger.network import bicubic  # noqa: E402
from likeness.models.enlarger.weights import read_weights  # noqa: E402
from likeness.training.enlarger.data import EnlargingStream, degrade, make_example  # noqa: E402
from likeness.training.enlarger.loop import train_enlarger  # noqa: E402
from likeness.training.enlarger.trainer import EnlargerTrainer  # noqa: E402
from likeness.training.progress import Progress  # noqa: E402

PACKAGED = Path(__file__).parents[3] / "src" / "likeness" / "weights" / "likeness-enlarge.safetensors"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two crops of a real photograph."""
    folder = tmp_path_factory.mktemp("photographs")
    picture = PillowImage.open(Path(__file__).parents[2] / "data" / "astronaut.jpg").convert("RGB")
    for number in range(2):
        picture.crop((number * 8, 0, number * 8 + 200, 180)).save(folder / f"p{number}.png")
    return folder


def _config(photographs: Path, run: Path) -> EnlargerTrainConfig:
    return EnlargerTrainConfig(
        network="enlarger", photographs=str(photographs), run=str(run), portrait_share=0.0, channels=8, blocks=1,
        patches=24, batch=2, side=16, warm_up=4, save_every=8, threads=1,
    )  # fmt: skip


def test_a_resumed_run_is_the_same_to_the_last_bit(photographs: Path, tmp_path: Path) -> None:
    whole = read_weights(train_enlarger(_config(photographs, tmp_path / "whole")))
    stopped = _config(photographs, tmp_path / "parts")
    with pytest.raises(_StopError):
        train_enlarger(stopped, report=_stop_at(16))
    resumed = read_weights(train_enlarger(stopped))
    for key, value in whole.state.items():
        np.testing.assert_array_equal(resumed.state[key], value, err_msg=key)
    lines = [json.loads(line) for line in (tmp_path / "parts" / "stats.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in lines] == [8, 16, 24]
    start = EnlargerTrainer(_config(photographs, tmp_path / "other")).network.state_dict()
    assert all(not np.array_equal(start[key].numpy().astype(np.float16), value) for key, value in whole.state.items())


class _StopError(Exception):
    pass


def _stop_at(patches: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.pictures >= patches:
            raise _StopError

    return report


def test_a_later_run_goes_on_from_written_weights(photographs: Path, tmp_path: Path) -> None:
    first = train_enlarger(_config(photographs, tmp_path / "first"))
    config = replace(_config(photographs, tmp_path / "second"), start=str(first), channels=48)
    trainer = EnlargerTrainer(config)
    for key, value in read_weights(first).state.items():
        np.testing.assert_array_equal(trainer.network.state_dict()[key].numpy(), value)
    # Its rates rise again, as its optimisers begin with nothing.
    assert trainer.rate() == pytest.approx(0.5, rel=0.01)
    trainer.seen = 4
    assert trainer.rate() > 0.9
    trainer.seen = 24
    assert trainer.rate() == pytest.approx(config.final_rate)


def test_another_runs_state_is_refused(photographs: Path, tmp_path: Path) -> None:
    config = _config(photographs, tmp_path)
    train_enlarger(config)
    with pytest.raises(TrainingError, match="blocks = 1, not 2: use another run folder"):
        train_enlarger(replace(config, blocks=2))
    train_enlarger(replace(config, patches=32))  # but it may be made longer


@pytest.mark.long
def test_steps_make_the_pictures_better(photographs: Path, tmp_path: Path) -> None:
    """From He's weights, two hundred steps on undamaged patches beat bicubic enlargement."""
    config = replace(_config(photographs, tmp_path), patches=2000, degraded_share=0.0, channels=16)
    trainer = EnlargerTrainer(config)
    stream = _stream(photographs, degraded_share=0.0)
    losses: list[float] = []
    plain: list[float] = []
    for large, small, shown in stream.batches(first=0, last=400, workers=1):
        plain.append(255 * float((bicubic(shown, large.shape[-1] // 16) - large).abs().mean()))
        losses.append(float(trainer.step(large, small, shown)["faithful"]))
    assert np.mean(losses[-50:]) < 0.95 * np.mean(plain[-50:])


def _stream(photographs: Path, *, degraded_share: float) -> EnlargingStream:
    found = tuple(read_photographs(photographs, "general-[0-9]*.tar").values())
    return EnlargingStream(
        photographs=found, portraits=(), portrait_share=0.0, degraded_share=degraded_share, side=16, batch=2, seed=3
    )


def test_an_example_is_decided_by_its_number(photographs: Path) -> None:
    stream = _stream(photographs, degraded_share=0.5)
    for number in range(6):
        first, again = stream.example(number), stream.example(number)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        scale = (2, 4)[number // 2 % 2]
        assert first[0].shape == (3, 16 * scale, 16 * scale)
        assert first[1].shape == (3, 16, 16)
    assert not torch.equal(stream.example(0)[1], stream.example(1)[1])


def test_an_example_is_a_patch_made_smaller_and_perhaps_spoilt(photographs: Path) -> None:
    (photograph, *_) = read_photographs(photographs, "*.tar").values()
    for seed in range(10):
        plain, spoilt = (
            make_example(photograph, np.random.default_rng(seed), scale=2, side=16, degraded_share=share)
            for share in (0.0, 1.0)
        )
        assert torch.equal(plain[0], spoilt[0])
        assert torch.equal(plain[1], plain[2])
        assert torch.equal(plain[1], spoilt[1])
        assert not torch.equal(spoilt[1], spoilt[2])
        averaged = torch.nn.functional.avg_pool2d(plain[0], 2)
        assert (averaged - plain[1]).abs().mean() < 0.03


def test_a_step_moves_towards_the_noise(photographs: Path, tmp_path: Path) -> None:
    """Grey patches with noise: what is subtracted to clean comes to be the noise, and faithful answers keep it."""
    config = replace(_config(photographs, tmp_path), patches=100_000, channels=16, learning_rate=2e-3)
    trainer = EnlargerTrainer(config)
    random = torch.Generator().manual_seed(0)
    for _ in range(150):
        small, large = torch.full((4, 3, 16, 16), 0.5), torch.full((4, 3, 32, 32), 0.5)
        noise = 0.03 * torch.randn(small.shape, generator=random)
        losses = trainer.step(large, small, small + noise)
    assert float(losses["noise"]) < 0.5 * 255 * float(noise.abs().mean())
    assert float(losses["clean"]) < 0.7 * 255 * float(bicubic(noise, 2).abs().mean())


def test_spoilt_patches_are_eight_bit_and_in_range() -> None:
    patch = torch.full((3, 24, 24), 0.02)
    strengths: list[float] = []
    for seed in range(30):
        spoilt = degrade(patch, np.random.default_rng(seed))
        levels = spoilt * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        assert 0 <= float(spoilt.min()) <= float(spoilt.max()) <= 1
        strengths.append(255 * float((spoilt - patch).std()))
    assert min(strengths) < 1 < max(strengths) < 12


def test_pictures_that_are_too_small(photographs: Path) -> None:
    stream = _stream(photographs, degraded_share=0.0)
    with pytest.raises(ImageReadError, match="2 pictures are smaller than 280 px"):
        replace(stream, side=64)


def test_no_photographs(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no photographs"):
        train_enlarger(_config(tmp_path / "empty", tmp_path / "run"))


def test_validation_is_the_gain_over_bicubic(tmp_path: Path) -> None:
    """Where there is a shard for it; random weights do worse than bicubic, and so the gains are below zero."""
    folder = tmp_path / "set"
    folder.mkdir()
    picture = PillowImage.open(Path(__file__).parents[2] / "data" / "astronaut.jpg").convert("RGB")
    content = io.BytesIO()
    picture.save(content, "PNG")
    for name in ("general-000.tar", "general-val-000.tar"):
        with tarfile.open(folder / name, "w") as archive:
            member = tarfile.TarInfo("a.png")
            member.size = len(content.getvalue())
            archive.addfile(member, io.BytesIO(content.getvalue()))
    reports: list[Progress] = []
    train_enlarger(replace(_config(folder, tmp_path / "run"), patches=8), report=reports.append)
    (progress,) = reports
    assert set(progress.losses) == {
        "faithful",
        "clean",
        "noise",
        "gain_2x",
        "clean_gain_2x",
        "gain_4x",
        "clean_gain_4x",
    }
    assert progress.losses["gain_2x"] < 0


def test_settings_come_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('network = "enlarger"\nphotographs = "p"\nrun = "r"\nportrait_share = 0\nblocks = 3\n')
    config = read_settings(path)
    assert isinstance(config, EnlargerTrainConfig)
    assert config.blocks == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('network = "enlarger"\nrun = "r"', "photographs must be set"),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"', "portrait_share needs portraits"),
        ('network = "ESRGAN"\nrun = "r"\nphotographs = "p"\nportraits = "q"', 'must be "enlarger" here, not "ESRGAN"'),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\npictures = 3', 'unknown key "pictures"'),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\nside = 4\nborder = 2', "below half of side"),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\nbatch = 0', "batch must be from 1"),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\ndegraded_share = 2', "from 0 to 1"),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\nlearning_rate = 0', "must be positive"),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\ndevice = "tpu"', '"cpu" or "cuda"'),
        ('network = "enlarger"\nrun = "r"\nphotographs = "p"\nportraits = "q"\nfall_from = 1', "from 0 to below 1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_settings(path)


def test_the_packages_run_is_one_that_can_be_read() -> None:
    config = read_settings(Path(__file__).parents[3] / "configs" / "enlarge" / "enlarge.toml")
    assert isinstance(config, EnlargerTrainConfig)
    assert read_weights(PACKAGED).config == EnlargerConfig(channels=config.channels, blocks=config.blocks)
