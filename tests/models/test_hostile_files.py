"""Checkpoint files made to hurt: each is refused in one sentence, within little memory and little time.

Each is read in a process of its own whose memory is bounded, so that what allots before it looks is found out.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import CheckpointError, CheckpointFormatError
from likeness.models.formats import ModelInfo, read_checkpoint, write_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.layout import expected_shapes
from likeness.models.torch_files import TorchFile, TorchTensor

TINY = GpenConfig(size=64, channel_multiplier=0.0625, narrow=0.0625)

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from likeness.models.formats import read_checkpoint
from likeness.models.torch_files import TorchFile, TorchTensor
from likeness.errors import LikenessError
import numpy, safetensors, safetensors.numpy

def used():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

before = used()
limit = before + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
for name in sys.argv[2:]:
    start = time.process_time()
    try:
        read_checkpoint(Path(name))
        outcome = "read"
    except LikenessError as error:
        outcome = f"refused: {error}"
    print(json.dumps([outcome, time.process_time() - start]), flush=True)
"""


def told(*paths: Path, megabytes: int = 150) -> list[str]:
    """What reading each file ends in, in a process that may take so much more memory, and 5 s for each."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(megabytes), *map(str, paths)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{paths[len(found)]}: {done.stderr[-2000:]}"
    for path, (outcome, seconds) in zip(paths, found, strict=True):
        assert seconds < 5, path
        assert len(outcome) < 1000, path
        assert "MemoryError" not in outcome, path
        assert outcome.startswith("refused: "), path
    return [outcome for outcome, _ in found]


def text(words: str) -> bytes:
    data = words.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def storage(key: str, elements: int, kind: str = "FloatStorage") -> bytes:
    """A persistent identifier, as PyTorch writes it."""
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + number(elements) + b"tQ"


def tensor(stored: bytes, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0) -> bytes:
    steps = strides or tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    sides, jumps = (b"(" + b"".join(map(number, each)) + b"t" for each in (shape, steps))
    flags = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + stored + number(offset) + sides + jumps + flags + b"tR"


def state(entries: dict[str, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(text(name) + made for name, made in entries.items()) + b"u."


def archive(path: Path, program: bytes, *, packed: bool = False, **entries: bytes) -> Path:
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", how) as made:
        made.writestr("x/data.pkl", program)
        for name, data in entries.items():
            made.writestr(f"x/{name.replace('__', '/')}", data)
    return path


def overlapping(path: Path, program: bytes, data: bytes, keys: list[str]) -> Path:
    """An archive in which many entries are the same bytes."""
    archive(path, program, data__first=data)
    with zipfile.ZipFile(path, "a") as made:
        first = made.getinfo("x/data/first")
        for key in keys:
            entry = zipfile.ZipInfo(f"x/data/{key}")
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            entry.file_size = entry.compress_size = first.file_size
            made.filelist.append(entry)
            made.NameToInfo[entry.filename] = entry
        made._didModify = True  # type: ignore[attr-defined]
    return path


def network(make: Callable[[str, tuple[int, ...]], bytes], config: GpenConfig = TINY) -> bytes:
    return state({name: make(name, shape) for name, shape in expected_shapes(config).items()})


def legacy(program: bytes) -> bytes:
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return magic + pickle.dumps(1001, 2) + pickle.dumps(system, 2) + program


def nested_keys(depth: int) -> bytes:
    """A key of tuples in tuples, each twice the one before: its hash takes 2^depth steps."""
    steps = b"".join(b"q\x00h\x00\x86" for _ in range(depth))
    return b"\x80\x02}K\x01\x85" + steps + b"K\x01s."


PROGRAMS: dict[str, bytes] = {
    "memo-index": b"\x80\x02Nr\xff\xff\xff\x0f.",
    "memo-index-largest": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "memo-index-text": b"Np2147483646\n.",
    "long-text": b"\x80\x04\x8d\xff\xff\xff\xff\x00\x00\x00\x00x.",
    "long-bytes": b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00x.",
    "long-bytearray": b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00x.",
    "long-frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    "long-number": b"\x80\x02\x8b" + struct.pack("<i", 3_000_000) + b"\x7f" * 3_000_000 + b".",
    "negative-number": b"\x80\x02\x8b\xff\xff\xff\xffN.",
    "decimal-number": b"\x80\x02I" + b"9" * 3_000_000 + b"\n.",
    "nested-keys": nested_keys(64),
    "nested-equal-keys": nested_keys(30)[:-1] + nested_keys(30)[2:],
    "nested-lists": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "many-dictionaries": b"\x80\x02(" + b"}" * 15_000_000 + b"l.",
    "many-memos": b"\x80\x04" + b"]\x94" * 7_000_000 + b".",
    "items-overwritten": b"\x80\x02ccollections\nOrderedDict\n)R}" + text("items") + b"K\x01sb.",
    "values-overwritten": b"\x80\x02ccollections\nOrderedDict\n)R}" + text("__class__") + b"K\x01sb.",
    "itself": b"\x80\x02}q\x00" + text("g_ema") + b"h\x00s.",
    "build-on-dict": b"\x80\x02}}" + text("a") + b"K\x01sb.",
    "call-of-nothing": b"\x80\x02N)R.",
    "pairs-with-nested-keys": b"\x80\x02ccollections\nOrderedDict\n]K\x01\x85" + b"q\x00h\x00\x86" * 64 + b"N\x86a\x85R.",
    "size-of-endless-shape": state({"a": tensor(storage("0", 1), (2**40,) * 30, (0,) * 30)}),
    "size-of-an-endless-storage": state({"a": storage("0", 2**63)}),
    "infinite-size": b"\x80\x02" + b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    + b"G" + struct.pack(">d", float("inf")) + b"tQ.",
    "negative-size": state({"a": storage("0", -(2**40))}),
    "stop-only": b"\x80\x02.",
    "mark-only": b"\x80\x02(.",
    "get-of-nothing": b"\x80\x02h\x05.",
}  # fmt: skip


def test_a_pickle_that_asks_for_much_takes_little(tmp_path: Path) -> None:
    paths = []
    for name, program in PROGRAMS.items():
        paths.append(archive(tmp_path / f"{name}-zip.pth", program))
        for kind, content in (("legacy", legacy(program)), ("bare", program)):
            paths.append(tmp_path / f"{name}-{kind}.pth")
            paths[-1].write_bytes(content)
    told(*paths)


def test_the_memo_bomb_is_real() -> None:
    """The control for the one above: Python's own unpickler does allot by the index (here 256 MB for 8 bytes)."""
    done = subprocess.run(
        [sys.executable, "-c", "import pickle; from memory import peak_kilobytes; "
         "pickle.loads(bytes.fromhex('8002 4e 72 ffffff01 2e')); print(peak_kilobytes())"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert int(done.stdout) > 200_000


def test_a_packed_entry_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = bytes(200 << 20)
    program = state({"a": tensor(storage("0", len(zeros) // 4), (4,))})
    assert "compressed" in told(archive(tmp_path / "a.pth", program, packed=True))[0]
    plain = archive(tmp_path / "b.pth", program)
    with zipfile.ZipFile(plain, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x/byteorder", zeros)
    assert plain.stat().st_size < 1 << 20
    assert "compressed" in told(plain)[0]
    stored = archive(tmp_path / "c.pth", program, byteorder=bytes(1 << 20))
    assert "far more than a state dict (byteorder)" in told(stored)[0]


def test_one_storage_for_every_tensor_is_read_once_at_most_a_few_times(tmp_path: Path) -> None:
    """A packed storage of gigabytes behind every tensor of a network: unpacked again for each, it never ended."""
    zeros = bytes(200 << 20)
    program = network(lambda _, shape: tensor(storage("0", len(zeros) // 4), shape))
    path = archive(tmp_path / "a.pth", program)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x/data/0", zeros)
    assert path.stat().st_size < 1 << 20
    told(path)
    # Two of them in turn, not packed, so that keeping the last one does not help.
    turns = iter(range(10_000))
    program = network(lambda _, shape: tensor(storage(str(next(turns) % 2), 4 << 20), shape))
    path = archive(tmp_path / "b.pth", program, data__0=bytes(16 << 20), data__1=bytes(16 << 20))
    assert "over and over" in told(path)[0]


def test_entries_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    names = iter(range(10_000))
    keys = [str(number) for number in range(len(expected_shapes(TINY)))]
    program = network(lambda _, shape: tensor(storage(str(next(names)), 1 << 20), shape))
    path = overlapping(tmp_path / "a.pth", program, bytes(4 << 20), keys)
    assert "larger than the file" in told(path)[0]


def test_a_network_of_one_number_is_refused(tmp_path: Path) -> None:
    """Steps of 0 show one element as often as a network of any size wants; so does a storage that all tensors share."""
    large = GpenConfig(size=2048)
    program = network(lambda _, shape: tensor(storage("0", 1), shape, (0,) * len(shape)), large)
    assert "larger than its storage" in told(archive(tmp_path / "a.pth", program, data__0=bytes(4)))[0]
    shared = 9 << 20
    program = network(lambda _, shape: tensor(storage("0", shared), shape), large)
    assert "too small for the network" in told(archive(tmp_path / "b.pth", program, data__0=bytes(4 * shared)))[0]


# safetensors


def safetensors_file(path: Path, header: bytes, data: bytes = b"", *, length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(shape: list[object], start: object, end: object, kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


def described(config: object, model: object = "{}") -> dict[str, object]:
    metadata = {"format": "likeness-gpen", "format_version": "1", "config": config, "model": model}
    return {"__metadata__": metadata, "a": entry([1], 0, 4)}


def numbers(size: object = "64", multiplier: object = "1", narrow: object = "1") -> str:
    return f'{{"size": {size}, "channel_multiplier": {multiplier}, "narrow": {narrow}}}'


HEADERS: dict[str, bytes] = {
    "deep": b'{"a":' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}",
    "many-tensors": b'{"' + b'":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"'.join(b"%d" % n for n in range(100_000))
    + b'":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
    "long-header": b'{"__metadata__":{"a":"' + b"x" * (9 << 20) + b'"}}',
    **{
        name: json.dumps(content).encode()
        for name, content in {
            "huge-shape": {"a": entry([2**40, 2**40], 0, 4)},
            "overflowing-shape": {"a": entry([2**63, 2], 0, 0)},
            "empty-huge-shape": {"generator.input.input": entry([1, 2**62, 0], 0, 0)},
            "negative-shape": {"a": entry([-1], 0, 4)},
            "beyond": {"a": entry([1 << 40], 0, 4 << 40)},
            "overlapping": {"a": entry([1], 0, 4), "b": entry([1], 0, 4)},
            "backwards": {"a": entry([1], 4, 0)},
            "number-of-a-shape": {"a": entry([1e300], 0, 4)},
            "a-list": [],
            "nested-config": described("[" * 100_000),
            "nested-model": described(numbers(), "[" * 100_000),
            "nested-model-field": described(numbers(), json.dumps({"name": [[[["x"]]]]})),
            "long-model-field": described(numbers(), json.dumps({"name": "x" * 100_000})),
            "size-1e400": described(numbers("1e400")),
            "size-negative-1e400": described(numbers("-1e400")),
            "size-nan": described(numbers("NaN")),
            "size-huge": described(numbers(str(1 << 4000))),
            "size-of-text": described(numbers('"' + "9" * 100_000 + '"')),
            "multiplier-1e400": described(numbers(64, "1e400")),
            "multiplier-nan": described(numbers(64, "NaN")),
            "multiplier-1e300": described(numbers(64, "1e300")),
            "narrow-1e9": described(numbers(64, 1, "1e9")),
            "narrow-1e-300": described(numbers(64, 1, "1e-300")),
            "config-is-a-list": described("[]"),
            "config-is-a-number": described("1e400"),
            "model-is-a-list": described(numbers(), "[1]"),
            "version-long": {"__metadata__": {**described(numbers())["__metadata__"], "format_version": "9" * 100_000},  # type: ignore[dict-item]
                             "a": entry([1], 0, 4)},
            "many-octaves": {f"ecd{k}.0.{1 if k else 0}.weight": entry([0], 0, 0) for k in range(50_000)}
            | {"generator.input.input": entry([1, 512, 0], 0, 0)},
        }.items()
    },
}  # fmt: skip


def test_a_header_that_promises_much_takes_little(tmp_path: Path) -> None:
    paths = [safetensors_file(tmp_path / "huge-header.safetensors", b"{}", length=1 << 60)]
    for name, header in HEADERS.items():
        data = bytes(4) if b"[0, 4]" in header else b""
        paths.append(safetensors_file(tmp_path / f"{name}.safetensors", header, data))
    told(*paths, megabytes=250)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pth")
    assert "is no file" in told(tmp_path / "a.pth")[0]


# Mutations: whatever a bit does, a file is read or refused


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small network in each format, by hand: no PyTorch needed."""
    folder = tmp_path_factory.mktemp("whole")
    random_numbers = np.random.default_rng(0)
    arrays = {
        name: random_numbers.normal(size=shape).astype(np.float16).astype(np.float32)
        for name, shape in expected_shapes(TINY).items()
    }
    write_checkpoint(folder / "a.safetensors", arrays, TINY.spec, ModelInfo(name="tiny", licence="MIT"))
    program = state({name: tensor(storage(name, array.size), array.shape) for name, array in arrays.items()})
    entries = {f"data__{name}": array.tobytes() for name, array in arrays.items()}
    archive(folder / "a.pth", program, byteorder=b"little", **entries)
    parts = [legacy(state({name: tensor(_viewless(name, array.size), array.shape) for name, array in arrays.items()}))]
    parts.append(pickle.dumps(list(arrays), 2))
    parts += [struct.pack("<q", array.size) + array.tobytes() for array in arrays.values()]
    (folder / "legacy.pth").write_bytes(b"".join(parts))
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in found:
        for key, array in read_checkpoint(folder / name).state.items():
            np.testing.assert_array_equal(array, arrays[key])
    return found


def _viewless(key: str, elements: int) -> bytes:
    return storage(key, elements)[:-2] + b"NtQ"


def mutated(content: bytes, chance: random.Random, heads: tuple[range, ...]) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.choice(chance.choice(heads)) % len(data)
        kind = chance.randrange(5)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, *b'().RQbrq[{}"-9e'])
        elif kind == 2:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = chance.choice(
                [b"\xff" * 8, b"9" * 30, b"1e400", b"r\xff\xff\xff\x7f", b"[" * 50, data[at : at + 20]]
            )
        else:
            data[at : at + 8] = struct.pack("<Q", chance.choice([0, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]))
    return bytes(data)


def read_or_refused(read: Callable[[Path], object], content: bytes, path: Path, times: int) -> Counter[str]:
    """What becomes of seeded mutations, mostly where a file says what is in it; any other exception is passed on."""
    chance = random.Random(f"checkpoints {path.name}")
    program = content.index(b"\x80\x02") if path.suffix == ".pth" else 0
    heads = (
        range(200),
        range(program, program + 25_000),
        range(len(content) - 9000, len(content)),
        range(len(content)),
    )
    seen: Counter[str] = Counter()
    for _ in range(times):
        path.write_bytes(mutated(content, chance, heads))
        try:
            read(path)
            seen["read"] += 1
        except CheckpointError:
            seen["refused"] += 1
    assert len(seen) == 2, seen
    return seen


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "legacy.pth"])
def test_mutations_are_read_or_refused(whole: dict[str, bytes], tmp_path: Path, name: str) -> None:
    read_or_refused(read_checkpoint, whole[name], tmp_path / name, 150)


@pytest.mark.long
@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "legacy.pth"])
def test_thousands_of_mutations_are_read_or_refused(whole: dict[str, bytes], tmp_path: Path, name: str) -> None:
    read_or_refused(read_checkpoint, whole[name], tmp_path / name, 4000)


@pytest.mark.parametrize("name", ["small.pth", "small-legacy.pth", "small.safetensors"])
def test_mutations_of_small_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """1,500 of each, of files of some hundred bytes, where nearly every byte decides something."""
    from safetensors.numpy import save

    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float32)}
    path = tmp_path / name
    stored = storage if name == "small.pth" else _viewless
    program = state({key: tensor(stored(key, array.size), array.shape) for key, array in arrays.items()})
    if name == "small.pth":
        archive(
            path, program, byteorder=b"little", **{f"data__{key}": array.tobytes() for key, array in arrays.items()}
        )
    elif name == "small-legacy.pth":
        parts = [struct.pack("<q", array.size) + array.tobytes() for array in arrays.values()]
        path.write_bytes(legacy(program) + pickle.dumps(list(arrays), 2) + b"".join(parts))
    else:
        metadata = {"format": "likeness-gpen", "format_version": "1", "config": numbers(), "model": '{"name": "a"}'}
        path.write_bytes(save(arrays, metadata))

    def tensors(path: Path) -> None:
        with TorchFile(path) as file:
            for value in file.root.values() if isinstance(file.root, dict) else ():
                if isinstance(value, TorchTensor):
                    value.to_float32()

    if path.suffix == ".pth":
        read_or_refused(tensors, path.read_bytes(), path, 1500)
        return
    content, chance = path.read_bytes(), random.Random(1)
    for _ in range(1500):  # its shapes are no network's, so all are refused
        path.write_bytes(mutated(content, chance, (range(len(content)),)))
        with pytest.raises(CheckpointFormatError):
            read_checkpoint(path)


def test_a_key_of_any_other_kind_is_refused(tmp_path: Path) -> None:
    content: dict[object, object] = {(1, 2): 3}
    path = archive(tmp_path / "a.pth", pickle.dumps(content, 2))
    with pytest.raises(CheckpointFormatError, match="neither a text nor a small number"):
        TorchFile(path)
    path = archive(tmp_path / "b.pth", pickle.dumps({1: "a", "b": 2}, 2))
    with TorchFile(path) as file:
        assert file.root == {1: "a", "b": 2}


def test_all_protocols_that_pytorch_can_write_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for protocol in (2, 3, 4, 5):
        for zipped in (True, False) if protocol == 2 else (True,):
            path = tmp_path / f"{protocol}-{zipped}.pth"
            content = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b={"deep": [1, -5, 2.5, None, "ü", 1 << 40]})
            buffer = io.BytesIO()
            torch.save(content, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
            path.write_bytes(buffer.getvalue())
            with TorchFile(path) as file:
                assert isinstance(file.root, OrderedDict)
                assert file.root["b"]["deep"] == [1, -5, 2.5, None, "ü", 1 << 40]
                assert isinstance(file.root["a"], TorchTensor)
                np.testing.assert_array_equal(file.root["a"].to_float32(), content["a"].numpy())
