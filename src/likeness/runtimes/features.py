"""The package's own networks that draw faces anew, on OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import compile_network, default_cache, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size
from likeness.models.features.architecture import FACE_SIDE, HALF_SIDE, WINDOWS, FeaturesConfig, clock
from likeness.models.features.graph import build
from likeness.models.features.path import drawn
from likeness.models.features.weights import packaged_weights
from likeness.models.unet.graph import convolution
from likeness.runtimes.openvino_ import checked_precision

__all__ = ["half_of", "redrawn"]

_STEPS = 10
"""Of the path: more change little to the eye, and fewer make hair softer."""
_NOISE = {"face": 1.0, "eyes": 0.9, "mouth": 0.9}
"""How much of the noise that the networks learnt with paths begin with. With less, less is drawn that is in doubt, and less
that is odd; but hair and skin, all of whose detail is in doubt, become smooth."""
_SOFT = 10
"""How broad the rim is in which the eyes' and the mouth's windows pass into the face, px of the face at half size."""
_COARSE = 2.0
"""Noise that outlasts a Gaussian of this sigma, px at half size, decides about form; within the face paths begin without."""
_INSIDE, _CENTRE = (62.0, 78.0), (127.5, 146.0)
"""The inside of an aligned face: an ellipse from brows to chin, its half axes and centre, across and down, half-size px."""


def half_of(pixels: Pixels) -> NDArray[np.float32]:
    """A face as networks see it: 3 x S/2 x S/2 in [-1, 1], from S x S x 3 in [0, 1]."""
    halved = resize(pixels, Size(pixels.shape[1] // 2, pixels.shape[0] // 2), "area")
    return np.ascontiguousarray(halved.transpose(2, 0, 1) * np.float32(2) - np.float32(1))


def redrawn(restored: Pixels, photograph: Pixels) -> Pixels:
    """How the networks change a restored face: 512 x 512 x 3, to be added to it. The same for the same faces.

    All go one path together: what the face's own network says of it is, step by step, replaced by what those of the eyes and
    the mouth say of theirs, so that one face comes of it (Bar-Tal et al., "MultiDiffusion", 2023).

    Args:
        restored: 512 x 512 x 3 in [0, 1], the restored face, FFHQ-aligned.
        photograph: the same of the photograph.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    before, shown = half_of(restored), half_of(photograph)
    networks = _networks()

    def predict(state: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        planes = np.concatenate([state, before, shown])[None]
        told = clock(np.array([share], np.float32))
        found = np.zeros_like(state)
        for part, network in networks.items():
            rows, columns = WINDOWS[part].half
            asked = np.ascontiguousarray(planes[..., rows, columns])
            (answer,) = network.run({"planes": asked, "clock": told}, ["answer"])
            _lay(part, answer[0], found)
        return found

    change = (drawn(predict, before, _noise(), steps=_STEPS) - before) / np.float32(2)
    return resize(np.ascontiguousarray(change.transpose(1, 2, 0)), Size(FACE_SIDE, FACE_SIDE), "cubic")


@cache
def _noise() -> NDArray[np.float32]:
    """What every path begins with, 3 x 256 x 256.

    Inside the face it has nothing coarse: there the likeliest form is nearest to the person, and only what is fine is
    drawn. Hair needs coarse noise for its strands. Both eyes have the same noise, mirrored: by chance one would be sharp and
    the other not, or of another colour.
    """
    amounts = np.zeros((HALF_SIDE, HALF_SIDE), np.float32)
    for part, amount in _NOISE.items():
        _lay(part, np.float32(amount), amounts)
    noise = np.random.default_rng(0).standard_normal((3, *amounts.shape), np.float32)
    rows, columns = WINDOWS["eyes"].half
    middle = (columns.start + columns.stop) // 2
    noise[:, rows, middle : columns.stop] = noise[:, rows, columns.start : middle][..., ::-1]
    down, across = np.indices(amounts.shape, np.float32)
    apart = np.hypot((across - _CENTRE[0]) / _INSIDE[0], (down - _CENTRE[1]) / _INSIDE[1])
    inside = np.clip((1.15 - apart) / 0.3, 0, 1)
    coarse = np.stack([gaussian_blur(plane, _COARSE) for plane in noise])
    return np.asarray((noise - inside * coarse) * amounts, np.float32)


def _lay(part: str, own: NDArray[np.float32] | np.float32, maps: NDArray[np.float32]) -> None:
    """Lay what holds in a part's window into what holds around it, ... x H/2 x W/2."""
    rows, columns = WINDOWS[part].half
    window = maps[..., rows, columns]
    window += _weight(part) * (own - window)


@cache
def _weight(part: str) -> NDArray[np.float32]:
    """How much a network's word counts in its window, H/2 x W/2: 1 inside, and falling smoothly to 0 at a border that is not
    the face's."""
    window = WINDOWS[part]
    shape = (window.height // 2, window.width // 2)
    if window.width == FACE_SIDE:
        return np.ones(shape, np.float32)
    distance = cv2.distanceTransform(np.pad(np.ones(shape, np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.minimum(distance / np.float32(_SOFT), np.float32(1))
    return np.asarray(share * share * (3 - 2 * share), np.float32)


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
