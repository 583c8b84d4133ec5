"""A face before and after on one grid: the aligned crops, the mesh, the regions, and the noise of the picture before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATE_SIZE, align, valid_mask, warp
from likeness.faces.attention import mesh_points
from likeness.faces.effective_resolution import EffectiveResolution, effective_resolution
from likeness.faces.face import Face
from likeness.faces.parts import face_parts
from likeness.faces.regions import RegionMasks, face_mask, region_masks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box, Image, Pixels
from likeness.messages.notice import Notice

__all__ = [
    "SIDE",
    "Scene",
    "as_seen",
    "box_around",
    "fine_band",
    "finest_band",
    "followed_mesh",
    "local_power",
    "make_scene",
    "scale_between",
    "skin_within",
]

SIDE = TEMPLATE_SIZE
"""Side of the crops on which everything is measured, px."""

_Map = NDArray[np.float32]

_WINDOW = 6.0
"""Sigma of the neighbourhood in which local power is measured, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One face, before and after.

    Attributes:
        before, after: 512 x 512 x 3 in [0, 1], cut by the same alignment.
        points: 478 x 2, the mesh found in the picture before, in crop pixels.
        measured: whether that mesh was measured; False if an average face took its place.
        masks: the regions.
        valid: 512 x 512, 1 where both crops hold pixels of their pictures.
        native_side: side of the crop in pixels of the picture before.
        eyes_seen: False where dark lenses hide both eyes, as far as who made the scene knows.
    """

    before: Pixels
    after: Pixels
    points: NDArray[np.float32]
    measured: bool
    masks: RegionMasks
    valid: _Map
    native_side: float
    eyes_seen: bool = True

    @cached_property
    def lumas(self) -> tuple[_Map, _Map]:
        """Luma before and after, 512 x 512."""
        return luma(self.before), luma(self.after)

    @cached_property
    def resolution(self) -> EffectiveResolution:
        """What the picture before holds there."""
        return effective_resolution(self.before, self.native_side)

    @cached_property
    def followed(self) -> NDArray[np.float64]:
        """478 x 2: the mesh before, looked for where it was found, as one after is (`followed_mesh`)."""
        points = self.points.astype(np.float64)
        return followed_mesh(self.before, points) if self.measured else points

    @cached_property
    def pasted(self) -> _Map:
        """512 x 512: where Likeness itself lays a face back."""
        return face_mask(self.masks, self.resolution.blur)

    @property
    def face(self) -> _Map:
        """512 x 512 in [0, 1]: the face within its contour, without hair, ears and neck."""
        masks = self.masks
        return np.clip(1 - masks["other"] - masks["hair"] - masks["ear"] - masks["neck"], 0, 1)

    @cached_property
    def skin(self) -> _Map:
        """512 x 512 in [0, 1]: cheeks, forehead and nose; not what is clipped."""
        inside = np.clip(self.masks.blend({"cheek": 1.0, "forehead": 1.0, "nose": 1.0}), 0, 1)
        return skin_within(inside * self.valid, gaussian_blur(self.lumas[0], 2.0), margin=2)

    @property
    def unit(self) -> float:
        """Side of the picture's own pixels in the crop, 1 to 3 px: an enlarged crop's finest octave lies that much lower."""
        return float(np.clip(SIDE / self.native_side, 1.0, 3.0))

    @cached_property
    def fine(self) -> tuple[_Map, _Map]:
        """Fine bands of the lumas before and after, 512 x 512 (`fine_band`)."""
        before, after = self.lumas
        return fine_band(before, self.unit), fine_band(after, self.unit)

    @cached_property
    def held(self) -> _Map:
        """512 x 512, 0 or 1: where the picture before holds skin texture above its noise.

        Noise N is the power of the band where it is quietest, and a place holds texture where the power is over 3 N and over
        one level. The finest octave decides: a picture that was enlarged or blurred has nothing there, whatever noise and
        compression left in the coarser ones.
        """
        power = local_power(finest_band(self.lumas[0], self.unit))
        noise = _quiet(power, self)
        return (power > 3.0 * noise + (1.0 / 255.0) ** 2).astype(np.float32)

    @cached_property
    def noise_power(self) -> float:
        """Noise of the picture before: power of the fine band (`fine_band`) where it is quietest."""
        return _quiet(local_power(self.fine[0]), self)

    @property
    def matched(self) -> tuple[Pixels, Pixels]:
        """Both crops at the softness of the softer one, and a little softer still; made anew for each who asks, as 6 MB are
        more than it costs.

        Blur moves a mesh and fills the fold of a lid, and a restoration takes blur away: shapes are compared at equal
        softness, so that what blur does is done to both.
        """
        softer, sigma = self._softening
        pictures = [self.before, self.after]
        pictures[softer] = gaussian_blur(pictures[softer], _REST)
        pictures[1 - softer] = gaussian_blur(pictures[1 - softer], float(np.hypot(sigma, _REST)))
        return pictures[0], pictures[1]

    @cached_property
    def _softening(self) -> tuple[int, float]:
        """Which crop is softer, and the sigma that makes the other as soft, found by bisection on the gradient's power."""
        where, inside = self._features
        lights = [light[where] for light in self.lumas]
        goal = [_gradient_power(light, inside) for light in lights]
        softer = int(goal[1] < goal[0])
        sigma = 0.0
        if goal[1 - softer] > 1.05 * goal[softer]:
            low, high = 0.0, _MOST
            for _ in range(7):
                middle = (low + high) / 2
                if _gradient_power(lights[1 - softer], inside, blur=middle) > goal[softer]:
                    low = middle
                else:
                    high = middle
            sigma = (low + high) / 2
        return softer, sigma

    @cached_property
    def _features(self) -> tuple[tuple[slice, slice], _Map]:
        """The part of the crop that holds eyes, brows, nose and lips with their surroundings, and where in it they are."""
        inside = self.masks.blend({"eye": 1.0, "nose": 1.0, "lip": 1.0, "brow": 1.0})
        left, top, width, height = cv2.boundingRect((inside > 0).astype(np.uint8))
        margin = round(3 * _MOST)
        where = (
            slice(max(top - margin, 0), max(top + height + margin, 2)),
            slice(max(left - margin, 0), max(left + width + margin, 2)),
        )
        return where, inside[where]


