"""What a file of GPEN's tensors is for: told by the file, its name or its bytes, or asked; never guessed."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.cli import main
from likeness.errors import CheckpointFormatError
from likeness.models import catalog
from likeness.models.catalog import CATALOG
from likeness.models.find import find_weights
from likeness.models.formats import ModelInfo, read_checkpoint, spec_for_task, write_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.spec import Purpose
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("GPEN-Colorization-1024.pth", "colourise"),
        ("my_gpen_colorization (1).pth", "colourise"),
        ("gpen-inpainting.pth", "inpaint"),
        ("GPEN-BFR-256-D.pth", "restore"),
        ("cv_gpen_image-portrait-enhancement-hires/pytorch_model.pt", "restore"),
    ],
)
def test_a_name_tells(pth: Path, tmp_path: Path, name: str, purpose: Purpose) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(pth, path)
    assert spec_for_task(path, None).purpose == purpose
    assert spec_for_task(path, purpose).purpose == purpose
    other: Purpose = "inpaint" if purpose == "restore" else "restore"
    with pytest.raises(CheckpointFormatError, match=f"--task {other} wants"):
        spec_for_task(path, other)


@pytest.mark.parametrize("name", ["small.pth", "colorization-or-inpainting.pth"])
def test_a_name_that_does_not_is_asked_about(pth: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(pth, path)
    with pytest.raises(CheckpointFormatError, match="say --task, one of restore, colourise, inpaint"):
        load_runtime(Store(tmp_path), path)
    assert spec_for_task(path, "colourise").purpose == "colourise"
    assert Store(tmp_path).load(path, task="inpaint").spec.purpose == "inpaint"
    with pytest.raises(CheckpointFormatError, match="--task"):
        Store(tmp_path).import_(path, "mine")
    imported = Store(tmp_path).import_(path, "mine", task="colourise")
    assert read_checkpoint(imported).spec.purpose == "colourise"
    assert spec_for_task(imported, None).purpose == "colourise"
    found = [file for file in find_weights([tmp_path]) if file.path == path]
    assert found[0].spec is None
    assert "--task" in found[0].reason


def test_its_bytes_tell_whatever_its_name(
    pth: Path, config: GpenConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, size = hashlib.sha256(pth.read_bytes()).hexdigest(), pth.stat().st_size
    colours = replace(CATALOG["GPEN-Colorization-1024"], config=config, sha256=digest, size=size)
    monkeypatch.setattr(catalog.entry_of_bytes, "__defaults__", ({colours.name: colours},))
    assert spec_for_task(pth, None).purpose == "colourise"
    longer = tmp_path / "small.pth"
    longer.write_bytes(pth.read_bytes() + b"\0")
    with pytest.raises(CheckpointFormatError):
        spec_for_task(longer, None)


def test_a_file_of_ours_is_what_it_says(
    state: dict[str, NDArray[np.float32]], config: GpenConfig, tmp_path: Path
) -> None:
    path = tmp_path / "inpainting.safetensors"
    write_checkpoint(path, state, config.spec, ModelInfo(name="a"))
    assert spec_for_task(path, None).purpose == "restore"


def test_the_command_line_says_what_to_type(
    pth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    picture = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"
    command = ["restore", str(picture), "-o", str(tmp_path / "out.png")]
    assert main([*command, "--model", str(pth)]) == 2
    assert "say --task, one of restore, colourise, inpaint" in capsys.readouterr().err
    assert main([*command, "--task", "colourise"]) == 2
    assert "likeness-512 is a restorer" in (said := capsys.readouterr().err)
    assert "GPEN-Colorization-1024" in said
    assert main([*command, "--picture-model", str(pth)]) == 2
    said = capsys.readouterr().err
    assert "is for faces: the model for whole pictures is one such as ddcolor_modelscope" in said
    assert "--task" not in said
    assert main([*command, "--model", str(pth), "--task", "upscale"]) == 2
    assert not (tmp_path / "out.png").exists()
    assert main([*command, "--model", str(pth), "--task", "colourise"]) == 0
    assert (tmp_path / "out.png").exists()
