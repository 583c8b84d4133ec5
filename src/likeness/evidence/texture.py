"""Texture of the skin and of its highlights.

Noise counts as texture to every figure of contrast, and the picture before is often noisy. So a loss is only counted where
the picture before held texture above its noise (`Scene.held`), against what is left of it without the noise's share:
sqrt(E_after / (E_before - N)), with E the power of a band and N that of the noise, as independent powers add up.

Power cannot tell pores from sand; what both pictures have in common can: <a b> / (E_before - N), a and b the bands after and
before. Noise, sand and patterns that were drawn later go with nothing that was there. So what is left of the texture itself
is never more than that, nor than its power allows: noise that was kept counts no more than in the other figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from likeness.evidence.scene import Scene, box_around, local_power
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box
from likeness.metrics import plastic_skin

__all__ = ["Highlights", "Skin", "highlights", "skin_texture"]

_LEVELS = 255.0

_BRIGHTEST = 0.15
"""Share of forehead and nose that counts as highlight."""

_HELD = 0.1
"""Least share of an area with texture above the noise for a loss to be judged there."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Highlights:
    """The brightest skin of forehead and nose.

    Attributes:
        variation: small light-dark variation (the two finest octaves) before and after, levels of 255; of the places that
            held texture above the noise before, or of all if almost none did.
        ratio: texture after over before at those places, without the noise's share; None if almost none held any.
        kept: how much of the texture before is still there, in its place; ``ratio`` at most, and None where that is.
        clipped: share of the highlights that is clipped to white, before and after.
        box: where they are brightest together.
    """

    variation: tuple[float, float]
    ratio: float | None
    kept: float | None
    clipped: tuple[float, float]
    box: Box


def highlights(scene: Scene) -> Highlights | None:
    """Measure them; None where there is too little of forehead and nose to see (hair, hat, border)."""
    masks = scene.masks
    area = (scene.skin > 0.5) & (masks["forehead"] + masks["nose"] > 0.6)
    if int(area.sum()) < 1500:
        return None
    smooth = gaussian_blur(scene.lumas[0], 6.0)
    bright = (area & (smooth >= np.quantile(smooth[area], 1 - _BRIGHTEST))).astype(np.float32)
    found = _texture(scene, bright)
    clipped = [float((light[bright > 0] > 0.985).mean()) for light in scene.lumas]
    y, x = np.unravel_index(int(np.argmax(gaussian_blur(bright, 12.0))), bright.shape)
    return Highlights(
        variation=found.variation,
        ratio=found.ratio,
        kept=found.kept,
        clipped=(clipped[0], clipped[1]),
        box=box_around(np.array([[x, y]], dtype=np.float64), margin=48.0, least=96.0),
    )


@dataclass(frozen=True, kw_only=True)
class Skin:
    """The skin's texture.

    Attributes:
        variation, ratio, kept: as those of `Highlights`.
        plastic: plastic-skin index where texture was held (`metrics.plastic_skin`); None if that is almost nowhere.
        box: the place that lost most.
    """

    variation: tuple[float, float]
    ratio: float | None
    kept: float | None
    plastic: float | None
    box: Box


def skin_texture(scene: Scene) -> Skin | None:
    """Measure it; None where there is too little skin to see."""
    skin = scene.skin
    if float(skin.sum()) < 4000:
        return None
    found = _texture(scene, skin)
    texture = (skin * scene.held).astype(np.float32)
    index = plastic_skin(scene.after, scene.before, texture) if found.ratio is not None else float("nan")
    deviation = [np.sqrt(local_power(fine, 8.0)) for fine in scene.fine]
    lost = gaussian_blur((deviation[0] - deviation[1]) * (texture if found.ratio is not None else skin), 16.0)
    y, x = np.unravel_index(int(np.argmax(lost)), lost.shape)
    return Skin(
        variation=found.variation,
        ratio=found.ratio,
        kept=found.kept,
        plastic=None if np.isnan(index) else index,
        box=box_around(np.array([[x, y]], dtype=np.float64), margin=56.0, least=112.0),
    )


@dataclass(frozen=True, kw_only=True)
class _Texture:
    """`Highlights.variation`, ``ratio`` and ``kept`` of an area."""

    variation: tuple[float, float]
    ratio: float | None
    kept: float | None


def _texture(scene: Scene, area: _Map) -> _Texture:
    texture = area * scene.held
    held = float(texture.sum() / area.sum()) >= _HELD
    places = (texture if held else area).astype(np.float64)
    bands = [fine.astype(np.float64) for fine in scene.fine]
    total = float(places.sum())
    before, common, after = (
        float((one * other * places).sum()) / total for one, other in (bands[:1] * 2, bands, bands[1:] * 2)
    )
    true = before - scene.noise_power
    variation = sqrt(before) * _LEVELS, sqrt(after) * _LEVELS
    if not held or true <= 0:
        return _Texture(variation=variation, ratio=None, kept=None)
    ratio = sqrt(after / true)
    return _Texture(variation=variation, ratio=ratio, kept=min(ratio, max(common, 0.0) / true))
