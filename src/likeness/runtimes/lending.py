"""The package's own judge of lent detail on OpenVINO."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import compile_network, default_cache, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.imaging.filters import resize
from likeness.imaging.image import Size
from likeness.models.lending.architecture import SIDE, LendingConfig
from likeness.models.lending.graph import build
from likeness.models.lending.weights import packaged_weights
from likeness.models.unet.graph import unet

__all__ = ["judge_lending", "lending_planes"]

_WIDEST = 10.0
"""Blur that counts as 1, px at 512."""

_Map = NDArray[np.float32]


def lending_planes(shown: _Map, restored: _Map, laid: _Map, valid: _Map, sigma: float) -> NDArray[np.float32]:
    """What the judge is given: 8 x 256 x 256 (`likeness.models.lending.architecture.PLANES`).

    Args:
        shown, restored, laid: 256 x 256 luma in [0, 1]: the photograph, the restored face, and the other photograph in its
            place and light.
        valid: 256 x 256, 1 where the other photograph shows anything.
        sigma: the photograph's blur, px at 512.
    """
    middle, spread = restored.mean(), restored.std() + np.float32(0.05)
    down, across = (np.broadcast_to(line, (SIDE, SIDE)) for line in (_LINE[:, None], _LINE[None]))
    planes = [(x - middle) / spread for x in (shown, restored, laid)]
    blur = np.full((SIDE, SIDE), sigma / _WIDEST, np.float32)
    return np.stack([*planes, 2 * (laid - restored) / spread, valid, down, across, blur]).astype(np.float32)


_LINE = np.linspace(-1, 1, SIDE, dtype=np.float32)


def judge_lending(shown: _Map, restored: _Map, laid: _Map, valid: _Map, sigma: float) -> tuple[_Map, _Map]:
    """How likely the fine and the coarse detail of another photograph is nearer to the truth than the restored face's.

    Args:
        shown, restored, laid, valid: as for `lending_planes`, S x S of any S.
        sigma: the photograph's blur, px at 512.

    Returns:
        S x S in [0, 1] each.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    side = Size(SIDE, SIDE)
    pictures = (shown, restored, laid, valid)
    one, two, three, four = (resize(x, side, "area" if x.shape[0] > SIDE else "cubic") for x in pictures)
    (likely,) = _network().run({"planes": lending_planes(one, two, three, four, sigma)[None]}, ["likely"])
    size = Size(shown.shape[1], shown.shape[0])
    fine, coarse = (np.clip(resize(np.ascontiguousarray(x), size, "cubic"), 0, 1) for x in likely[0])
    return fine, coarse


_shared: Network | None = None
_sharing = threading.Lock()


def _network() -> Network:
    """Loaded when first wanted, and shared by the whole process."""
    global _shared
    with _sharing:
        if _shared is None:
            weights = packaged_weights()
            _shared = compile_network(
                shared_core(),
                "lending",
                cache=default_cache(),
                identity=lambda: identity_of(weights.state, build, unet, LendingConfig),
                build=lambda: build(weights.state, weights.config),
                properties={"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"},
            )
        return _shared
