from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.errors import CheckpointFormatError
from likeness.models.torch_files import TorchFile, TorchTensor

torch = pytest.importorskip("torch")
BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(path: Path, content: object, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def arrays(path: Path) -> dict[str, Any]:
    with TorchFile(path) as file:
        assert isinstance(file.root, dict)
        return {
            name: value.to_float32() if isinstance(value, TorchTensor) else value for name, value in file.root.items()
        }


@BOTH
def test_every_kind_of_number_becomes_float32(tmp_path: Path, zipped: bool) -> None:
    values = torch.tensor([[0.0, 1.5, -2.25], [3.0, 100.0, -7.0]])
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
    content = {str(kind): values.to(kind) for kind in [*kinds, torch.int8]}
    read = arrays(saved(tmp_path / "a.pth", content, zipped=zipped))
    assert list(read) == list(content)
    for name, tensor in content.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], tensor.to(torch.float32).numpy())


@BOTH
def test_views_are_read_as_what_they_show(tmp_path: Path, zipped: bool) -> None:
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    content = {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "offset": base[1:, 2:, 3:],
        "stepped": base[:, ::2, ::3],
        "expanded": base[:1, :1, :].expand(2, 3, 5),
        "scalar": base[2, 3, 4],
        "empty": base[:0],
        "parameter": torch.nn.Parameter(base[0]),
    }
    read = arrays(saved(tmp_path / "a.pth", content, zipped=zipped))
    for name, tensor in content.items():
        np.testing.assert_array_equal(read[name], tensor.detach().numpy())
        assert read[name].flags.c_contiguous
        assert read[name].flags.writeable


@BOTH
def test_plain_values_beside_tensors_are_kept(tmp_path: Path, zipped: bool) -> None:
    content = {
        "epoch": 3,
        "name": "größe",
        "list": [1, 2.5, None, True],
        "size": torch.Size([1, 2]),
        "w": torch.ones(2),
    }
    read = arrays(saved(tmp_path / "a.pth", content, zipped=zipped))
    assert read["epoch"] == 3
    assert read["name"] == "größe"
    assert read["list"] == [1, 2.5, None, True]
    assert read["size"] == (1, 2)


@BOTH
def test_a_state_dict_with_its_metadata_is_read(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(2, 2))
    path = saved(tmp_path / "a.pth", network.state_dict(), zipped=zipped)
    with TorchFile(path) as file:
        assert isinstance(file.root, OrderedDict)
    np.testing.assert_array_equal(arrays(path)["0.weight"], network[0].weight.detach().numpy())


class Bomb:
    """What an attacker pickles: a call of something else than it seems."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@BOTH
@pytest.mark.parametrize(
    ("function", "arguments", "refused"),
    [
        (os.system, ("touch {marker}",), r"(posix|nt)\.system"),  # pyright: ignore[reportDeprecated]
        (eval, ("open('{marker}', 'w').close()",), r"(__builtin__|builtins)\.eval"),
        (os.mkdir, ("{marker}",), r"(posix|nt)\.mkdir"),
        (torch.load, ("{marker}",), r"torch\.serialization\.load"),
    ],
    ids=["os.system", "eval", "os.mkdir", "torch.load"],
)
def test_nothing_in_a_malicious_pickle_is_executed(
    tmp_path: Path, zipped: bool, function: Any, arguments: tuple[str, ...], refused: str
) -> None:
    marker = tmp_path / "executed"
    bomb = Bomb(function, *(argument.format(marker=marker) for argument in arguments))
    path = saved(tmp_path / "evil.pth", {"weight": torch.ones(3), "bomb": bomb}, zipped=zipped)
    with pytest.raises(
        CheckpointFormatError, match=rf"evil\.pth asks for the Python object {refused}, which is refused"
    ):
        TorchFile(path)
    assert not marker.exists()


def test_the_bomb_is_real(tmp_path: Path) -> None:
    """The control for the test above: an ordinary unpickler does execute it."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps(Bomb(os.mkdir, str(marker))))
    assert marker.exists()


@pytest.mark.parametrize("name", ["collections OrderedDict", "torch FloatStorage", "torch._utils _rebuild_tensor_v2"])
@pytest.mark.parametrize("slots", [False, True])
def test_what_is_allowed_cannot_be_turned_into_something_else(tmp_path: Path, name: str, slots: bool) -> None:
    """A pickle may assign attributes to what it names (BUILD): that must fail, or be gone with the file."""
    module, attribute = name.split()
    attributes = b"}X\x04\x00\x00\x00evilK\x01s"  # {"evil": 1}
    assignment = b"N" + attributes + b"\x86b" if slots else attributes + b"b"
    path = tmp_path / "evil.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + assignment + b".")
    try:
        with TorchFile(path) as file:
            assert getattr(file.root, "evil") == 1  # noqa: B009 (the assignment did happen)
    except CheckpointFormatError:
        pass
    again = saved(tmp_path / "good.pth", OrderedDict(w=torch.ones(2)))
    with TorchFile(again) as file:
        assert not hasattr(file.root, "evil")
        assert not hasattr(type(file.root), "evil")
    np.testing.assert_array_equal(arrays(again)["w"], [1, 1])


