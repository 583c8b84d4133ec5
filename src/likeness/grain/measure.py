"""The photograph's own grain, measured in the picture's own pixels.

Grain is taken as a Gaussian field that is the same everywhere but for its strength, which depends on brightness: what the
eye sees of the model of Newson et al., "A Stochastic Film Grain Model for Resolution-Independent Rendering" (2017), and what
Norkin and Birkbeck, "Film Grain Synthesis for AV1 Video Codec" (2018) send beside a film: a texture, and its scale by
intensity. Here the texture is a power spectrum with the channels' covariance at each frequency. It is measured on weakly
textured blocks, as in Liu et al., "Single-Image Noise Level Estimation for Blind Denoising" (2013).

What repeats is no grain: steps between JPEG's 8 x 8 cells and the peaks of a printed dot screen are taken out
(`likeness.grain.periodic_noise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.grain.periodic_noise import cell_steps, own_power, without_peaks, without_steps
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels

__all__ = ["BLOCK", "Grain", "block_means", "curve", "flat_blocks", "measure_grain", "untextured"]

BLOCK = 32
"""Side of the blocks that grain is measured on, px."""

_SMOOTHING = 3.0
"""What varies slower than about twice this, px, is the picture; grain is what is left."""

_MEASURABLE = 0.2
"""Share of a frequency's power that has to pass the high-pass."""

_STRIDE = 8
_MOST_BLOCKS = 400
_FLAT_SHARE, _ALIKE = 0.3, 1.5
"""Blocks taken for flat: this share of all, and those whose slopes are alike the flattest tenth's but for this factor."""

_ENOUGH = 8
"""Blocks that a brightness needs to be measured on the background alone."""

_TEXTURE, _FORM = 1.7, 2.2
"""Times the quiet blocks' variance, in all and of what is coarse; above it a block holds more than grain. Blocks of grain
alone stay below: their variance scatters by a tenth, that of their coarse part by a third."""

_COARSE = 1.5
"""Sigma of what is coarse, px."""


_BRIGHTNESS_EDGES = np.array([0.03, 0.13, 0.23, 0.33, 0.43, 0.53, 0.63, 0.73, 0.83, 0.9, 0.97])

_EMPTY = 0.4 / 255.0
"""Deviation under which there is no grain: rounding to 8 bits alone gives 0.29 levels."""

_ONLY_STEPS = 0.35
"""Share of fine energy inside JPEG cells under which all that was measured is compression."""

_Array = NDArray[np.float64]
_Index = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grain:
    """What a picture's grain is like.

    Attributes:
        spectrum: 32 x 32 x 3 x 3, power of the grain at each frequency (`numpy.fft.fft2` order) and the channels' covariance
            there, symmetric; a channel's mean over all frequencies is 1, or 0 without grain.
        brightness: B luma values, rising.
        sigma: B x 3, standard deviation of each channel at these brightnesses, in [0, 1] units.
        witness: where it was measured: "background", "face", or "both".
        left_out: share of the fine energy measured that was JPEG cells or a dot screen, in [0, 1].
    """

    spectrum: _Array
    brightness: _Array
    sigma: _Array
    witness: str
    left_out: float

    def at(self, light: NDArray[np.float32], channel: int) -> NDArray[np.float32]:
        """Standard deviation of a channel at luma values of any shape."""
        return curve(light, self.brightness, self.sigma[:, channel])

    def field(self, height: int, width: int, *, seed: int) -> Pixels:
        """A Gaussian field with this spectrum and these colours, height x width x 3: unit strength, and no seam where it is
        repeated. ``seed`` decides it."""
        values, vectors = np.linalg.eigh(self.spectrum)
        root = np.einsum("abij,abj,abkj->abik", vectors, np.sqrt(np.maximum(values, 0.0)), vectors)
        # Frequencies between the 32 measured ones by interpolation; the spectrum is periodic.
        size = len(root)
        down = np.fft.fftfreq(height)[:, None] * size + size // 2
        across = np.fft.rfftfreq(width)[None, :] * size + size // 2
        places = np.broadcast_arrays(across.astype(np.float32), down.astype(np.float32))
        centred = np.pad(np.fft.fftshift(root, axes=(0, 1)), ((0, 1), (0, 1), (0, 0), (0, 0)), mode="wrap").astype(
            np.float32
        )
        white = np.random.default_rng(seed).standard_normal((3, height, width), dtype=np.float32)
        waves = np.fft.rfft2(white)
        field = np.zeros((height, width, 3), np.float32)
        for c in range(3):
            mixed = np.zeros_like(waves[0])
            for d in range(3):
                amplitude = cv2.remap(np.ascontiguousarray(centred[:, :, c, d]), places[0], places[1], cv2.INTER_LINEAR)
                mixed += waves[d] * amplitude
            field[:, :, c] = np.fft.irfft2(mixed, s=(height, width))
        return field

    @property
    def level(self) -> float:
        """Mean standard deviation in levels of 255."""
        return float(self.sigma.mean() * 255.0)

    @property
    def correlation(self) -> float:
        """Mean correlation of two channels, in [-1, 1]: 1 in black and white; 0 without grain."""
        covariance = self.spectrum.mean(axis=(0, 1))
        return float((covariance[0, 1] + covariance[0, 2] + covariance[1, 2]) / 3)


