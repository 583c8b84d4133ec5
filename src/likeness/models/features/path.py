"""The path from noise to a drawn feature, as numbers: what a network learns, and how it is gone. No torch here.

From what is surely there, the restored face without its fine detail, and noise, a straight path leads to the original
(Lipman et al., "Flow Matching for Generative Modeling", 2023; Liu et al., "Rectified Flow", 2023). That it starts from a
restored picture and little noise, instead of noise alone, is Ohayon et al.'s ("Posterior-Mean Rectified Flow", 2025). Where
one goes is one of the faces that the photograph may show, and not the mean of all, which is blurred and has no teeth.

With x the original over the blurred restored face, n noise, s the share of the path in [0, 1]: the state is
u = s x + (1 - s) N n, and the network is asked for x in a scale in which its question and answer have unit variance
(`scales`, after Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022). Lightness and
colours each have their own spread: of colours little is in doubt, and noise in them would end as coloured specks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NOISE", "TO_TONES", "Predict", "base_of", "drawn", "scales"]

_Map: TypeAlias = NDArray[np.float32]

_AXES = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32)
TO_TONES = _AXES / np.linalg.norm(_AXES, axis=1, keepdims=True)
"""RGB to lightness and two opponent colours; orthonormal, so that its transpose leads back."""
_SPREAD = np.array([0.18, 0.037, 0.037], np.float32).reshape(3, 1, 1)
"""Deviation of originals over blurred restored faces, of samples from -1 to 1 (measured on 12,000 windows)."""
NOISE = np.array([0.4, 0.08, 0.08], np.float32).reshape(3, 1, 1)
"""N: deviation of the noise that paths begin with."""
_BELL = np.exp(-(np.arange(-5, 6, dtype=np.float32) ** 2) / 8)
_TAPS = _BELL / _BELL.sum()
"""A Gaussian of 2 px."""

Predict: TypeAlias = Callable[[_Map, float], _Map]
"""A network: from 3 x H x W, the state in its scale, and the share of the path, to 3 x H x W in the scale of its answer."""


def base_of(restored: _Map) -> _Map:
    """The restored face without its fine detail, 3 x H x W: where paths begin."""
    blurred = cv2.sepFilter2D(
        np.ascontiguousarray(restored.transpose(1, 2, 0)), -1, _TAPS, _TAPS, borderType=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(blurred.transpose(2, 0, 1), dtype=np.float32)


def scales(shares: _Map) -> tuple[_Map, _Map, _Map]:
    """Of states at shares of the path (N): how much of a state x is, and the scales of answer and question.

    N x 3 x 1 x 1 each.
    """
    share = shares.reshape(-1, 1, 1, 1)
    noise = (1 - share) * NOISE
    power = np.square(share * _SPREAD) + np.square(noise)
    return share * np.square(_SPREAD) / power, noise * _SPREAD / np.sqrt(power), 1 / np.sqrt(power)


def drawn(predict: Predict, restored: _Map, noise: _Map, *, steps: int) -> _Map:
    """Go the path in equal steps.

    Args:
        predict: the network, which knows the restored face and the photograph.
        restored: 3 x H x W in [-1, 1], the restored face.
        noise: 3 x H x W, the noise to begin with: unit variance, or less, which ends nearer to the mean of all that may be.
        steps: how many.

    Returns:
        3 x H x W, about in [-1, 1].
    """
    state = NOISE * noise
    for step in range(steps):
        share = step / steps
        held, answers, asks = (scale[0] for scale in scales(np.array([share], np.float32)))
        found = held * state + answers * predict(asks * state, share)
        state = state + (found - state) / np.float32(steps - step)
    return base_of(restored) + np.tensordot(TO_TONES.T, state, 1).astype(np.float32)