def test_a_checked_tensor_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    """BUILD on a finished tensor must not move it out of its storage."""
    path = saved(tmp_path / "a.pth", {"w": torch.arange(7, dtype=torch.float32)})
    with TorchFile(path) as file:
        assert isinstance(file.root, dict)
        tensor = file.root["w"]
    assert not hasattr(tensor, "__dict__")
    assert not hasattr(tensor, "__setstate__")
    with pytest.raises(AttributeError):
        tensor.offset = 1 << 40


@BOTH
def test_a_whole_pickled_network_is_refused_with_advice(tmp_path: Path, zipped: bool) -> None:
    path = saved(tmp_path / "network.pth", torch.nn.Linear(2, 2), zipped=zipped)
    with pytest.raises(CheckpointFormatError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict"):
        TorchFile(path)


@BOTH
@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.999])
def test_a_file_cut_short_is_told(tmp_path: Path, zipped: bool, fraction: float) -> None:
    whole = saved(tmp_path / "a.pth", {f"w{i}": torch.ones(1000) for i in range(10)}, zipped=zipped).read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(
        CheckpointFormatError, match=r"cut\.pth is not a readable PyTorch checkpoint .*; fetch it again"
    ):
        TorchFile(path)


def test_a_flipped_bit_in_an_archive_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"w": torch.full((5000,), 0.7)})
    data = bytearray(path.read_bytes())
    position = data.index(np.float32(0.7).tobytes() * 100) + 2000
    data[position] ^= 1
    path.write_bytes(data)
    with TorchFile(path) as file:
        assert isinstance(file.root, dict)
        with pytest.raises(CheckpointFormatError, match="CRC"):
            file.root["w"].to_float32()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><title>404</title>", "neither a PyTorch .pth file nor safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "neither a PyTorch .pth file nor safetensors"),
        (pickle.dumps({"a": 1}, protocol=2), "a pickle but no PyTorch checkpoint"),
        (pickle.dumps([1, 2], protocol=2)[:-1], "not a readable PyTorch checkpoint"),
        (b"PK\x03\x04" + bytes(200), "not a readable PyTorch checkpoint"),
    ],
    ids=["web-page", "lfs-pointer", "other-pickle", "cut-pickle", "no-zip"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "GPEN-BFR-512.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointFormatError, match=message):
        TorchFile(path)


def test_another_zip_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    with pytest.raises(CheckpointFormatError, match=r"a zip archive but no PyTorch checkpoint: it has no data\.pkl"):
        TorchFile(path)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    """as_strided on trust would show the process's own memory."""
    path = saved(tmp_path / "a.pth", {"w": torch.arange(7, dtype=torch.float32)})
    forged = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                assert data.count(b"K\x07\x85") == 1  # the shape, a tuple of one: (7,)
                data = data.replace(b"K\x07\x85", b"K\x70\x85")
            target.writestr(name, data)
    path.write_bytes(forged.getvalue())
    with pytest.raises(CheckpointFormatError, match="reaches beyond its storage"):
        TorchFile(path)


def test_the_file_is_closed_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"w": torch.ones(3)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays(path)
        (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 nonsense")
        with pytest.raises(CheckpointFormatError):
            TorchFile(tmp_path / "bad.pth")


class Inner(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(2, 3, 1)
        self.register_buffer("steps", torch.arange(4))

    def forward(self, x: Any) -> Any:
        return self.layer(x)


def test_a_torchscript_archive_gives_its_tensors_by_the_names_of_its_modules(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Sequential(Inner()), torch.nn.ReLU())
    path = tmp_path / "script.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 2, 4, 4)), path)
    read = arrays(path)
    state = network.state_dict()
    assert set(read) == set(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.numpy().astype(np.float32))


@pytest.mark.parametrize("depth", [1, 100])
def test_modules_that_lie_in_each_other_without_an_end_are_refused(tmp_path: Path, depth: int) -> None:
    """An object whose attributes hold itself twice, and a long row of objects within objects, as TorchScript writes them."""
    begin, end = b"c__torch__\nM\n)\x81", b"b"
    if depth == 1:
        program = b"\x80\x02" + begin + b"q\x00}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00u" + end + b"."
    else:
        inner = b"N"
        for _ in range(depth):
            inner = begin + b"}(X\x01\x00\x00\x00a" + inner + b"u" + end
        program = b"\x80\x02" + inner + b"."
    path = tmp_path / "deep.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/data.pkl", program)
        archive.writestr("deep/code/__torch__.py", "never read")
    with pytest.raises(CheckpointFormatError, match="without an end") as caught:
        TorchFile(path)
    assert "\n" not in str(caught.value)