def measure_grain(pixels: Pixels, face: NDArray[np.float32] | None = None) -> Grain:
    """Measure the grain of a picture on its flattest 32 x 32 blocks.

    The background is the first witness, as skin has a texture of its own. A brightness that it does not show often enough is
    measured on the face as well.

    Args:
        pixels: H x W x 3, [0, 1], at least 64 x 64.
        face: H x W in [0, 1], where the face is; None if nowhere.

    Raises:
        ValueError: if the picture is smaller than 64 x 64.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 2 * BLOCK:
        raise ValueError(f"grain needs at least {2 * BLOCK} x {2 * BLOCK} pixels, not {width} x {height}")
    residual = pixels - gaussian_blur(pixels, _SMOOTHING)
    rows, columns, light = flat_blocks(pixels)
    inside = np.zeros(len(rows)) if face is None else block_means(face, rows, columns)
    # Running sums leave a little less than nothing beside a plain wall.
    coarse = np.maximum(block_means(np.square(luma(gaussian_blur(residual, _COARSE))), rows, columns), 0.0)
    energy = np.stack([block_means(np.square(residual[:, :, c]), rows, columns) for c in range(3)], axis=-1)
    energy = np.maximum(energy, 0.0)
    binned = np.digitize(light, _BRIGHTNESS_EDGES)
    bins: list[_Index] = []
    for which in np.unique(binned):
        here = np.flatnonzero(binned == which)
        behind = here[inside[here] < 0.05]
        here = behind if len(behind) >= _ENOUGH else here
        bins.append(here[untextured(energy[here].mean(axis=1), coarse[here])])
    bins.sort(key=lambda b: float(light[b].mean()))
    brightness = np.array([light[b].mean() for b in bins])
    variance = np.array([energy[b].mean(axis=0) for b in bins])
    kept = np.concatenate(bins)
    scale = np.sqrt(np.stack([np.interp(light[kept], brightness, variance[:, c]) for c in range(3)], axis=-1))
    thin = kept[:: max(1, len(kept) // _MOST_BLOCKS)], scale[:: max(1, len(kept) // _MOST_BLOCKS)]
    raw = _cross_spectrum(residual, rows[thin[0]], columns[thin[0]], thin[1])

    spectrum = _without_high_pass(raw)
    steps, inside_cells = cell_steps(luma(pixels), _cover(height, width, rows[kept], columns[kept]))
    cleaned = without_peaks(without_steps(spectrum, steps / max(float(variance.mean()), 1e-12)))
    before, after = (own_power(s).mean(axis=(0, 1)) for s in (spectrum, cleaned))
    seen = (own_power(spectrum) * _high_pass()[:, :, None]).mean(axis=(0, 1))
    sigma = np.sqrt(variance * np.divide(after, seen, out=np.zeros(3), where=seen > 0))
    left_out = 1.0 - float(after.sum() / before.sum()) if before.sum() > 0 else 0.0
    if inside_cells < _ONLY_STEPS:
        sigma, left_out = np.zeros_like(sigma), 1.0
    sigma[sigma.max(axis=1) < _EMPTY] = 0.0
    own = np.sqrt(np.maximum(after, 1e-12))
    faces = float((inside[kept] >= 0.05).mean())
    return Grain(
        spectrum=cleaned / (own[:, None] * own) if sigma.max() > 0 else np.zeros_like(cleaned),
        brightness=brightness,
        sigma=sigma,
        witness="background" if faces == 0 else "face" if faces == 1 else "both",
        left_out=left_out,
    )


def curve(light: NDArray[np.float32], brightness: _Array, values: _Array) -> NDArray[np.float32]:
    """Values known at some brightnesses, at luma values of any shape, to a 1024th of the range of brightness."""
    table = np.interp(np.linspace(0.0, 1.0, 1025), brightness, values).astype(np.float32)
    return table[np.clip(light * 1024 + 0.5, 0, 1024).astype(np.intp)]


def flat_blocks(pixels: Pixels, within: NDArray[np.bool_] | None = None) -> tuple[_Index, _Index, _Array]:
    """The flattest 32 x 32 blocks of a picture of at least that size, none clipped as far as possible.

    Args:
        pixels: H x W x 3, [0, 1].
        within: H x W, where they have to lie; None for anywhere.

    Returns:
        their first rows, their first columns, and their mean luma.
    """
    height, width = pixels.shape[:2]
    grey = gaussian_blur(luma(pixels), _SMOOTHING)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    stride = _STRIDE * max(1, round(np.sqrt(height * width / (_STRIDE**2 * 8000))))
    grid = np.meshgrid(np.arange(0, height - BLOCK + 1, stride), np.arange(0, width - BLOCK + 1, stride), indexing="ij")
    rows, columns = (g.ravel().astype(np.intp) for g in grid)
    structure, light = block_means(slope, rows, columns), block_means(grey, rows, columns)
    # A clipped block shows no grain; it would read as grainless.
    clipped = ((pixels.min(axis=2) < 0.004) | (pixels.max(axis=2) > 0.996)).astype(np.float32)
    usable = (
        (light > _BRIGHTNESS_EDGES[0]) & (light < _BRIGHTNESS_EDGES[-1]) & (block_means(clipped, rows, columns) < 0.02)
    )
    if within is not None:
        usable &= block_means(within.astype(np.float32), rows, columns) > 0.99
        if not usable.any():
            return rows[:0], columns[:0], light[:0]
    if not usable.any():
        usable = np.ones_like(usable)
    # Where all is flat, the slopes are the grain's own, and taking the least would take the least grain.
    limit = max(np.quantile(structure[usable], _FLAT_SHARE), _ALIKE * np.quantile(structure[usable], 0.1))
    # Dark and light parts are often less flat than the rest; still they are better witnesses of their brightness.
    least = np.median(structure[usable])
    chosen = usable & (structure <= limit)
    binned = np.digitize(light, _BRIGHTNESS_EDGES)
    for which in np.unique(binned[usable]):
        here = np.flatnonzero(usable & (binned == which) & (structure <= least))
        chosen[here[np.argsort(structure[here])[:_ENOUGH]]] = True
    found = np.flatnonzero(chosen)
    return rows[found], columns[found], light[found]


def block_means(x: NDArray[np.float32], rows: _Index, columns: _Index, side: int = BLOCK) -> _Array:
    """Means of H x W over square blocks that begin at the given places."""
    means = cv2.blur(x, (side, side), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    return means[rows, columns].astype(np.float64)


def untextured(variance: _Array, coarse: _Array) -> _Index:
    """Indices of those blocks of one brightness that hold no more than the quiet ones do, but for chance; never empty."""
    quiet = coarse <= _FORM * np.quantile(coarse, 0.2)
    return np.flatnonzero(quiet & (variance <= _TEXTURE * np.quantile(variance[quiet], 0.2))).astype(np.intp)


def _cross_spectrum(residual: Pixels, rows: _Index, columns: _Index, scale: _Array) -> _Array:
    """32 x 32 x 3 x 3: mean power over blocks, each channel brought to unit variance first; real and symmetric."""
    step = np.arange(BLOCK)
    blocks = residual[rows[:, None, None] + step[:, None], columns[:, None, None] + step]
    blocks = (blocks - blocks.mean(axis=(1, 2), keepdims=True)) / np.maximum(scale, 1e-9)[:, None, None, :]
    window = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
    waves = np.fft.fft2(blocks * window[None, :, :, None], axes=(1, 2))
    power = np.einsum("nabc,nabd->abcd", waves, waves.conj()).real / len(rows)
    # A real field's power is the same at f and -f; so the two are one figure, measured twice.
    mirrored = np.roll(power[::-1, ::-1], 1, axis=(0, 1))
    power = (power + mirrored) / 2 / (np.square(window).sum())
    power[0, 0] = 0.0
    return power


def _cover(height: int, width: int, rows: _Index, columns: _Index) -> NDArray[np.bool_]:
    """H x W: the places that lie in at least one of the blocks."""
    area = np.zeros((height, width), dtype=bool)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        area[row : row + BLOCK, column : column + BLOCK] = True
    return area


def _radius() -> _Array:
    """32 x 32: each frequency's distance from 0, cycles per px."""
    frequency = np.fft.fftfreq(BLOCK)
    return np.hypot(frequency[:, None], frequency[None, :])


def _high_pass() -> _Array:
    """32 x 32: share of each frequency's power that is left when a Gaussian of ``_SMOOTHING`` is taken away."""
    return np.square(1.0 - np.exp(-2.0 * np.pi**2 * _SMOOTHING**2 * _radius() ** 2))


def _without_high_pass(spectrum: _Array) -> _Array:
    """The spectrum before a Gaussian of ``_SMOOTHING`` was taken away.

    Where that left too little to measure, the spectrum goes on as flat as grain's does toward 0.
    """
    response, radius = _high_pass(), _radius()
    whole = spectrum / np.maximum(response, _MEASURABLE)[:, :, None, None]
    lost = response < _MEASURABLE
    first = ~lost & (radius < radius[~lost].min() + 1.0 / BLOCK)
    whole[lost] = whole[first].mean(axis=0)
    return whole