_REST = 1.0
"""Blur that both pictures get when shapes are compared, px: it takes noise down, which moves a mesh as well."""


_MOST = 8.0
"""The most that the sharper one is blurred, sigma in px."""


def _gradient_power(light: _Map, inside: _Map, *, blur: float = 0.0) -> float:
    """Power of the gradient on the face at a scale of 1.5 px, at which noise counts little beside lids, lips and nose;
    ``blur`` is that of the picture."""
    smooth = gaussian_blur(light, float(np.hypot(1.5, blur)))
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return float(((across**2 + down**2) * inside).sum() / max(float(inside.sum()), 1.0))


def _quiet(power: _Map, scene: Scene) -> float:
    """Power where it is quietest: the lowest tenth, clipped places left out.

    Noise-level estimation from weakly textured patches (Liu et al., "Single-Image Noise Level Estimation for Blind
    Denoising", 2013). Grain depends on brightness, so places outside the face that are as bright as the skin are asked
    first. Where under a fiftieth of the crop is of that kind, the skin's own quietest places are believed as far as they
    are noisier than the surroundings by up to a factor of two in deviation (film between mid-tones and whites): skin is
    textured all over, and beyond that it would pass its pores off as noise.
    """
    level = gaussian_blur(scene.lumas[0], _WINDOW)
    usable = (scene.valid > 0.5) & (level > 0.04) & (level < 0.94)
    outside = usable & (scene.pasted < 0.1)
    skin = scene.skin > 0.5
    alike = usable & (np.abs(level - float(np.median(level[skin]))) < 0.12) if skin.any() else usable

    def quiet(where: NDArray[np.bool_]) -> float | None:
        return float(np.quantile(power[where], 0.1)) if where.sum() > 0.02 * where.size else None

    best, around, inside = quiet(outside & alike), quiet(outside), quiet(alike)
    if best is not None:
        return best
    if around is None:
        return inside or 0.0
    return around if inside is None else float(np.clip(inside, around, 4.0 * around))


