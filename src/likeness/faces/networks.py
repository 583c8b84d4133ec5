"""The networks that find faces: loaded when first wanted, shared by the whole process."""

from __future__ import annotations

import hashlib
import threading
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from likeness.compute.compiled import compile_network, default_cache
from likeness.compute.forks import refuse_after_fork
from likeness.compute.library import shared_core
from likeness.compute.network import Network

if TYPE_CHECKING:
    import openvino

__all__ = ["FaceNetwork", "face_network", "free_face_networks"]

FaceNetwork = Literal["far", "near", "mesh", "attention", "person", "parts", "spectacles"]
"""Full-range and short-range box detector, the face mesh, its second half, a person's outline, what each
place of a head shows, and where spectacles are; see ``models/README.md``."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_FAR_WINDOW = (3, 256, 256)
"""Shape of what the far detector looks at; the others have theirs in their files."""

_loaded: dict[tuple[FaceNetwork, int], Network] = {}
_locks: dict[FaceNetwork, threading.Lock] = {
    "far": threading.Lock(),
    "near": threading.Lock(),
    "mesh": threading.Lock(),
    "attention": threading.Lock(),
    "person": threading.Lock(),
    "parts": threading.Lock(),
    "spectacles": threading.Lock(),
}


def face_network(name: FaceNetwork, count: int = 1) -> Network:
    """One of the networks, ready to run in any thread; the far detector for ``count`` windows at once."""
    refuse_after_fork()
    with _locks[name]:
        if (name, count) not in _loaded:
            _loaded[name, count] = _load(name, count)
        return _loaded[name, count]


def free_face_networks() -> None:
    """Let go of all of them; they are loaded again when wanted."""
    for name, lock in _locks.items():
        with lock:
            for key in [key for key in _loaded if key[0] == name]:
                del _loaded[key]


def _load(name: FaceNetwork, count: int) -> Network:
    core = shared_core()
    with resources.as_file(resources.files("likeness.faces").joinpath("models")) as folder:
        graph = folder / f"{name}.xml"

        def build() -> openvino.Model:
            model = core.read_model(graph)
            if name == "far":
                model.reshape([count, *_FAR_WINDOW])
            return model

        def identity() -> str:
            return f"{_digest(graph, graph.with_suffix('.bin'))} {(count, *_FAR_WINDOW) if name == 'far' else ''}"

        return compile_network(
            core, f"face-{name}", cache=default_cache(), identity=identity, build=build, properties=_PROPERTIES
        )


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
