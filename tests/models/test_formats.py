from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from likeness.errors import CheckpointError, CheckpointFormatError
from likeness.models.convert import convert_checkpoint
from likeness.models.formats import ModelInfo, read_checkpoint, read_spec, write_checkpoint
from likeness.models.gpen.config import GpenConfig

State = dict[str, NDArray[np.float32]]
INFO = ModelInfo(name="small", version="1.2", licence="MIT", description="für Prüfungen", source="random numbers")


def assert_same(read: object, state: State) -> None:
    assert isinstance(read, dict)
    assert read.keys() == state.keys()
    for name, array in state.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_own_format_comes_back_whole(tmp_path: Path, state: State, config: GpenConfig, dtype: str) -> None:
    path = tmp_path / "größe 像.safetensors"
    write_checkpoint(path, state, config.spec, INFO, dtype=dtype)  # type: ignore[arg-type]
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec.config == config
    assert checkpoint.info == INFO
    assert checkpoint.kind == "likeness"
    assert checkpoint.path == path
    assert_same(checkpoint.state, state)
    assert read_spec(path).config == config
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    elements = sum(array.size for array in state.values())
    assert path.stat().st_size == pytest.approx(elements * (2 if dtype == "float16" else 4), rel=0.02)
    with safe_open(path, framework="numpy") as file:  # as any other program sees it
        assert file.metadata()["format"] == "likeness-gpen"


def test_a_configuration_that_shapes_cannot_tell_is_kept(tmp_path: Path, state: State, config: GpenConfig) -> None:
    """narrow 0.0626 gives the same channels as 0.0625; what was written is what is read."""
    other = GpenConfig(size=64, channel_multiplier=2, narrow=0.0626)
    write_checkpoint(tmp_path / "a.safetensors", state, other.spec, INFO)
    assert read_spec(tmp_path / "a.safetensors").config == other != config


def test_a_file_says_what_its_network_does(tmp_path: Path, state: State, config: GpenConfig) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, state, replace(config.spec, purpose="inpaint"), INFO)
    assert read_spec(path).purpose == "inpaint"
    copied = convert_checkpoint(path, tmp_path / "b.safetensors")
    assert copied.spec.purpose == read_spec(tmp_path / "b.safetensors").purpose == "inpaint"
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    save_file(state, path, metadata={**metadata, "purpose": "paint"})
    with pytest.raises(CheckpointFormatError, match="has damaged metadata"):
        read_spec(path)
    del metadata["purpose"]  # a file of before there was a choice
    save_file(state, path, metadata=metadata)
    assert read_spec(path).purpose == "restore"


def test_safetensors_of_others_are_read_by_their_shapes(tmp_path: Path, state: State, config: GpenConfig) -> None:
    save_file(state, tmp_path / "a.safetensors", metadata={"format": "pt"})
    checkpoint = read_checkpoint(tmp_path / "a.safetensors")
    assert checkpoint.kind == "safetensors"
    assert checkpoint.info is None
    assert checkpoint.spec.config == config
    assert_same(checkpoint.state, state)


