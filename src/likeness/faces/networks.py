"""The networks that find faces: loaded when first wanted, shared by the whole process."""

from __future__ import annotations

import hashlib
import logging
import threading
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from likeness.compute.compiled import compile_network, default_cache, digest_of_code
from likeness.compute.forks import refuse_after_fork
from likeness.compute.library import load_openvino, shared_core
from likeness.compute.network import Network

if TYPE_CHECKING:
    import openvino

__all__ = ["FaceNetwork", "begin_loading", "face_network", "free_face_networks"]

_log = logging.getLogger(__name__)

FaceNetwork = Literal["far", "glance", "near", "mesh", "attention", "person", "parts", "spectacles"]
"""Full-range box detector, where it is worth asking, short-range box detector, the face mesh, its second half, a person's
outline, what each place of a head shows, and where spectacles are; see ``models/README.md``."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_FAR_WINDOW = (1, 3, 256, 256)
"""Shape of what the far detector looks at; the others have theirs in their files."""

_SEE_IMAGES = ("far", "glance", "near", "mesh", "person")

_loaded: dict[FaceNetwork, Network] = {}
_locks: dict[FaceNetwork, threading.Lock] = {
    "far": threading.Lock(),
    "glance": threading.Lock(),
    "near": threading.Lock(),
    "mesh": threading.Lock(),
    "attention": threading.Lock(),
    "person": threading.Lock(),
    "parts": threading.Lock(),
    "spectacles": threading.Lock(),
}


def face_network(name: FaceNetwork) -> Network:
    """One of the networks, ready to run in any thread; those that see an image take it as 1 x height x width x 3."""
    refuse_after_fork()
    with _locks[name]:
        if name not in _loaded:
            _loaded[name] = _load(name)
        return _loaded[name]


def begin_loading() -> None:
    """Load them in a thread of their own, the one that a portrait wants first at first; returns at once.

    Loading leaves the interpreter free for other work.
    """
    threading.Thread(target=_load_all, name="likeness-faces").start()


def free_face_networks() -> None:
    """Let go of all of them; they are loaded again when wanted."""
    for name, lock in _locks.items():
        with lock:
            _loaded.pop(name, None)


def _load_all() -> None:
    try:
        for name in _locks:
            face_network(name)
    except Exception as error:  # it comes again, in the caller's thread, when the network is used
        _log.info("the networks that find faces are not ready yet: %s", error)


def _load(name: FaceNetwork) -> Network:
    core = shared_core()
    with resources.as_file(resources.files("likeness.faces").joinpath("models")) as folder:
        graph = folder / f"{name}.xml"

        def build() -> openvino.Model:
            model = core.read_model(graph)
            if name == "far":
                model.reshape(_FAR_WINDOW)
            return _channels_last(model, name) if name in _SEE_IMAGES else model

        def identity() -> str:
            return f"{_digest(graph, graph.with_suffix('.bin'))} {digest_of_code(_load)}"

        return compile_network(
            core, f"face-{name}", cache=default_cache(), identity=identity, build=build, properties=_PROPERTIES
        )


def _channels_last(model: openvino.Model, name: FaceNetwork) -> openvino.Model:
    """The same network for images as they are, and the far detector's boxes alike.

    Channels come last in what the processor works on, too, so that nothing is put into another order.
    """
    openvino = load_openvino()
    first, last = openvino.Layout("NCHW"), openvino.Layout("NHWC")
    ports = openvino.preprocess.PrePostProcessor(model)
    for port in (ports.input("samples"), *([ports.output("boxes")] if name == "far" else [])):
        port.model().set_layout(first)
        port.tensor().set_layout(last)
    return ports.build()


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
