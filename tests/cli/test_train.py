from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from likeness.cli import main
from likeness.models.formats import read_spec


def config(tmp_path: Path, extra: str = "") -> Path:
    path = tmp_path / "run.toml"
    path.write_text(
        f'portraits = "{tmp_path / "portraits"}"\nrun = "{tmp_path / "run"}"\nsize = 64\nnarrow = 0.125\n'
        f"styles_up_to = 8\nthreads = 1\ndiscriminator_channels = 4\ndiscriminator_crop = 64\n"
        f"pictures = 4\nbatch = 2\nmin_native_side = 0\n"
        f"save_every = 2\nsheet_every = 4\n{extra}",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def portraits(tmp_path: Path, astronaut_file: Path) -> Path:
    folder = tmp_path / "portraits"
    folder.mkdir()
    with PillowImage.open(astronaut_file) as picture, tarfile.open(folder / "train-000.tar", "w") as shard:
        for number, turn in enumerate((0, 90, 180)):
            data = io.BytesIO()
            picture.resize((64, 64)).rotate(turn).save(data, "JPEG")
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = data.tell()
            data.seek(0)
            shard.addfile(member, data)
    return folder


@pytest.mark.usefixtures("portraits")
def test_a_run_says_how_it_goes_and_prints_where_the_weights_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(config(tmp_path))]) == 0
    captured = capsys.readouterr()
    weights = Path(captured.out.strip())
    assert weights.is_relative_to(tmp_path / "run")
    assert read_spec(weights).size == 64
    assert "2 of 4 pictures" in captured.err
    assert "4 of 4 pictures" in captured.err
    assert "l1 " in captured.err


@pytest.mark.parametrize(
    ("extra", "status", "sentence"),
    [
        ('optimiser = "lion"', 2, 'unknown key "optimiser"'),
        ("device = 'gpu'", 2, 'device must be "cpu" or "cuda"'),
        ("", 1, "portraits"),
    ],
)
def test_a_run_that_cannot_start_is_one_sentence(
    tmp_path: Path, extra: str, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(config(tmp_path, extra))]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert sentence in captured.err


def test_a_missing_configuration_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "lost.toml")]) == 2
    assert "lost.toml" in capsys.readouterr().err