def test_the_golden_file_is_read(shared: Path) -> None:
    checkpoint = read_checkpoint(shared / "golden" / "gpen_size64_cm2_narrow0125.pth")
    assert checkpoint.spec.config == GpenConfig(size=64, channel_multiplier=2, narrow=0.125)
    assert checkpoint.kind == "torch"
    torch = pytest.importorskip("torch")
    reference = torch.load(checkpoint.path, weights_only=True)
    assert_same(checkpoint.state, {name: tensor.numpy() for name, tensor in reference.items()})


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapping", ["bare", "g_ema", "training", "data-parallel", "parameters"])
def test_every_wrapping_of_a_pth(tmp_path: Path, state: State, config: GpenConfig, wrapping: str, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    other = {"step": 7, "exp_avg": torch.zeros(3)}
    content: object = {
        "bare": tensors,
        "g_ema": {"g_ema": tensors},
        "training": {"g": {"other": torch.ones(2)}, "d": {"x": torch.ones(2)}, "g_ema": tensors, "g_optim": other},
        "data-parallel": {f"module.{name}": tensor for name, tensor in tensors.items()},
        "parameters": {name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()},
    }[wrapping]
    path = tmp_path / "a.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec.config == config
    assert_same(checkpoint.state, state)


def test_other_networks_and_empty_holds_are_one_sentence(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "codeformer.pth"
    torch.save({"params_ema": {"quantize.embedding.weight": torch.ones(4, 4), "position_emb": torch.ones(2)}}, path)
    with pytest.raises(CheckpointFormatError, match=r"codeformer\.pth holds a codebook network other than CodeFormer"):
        read_checkpoint(path)
    torch.save({"params_ema": {"stylegan_decoder.constant_input.weight": torch.ones(4)}}, path)
    with pytest.raises(CheckpointFormatError, match="holds GFPGAN"):
        read_checkpoint(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(CheckpointFormatError, match="holds no state dict of tensors"):
        read_checkpoint(path)
    torch.save([torch.ones(3)], path)
    with pytest.raises(CheckpointFormatError, match="holds no state dict of tensors"):
        read_checkpoint(path)


def test_a_damaged_number_is_found(tmp_path: Path, state: State) -> None:
    damaged = dict(state)
    damaged["ecd0.0.1.bias"] = np.full_like(state["ecd0.0.1.bias"], np.nan)
    save_file(damaged, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointFormatError, match=r"ecd0\.0\.1\.bias holds infinite or undefined numbers"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_missing_folder_empty_and_text_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth does not exist"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)
    (tmp_path / "empty.pth").touch()
    with pytest.raises(CheckpointFormatError, match="is empty"):
        read_checkpoint(tmp_path / "empty.pth")
    (tmp_path / "text.safetensors").write_text("these are not the weights you are looking for")
    with pytest.raises(CheckpointFormatError, match=r"neither a PyTorch \.pth file nor safetensors"):
        read_checkpoint(tmp_path / "text.safetensors")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows read it all the same")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"PK")
    path.chmod(0)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(path)


def test_cut_and_newer_safetensors(tmp_path: Path, state: State, config: GpenConfig) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, state, config.spec, INFO)
    whole = path.read_bytes()
    for length in (9, 100, 5000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointFormatError, match=r"not a readable safetensors file .*damaged or cut short"):
            read_checkpoint(path)
    newer = {"format": "likeness-gpen", "format_version": "2", "config": "{}", "model": "{}"}
    save_file(state, path, metadata=newer)
    with pytest.raises(CheckpointFormatError, match="written by a newer Likeness"):
        read_checkpoint(path)
    save_file(state, path, metadata={**newer, "format_version": "1", "config": '{"size": 64}'})
    with pytest.raises(CheckpointFormatError, match="has damaged metadata"):
        read_checkpoint(path)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, state: State, config: GpenConfig) -> None:
    path = tmp_path / "a.safetensors"
    large = dict(state)
    large["final_linear.0.bias"] = np.full(512, 70000, np.float32)
    with pytest.raises(CheckpointFormatError, match=r"final_linear\.0\.bias holds a number that float16 cannot"):
        write_checkpoint(path, large, config.spec, INFO)
    write_checkpoint(path, large, config.spec, INFO, dtype="float32")
    path.unlink()
    with pytest.raises(CheckpointFormatError, match="is missing"):
        write_checkpoint(path, {k: v for k, v in state.items() if k != "ecd0.0.1.bias"}, config.spec, INFO)
    with pytest.raises(CheckpointError, match=r"cannot be written: the folder .* does not exist"):
        write_checkpoint(tmp_path / "no" / "folder.safetensors", state, config.spec, INFO)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_failed_write(tmp_path: Path, state: State, config: GpenConfig) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, state, config.spec, INFO)
    before = path.read_bytes()
    broken = dict(state)
    broken["ecd0.0.1.bias"] = np.full_like(state["ecd0.0.1.bias"], np.inf)
    with pytest.raises(CheckpointFormatError):
        write_checkpoint(path, broken, config.spec, INFO)
    assert path.read_bytes() == before


def test_conversion_keeps_every_bit(tmp_path: Path, pth: Path, state: State, config: GpenConfig) -> None:
    target = tmp_path / "own.safetensors"
    written = convert_checkpoint(pth, target)
    assert written.kind == "likeness"
    read = read_checkpoint(target)
    assert read.info == written.info == ModelInfo(name="small", source="small.pth")
    assert read.spec.config == config
    assert_same(read.state, state)
    halved = convert_checkpoint(target, tmp_path / "half.safetensors", dtype="float16")
    assert halved.info == read.info
    assert halved.path.stat().st_size < 0.55 * target.stat().st_size
