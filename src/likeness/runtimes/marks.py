"""The package's own finder of marks on OpenVINO, over whole pictures."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import CompiledCache, compile_network, default_cache, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size
from likeness.models.marks.architecture import MarksConfig
from likeness.models.marks.graph import build
from likeness.models.marks.weights import MarksWeights, packaged_weights
from likeness.models.unet.architecture import RASTER
from likeness.models.unet.graph import unet

__all__ = ["MarkShares", "MarksRuntime", "marks_runtime"]

_SIDE = 1600
"""Longest side of the copy on which thin marks are looked for, px: what cannot be seen there needs no mending."""
_SMALL_SIDES = (256, 192)
"""Longest sides of the copies on which missing pieces are looked for: there the network sees a corner with both its borders.
Of 16 corners of the benchmark's first half it is sure of 2 at 384 to 600 px, of 9 at 256 px and of 11 at either of these."""
_SMALLEST_SIDES = (160, 128)
"""The same for wide ones. Coats, too, look like that there."""

_PROPERTIES: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkShares:
    """How likely pixels are damaged, in [0, 1].

    Attributes:
        thin: H' x W', part of a scratch, hair, speck, fold or tear; on the picture made smaller to `_SIDE`.
        missing: the same size, part of a piece that is gone.
        wide: the same size, part of a piece that is gone, as far as the smallest copies show: its tone has to be looked at.
    """

    thin: _Map
    missing: _Map
    wide: _Map


class MarksRuntime:
    """A finder of marks on OpenVINO's CPU device; thread-safe.

    Args:
        weights: the network's.
        threads: processor threads, or None for what OpenVINO finds best.
        cache: where compiled networks are kept, or None.
    """

    def __init__(
        self, weights: MarksWeights, *, threads: int | None = None, cache: CompiledCache | None = None
    ) -> None:
        self._weights, self._cache = weights, cache
        self._properties = _PROPERTIES | ({} if threads is None else {"INFERENCE_NUM_THREADS": threads})
        self._network: Network | None = None
        self._lock = threading.Lock()

    def look(self, pixels: Pixels) -> MarkShares:
        """What a picture (H x W x 3 in [0, 1]) is damaged by."""
        work = _at_most(pixels, _SIDE)
        thin, missing = self._run(work)
        if max(work.shape) > max(_SMALL_SIDES):
            missing = self._missing(work, _SMALL_SIDES)
        return MarkShares(thin=thin, missing=missing, wide=self._missing(work, _SMALLEST_SIDES))

    def _missing(self, work: Pixels, sides: tuple[int, ...]) -> _Map:
        """What is missing by copies with these longest sides."""
        size = Size(work.shape[1], work.shape[0])
        return np.maximum.reduce([resize(self._run(_at_most(work, side))[1], size, "linear") for side in sides])

    def _run(self, pixels: Pixels) -> tuple[_Map, _Map]:
        height, width = pixels.shape[:2]
        below, beside = -height % RASTER, -width % RASTER
        shown = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT_101)
        planes = np.asarray(shown, np.float32).transpose(2, 0, 1)[None]
        (marks,) = self._loaded().run({"image": planes}, ["marks"])
        thin, missing = marks[0, :, :height, :width]
        return np.ascontiguousarray(thin), np.ascontiguousarray(missing)

    def _loaded(self) -> Network:
        with self._lock:
            if self._network is None:
                self._network = self._compile()
            return self._network

    def _compile(self) -> Network:
        state, config = self._weights.state, self._weights.config
        return compile_network(
            shared_core(),
            "marks",
            cache=self._cache,
            identity=lambda: identity_of(state, build, unet, MarksConfig),
            build=lambda: build(state, config),
            properties=self._properties,
        )


_shared: MarksRuntime | None = None
_sharing = threading.Lock()


def marks_runtime() -> MarksRuntime:
    """The package's own, loaded when first wanted and shared by the whole process.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    global _shared
    with _sharing:
        if _shared is None:
            _shared = MarksRuntime(packaged_weights(), cache=default_cache())
        return _shared


def _at_most(pixels: Pixels, side: int) -> Pixels:
    size = Size(pixels.shape[1], pixels.shape[0])
    small = size.within(side)
    return pixels if small == size else resize(pixels, small, "area")