def fine_band(light: _Map, unit: float) -> _Map:
    """The two finest octaves of a luma: what a Gaussian of 2 px takes away (as in `metrics.plastic_skin`)."""
    return light - gaussian_blur(light, 2.0 * unit)


def skin_within(inside: _Map, light: _Map, *, margin: int) -> _Map:
    """What is skin of an area: not hair over the forehead and shadows under the nose, nor what is clipped.

    Args:
        inside: in [0, 1], the area.
        light: luma there, smooth.
        margin: how near to such a place is left out as well, px.
    """
    seen = inside > 0.5
    typical = float(np.median(light[seen])) if seen.any() else 0.5
    # Hair and shadows are darker than two thirds of the skin's median.
    kept = (light > typical * 2 / 3) & (light > 0.03) & (light < 0.97)
    around = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    return (inside * np.asarray(cv2.erode(kept.astype(np.uint8), around))).astype(np.float32)


def local_power(band: _Map, sigma: float = _WINDOW) -> _Map:
    """Local mean square."""
    return gaussian_blur(np.square(band), sigma)


def finest_band(light: _Map, unit: float) -> _Map:
    """The finest octave of a luma (as in `metrics.band_energy`)."""
    return light - gaussian_blur(light, unit)


def make_scene(before: Image, after: Image, face: Face) -> Scene:
    """Cut one face out of both pictures.

    Args:
        before: the picture in which the face was found.
        after: the same picture later, of the same size or enlarged or reduced as a whole.
        face: where it is in ``before``.

    Raises:
        ValueError: if the sizes do not fit, or the face's points allow no alignment.
    """
    scale = scale_between(before, after)
    before, after = as_seen(before, after)
    alignment = align(face.five_points, before.size, SIDE)
    later = alignment.scaled(after.size)
    points = alignment.to_crop(face.landmarks.points).astype(np.float32)
    crop = warp(before.pixels, alignment)
    return Scene(
        before=crop,
        after=warp(after.pixels, later),
        points=points,
        measured=face.landmarks.source == "mesh",
        masks=region_masks(points, SIDE, face_parts(crop, points)),
        valid=valid_mask(alignment) if scale == 1 else valid_mask(alignment) * valid_mask(later),
        native_side=alignment.native_side,
    )


def as_seen(before: Image, after: Image) -> tuple[Image, Image]:
    """Pictures of different sizes as they are seen: over white, as what lies under transparency does not grow with them."""
    if before.size == after.size or (before.alpha is None and after.alpha is None):
        return before, after
    first, second = (replace(image, pixels=image.over_white(), alpha=None, native=None) for image in (before, after))
    return first, second


def followed_mesh(crop: Pixels, known: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """478 x 2: the mesh of a crop, looked for where it is known to lie; ``known`` where none is seen.

    The mesh network answers a little differently for every view. Two pictures of a face are compared in one view.
    """
    found = mesh_points(Image(pixels=crop).to_uint8(), known=known)
    return known.astype(np.float64) if found is None else found[:, :2]


def scale_between(before: Image, after: Image) -> float:
    """How many times larger ``after`` is.

    Raises:
        ValueError: if width and height have not grown by the same factor, give or take rounding to whole pixels.
    """
    wide, high = after.size.width / before.size.width, after.size.height / before.size.height
    scale = (wide * high) ** 0.5
    # Rounding moves a side by up to a pixel.
    slack = 1.0 / min(before.size.width, before.size.height) * max(scale, 1.0) + 1e-9
    if abs(wide - high) > slack:
        raise ValueError(Notice("pair.uneven", {"before": str(before.size), "after": str(after.size)}))
    return wide if wide == high else scale


def box_around(points: NDArray[np.float32] | NDArray[np.float64], *, margin: float, least: float = 64.0) -> Box:
    """A square box about points (N x 2, crop pixels), grown by ``margin`` px, at least ``least`` wide, within the crop."""
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    centre, half = (low + high) / 2, max(float((high - low).max()), least) / 2
    half = min(half, SIDE / 2)
    x, y = (float(np.clip(c, half, SIDE - half)) for c in centre)
    return Box(x - half, y - half, x + half, y + half)
