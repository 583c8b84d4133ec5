"""The package's own networks of eyes and mouth on OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import compile_network, default_cache, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size
from likeness.models.features.architecture import WINDOWS, FeaturesConfig, Window, clock
from likeness.models.features.graph import build
from likeness.models.features.path import drawn
from likeness.models.features.weights import packaged_weights
from likeness.models.unet.graph import convolution
from likeness.runtimes.openvino_ import checked_precision

__all__ = ["half_of", "redrawn"]

_STEPS = 8
"""Of the path: twice as many were measured to change little (docs/controls.md)."""
_NOISE = 0.8
"""How much of the noise that the networks learnt with paths begin with: less doubt is drawn, and less that is odd."""


def half_of(pixels: Pixels, window: Window) -> NDArray[np.float32]:
    """What a network is shown of an aligned face: 3 x H/2 x W/2 in [-1, 1], from S x S x 3 in [0, 1]."""
    size = Size(window.width // 2, window.height // 2)
    halved = resize(np.ascontiguousarray(pixels[window.box]), size, "area")
    return np.ascontiguousarray(halved.transpose(2, 0, 1) * np.float32(2) - np.float32(1))


def redrawn(part: str, restored: Pixels, photograph: Pixels) -> Pixels:
    """How a network changes a part of a restored face: H x W x 3, to be added to its window. The same for the same faces.

    Args:
        part: one of `WINDOWS`.
        restored: 512 x 512 x 3 in [0, 1], the restored face, FFHQ-aligned.
        photograph: the same of the photograph.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    window, network = WINDOWS[part], _networks()[part]
    before, shown = half_of(restored, window), half_of(photograph, window)

    def predict(state: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        planes = np.concatenate([state, before, shown])[None]
        told = clock(np.array([share], np.float32))
        (answer,) = network.run({"planes": planes, "clock": told}, ["answer"])
        return answer[0]

    noise = np.random.default_rng(0).standard_normal(before.shape, np.float32) * np.float32(_NOISE)
    change = (drawn(predict, before, noise, steps=_STEPS) - before) / np.float32(2)
    return resize(np.ascontiguousarray(change.transpose(1, 2, 0)), Size(window.width, window.height), "cubic")


_shared: Mapping[str, Network] = {}
_sharing = threading.Lock()


def _networks() -> Mapping[str, Network]:
    """By part; loaded when first wanted, all from one reading of the file, and shared by the whole process."""
    global _shared
    with _sharing:
        if not _shared:
            weights, core = packaged_weights(), shared_core()
            precision = checked_precision(core, "CPU", "auto")
            identity = cache(partial(identity_of, weights.state, build, convolution, FeaturesConfig))
            _shared = {
                part: compile_network(
                    core,
                    f"features-{part}-{precision}",
                    cache=default_cache(),
                    identity=identity,
                    build=partial(build, weights.state, weights.config, part),
                    properties={"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"},
                )
                for part in WINDOWS
            }
        return _shared
