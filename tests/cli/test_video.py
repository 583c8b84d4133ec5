from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import decoded, plain_frames, write_clip

from likeness.cli import main
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.samples import to_samples


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    samples = to_samples(astronaut.pixels[:144, 10:202], 8).astype(np.uint8)
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", [samples] * 3, sound="aac")


def test_a_film_is_restored(
    film: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["video", str(film), "--model", str(tiny_model), "--to", "0.1"]) == 0
    assert "output_film.mp4: 3 frames, 3 faces restored" in capsys.readouterr().err
    assert len(decoded(tmp_path / "output_film.mp4")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["output_film.mp4"]


def test_a_strangers_photograph_does_not_serve_and_that_is_told(
    film: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Path(__file__).parents[2] / "examples" / "original" / "hopper.jpg"
    arguments = ["video", str(film), "--model", str(tiny_model), "--reference", str(stranger)]
    assert main([*arguments, "-o", str(tmp_path / "one.mp4")]) == 0
    told = capsys.readouterr().err
    assert told.count("no reference was used: the face in hopper.jpg is likely another person's (likeness ") == 1
    assert main([*arguments, "-o", str(tmp_path / "two.mp4"), "--trust-references"]) == 0
    assert "and was used all the same" in capsys.readouterr().err


def test_a_face_that_is_not_there_and_a_folder_for_the_result(
    film: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["video", str(film), "--model", str(tiny_model), "--to", "0.03", "-o", f"{tmp_path / 'new'}/"]
    assert main([*arguments, "--faces", "7"]) == 3
    assert "shows none of the faces that were asked for" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "film.mp4: 1 frame, 1 face restored" in capsys.readouterr().err
    assert len(decoded(tmp_path / "new" / "film.mp4")) == 1


def test_pictures_of_an_earlier_run_are_told(
    film: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["video", str(film), "--model", str(tiny_model), "--frames", str(tmp_path / "stills")]
    assert main(arguments) == 0
    assert "earlier run" not in capsys.readouterr().err
    assert main([*arguments, "--to", "0.03"]) == 0
    assert "also holds 2 pictures of an earlier run, from 000001.png on" in capsys.readouterr().err
    assert main([*arguments, "--from", "0.09", "--to", "0.1"]) == 1
    assert "has no frame in the part" in capsys.readouterr().err


def test_a_preview_is_a_picture(film: Path, tiny_model: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["video", str(film), "--model", str(tiny_model), "--preview", "2", "-o", str(sheet)]) == 0
    assert read_image(sheet).size.width == 2 * (192 + 8) + 8


def test_without_a_face_nothing_is_written(tiny_model: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "sea.mp4", plain_frames(1))
    assert main(["video", str(source), "--model", str(tiny_model), "-o", str(tmp_path / "out.mp4")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["sea.mp4"]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["none.mp4"], 1, "none.mp4 does not exist"),
        ([__file__.replace("test_video.py", "../../examples/portrait.jpg")], 1, "is a picture and no video"),
        (["FILM", "--codec", "xvid"], 2, "no codec xvid"),
        (["FILM", "--balance"], 2, "there is no flag --balance"),
        (["FILM", "--from", "soon"], 2, "is no time"),
        (["FILM", "--bitrate", "fast"], 2, "is no bitrate"),
        (["FILM", "--upscale", "auto"], 2, "enlarged by a number"),
        (["FILM", "--preview", "99"], 2, "no number of frames"),
        (["FILM", "-o", "out.txt"], 2, "must end in"),
    ],
)
def test_what_cannot_begin(
    arguments: list[str], status: int, sentence: str, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        got = main(["video", *(str(film) if word == "FILM" else word for word in arguments)])
    except SystemExit as end:
        got = end.code
    assert got == status
    assert sentence in capsys.readouterr().err


def test_a_file_of_settings_for_pictures_is_refused(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prints.toml").write_text("balance = 0.5\nmend_scratches = 0.5\n")
    assert main(["video", str(film), "--config", str(tmp_path / "prints.toml")]) == 2
    assert "leave out mend_scratches, balance" in capsys.readouterr().err
