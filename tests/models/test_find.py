from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from likeness.cli import main
from likeness.errors import CheckpointError, LicenceError
from likeness.models.find import find_weights, modelscope_file
from likeness.models.gpen.config import GpenConfig
from likeness.models.srvgg.config import SrvggConfig, expected_shapes
from likeness.models.store import Store

State = dict[str, NDArray[np.float32]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_state: Callable[[GpenConfig, int], State]) -> Path:
    """A user's home with what several programs leave there."""
    gpen = random_state(GpenConfig(size=64, channel_multiplier=1, narrow=0.125), 0)
    enlarger = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(_SMALL).items()}
    for state, name in (
        (gpen, ".cache/modelscope/hub/damo/cv_gpen_image-portrait-enhancement/pytorch_model.pt"),
        (enlarger, "ComfyUI/models/upscale_models/small.safetensors"),
        (gpen, "elsewhere/models/GFPGAN/mine.pth"),
        (_FILLER, "ComfyUI/models/inpaint/filler.safetensors"),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        save_file(state, tmp_path / name)
    (tmp_path / "ComfyUI/models/facerestore_models").mkdir()
    (tmp_path / "ComfyUI/models/facerestore_models/GPEN-BFR-512.onnx").write_bytes(b"\x08\x07")
    (tmp_path / "ComfyUI/models/facerestore_models/half.pth").write_bytes(b"PK\x03\x04")
    (tmp_path / "ComfyUI/models/facerestore_models/put_models_here").touch()
    for variable in ("MODELSCOPE_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


_SMALL = SrvggConfig(features=8, convolutions=1, scale=2)
_FILLER = {
    "generator.model.1.bn_l.running_mean": np.zeros(64, np.float32),
    "generator.model.1.ffc.convl2l.weight": np.zeros((64, 4, 7, 7), np.float32),
    "generator.model.34.weight": np.zeros((3, 64, 7, 7), np.float32),
}
"""What LaMa is known by."""


def test_what_other_programs_have_is_found_and_described(home: Path) -> None:
    found = {file.path.name: file for file in find_weights()}
    assert set(found) == {
        "pytorch_model.pt",
        "small.safetensors",
        "GPEN-BFR-512.onnx",
        "half.pth",
        "filler.safetensors",
    }
    filler = found["filler.safetensors"].spec
    assert filler is not None
    assert (filler.architecture, filler.purpose, filler.for_faces) == ("lama", "inpaint", False)
    gpen = found["pytorch_model.pt"]
    assert gpen.program == "ModelScope"
    assert gpen.spec is not None
    assert (gpen.spec.architecture, gpen.spec.authors.template) == ("gpen", "gpen")
    enlarger = found["small.safetensors"]
    assert enlarger.program == "ComfyUI"
    assert enlarger.spec is not None
    assert enlarger.spec.purpose == "enlarge"
    assert "a network for faces takes and gives one picture" in found["GPEN-BFR-512.onnx"].reason
    assert "half.pth" in found["half.pth"].reason
    more = {file.path.name for file in find_weights([home / "elsewhere"])}
    assert more == {*found, "mine.pth"}
    assert {file.path.name for file in find_weights([home / "elsewhere/models/GFPGAN"])} == more


_HOUSES = {
    ".cache/modelscope/hub/models/iic/cv_gpen_image-portrait-enhancement": "ModelScope",
    ".cache/modelscope/hub/models/iic/cv_gpen_image-portrait-enhancement/super_resolution": "ModelScope",
    ".cache/torch/hub/checkpoints": "torch hub",
    "work/gfpgan/weights": "GFPGAN",
    "GFPGAN/gfpgan/weights": "GFPGAN",
    "work/weights/CodeFormer": "CodeFormer",
    "GPEN/weights": "GPEN",
    "stable-diffusion-webui/models/GFPGAN": "stable-diffusion-webui",
    "stable-diffusion-webui/models/Codeformer": "stable-diffusion-webui",
    "ComfyUI/models/facerestore_models": "ComfyUI",
    "ComfyUI/models/upscale_models": "ComfyUI",
    "facefusion/.assets/models": "FaceFusion",
}


@pytest.mark.parametrize("place", _HOUSES)
def test_each_place_is_looked_into(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    (home / place).mkdir(parents=True, exist_ok=True)
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(_SMALL).items()}
    save_file(weights, home / place / "here.safetensors")
    (found,) = [file for file in find_weights() if file.path.name == "here.safetensors"]
    assert found.program == _HOUSES[place]
    assert found.spec is not None
    assert found.spec.config == _SMALL


def test_environment_variables_say_where(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".cache/modelscope").rename(home / "scope")
    assert not [file for file in find_weights() if file.program == "ModelScope"]
    for named in (
        home / "scope",
        home / "scope" / "hub",
    ):  # with a folder hub in it, as few of its versions have it, and without
        monkeypatch.setenv("MODELSCOPE_CACHE", str(named))
        assert [file.path.name for file in find_weights() if file.program == "ModelScope"] == ["pytorch_model.pt"]
        assert modelscope_file("modelscope:iic/cv_gpen_image-portrait-enhancement").is_relative_to(named)


def test_modelscopes_file_is_used_where_it_lies_once_its_licence_is_accepted(home: Path) -> None:
    name = "modelscope:iic/cv_gpen_image-portrait-enhancement"  # damo's new name
    store = Store(offline=True)
    with pytest.raises(LicenceError, match="likeness models accept GPEN-BFR-512"):
        store.path(name)
    store.accept_licence("GPEN-BFR-512")
    assert store.path(name) == home / ".cache/modelscope/hub/damo/cv_gpen_image-portrait-enhancement/pytorch_model.pt"
    assert store.load(name).spec.size == 64
    assert store.path(store.path(name)) == store.path(name)  # by its place, too
    assert store.path(f"{name}/pytorch_model.pt") == store.path(name)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("modelscope:iic", "names no model"),
        ("modelscope:iic/cv_gpen_image-portrait-enhancement-hires", "hub/models/iic/cv_gpen"),
        ("modelscope:../../secret/x", "holds no secret/x"),
    ],
)
def test_what_is_not_there_is_a_sentence(name: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        modelscope_file(name)


def test_the_command_shows_and_accepts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "find"]) == 0
    shown = capsys.readouterr().out
    assert "a GPEN network of size 64" in shown
    assert str(home / "ComfyUI/models/upscale_models/small.safetensors") in shown
    assert [line.split()[1] for line in shown.splitlines() if line.endswith("small.safetensors")] == ["enlarge"]
    runs, _, others = shown.partition("what cannot be run:\n")
    assert "half.pth" not in runs
    assert [
        line
        for line in others.splitlines()
        if line.startswith(f"  {home}/ComfyUI/models/facerestore_models/half.pth is")
    ]
    assert main(["models", "find", str(home / "nowhere")]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err
    assert main(["models", "accept", "codeformer"]) == 1
    assert "was not accepted" in capsys.readouterr().err
    assert main(["models", "accept", "codeformer", "--accept-licence"]) == 0
    assert Store().licence_accepted("codeformer")
    assert main(["models", "accept", "nobody", "--accept-licence"]) == 1
    assert "no model nobody" in capsys.readouterr().err
