"""Files that people take for a restorer, or save in other ways: each is run, or refused in one sentence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
import torch

from likeness.errors import CheckpointFormatError
from likeness.models.formats import read_checkpoint, read_spec
from likeness.models.gpen.config import GpenConfig
from likeness.models.srvgg.config import SrvggConfig, expected_shapes

State = dict[str, NDArray[np.float32]]
_CONFIG = GpenConfig(size=64, channel_multiplier=1, narrow=0.125)


@pytest.fixture(scope="module")
def tensors(random_state: Callable[[GpenConfig, int], State]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in random_state(_CONFIG, 1).items()}


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_half_precision_is_read(
    tensors: dict[str, torch.Tensor], dtype: torch.dtype, digits: float, tmp_path: Path
) -> None:
    torch.save({name: tensor.to(dtype) for name, tensor in tensors.items()}, tmp_path / "half.pth")
    read = read_checkpoint(tmp_path / "half.pth")
    for name, tensor in tensors.items():
        assert read.state[name].dtype == np.float32
        np.testing.assert_allclose(read.state[name], tensor.numpy(), rtol=digits, atol=digits)


def test_the_averaged_weights_come_before_the_last_ones(tmp_path: Path) -> None:
    shapes = expected_shapes(SrvggConfig(features=8, convolutions=1, scale=2))
    last, averaged = ({name: torch.full(shape, value) for name, shape in shapes.items()} for value in (1.0, 2.0))
    torch.save({"params": last, "params_ema": averaged}, tmp_path / "both.pth")
    torch.save({"params": last}, tmp_path / "one.pth")
    assert all((array == 2).all() for array in read_checkpoint(tmp_path / "both.pth").state.values())
    assert all((array == 1).all() for array in read_checkpoint(tmp_path / "one.pth").state.values())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("convs.0.0.weight", "final_conv.0.weight", "final_linear.1.weight"), "discriminator"),
        (("body.conv1.weight", "ClassHead.0.conv1x1.weight"), "RetinaFace, a face detector"),
        (
            ("layer1.0.conv1.weight", "fc.weight"),
            "any network that Likeness runs .*GFPGAN.*: its first tensor is fc.weight",
        ),
        (("quantize.embedding.weight",), "codebook network other than CodeFormer"),
    ],
)
def test_other_networks_are_called_by_their_names(names: tuple[str, ...], words: str, tmp_path: Path) -> None:
    torch.save({name: torch.zeros(4, 4, 3, 3) for name in names}, tmp_path / "other.pth")
    with pytest.raises(CheckpointFormatError, match=words) as caught:
        read_spec(tmp_path / "other.pth")
    assert "\n" not in str(caught.value)


def test_half_a_download_and_a_pickle_with_code_are_refused(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointFormatError, match="cut short"):
        read_spec(tmp_path / "half.pth")
    torch.save({"network": Path("x"), **tensors}, tmp_path / "code.pth")
    with pytest.raises(CheckpointFormatError, match="foreign code"):
        read_spec(tmp_path / "code.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(CheckpointFormatError):
        read_spec(tmp_path / "bare.pth")


@pytest.mark.parametrize("name", ["fetched.pth", "fetched.safetensors", "fetched.onnx"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n<!DOCTYPE html><html><body>Not Found</body></html>", "is a web page"),
        (b"<html lang='en'>", "is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 348632874\n",
            "where Git LFS keeps the file",
        ),
    ],
)
def test_what_came_instead_of_a_download_is_told(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointFormatError, match=words):
        read_spec(tmp_path / name)


def test_the_network_that_takes_labels_is_refused_by_its_name(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "GPEN-Seg2face-512.pth")
    with pytest.raises(CheckpointFormatError, match="maps of labels"):
        read_spec(tmp_path / "GPEN-Seg2face-512.pth")
    (tmp_path / "GPEN-Seg2face-512.pth").rename(tmp_path / "mine.pth")
    assert read_spec(tmp_path / "mine.pth").purpose == "restore"
