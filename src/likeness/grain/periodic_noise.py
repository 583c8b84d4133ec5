"""What looks like grain and repeats: steps between JPEG's cells, and printed dots. Found in a picture's fine structure, and
taken out of its measured spectrum.

A field of grain is as strong between any two neighbours; a JPEG picture steps from one 8 x 8 cell to the next (Wallace,
"The JPEG Still Picture Compression Standard", 1991). A dot screen stands in the spectrum as narrow peaks above the grain's
broad hill.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["cell_steps", "own_power", "without_peaks", "without_steps"]

_CELL = 8
_FOUND = 1.15
"""How much larger the differences across a cell's border are than inside, before it counts as a step."""

_LEAST_CELLS = 12
_PEAK = 3.0
"""Times the median of its ring that a frequency is a peak from."""

_LOWEST_PEAK = 0.08
"""Cycles per px: below, the spectrum is the picture's own rest."""

_SIDEBANDS = 0.04
"""Power that a screen has between its peaks, where dots grow and shrink with the picture, as a share of the peaks' (0.3% to
5% on drawn screens of 3 to 8 px)."""

_SEEN_STEPS = 0.37
"""Energy, per unit variance of random cell offsets, that a plane leaves in a window shifted by half a cell: its four
quarters hold independent offsets, whose mean goes, and 76% of whose slopes."""

_Array = NDArray[np.float64]


