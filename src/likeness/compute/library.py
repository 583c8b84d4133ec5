"""OpenVINO without its telemetry, and the one core of the process."""

from __future__ import annotations

import sys
import threading
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, cast

from likeness.compute.forks import refuse_after_fork

if TYPE_CHECKING:
    import openvino

__all__ = ["core_is_loaded", "load_openvino", "shared_core"]

_TELEMETRY = "openvino_telemetry"
_import_lock = threading.Lock()


def load_openvino() -> ModuleType:
    """Import openvino without letting it report to its maker; use this instead of ``import openvino``.

    Importing openvino imports its conversion tools, and those at once send a usage event to Google Analytics and write
    an identifier to ``~/intel`` (seen with openvino 2026.4 and openvino-telemetry 2025.2). Where ``openvino_telemetry``
    is not installed they do without; so for the time of the import it is made to look that way. A program that imported
    openvino before is not touched.
    """
    with _import_lock:
        hide = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
        if hide:
            cast("dict[str, ModuleType | None]", sys.modules)[_TELEMETRY] = None
        try:
            import openvino
        finally:
            if hide:
                del sys.modules[_TELEMETRY]
    return openvino


@cache
def shared_core() -> openvino.Core:
    """OpenVINO's core; each one of its own would load the device's plugin again."""
    refuse_after_fork()
    return load_openvino().Core()


def core_is_loaded() -> bool:
    """Whether the process has its core, and with it threads, which a fork of the process would lack and wait for."""
    return shared_core.cache_info().currsize > 0
