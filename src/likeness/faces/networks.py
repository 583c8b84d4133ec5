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

FaceNetwork = Literal["far", "near", "mesh", "attention", "person"]
"""Full-range and short-range box detector, the face mesh, its second half, and a person's outline; see
``models/README.md``."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}

_loaded: dict[tuple[FaceNetwork, int | None], Network] = {}
_locks: dict[FaceNetwork, threading.Lock] = {
    "far": threading.Lock(),
    "near": threading.Lock(),
    "mesh": threading.Lock(),
    "attention": threading.Lock(),
    "person": threading.Lock(),
}


def face_network(name: FaceNetwork, side: int | None = None) -> Network:
    """One of the networks, ready to run in any thread.

    The far detector, which is convolutional throughout, is told the side of the windows it looks at, px; the others have
    theirs in their files.
    """
    with _locks[name]:
        if (name, side) not in _loaded:
            _loaded[name, side] = _load(name, side)
        return _loaded[name, side]


def free_face_networks() -> None:
    """Let go of all of them; they are loaded again when wanted."""
    for name, lock in _locks.items():
        with lock:
            for key in [key for key in _loaded if key[0] == name]:
                del _loaded[key]


def _load(name: FaceNetwork, side: int | None) -> Network:
    core, cache = shared_core(), default_cache()
    with resources.as_file(resources.files("likeness.faces").joinpath("models")) as folder:
        graph = folder / f"{name}.xml"

        def build() -> openvino.Model:
            model = core.read_model(graph)
            if side is not None:
                model.reshape([1, 3, side, side])
            return model

        if cache is None:
            return Network(core.compile_model(build(), "CPU", _PROPERTIES))
        identity = f"{_digest(graph, graph.with_suffix('.bin'))} {side or ''}"
        named = f"face-{name}-{side}" if side else f"face-{name}"
        return cache.compile(core, named, identity=identity, build=build, device="CPU", properties=_PROPERTIES)


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
