"""The dots of printed pictures, found in the picture's spectrum and taken down there.

A press lays ink in dots on a grid (Ulichney, "Digital Halftoning", 1987). In the spectrum of a small window a grid is a
few narrow peaks, and they are the same in every window of the print, while what the picture shows is another thing in each.
So the mean of many windows' logarithms holds the grid and little else. Where it stands out, each frequency is brought down
by as much as it does, in every window: a notch as deep and as wide as the screen itself, instead of a blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.imaging.colour import luma
from likeness.imaging.filters import disc
from likeness.imaging.image import Pixels
from likeness.imaging.samples import is_grey

__all__ = ["DotScreen", "fade_dot_screen", "find_dot_screen"]

_SIDE = 64
_STEP = _SIDE // 2
"""Windows overlap by half."""

_LOWEST = 0.09
"""Cycles per px: coarser grids than of 11 px are things that the picture shows."""

_WINDOWS, _FEWEST = 300, 6
"""How many windows are looked at, about; and the fewest that hold anything at all."""

_FLAT = 1 / 255
"""Standard deviation of samples under which a window holds nothing."""

_SURE, _PEAK = 1.25, 1.0
"""How far the second peak of a grid stands out, in logarithms of power, and each further one. Of 511 photographs (people,
rooms, streets, cloth) none has two such peaks across each other; window blinds have several in one line."""

_SEEN = 0.12 / 255
"""Amplitude of a wave, in samples from 0 to 1, below which nobody sees it: enlarged pictures are full of such grids."""

_ACROSS = 0.3
"""Sine of the least angle between two peaks that are no line."""

_REACH = 0.09
"""Cycles per px around a peak in which what stands out is the screen's: dots grow and shrink with the picture."""

_CHANCE = 0.15
"""What stands out by less may be chance."""

_DEPTH = 2.0
"""How much of what stands out is taken away, logarithms of amplitude for those of power: half would bring the mean window
down to its surroundings, and where dots are strong they are stronger than in the mean."""

_NEAR, _FAR = 4, 9
"""Bins between which the surroundings of a frequency are looked at."""

_Spectrum = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DotScreen:
    """A dot screen.

    Attributes:
        gain: 64 x 64, in `numpy.fft.fft2` order: what each frequency of a window keeps, 0 to 1.
        period: of its strongest grid, px.
    """

    gain: _Spectrum
    period: float


def find_dot_screen(pixels: Pixels) -> DotScreen | None:
    """The dot screen of a picture, H x W x 3 in [0, 1]; None if it has none, or is under 64 px on a side."""
    if min(pixels.shape[:2]) < _SIDE:
        return None
    excess = _excess(luma(pixels))
    if excess is None or not _is_grid(_peaks(excess), excess):
        return None
    # Each ink has a grid at an angle of its own, and shows most in one channel.
    looks = [] if is_grey(pixels) else [_excess(pixels[:, :, channel]) for channel in range(3)]
    excess = np.maximum.reduce([excess, *(look for look in looks if look is not None)])
    peaks = _peaks(excess)
    near = np.zeros((_SIDE, _SIDE), np.uint8)
    near[tuple(zip(*peaks, strict=True))] = 1
    reach = round(_REACH * _SIDE)
    near = cv2.dilate(np.pad(near, reach, mode="wrap"), disc(reach))[reach:-reach, reach:-reach]
    first = max(peaks, key=lambda peak: float(excess[peak]))
    return DotScreen(
        gain=np.exp(-_DEPTH * np.maximum(excess - _CHANCE, 0.0) * (near > 0)),
        period=float(1 / np.hypot(*_cycles(first))),
    )


