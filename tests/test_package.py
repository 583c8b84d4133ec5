from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import likeness

HEAVY = ("torch", "mediapipe", "openvino", "numpy", "cv2", "PIL", "httpx")
SOURCE = Path(likeness.__file__).parent
PROGRAMS = ("likeness.__main__", "likeness.integrations.gimp.likeness")
"""Modules that begin to work when they are imported."""

MODULES = ["likeness", *sorted(module.name for module in pkgutil.walk_packages([str(SOURCE)], "likeness."))]


def test_import_loads_nothing_heavy() -> None:
    script = f"import sys, likeness; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", likeness.__all__)  # pyright: ignore[reportAttributeAccessIssue] - made when it is loaded
def test_every_export_is_there(name: str) -> None:
    assert getattr(likeness, name) is not None
    assert name in dir(likeness)


def test_exports_are_the_objects_of_their_modules() -> None:
    from likeness.imaging.files import read_image
    from likeness.restore.controls import Controls
    from likeness.restore.pipeline import Restorer

    assert (likeness.read_image, likeness.Controls, likeness.Restorer) == (read_image, Controls, Restorer)


def test_every_error_is_exported() -> None:
    errors = import_module("likeness.errors")
    assert set(errors.__all__) <= set(likeness.__all__)  # pyright: ignore[reportAttributeAccessIssue]


def test_version_is_the_distribution_s() -> None:
    assert likeness.__version__ == version("likeness")


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="attribute enhance"):
        likeness.enhance  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_all_is_what_a_module_defines_and_sorted(name: str) -> None:
    parts = name.split(".")[1:]
    path = SOURCE.joinpath(*parts)
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {public for node in tree.body for public in _public(node)}
    exported = _exported(tree)
    assert exported is not None or not defined, f"{name} has no __all__, but defines {sorted(defined)}"
    exported = exported or []
    assert defined <= set(exported), f"not in __all__ of {name}: {sorted(defined - set(exported))}"
    assert exported == sorted(exported, key=_isort_key), f"__all__ of {name} is not sorted"
    assert len(set(exported)) == len(exported)
    if name not in PROGRAMS:
        module = import_module(name)
        assert [missing for missing in exported if not hasattr(module, missing)] == []


def _public(node: ast.stmt) -> list[str]:
    """Public names that a statement at a module's top level defines; imports define nothing."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        names = [node.name]
    elif isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        names = [node.target.id]
    else:
        names = []
    return [name for name in names if not name.startswith("_")]


def _exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def _isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff's RUF022 keeps."""
    bare = name.lstrip("_")
    kind = 0 if len(bare) > 1 and bare.isupper() else 1 if bare[:1].isupper() else 2
    return kind, name
