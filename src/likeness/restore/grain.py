"""The photograph's own grain: measured where the picture is flat, and laid back over what was restored.

Grain is modelled as a stationary Gaussian field (its power spectrum) whose strength depends on brightness and whose
channels are correlated, after Newson et al., "A Stochastic Film Grain Model for Resolution-Independent Rendering" (2017)
for what matters to the eye, and measured as in noise-level estimation from weakly textured patches (Liu et al., 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Pixels, Size

__all__ = ["Grain", "lay_grain", "measure_grain"]

_BLOCK = 32
_FLAT_SHARE = 0.2
_BINS = 6
_SMOOTHING = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Grain:
    """What a picture's grain is like.

    Attributes:
        spectrum: 32 x 32, amplitude of the grain at each frequency (`numpy.fft.fft2` order), unit variance in all.
        mixing: 3 x 3, turns three independent fields into the channels' correlated ones, unit variance each.
        brightness: B luma values, rising.
        sigma: B x 3, standard deviation of each channel at these brightnesses, in [0, 1] units.
    """

    spectrum: NDArray[np.float64]
    mixing: NDArray[np.float64]
    brightness: NDArray[np.float64]
    sigma: NDArray[np.float64]

    def at(self, light: NDArray[np.float32], channel: int) -> NDArray[np.float64]:
        """Standard deviation of a channel at luma values of any shape."""
        return np.interp(light, self.brightness, self.sigma[:, channel])

    @property
    def level(self) -> float:
        """Mean standard deviation in levels of 255."""
        return float(self.sigma.mean() * 255.0)


def measure_grain(pixels: Pixels, mask: NDArray[np.float32] | None = None) -> Grain:
    """Measure the grain of a picture on its flattest 32 x 32 blocks.

    Args:
        pixels: H x W x 3, [0, 1], at least 64 x 64.
        mask: H x W; blocks that lie less than half under it are left out, unless too few would remain.

    Raises:
        ValueError: if the picture is smaller than 64 x 64.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 2 * _BLOCK:
        raise ValueError(f"grain needs at least {2 * _BLOCK} x {2 * _BLOCK} pixels, not {width} x {height}")
    # What varies slower than about 6 px is the face; grain is what is left.
    smooth = gaussian_blur(pixels, _SMOOTHING)
    residual = pixels - smooth
    structure = _blocks(_structure(smooth)).mean(axis=(1, 2))
    brightness = _blocks(luma(smooth)).mean(axis=(1, 2))
    # A clipped block shows no grain; it would read as grainless.
    usable = (brightness > 0.03) & (brightness < 0.97)
    if mask is not None:
        inside = usable & (_blocks(mask).mean(axis=(1, 2)) > 0.5)
        usable = inside if inside.sum() >= 16 else usable
    if not usable.any():
        usable = np.ones_like(usable)
    limit = np.quantile(structure[usable], _FLAT_SHARE) if usable.sum() > 16 else structure[usable].max()
    chosen = usable & (structure <= limit)
    channels = np.stack([_blocks(np.ascontiguousarray(residual[:, :, c]))[chosen] for c in range(3)], axis=-1)
    channels = channels - channels.mean(axis=(1, 2), keepdims=True)

    window = np.outer(np.hanning(_BLOCK), np.hanning(_BLOCK))[None]
    power = (np.abs(np.fft.fft2(channels.mean(axis=3) * window, axes=(1, 2))) ** 2).mean(axis=0)
    power[0, 0] = 0.0
    # Undo what the high-pass took from the grain, as far as that is measurable.
    seen = power.mean()
    power = power / np.maximum(_high_pass_response() ** 2, 0.2)
    total = power.mean()
    spectrum = np.sqrt(power / total) if total > 0 else np.zeros_like(power)
    lost = float(np.sqrt(total / seen)) if seen > 0 else 1.0

    flat = channels.reshape(-1, 3).astype(np.float64)
    covariance = flat.T @ flat / max(len(flat), 1) + 1e-12 * np.eye(3)
    deviation = np.sqrt(np.diag(covariance))
    mixing = np.linalg.cholesky(covariance / np.outer(deviation, deviation) + 1e-9 * np.eye(3))

    order = np.argsort(brightness[chosen])
    groups = [g for g in np.array_split(order, min(_BINS, len(order))) if len(g)]
    levels = np.array([brightness[chosen][g].mean() for g in groups])
    sigma = np.array([_robust_sigma(channels[g].reshape(-1, 3)) for g in groups]) * lost
    return Grain(spectrum=spectrum, mixing=mixing, brightness=levels, sigma=sigma)


def lay_grain(grain: Grain, restored: Pixels, share: NDArray[np.float32], *, seed: int) -> Pixels:
    """New grain to be added to a restored picture, so that it is as grainy as it was.

    What grain the restoration has left is measured, and only the missing variance is added.

    Args:
        grain: of the picture before.
        restored: S x S x 3, [0, 1].
        share: S x S in [0, 1], how much was restored at each place; nothing is laid where it is 0.
        seed: decides the field.

    Returns:
        S x S x 3.
    """
    height, width = share.shape
    centred = np.fft.fftshift(grain.spectrum).astype(np.float32)
    amplitude = np.fft.ifftshift(resize(centred, Size(width, height), "linear"))
    scale = np.sqrt((amplitude**2).mean())
    if scale <= 0:
        return np.zeros_like(restored)
    white = np.random.default_rng(seed).standard_normal((3, height, width))
    fields = np.fft.ifft2(np.fft.fft2(white, axes=(1, 2)) * (amplitude / scale), axes=(1, 2)).real
    coloured = np.tensordot(fields, grain.mixing, axes=(0, 1))
    left = measure_grain(restored, share)
    light = luma(restored)
    missing = [np.maximum(grain.at(light, c) ** 2 - left.at(light, c) ** 2, 0.0) for c in range(3)]
    return (coloured * np.sqrt(np.stack(missing, axis=-1)) * share[:, :, None]).astype(np.float32)


def _high_pass_response() -> NDArray[np.float64]:
    """32 x 32: what is left of each frequency after a Gaussian of ``_SMOOTHING`` is taken away."""
    frequency = np.fft.fftfreq(_BLOCK)
    square = frequency[:, None] ** 2 + frequency[None, :] ** 2
    return 1.0 - np.exp(-2.0 * np.pi**2 * _SMOOTHING**2 * square)


def _structure(smooth: Pixels) -> NDArray[np.float32]:
    grey = luma(smooth)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _blocks(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """H x W to N x 32 x 32, what is left over at the right and below dropped."""
    rows, columns = x.shape[0] // _BLOCK, x.shape[1] // _BLOCK
    cut = x[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return cut.transpose(0, 2, 1, 3).reshape(-1, _BLOCK, _BLOCK)


def _robust_sigma(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Standard deviation per channel from the median absolute deviation, which scratches and specks do not move."""
    return 1.4826 * np.median(np.abs(samples - np.median(samples, axis=0)), axis=0).astype(np.float64)
