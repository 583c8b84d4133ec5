"""OpenVINO without its conversion tools and their telemetry, and the one core of the process."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from likeness.compute.forks import refuse_after_fork

if TYPE_CHECKING:
    import openvino

__all__ = ["core_is_loaded", "load_openvino", "shared_core"]

_TOOLS = "openvino.tools.ovc"
_TELEMETRY = "openvino_telemetry"
_import_lock = threading.RLock()


def load_openvino() -> ModuleType:
    """Import openvino without letting it report to its maker; use this instead of ``import openvino``.

    Importing openvino imports its conversion tools, and those at once send a usage event to Google Analytics and write
    an identifier to ``~/intel`` (seen with openvino 2026.4 and openvino-telemetry 2025.2). Where the tools are not there it
    does without; so for the time of the import it is made to look that way, which also takes a quarter off that time. They
    are imported when ``openvino.convert_model`` is first asked for, and find no ``openvino_telemetry`` then. A program
    that imported openvino before is not touched.
    """
    with _import_lock:
        if "openvino" in sys.modules:
            import openvino

            return openvino
        with _hidden(_TOOLS):
            import openvino
        openvino.__dict__["__getattr__"] = _converter  # PEP 562
    return openvino


def _converter(name: str) -> Any:
    """What ``openvino`` has not: ``convert_model``, from its tools."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    with _import_lock, _hidden(_TELEMETRY):
        return importlib.import_module(_TOOLS).convert_model


@contextmanager
def _hidden(name: str) -> Generator[None]:
    """Within the context, a module that was not imported yet cannot be."""
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    hide = name not in modules
    if hide:
        modules[name] = None
    try:
        yield
    finally:
        if hide:
            del modules[name]


@cache
def shared_core() -> openvino.Core:
    """OpenVINO's core; each one of its own would load the device's plugin again."""
    refuse_after_fork()
    return load_openvino().Core()


def core_is_loaded() -> bool:
    """Whether the process has its core, and with it threads, which a fork of the process would lack and wait for."""
    return shared_core.cache_info().currsize > 0
