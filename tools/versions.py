"""Install Likeness from its own wheel into every Python of this machine, with the newest and the oldest libraries it takes.

    python tools/versions.py              restore the sample portraits in each
    python tools/versions.py --tests      and run the whole test suite with the newest libraries (an hour or two)

For each Python from 3.10 on that is found, a fresh environment gets the wheel with the newest libraries; the oldest Python
gets one with the oldest as well, as the lower limits in pyproject.toml have them. Each restores the samples of `likeness
demo`, and the results are held against those of the first: the lowest PSNR, as the libraries do not interpolate alike.
The exit status is 1 if an environment cannot be made, or a result is further than 40 dB from the first.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness import read_image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LEAST_PSNR = 40.0
SHOWN = ("numpy", "opencv-contrib-python-headless", "openvino", "pillow")


@dataclass(frozen=True)
class Environment:
    """One to be made: a Python, and whether it gets the oldest libraries."""

    python: str
    version: tuple[int, int]
    oldest: bool

    @property
    def name(self) -> str:
        return f"{self.version[0]}.{self.version[1]} {'oldest' if self.oldest else 'newest'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", action="store_true", help="run the test suite too, with the newest libraries")
    flags = parser.parse_args()
    found = dict(pythons())
    if not found:
        print("no Python from 3.10 on was found", file=sys.stderr)
        return 1
    least = min(found)
    wanted = [Environment(python, version, oldest=False) for version, python in sorted(found.items())]
    wanted.append(Environment(found[least], least, oldest=True))
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)])
        (wheel,) = folder.glob("*.whl")
        first: Path | None = None
        for number, environment in enumerate(wanted):
            home = folder / str(number)
            try:
                line, results = tried(environment, wheel, home, first, tests=flags.tests and not environment.oldest)
            except subprocess.CalledProcessError as error:
                print(f"{environment.name}: {' '.join(error.cmd[:4])} ... failed\n{error.output[-2000:]}")
                good = False
                continue
            first = first or results
            print(f"{environment.name}: {line}", flush=True)
            good = good and "TOO FAR" not in line
            shutil.rmtree(home / "env")
    return 0 if good else 1


def tried(environment: Environment, wheel: Path, home: Path, first: Path | None, *, tests: bool) -> tuple[str, Path]:
    """Make an environment and restore the samples in it; what came of it in a line, and the folder of results."""
    run([environment.python, "-m", "venv", str(home / "env")])
    python = str(home / "env" / ("Scripts" if os.name == "nt" else "bin") / "python")
    limits = home / "oldest.txt"
    limits.write_text("\n".join(oldest()) if environment.oldest else "")
    run([python, "-m", "pip", "install", "--quiet", "--constraint", str(limits), str(wheel)])
    results = home / "out"
    began = time.perf_counter()
    # Elsewhere than in the checkout, so that what is imported is what the wheel holds.
    run([python, "-m", "likeness", "demo", str(results)], cwd=home)
    seconds = time.perf_counter() - began
    show = "import sys; from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in sys.argv[1:]), sep=', ')"
    said = [run([python, "-c", show, *SHOWN]).strip(), f"samples in {seconds:.0f} s"]
    if first is not None:
        psnr = likeness_of(results, first)
        said.append(f"{psnr:.1f} dB from the first{'' if psnr >= LEAST_PSNR else ' (TOO FAR)'}")
    if tests:
        run([python, "-m", "pip", "install", "--quiet", f"{wheel}[dev]"])
        said.append(run([python, "-m", "pytest", str(ROOT / "tests")], cwd=ROOT).strip().splitlines()[-1])
    return "; ".join(said), results


def likeness_of(results: Path, first: Path) -> float:
    """The lowest PSNR, dB, between the restored samples of two environments."""
    found: list[float] = []
    for path in sorted(first.iterdir()):
        a, b = (read_image(folder / path.name).pixels.astype(np.float64) for folder in (first, results))
        error = float(np.mean((a - b) ** 2)) if a.shape == b.shape else 1.0
        found.append(99.0 if error == 0 else -10 * float(np.log10(error)))
    return min(found)


def pythons() -> Iterator[tuple[tuple[int, int], str]]:
    """Pythons from 3.10 on by their version: those on the path, and those that pyenv keeps."""
    kept = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python"))
    candidates = [*(f"python3.{minor}" for minor in range(10, 20)), *map(str, kept), sys.executable]
    show = "import sys; print(*sys.version_info[:2])"
    for candidate in candidates:
        if (path := shutil.which(candidate)) is None:
            continue
        # A shim without a Python behind it fails.
        done = subprocess.run([path, "-c", show], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor = map(int, done.stdout.split())
            if (major, minor) >= (3, 10):
                yield (major, minor), path


def oldest() -> list[str]:
    """The lower limits of what the base install needs, as pip's constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.match(r"([\w-]+)>=([\d.]+)", wanted) for wanted in project["dependencies"]]
    return [f"{match[1]}=={match[2]}.*" for match in found if match]


def run(command: list[str], cwd: Path = ROOT) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