def cell_steps(grey: NDArray[np.float32], area: NDArray[np.bool_]) -> tuple[float, float]:
    """Steps between the cells of a JPEG picture, wherever its grid begins.

    Args:
        grey: H x W, [0, 1].
        area: H x W, where to look.

    Returns:
        the variance of the cells' offsets, and the share of the fine energy inside cells that is no step, in [0, 1]: about 1
        for grain, 0 for a clean picture with visible cells. (0, 1) where no grid is found.
    """
    down, across = (_border(grey, area, axis) for axis in (0, 1))
    if min(down[1], across[1]) < 1.0 or max(down[1], across[1]) < _FOUND:
        return 0.0, 1.0
    own = _inside(grey, area, down[0], across[0])
    shifted = _inside(grey, area, down[0] + _CELL // 2, across[0] + _CELL // 2)
    if own is None or shifted is None or shifted <= own:
        return 0.0, 1.0
    return (shifted - own) / _SEEN_STEPS, own / shifted


def own_power(spectrum: _Array) -> _Array:
    """N x N x 3: each channel's own power in a spectrum of N x N x 3 x 3."""
    return np.einsum("abcc->abc", spectrum)


def without_steps(spectrum: _Array, variance: float) -> _Array:
    """A power spectrum without that of random cell offsets of some variance in each channel.

    Args:
        spectrum: N x N x 3 x 3, `numpy.fft.fft2` order, mean over frequencies = covariance.
        variance: of the offsets, in the same units.
    """
    if variance <= 0:
        return spectrum
    frequency = np.fft.fftfreq(len(spectrum))
    # The Fejer kernel: a cell's offset is a box of 8.
    angle = np.pi * frequency
    line = np.where(frequency == 0, _CELL, np.sin(_CELL * angle) ** 2 / np.maximum(np.sin(angle) ** 2, 1e-12) / _CELL)
    own = own_power(spectrum)
    left = np.maximum(own - variance * (line[:, None] * line[None, :])[:, :, None], 0.0)
    # Channels keep their correlation at each frequency.
    ratio = np.sqrt(np.divide(left, own, out=np.zeros_like(own), where=own > 0))
    return spectrum * ratio[:, :, :, None] * ratio[:, :, None, :]


def without_peaks(spectrum: _Array) -> _Array:
    """A power spectrum whose narrow peaks are brought down to the median of the other frequencies of their distance from 0.

    Args:
        spectrum: N x N x 3 x 3, `numpy.fft.fft2` order.
    """
    size = len(spectrum)
    power = np.einsum("abcc->ab", spectrum)
    frequency = np.fft.fftfreq(size)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    usual = np.zeros_like(power)
    for ring in np.unique(np.round(radius * size)):
        near = np.abs(radius * size - ring) <= 1.0
        usual[np.round(radius * size) == ring] = np.median(power[near])
    high = (power > _PEAK * usual) & (radius > _LOWEST_PEAK)
    if not high.any():
        return spectrum
    # The window of the measurement smears a line over its neighbours, a strong one further.
    strong = high & (power > 10 * _PEAK * usual)
    peak = (_grown(high, 1) | _grown(strong, 2)) & (radius > _LOWEST_PEAK)
    for ring in np.unique(np.round(radius * size)[peak]):
        near = (np.abs(radius * size - ring) <= 1.0) & ~peak
        usual[np.round(radius * size) == ring] = np.median(power[near]) if near.any() else 0.0
    scale = np.where(peak, np.minimum(np.divide(usual, power, out=np.zeros_like(power), where=power > 0), 1.0), 1.0)
    left = float((power * scale).sum())
    kept = max(1.0 - _SIDEBANDS * (float(power.sum()) - left) / left, 0.0) if left > 0 else 0.0
    return spectrum * (scale * kept)[:, :, None, None]


def _grown(chosen: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The frequencies within ``reach`` bins of those chosen; the spectrum is periodic."""
    padded = np.pad(chosen.astype(np.uint8), reach, mode="wrap")
    side = 2 * reach + 1
    return cv2.dilate(padded, np.ones((side, side), np.uint8))[reach:-reach, reach:-reach] > 0


def _border(grey: NDArray[np.float32], area: NDArray[np.bool_], axis: int) -> tuple[int, float]:
    """Where cells begin along an axis, and the energy of differences across that border over that inside."""
    difference = np.square(np.diff(grey.astype(np.float64), axis=axis))
    both = area[1:] & area[:-1] if axis == 0 else area[:, 1:] & area[:, :-1]
    lines = np.where(both, difference, 0.0).sum(axis=1 - axis)
    counts = both.sum(axis=1 - axis)
    phase = (np.arange(len(lines)) + 1) % _CELL
    energy = np.array([lines[phase == p].sum() / max(counts[phase == p].sum(), 1) for p in range(_CELL)])
    first = int(energy.argmax())
    inside = float(np.median(np.delete(energy, first)))
    return first, float(energy[first]) / inside if inside > 0 else 1.0 + float(energy[first] > 0)


def _inside(grey: NDArray[np.float32], area: NDArray[np.bool_], top: int, left: int) -> float | None:
    """Mean energy of what a plane leaves in the 8 x 8 windows that begin at (top, left) modulo 8; None for too few."""
    top, left = top % _CELL, left % _CELL
    rows, columns = (grey.shape[0] - top) // _CELL, (grey.shape[1] - left) // _CELL

    def cells(x: NDArray[np.float64]) -> _Array:
        cut = x[top : top + rows * _CELL, left : left + columns * _CELL].reshape(rows, _CELL, columns, _CELL)
        return cut.transpose(0, 2, 1, 3).reshape(-1, _CELL * _CELL)

    whole = cells(area.astype(np.float64)).mean(axis=1) > 0.999
    if whole.sum() < _LEAST_CELLS:
        return None
    ramp = np.arange(_CELL) - (_CELL - 1) / 2
    basis = np.stack([np.ones((_CELL, _CELL)), np.tile(ramp, (_CELL, 1)), np.tile(ramp[:, None], (1, _CELL))])
    basis = basis.reshape(3, -1) / np.linalg.norm(basis.reshape(3, -1), axis=1, keepdims=True)
    chosen = cells(grey.astype(np.float64))[whole]
    left_over = np.square(chosen).sum(axis=1) - np.square(chosen @ basis.T).sum(axis=1)
    return float(left_over.mean()) / _CELL**2
