"""Enlarging networks on whole photographs, tile by tile: the package's own on OpenVINO, and any other on its runtime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from likeness.compute.compiled import CompiledCache, compile_network, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.errors import ConfigError
from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice
from likeness.models.enlarger.architecture import SCALES, EnlargerConfig
from likeness.models.enlarger.graph import build
from likeness.models.enlarger.weights import EnlargerWeights
from likeness.runtimes.base import Runtime, check_answer
from likeness.runtimes.openvino_ import Precision, checked_precision

__all__ = ["RASTER", "Enlarger", "EnlargerRuntime", "TiledEnlarger"]

_TILE = 512
"""Side of a tile of the input, px. A quarter megapixel takes 2.8 s on one core (AVX2) in tiles of 128, 2.1 s in tiles of 256
and 1.65 s in tiles of 512, as less is computed twice; a tile's feature maps take 60 MB each."""


_OTHERS_TILE = 256
"""The same for other networks, with their surroundings: RealESRGAN_x4plus holds 12 kB for each pixel, 1.8 GB in all."""

_OVERLAP = 64
"""Input pixels around a tile of a network whose answer depends on hundreds, however faintly. At a tile's edge the answers of
RealESRGAN_x4plus differ from those on the whole picture by 7 to 12 levels at most with 24 pixels, 0.7 to 1.9 with 48 and
0.05 to 0.15 with 80 (three photographs); Real-ESRGAN's own program takes 10."""

_BORDER = 16
"""Pixels by which the picture is continued beyond its own borders for such a network."""

RASTER = 8
"""Tiles begin at multiples of this: networks fold squares of 2 or 4 pixels into channels, or have windows of 8, and what
becomes of a pixel depends on its place in them."""


class Enlarger(Protocol):
    """Something that makes a whole photograph larger."""

    @property
    def scales(self) -> tuple[int, ...]:
        """The factors that it knows, rising; each over 1."""
        ...

    @property
    def reach(self) -> int:
        """Input pixels on each side that an output pixel depends on, as far as it matters."""
        ...

    def enlarge(self, pixels: Pixels, scale: int) -> Pixels:
        """H x W x 3 in [0, 1] to kH x kW x 3 in [0, 1]."""
        ...


class TiledEnlarger:
    """An enlarging network of any architecture, tile by tile; thread-safe.

    Args:
        runtime: the network; its purpose is "enlarge".
        tile: side of the input's tiles, px.

    Raises:
        ConfigError: if it does not make pictures larger.
    """

    def __init__(self, runtime: Runtime, *, tile: int = _OTHERS_TILE) -> None:
        if runtime.spec.scale < 2:
            raise ConfigError(Notice("runtime.not-enlarging", {"title": runtime.spec.title}))
        self._runtime = runtime
        self._tile = tile

    @property
    def scales(self) -> tuple[int, ...]:
        return (self._runtime.spec.scale,)

    @property
    def reach(self) -> int:
        return _OVERLAP

    def enlarge(self, pixels: Pixels, scale: int) -> Pixels:
        """See `Enlarger`."""
        low, high = (np.float32(end) for end in self._runtime.spec.value_range)
        height, width = pixels.shape[:2]
        surrounded = np.pad(pixels, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="edge")
        enlarged = np.empty((height * scale, width * scale, 3), np.float32)
        for top, bottom in _spans(height, self._tile, raster=RASTER):
            for left, right in _spans(width, self._tile, raster=RASTER):
                # The tile in the surrounded picture, and as much around it as there is.
                y, x = max(0, top + _BORDER - _OVERLAP), max(0, left + _BORDER - _OVERLAP)
                shown = surrounded[y : bottom + _BORDER + _OVERLAP, x : right + _BORDER + _OVERLAP].transpose(2, 0, 1)[
                    None
                ]
                answer = self._runtime.run(np.ascontiguousarray(shown * (high - low) + low))[0].transpose(1, 2, 0)
                check_answer(answer, self._runtime.spec)
                place = enlarged[top * scale : bottom * scale, left * scale : right * scale]
                y, x = (top + _BORDER - y) * scale, (left + _BORDER - x) * scale
                inner = answer[y : y + place.shape[0], x : x + place.shape[1]]
                np.clip((inner - low) / (high - low), 0, 1, out=place)
        return enlarged


