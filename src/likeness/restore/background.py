"""The whole picture enlarged: what restored faces are laid on.

A network enlarges 2 or 4 times. Any other factor is made by the next larger one and averaged down, beyond 4 by one after the
other. That goes strip by strip, so that no more than the result has to fit into memory.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.compute.cancellation import checkpoint
from likeness.compute.compiled import default_cache
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.exif import dots_per_inch, exif_with_resolution
from likeness.imaging.filters import resize, to_channels
from likeness.imaging.icc import from_tones, profile_space, to_srgb, to_tones
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.resample import resample
from likeness.imaging.samples import row_strips
from likeness.imaging.transparency import without_hidden
from likeness.models.enlarger.architecture import SCALES
from likeness.models.enlarger.weights import packaged_weights
from likeness.models.store import Store
from likeness.runtimes.enlarging import RASTER, Enlarger, EnlargerRuntime, TiledEnlarger
from likeness.runtimes.load import load_runtime

__all__ = ["Enlargers", "enlarge_image", "enlarge_pixels"]

_STRIP = 24_000_000
"""Pixels that a strip has after the network, before it is averaged down."""

_SUPPORT = 2
"""Reach of the filter that averages down (bicubic), in pixels of its result."""

_MOST_DPI = 65535.0

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Packaged:
    """The network of the package in one of its two behaviours."""

    runtime: EnlargerRuntime
    clean: float

    @property
    def scales(self) -> tuple[int, ...]:
        return SCALES

    @property
    def reach(self) -> int:
        return self.runtime.reach

    def enlarge(self, pixels: Pixels, scale: int) -> Pixels:
        return self.runtime.enlarge(pixels, scale, clean=self.clean)


class Enlargers:
    """Enlarging networks by the names of backgrounds, loaded when one is first wanted, and kept; thread-safe.

    Args:
        store: where models are.
        threads: processor threads of a network; None for all.
    """

    def __init__(self, store: Store, *, threads: int | None = None) -> None:
        self._store = store
        self._threads = threads
        self._packaged: dict[bool, EnlargerRuntime] = {}
        self._others: dict[str, Enlarger] = {}
        self._lock = threading.Lock()

    def get(self, background: str | Path, *, deep: bool = False) -> Enlarger | None:
        """What enlarges a background (`Enlargement.background`); None for plain interpolation.

        Args:
            background: its name.
            deep: whether the picture has 16 bits, which bfloat16 does not hold.

        Raises:
            CheckpointError: if there is no such network, or it is not for enlarging.
            ConfigError: if it cannot run here.
        """
        if background == "lanczos":
            return None
        with self._lock:
            if background in ("faithful", "clean"):
                if deep not in self._packaged:
                    self._packaged[deep] = EnlargerRuntime(
                        packaged_weights(),
                        precision="f32" if deep else "auto",
                        threads=self._threads,
                        cache=default_cache(),
                    )
                return _Packaged(runtime=self._packaged[deep], clean=float(background == "clean"))
            name = str(background)
            if name not in self._others:
                runtime = load_runtime(self._store, background, purposes=("enlarge",), threads=self._threads)
                self._others[name] = TiledEnlarger(runtime)
            return self._others[name]


def enlarge_image(image: Image, size: Size, enlarger: Enlarger | None) -> Image:
    """A whole picture at another size.

    Transparency is interpolated. A picture in a colour space of its own is enlarged in it (`to_tones`), so that colours
    outside sRGB stay. Black and white stays black and white. A resolution grows with the pixels, so that a print keeps its
    size; EXIF and XMP are brought to the new size when a file is written. What the file held beside (`Image.notes`: pages,
    frames) stays told.

    Args:
        image: the picture.
        size: what it becomes; larger. A small picture times 1.01 may have the size that it had, and stays as it is.
        enlarger: what enlarges; None for plain interpolation.
    """
    if size == image.size:
        return image
    native, profile = image.native, image.icc_profile
    grey = image.grey or is_colourless(image.pixels)
    alpha = None if image.alpha is None else (image.alpha, resample(image.alpha, size))
    if native is not None and profile is not None:
        deep, own = native.dtype == np.uint16, to_tones(native, profile)
        # Alike in its own channels, too: a profile may make black and white of channels that differ.
        grey = grey and is_colourless(own)
        native = from_tones(_enlarged_colours(own, alpha, size, enlarger, grey=grey), profile, 16 if deep else 8)
        one = native[..., 0] if profile_space(profile) == "GRAY" else native
        pixels = to_srgb(np.ascontiguousarray(one), profile)
        pixels = to_channels(pixels) if pixels.ndim == 2 else pixels
    else:
        native = None
        pixels = _enlarged_colours(image.pixels, alpha, size, enlarger, grey=grey)
    factors = size.width / image.size.width, size.height / image.size.height
    exif, dpi = image.exif, dots_per_inch(image.exif)
    if exif is not None and dpi is not None:
        exif = exif_with_resolution(exif, *_grown(dpi, factors))
    return replace(
        image,
        pixels=pixels,
        alpha=None if alpha is None else alpha[1],
        native=native,
        exif=exif,
        metadata=_enlarged(image.metadata, factors),
    )


def _enlarged_colours(
    pixels: Pixels, alpha: tuple[_Map, _Map] | None, size: Size, enlarger: Enlarger | None, *, grey: bool
) -> Pixels:
    """`enlarge_pixels` of a picture with the transparency before and after: what is hidden does not reach into what is seen,
    and is hidden still."""
    if alpha is None:
        return enlarge_pixels(pixels, size, enlarger, grey=grey)
    visible = without_hidden(pixels, alpha[0])
    enlarged = enlarge_pixels(visible, size, enlarger, grey=grey)
    if visible is not pixels:
        hidden = alpha[1] <= 0
        enlarged[hidden] = resize(pixels, size, "linear")[hidden]
    return enlarged


def enlarge_pixels(pixels: Pixels, size: Size, enlarger: Enlarger | None, *, grey: bool = False) -> Pixels:
    """H x W x 3 in [0, 1] at another size, larger; all channels alike if ``grey``."""
    if enlarger is None:
        enlarged = resample(pixels, size)
    else:
        passes = _passes(max(size.width / pixels.shape[1], size.height / pixels.shape[0]), enlarger.scales)
        total = math.prod(passes)
        height, width = pixels.shape[:2]
        if len(passes) == 1 and (size.width, size.height) == (width * total, height * total):
            enlarged = enlarger.enlarge(pixels, total)
        else:
            enlarged = np.empty((size.height, size.width, 3), np.float32)
            for rows in _strips(size, total * total * width * height):
                enlarged[rows] = _strip(pixels, size, enlarger, passes, rows)
    if grey:
        for rows in row_strips(enlarged):
            enlarged[rows] = to_channels(luma(enlarged[rows]))
    return enlarged


def _passes(factor: float, scales: tuple[int, ...]) -> tuple[int, ...]:
    """The network's scales, one after the other, that reach a factor: the smaller ones first, as later ones cost more."""
    one = next((scale for scale in scales if scale >= factor - 1e-9), None)
    if one is not None:
        return (one,)
    rest = _passes(factor / scales[-1], scales)
    return tuple(sorted((*rest, scales[-1])))


