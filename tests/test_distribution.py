"""What pip gets: the wheel and the sdist."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import likeness
from likeness import read_image

ROOT = Path(__file__).parents[1]
PACKAGE = Path(likeness.__file__).parent
DATA = (".json", ".html", ".css", ".js", ".svg", ".safetensors", ".npz", ".bin", ".xml", ".typed")


def build(source: Path, target: str, folder: Path) -> Path:
    """With pyproject's own backend, which needs no network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the sdist, as pip does where there is no wheel."""
    sdist = build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_every_module_and_what_they_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("likeness/")}
    there = {path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".pyi", *DATA)}
    assert {path.relative_to(PACKAGE.parent).as_posix() for path in there} <= held
    assert not [name for name in held if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_works_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, out = tmp_path / "installed", tmp_path / "out"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    # Without .pth files, so that what is imported cannot be the checkout.
    libraries = Path(str(find_spec("numpy").origin)).parents[1]  # type: ignore[union-attr]
    # Of the samples, whose files must all be there, the first two are restored.
    script = (
        f"import sys; sys.path[:0] = [{str(installed)!r}, {str(libraries)!r}]; "
        "import likeness.cli, likeness.cli.demo as demo; "
        f"assert likeness.__file__.startswith({str(installed)!r}); "
        "assert all((demo.sample_folder() / sample.file).is_file() for sample in demo.SAMPLES); "
        "demo.SAMPLES = demo.SAMPLES[:2]; "
        f"sys.exit(likeness.cli.main(['demo', {str(out)!r}]))"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert read_image(out / "sheet.jpg").size.width > 500