class EnlargerRuntime:
    """An enlarger on OpenVINO's CPU device; thread-safe.

    Args:
        weights: the network's.
        precision: arithmetic; inputs and outputs are float32 in any case.
        threads: processor threads, or None for what OpenVINO finds best.
        cache: where compiled networks are kept, or None.
        tile: side of the input's tiles, px; the answer does not depend on it but for rounding.

    Raises:
        ConfigError: if the processor cannot do the precision.
    """

    def __init__(
        self,
        weights: EnlargerWeights,
        *,
        precision: Precision = "auto",
        threads: int | None = None,
        cache: CompiledCache | None = None,
        tile: int = _TILE,
    ) -> None:
        self._weights = weights
        self._core = shared_core()
        self._precision = checked_precision(self._core, "CPU", precision)
        self._properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            self._properties["INFERENCE_NUM_THREADS"] = threads
        self._cache = cache
        self._tile = tile
        self._compiled: dict[int, Network] = {}
        self._lock = threading.Lock()

    def enlarge(self, pixels: Pixels, scale: int, *, clean: float = 0.0) -> Pixels:
        """H x W x 3 in [0, 1] to kH x kW x 3 in [0, 1].

        Args:
            pixels: the picture; it goes on as its outermost pixels beyond its borders.
            scale: 2 or 4.
            clean: 0 keeps noise, grain and traces of coding as they are, 1 removes them; anything between is a mixture.

        Raises:
            ConfigError: if ``scale`` or ``clean`` is another.
        """
        if scale not in SCALES:
            raise ConfigError(Notice("runtime.scale", {"known": " or ".join(map(str, SCALES)), "scale": scale}))
        if not 0 <= clean <= 1:
            raise ConfigError(Notice("runtime.clean", {"clean": clean}))
        network = self._network(scale)
        asked = np.array([clean], np.float32)

        def run(tile: Pixels) -> Pixels:
            return network.run({"image": tile, "clean": asked}, ["enlarged"])[0]

        return _in_tiles(pixels, scale, reach=self.reach, tile=self._tile, run=run)

    @property
    def reach(self) -> int:
        """Input pixels on each side that an output pixel depends on."""
        return self._weights.config.reach

    def _network(self, scale: int) -> Network:
        with self._lock:
            if scale not in self._compiled:
                self._compiled[scale] = self._compile(scale)
            return self._compiled[scale]

    def _compile(self, scale: int) -> Network:
        state, config = self._weights.state, self._weights.config
        return compile_network(
            self._core,
            f"enlarger-{scale}x-{self._precision}",
            cache=self._cache,
            identity=lambda: f"{identity_of(state, build, EnlargerConfig)} {scale}",
            build=lambda: build(state, config, scale),
            properties=self._properties,
        )


def _in_tiles(pixels: Pixels, scale: int, *, reach: int, tile: int, run: Callable[[Pixels], Pixels]) -> Pixels:
    """Enlarge tile by tile; ``run`` gets 1 x 3 x H x W with ``reach`` pixels around the tile, and leaves them out."""
    height, width = pixels.shape[:2]
    surrounded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    enlarged = np.empty((height * scale, width * scale, 3), np.float32)
    for top, bottom in _spans(height, tile):
        for left, right in _spans(width, tile):
            shown = surrounded[top : bottom + 2 * reach, left : right + 2 * reach].transpose(2, 0, 1)[None]
            place = enlarged[top * scale : bottom * scale, left * scale : right * scale]
            np.clip(run(shown)[0].transpose(1, 2, 0), 0, 1, out=place)
    return enlarged


def _spans(length: int, tile: int, *, raster: int = 1) -> Iterator[tuple[int, int]]:
    """Begin and end of as few tiles as cover a side, alike in size to a pixel or so, or to the raster that they begin on."""
    edges = (np.linspace(0, length, -(-length // tile) + 1) / raster).round().astype(int) * raster
    edges[-1] = length
    yield from pairwise(edges.tolist())