def fade_dot_screen(pixels: Pixels, screen: DotScreen, amount: float) -> Pixels:
    """The picture (H x W x 3, [0, 1], 64 px or more on each side) with its dot screen taken down by ``amount`` (0 to 1)."""
    gain = (1 - amount * (1 - screen.gain))[:, : _SIDE // 2 + 1]
    height, width = pixels.shape[:2]
    rows, columns = -(-height // _STEP) + 1, -(-width // _STEP) + 1
    edges = (_STEP, rows * _STEP - height, _STEP, columns * _STEP - width)
    padded = np.asarray(cv2.copyMakeBorder(pixels, *edges, cv2.BORDER_REFLECT_101), np.float32)
    line = np.sin(np.pi * (np.arange(_SIDE) + 0.5) / _SIDE)
    window = np.outer(line, line)  # twice it is a Hann window, and those of half a step add up to one
    result = np.zeros_like(padded)
    for row in range(rows):
        checkpoint()
        strip = padded[row * _STEP : row * _STEP + _SIDE]
        target = result[row * _STEP : row * _STEP + _SIDE]
        for first in (0, 1):  # every other window: side by side, they lie in memory as the strip does
            count = (columns - first + 1) // 2
            across = slice(first * _STEP, first * _STEP + count * _SIDE)
            tiles = strip[:, across].reshape(_SIDE, count, _SIDE, 3).transpose(1, 3, 0, 2)
            mean = tiles.mean(axis=(2, 3), keepdims=True)
            waves = np.fft.rfft2((tiles - mean) * window) * gain
            done = np.fft.irfft2(waves, s=(_SIDE, _SIDE)) * window + mean * window * window
            target[:, across] += done.transpose(2, 0, 3, 1).reshape(_SIDE, count * _SIDE, 3)
    return np.clip(result[_STEP : _STEP + height, _STEP : _STEP + width], 0, 1)


def _excess(plane: NDArray[np.float32]) -> _Spectrum | None:
    """64 x 64: how far each frequency stands out over its surroundings in most windows, in logarithms of power."""
    views = sliding_window_view(plane, (_SIDE, _SIDE))
    # Smaller pictures are looked at in windows that overlap more, to no less than a quarter of a side.
    step = max(_SIDE // 4, round((views.shape[0] * views.shape[1] / _WINDOWS) ** 0.5))
    windows = views[::step, ::step].reshape(-1, _SIDE, _SIDE)
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    windows = windows[windows.std(axis=(1, 2)) > _FLAT]
    if len(windows) < _FEWEST:
        return None
    hann = np.sin(np.pi * (np.arange(_SIDE) + 0.5) / _SIDE) ** 2
    waves = np.fft.fft2(windows * np.outer(hann, hann))
    # A wave's amplitude times half of the window's sum is its height in the spectrum.
    power = np.log(np.square(np.abs(waves)) + (_SEEN * hann.sum() ** 2 / 2) ** 2).mean(axis=0)
    offsets = np.arange(-_FAR, _FAR + 1)
    distance = np.hypot(*np.meshgrid(offsets, offsets))
    line = np.abs(offsets) >= _NEAR - 1
    # What lies on a line through 0 is an edge that many windows hold, and not a dot.
    around = [_median(power, area) for area in ((distance >= _NEAR) & (distance <= _FAR), line[:, None], line[None, :])]
    radius = np.hypot(*_grid())
    ring = np.round(radius * _SIDE).astype(int)
    usual = np.array([np.median(power[ring == r]) for r in range(ring.max() + 1)])[ring]
    excess = power - np.maximum.reduce([*around, usual])
    return np.where(radius < _LOWEST, 0.0, excess)


def _median(power: _Spectrum, area: NDArray[np.bool_]) -> _Spectrum:
    """The median of the frequencies in ``area`` around each; a spectrum is periodic."""
    down, across = area.shape[0] // 2, area.shape[1] // 2
    padded = np.pad(power, ((down, down), (across, across)), mode="wrap")
    return np.median(sliding_window_view(padded, area.shape)[:, :, area], axis=-1)


def _grid() -> list[_Spectrum]:
    """64 x 64 each: cycles per px down and across."""
    frequency = np.fft.fftfreq(_SIDE)
    return np.meshgrid(frequency, frequency, indexing="ij")


def _peaks(excess: _Spectrum) -> list[tuple[int, int]]:
    """Rows and columns of the frequencies that stand out most among their neighbours."""
    largest = cv2.dilate(np.pad(excess, 2, mode="wrap"), np.ones((3, 3), np.uint8))[2:-2, 2:-2]
    rows, columns = np.nonzero((excess > _PEAK) & (excess >= largest))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _is_grid(peaks: list[tuple[int, int]], excess: _Spectrum) -> bool:
    """Whether two of the peaks are sure and lie across each other, one of them at least off the axes.

    On the axes lie the steps between the cells of a JPEG picture, which may have been enlarged since, and rows of pixels.
    """
    sure = [np.array(_cycles(peak)) for peak in peaks if excess[peak] > _SURE]
    units = [f / np.hypot(*f) for f in sure]
    off = [unit for f, unit in zip(sure, units, strict=True) if np.abs(f).min() > 1.5 / _SIDE]
    return any(abs(float(a[0] * b[1] - a[1] * b[0])) > _ACROSS for a in off for b in units)


def _cycles(peak: tuple[int, int]) -> tuple[float, float]:
    frequency = np.fft.fftfreq(_SIDE)
    return float(frequency[peak[0]]), float(frequency[peak[1]])
