"""Whether two checkouts of Likeness make the same results, to the last bit: for changes that move walls only.

    python tools/same_results.py [--model NAME|FILE] BEFORE AFTER PICTURES...

Restores every picture under five settings with each checkout, by the command line, as a batch and by the server, and
compares the samples of the results. The exit status is 0 if all are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import httpx
import numpy as np

SETTINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("standard", {"preset": "standard"}),
    ("natural", {"preset": "natural"}),
    ("film", {"preset": "film-scan", "mend-scratches": "0.5", "balance": "0.5"}),
    ("strong", {"degradation-scale": "0.5", "latent-step-decay": "0.08", "refine": "2"}),
    ("regions", {"preset": "low-light", "strength": "0.7", "defringe": "1", "keep-grain": "true"}),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--model", help="the network; a small one is enough where the network itself did not change")
    flags = parser.parse_args()
    network = ["--model", flags.model] if flags.model else []
    pictures = [path.resolve() for path in flags.pictures]
    results = [dict(digests(checkout.resolve(), pictures, network)) for checkout in (flags.before, flags.after)]
    other = sorted(name for name in results[0] | results[1] if results[0].get(name) != results[1].get(name))
    for name in other:
        print(f"not the same: {name}")
    print(
        f"{len(results[0])} results of {len(pictures)} pictures: {len(results[0]) - len(other)} the same to the last bit"
    )
    return 1 if other or not results[0] else 0


def digests(checkout: Path, pictures: Sequence[Path], network: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names of results, and digests of their samples."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    with tempfile.TemporaryDirectory() as scratch:
        for setting, options in SETTINGS:
            flags = [part for name, value in options.items() for part in flag(name, value)]
            for way in ("restore", "batch"):
                folder = Path(scratch) / f"{way}-{setting}"
                shape = ["--no-guard"] if way == "batch" else ["--copy-unrestored"]
                target = [str(folder)] if way == "batch" else ["-o", str(folder)]
                command = [
                    sys.executable,
                    "-m",
                    "likeness",
                    way,
                    *map(str, pictures),
                    *target,
                    *flags,
                    *shape,
                    *network,
                ]
                subprocess.run(command, env=environment, check=False, capture_output=True)
                yield from ((f"{way} {setting} {path.name}", samples(path.read_bytes())) for path in found(folder))
        yield from served(environment, Path(scratch), pictures, network)


def flag(name: str, value: str) -> list[str]:
    return [f"--{name}"] if value == "true" else [f"--{name}", value]


def found(folder: Path) -> list[Path]:
    suffixes = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)


def served(
    environment: dict[str, str], scratch: Path, pictures: Sequence[Path], network: Sequence[str]
) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "likeness", "serve", "--port", "0", "--data", str(scratch / "data"), *network]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            address = next(match[0] for line in server.stdout if (match := re.search(r"http://[\d.:]+", line)))
            with httpx.Client(base_url=address, timeout=300) as client:
                for setting, options in SETTINGS:
                    fields = {name.replace("-", "_"): value for name, value in options.items()} | {"format": "png"}
                    for path in pictures:
                        answer = client.post("/v1/restore", data=fields, files={"file": (path.name, path.read_bytes())})
                        told = samples(answer.content) if answer.is_success else answer.json()["code"]
                        yield f"serve {setting} {path.name}", told
        finally:
            server.terminate()


def samples(data: bytes) -> str:
    """A digest of a picture's samples."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
