from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from likeness.compute.compiled import CompiledCache, default_cache
from likeness.compute.library import load_openvino, shared_core
from likeness.compute.network import Network

X = np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 3, 4, 4)


class Builder:
    """Makes a network that multiplies by ``factor``, and counts how often it was asked to."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        openvino = load_openvino()
        op = openvino.opset13
        x = op.parameter([1, 3, 4, 4], np.float32, name="x")
        x.output(0).set_names({"x"})
        # A weight for each sample, so that the file holds more than structure.
        y = op.multiply(x, op.constant(np.full((1, 3, 4, 4), self.factor, np.float32)))
        y.output(0).set_names({"y"})
        return openvino.Model([op.result(y)], [x], "times")


def compiled(cache: CompiledCache, build: Callable[[], object], *, identity: str = "a", threads: int = 1) -> Network:
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    return cache.compile(shared_core(), "times", identity=identity, build=build, device="CPU", properties=properties)


def run(network: Network) -> np.ndarray:
    (y,) = network.run({"x": X}, ["y"])
    return y


def test_the_second_start_builds_nothing(tmp_path: Path) -> None:
    cache, build = CompiledCache(folder=tmp_path / "new" / "folder"), Builder(3)
    assert np.array_equal(run(compiled(cache, build)), 3 * X)
    assert np.array_equal(run(compiled(cache, build)), 3 * X)
    assert build.calls == 1
    assert len(cache.files()) == 1


def test_the_digest_of_a_file_is_kept_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, file = CompiledCache(folder=tmp_path / "cache"), tmp_path / "network"
    file.write_bytes(b"one")
    kept = tmp_path / "cache"

    def digests() -> int:
        return len(list(kept.glob("*.digest-of-file")))

    one = cache.digest_of(file)
    assert one == hashlib.sha256(b"one").hexdigest()
    assert digests() == 0  # what was written just now may be written again within the same moment
    later = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert (cache.digest_of(file), digests()) == (one, 1)

    def read_again(file: Path) -> str:
        raise AssertionError(file)

    monkeypatch.setattr("likeness.compute.compiled.known_sha256_of", read_again)
    assert cache.digest_of(file) == one
    monkeypatch.undo()
    file.write_bytes(b"another")
    assert cache.digest_of(file) == hashlib.sha256(b"another").hexdigest()
    assert cache.clear() > 0
    assert digests() == 0


def test_another_network_or_another_property_is_another_file(tmp_path: Path) -> None:
    cache = CompiledCache(folder=tmp_path)
    assert np.array_equal(run(compiled(cache, Builder(3))), 3 * X)
    assert np.array_equal(run(compiled(cache, Builder(5), identity="b")), 5 * X)
    compiled(cache, Builder(3), threads=2)
    assert len(cache.files()) == 3


@pytest.mark.parametrize("fault", ["cut", "empty", "flipped", "foreign", "other content"])
def test_a_broken_file_costs_only_time(tmp_path: Path, fault: str) -> None:
    cache = CompiledCache(folder=tmp_path)
    compiled(cache, Builder(3))
    (path,) = cache.files()
    content = bytearray(path.read_bytes())
    if fault == "flipped":
        content[-100] ^= 4
    elif fault == "other content":
        content[4096:] = bytes(len(content) - 4096)
    broken = {"cut": content[:-9], "empty": b"", "foreign": b"something else" * 999}.get(fault, content)
    path.write_bytes(broken)
    build = Builder(3)
    assert np.array_equal(run(compiled(cache, build)), 3 * X)
    assert build.calls == 1
    assert np.array_equal(run(compiled(cache, build)), 3 * X)
    assert build.calls == 1, "the broken file was not replaced"


def test_a_folder_that_cannot_be_used_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CompiledCache(folder=tmp_path / "file")
    assert np.array_equal(run(compiled(cache, Builder(3))), 3 * X)
    assert cache.files() == ()
    assert cache.clear() == 0


def test_the_networks_used_longest_ago_go_first(tmp_path: Path) -> None:
    plenty = CompiledCache(folder=tmp_path)
    for age, identity in enumerate("abc"):
        compiled(plenty, Builder(3), identity=identity)
        os.utime(plenty.files()[0], (1e9 - age, 1e9 - age))
    newest, _, oldest = plenty.files()
    size = newest.stat().st_size
    compiled(CompiledCache(folder=tmp_path, limit=7 * size // 2), Builder(3), identity="d")
    assert newest in plenty.files()
    assert oldest not in plenty.files()
    assert len(plenty.files()) == 3
    # One that is larger than the limit is not kept, and takes no other's place.
    assert np.array_equal(run(compiled(CompiledCache(folder=tmp_path, limit=1), Builder(3), identity="e")), 3 * X)
    assert len(plenty.files()) == 3
    assert plenty.clear() >= 3 * size
    assert plenty.files() == ()


def test_a_file_in_use_may_be_deleted(tmp_path: Path) -> None:
    cache = CompiledCache(folder=tmp_path)
    compiled(cache, Builder(3))
    network = compiled(cache, Builder(3))
    cache.clear()
    assert np.array_equal(run(network), 3 * X)


def test_processes_that_start_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_compiled as t; from pathlib import Path; "
        "import numpy as np; cache = t.CompiledCache(folder=Path(sys.argv[2])); "
        "assert np.array_equal(t.run(t.compiled(cache, t.Builder(3))), 3 * t.X)"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path)]
    assert [child.wait() for child in [subprocess.Popen(command) for _ in range(3)]] == [0, 0, 0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".compiled"]


def test_where_the_cache_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LIKENESS_CACHE", raising=False)
    cache = default_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "home" / "compiled"
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "elsewhere"))
    cache = default_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "elsewhere"
    monkeypatch.setenv("LIKENESS_CACHE", "off")
    assert default_cache() is None


def test_a_limit_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1"):
        CompiledCache(folder=tmp_path, limit=0)