def _strips(size: Size, before: int) -> Iterator[slice]:
    """Rows of the result, about `_STRIP` pixels each of what they are made from, ``before`` in all."""
    step = max(8, round(size.height * _STRIP / before))
    for top in range(0, size.height, step):
        yield slice(top, min(top + step, size.height))


def _strip(pixels: Pixels, size: Size, enlarger: Enlarger, passes: tuple[int, ...], rows: slice) -> Pixels:
    """Some rows of the result."""
    checkpoint()
    height, width = pixels.shape[:2]
    total = math.prod(passes)
    reach, scale = 0.0, 1
    for factor in passes:
        reach += enlarger.reach / scale
        scale *= factor
    ratio = height / size.height
    margin = math.ceil(reach + _SUPPORT * ratio) + 1
    first = max(0, math.floor(rows.start * ratio) - margin) // RASTER * RASTER
    last = min(height, math.ceil(rows.stop * ratio) + margin)
    part = pixels[first:last]
    for factor in passes:
        part = enlarger.enlarge(part, factor)
    # Rounding must not take the last row's end past the picture.
    bottom = min((rows.stop * ratio - first) * total, float(part.shape[0]))
    area = (0.0, (rows.start * ratio - first) * total, float(width * total), bottom)
    planes = [
        PillowImage.fromarray(np.ascontiguousarray(part[:, :, channel])).resize(
            (size.width, rows.stop - rows.start), PillowImage.Resampling.BICUBIC, box=area
        )
        for channel in range(3)
    ]
    return np.clip(np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1), 0.0, 1.0)


def _enlarged(metadata: Metadata, factors: tuple[float, float]) -> Metadata:
    if metadata.resolution is None:
        return metadata
    return replace(metadata, resolution=_grown(metadata.resolution, factors))


def _grown(dpi: tuple[float, float], factors: tuple[float, float]) -> tuple[float, float]:
    return cast("tuple[float, float]", tuple(min(d * f, _MOST_DPI) for d, f in zip(dpi, factors, strict=True)))
