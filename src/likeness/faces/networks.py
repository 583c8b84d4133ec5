"""The networks that find faces: loaded when first wanted, shared by the whole process."""

from __future__ import annotations

import hashlib
import threading
from functools import cache as cached
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from likeness.compute.compiled import default_cache
from likeness.compute.library import shared_core
from likeness.compute.network import Network

if TYPE_CHECKING:
    import openvino

__all__ = ["FaceNetwork", "face_network", "free_face_networks", "has_rough_far"]

FaceNetwork = Literal["far", "far-rough", "near", "mesh", "attention", "person"]
"""Full-range box detector, the same in bfloat16, short-range box detector, the face mesh, its second half, and a person's
outline; see ``models/README.md``."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_FAR_PROPERTIES = {**_PROPERTIES, "PERFORMANCE_HINT": "THROUGHPUT"}
"""The far detector is asked about many windows: several are looked at side by side, each by few threads, which is a
quarter faster than all threads on one after the other."""
_FAR_WINDOW = (3, 256, 256)
"""Shape of what the far detector looks at; the others have theirs in their files."""

_loaded: dict[tuple[FaceNetwork, int], Network] = {}
_locks: dict[FaceNetwork, threading.Lock] = {
    "far": threading.Lock(),
    "far-rough": threading.Lock(),
    "near": threading.Lock(),
    "mesh": threading.Lock(),
    "attention": threading.Lock(),
    "person": threading.Lock(),
}


def face_network(name: FaceNetwork, count: int = 1) -> Network:
    """One of the networks, ready to run in any thread; the far detector for ``count`` windows in one batch.

    The far detector takes N x H x W x 3 uint8 samples, the others N x 3 x H x W float32.
    """
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


@cached
def has_rough_far() -> bool:
    """Whether the processor computes bfloat16 itself; without that the rough far detector would be no faster."""
    return "BF16" in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _load(name: FaceNetwork, count: int) -> Network:
    core, cache = shared_core(), default_cache()
    far = name in ("far", "far-rough")
    properties = _FAR_PROPERTIES if far else _PROPERTIES
    if name == "far-rough":
        properties = {**properties, "INFERENCE_PRECISION_HINT": "bf16"}
    with resources.as_file(resources.files("likeness.faces").joinpath("models")) as folder:
        graph = folder / ("far.xml" if far else f"{name}.xml")

        def build() -> openvino.Model:
            model = core.read_model(graph)
            if far:
                model.reshape([count, *_FAR_WINDOW])
                return _taking_samples(model)
            return model

        if cache is None:
            return Network(core.compile_model(build(), "CPU", properties))
        identity = f"{_digest(graph, graph.with_suffix('.bin'))} {(count, *_FAR_WINDOW, 'u8') if far else ''}"
        return cache.compile(core, f"face-{name}", identity=identity, build=build, device="CPU", properties=properties)


def _taking_samples(model: openvino.Model) -> openvino.Model:
    """The network with N x H x W x 3 uint8 samples as its input, in place of N x 3 x H x W float32 in [-1, 1]."""
    # Here, and not above, as this module is imported where no network is run.
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    steps.input().model().set_layout(Layout("NCHW"))
    steps.input().preprocess().convert_element_type(Type.f32).mean(127.5).scale(127.5)
    return steps.build()


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
