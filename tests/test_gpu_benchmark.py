"""benchmarks/gpu.py is run by hand where there is a GPU; here it is seen to run, and to write no figures of a processor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *arguments, "--out", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def test_it_runs_on_a_small_network_and_writes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = run(tmp_path, "--device", "cpu", "--size", "64", "--rounds", "1", "--batches", "1,2", "--threads", "2")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    rows = re.findall(r"^\| (.+?) \| (\d+) \| [\d.]+ \| [\d.]+ \| (\d*) \|", done.stdout, re.MULTILINE)
    decibel = {name: float(figure) for name, _, figure in rows if figure}
    assert decibel["TorchRuntime, f32"] > 100
    assert decibel["TorchRuntime, bf16"] > 45
    assert decibel["TorchRuntime, f16"] > decibel["TorchRuntime, bf16"]
    rates = re.findall(r"^\| (batches of \d|2 threads, one face each) \| [\d.]+ \| \d+% \|$", done.stdout, re.MULTILINE)
    assert rates == ["batches of 1", "batches of 2", "2 threads, one face each"]
    assert re.search(r"^[1-9]\d* GFLOP and 0\.\d\d GB a face", done.stdout, re.MULTILINE)


def test_without_a_device_it_says_so(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    done = run(tmp_path)
    assert done.returncode == 2
    assert "no CUDA device was found; --device cpu --size 64 shows that the script runs" in done.stderr
    assert list(tmp_path.iterdir()) == []
