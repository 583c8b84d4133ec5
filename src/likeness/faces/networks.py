"""The networks that find faces: loaded when first wanted, shared by the whole process."""

from __future__ import annotations

import hashlib
import threading
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from likeness.compute.compiled import default_cache
from likeness.compute.library import shared_core
from likeness.compute.network import Network

if TYPE_CHECKING:
    import openvino

__all__ = ["FaceNetwork", "face_network", "free_face_networks"]

FaceNetwork = Literal["far", "near", "mesh", "attention"]
"""Full-range and short-range box detector, the face mesh, and its second half; see ``models/README.md``."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_WINDOW = (1, 3, 256, 256)
"""Shape of what the far detector looks at; the others have theirs in their files."""

_loaded: dict[FaceNetwork, Network] = {}
_locks: dict[FaceNetwork, threading.Lock] = {
    "far": threading.Lock(),
    "near": threading.Lock(),
    "mesh": threading.Lock(),
    "attention": threading.Lock(),
}


def face_network(name: FaceNetwork) -> Network:
    """One of the networks, ready to run in any thread."""
    with _locks[name]:
        if name not in _loaded:
            _loaded[name] = _load(name)
        return _loaded[name]


def free_face_networks() -> None:
    """Let go of all of them; they are loaded again when wanted."""
    for name, lock in _locks.items():
        with lock:
            _loaded.pop(name, None)


def _load(name: FaceNetwork) -> Network:
    core, cache = shared_core(), default_cache()
    with resources.as_file(resources.files("likeness.faces").joinpath("models")) as folder:
        graph = folder / f"{name}.xml"

        def build() -> openvino.Model:
            model = core.read_model(graph)
            if name == "far":
                model.reshape(list(_WINDOW))
            return model

        if cache is None:
            return Network(core.compile_model(build(), "CPU", _PROPERTIES))
        identity = f"{_digest(graph, graph.with_suffix('.bin'))} {_WINDOW if name == 'far' else ''}"
        return cache.compile(core, f"face-{name}", identity=identity, build=build, device="CPU", properties=_PROPERTIES)


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
