"""How many pixels across a face truly hold it, whatever its file's size: measured before any network.

In the Gaussian scale space of a picture (Lindeberg, "Scale-Space Theory in Computer Vision", 1994) a blur of sigma b moves
what was seen at scale s to the scale sqrt(s^2 + b^2). Sharp faces are much alike: about eyes, nose and mouth the power of
their gradient runs over the scales along one curve E(s), give or take a contrast that all scales share. So a blurred face
shows

    E_b(s) = s^2 / (s^2 + b^2) E(sqrt(s^2 + b^2)) + noise,

and b is what explains the measured powers best: the mean of its posterior, with the covariance of sharp faces' curves for
their differences. Noise is what the crop shows at each scale where it is quietest, and is taken off first: grain and
compression do not pass for detail. Four directions are measured apart, as motion blurs one of them.

The curve and its covariance are of 200 sharp portraits that were not used to check it: benchmarks/effective_resolution.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from weakref import ReferenceType, ref

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.face import Face
from likeness.imaging.colour import luma
from likeness.imaging.filters import box_around, gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size

__all__ = [
    "SCALES",
    "EffectiveResolution",
    "effective_resolution",
    "face_crop",
    "face_resolution",
    "gradient_powers",
    "pixels_held",
    "quiet_power",
]

_Map = NDArray[np.float32]
_Values = NDArray[np.float64]

SCALES = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0])
"""Sigmas, px of a 512 crop."""

_SHARP = np.array(
    [
        (3.09, 3.42, 3.62, 3.86, 4.08, 4.29, 4.46, 4.59, 4.67, 4.70),
        (3.90, 4.31, 4.57, 4.82, 5.01, 5.07, 5.12, 5.03, 5.03, 4.83),
        (3.58, 3.96, 4.21, 4.46, 4.66, 4.76, 4.86, 4.86, 4.89, 4.80),
        (3.58, 3.96, 4.21, 4.46, 4.66, 4.76, 4.86, 4.86, 4.89, 4.80),
    ]
)
"""log E of sharp faces at the scales: across, down, and along both diagonals; levels of 255, squared."""

_ALIKE = np.array(
    [
        (0.11, 0.10, 0.10, 0.09, 0.08, 0.07, 0.06, 0.05, 0.05, 0.04),
        (0.10, 0.10, 0.10, 0.10, 0.09, 0.08, 0.07, 0.06, 0.06, 0.06),
        (0.10, 0.10, 0.10, 0.10, 0.10, 0.09, 0.08, 0.08, 0.07, 0.07),
        (0.09, 0.10, 0.10, 0.11, 0.11, 0.11, 0.10, 0.10, 0.09, 0.10),
        (0.08, 0.09, 0.10, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11),
        (0.07, 0.08, 0.09, 0.11, 0.11, 0.13, 0.13, 0.14, 0.14, 0.14),
        (0.06, 0.07, 0.08, 0.10, 0.11, 0.13, 0.14, 0.16, 0.17, 0.17),
        (0.05, 0.06, 0.08, 0.10, 0.11, 0.14, 0.16, 0.20, 0.21, 0.22),
        (0.05, 0.06, 0.07, 0.09, 0.11, 0.14, 0.17, 0.21, 0.24, 0.25),
        (0.04, 0.06, 0.07, 0.10, 0.11, 0.14, 0.17, 0.22, 0.25, 0.30),
    ]
)
"""Covariance of log E from one sharp face to the next, mean of the directions."""

_CONTRAST = 0.5
"""Variance of log E that all scales share beyond that: haze, fading, flat light."""

_STRAY = 0.015
"""Variance of log E at each scale by itself, which measuring adds."""

_PIXEL = 0.45
"""Sigma of the blur that is left where a picture was averaged to fewer pixels and enlarged again, in such pixels: with it
the figure meets the known truth at 20 to 200 px."""

_BLURS = np.concatenate([[0.0], np.geomspace(0.4, 40.0, 48)])
"""The blurs that are tried, sigma in px of a 512 crop."""

_QUIET = 0.1
"""Share of the crop that is taken as quiet."""

_NOISE_SHARE = 1.3
"""Noise on the features over that where it is quietest: the quietest places are so by chance as well."""

_NOISE_DOUBT = 0.5
"""Standard error of that noise, as a share of it."""

_QUIETER = 0.92
"""Deviation of noise in the quietest tiles over that of all."""

_DARK, _BRIGHT = 0.04, 0.94
"""Luma beyond which noise is cut off."""

_KEPT = "crop and what it holds"
"""Name under which a face keeps them."""

_IMMERKAER = np.array([(1, -2, 1), (-2, 4, -2), (1, -2, 1)], np.float32)

_TILES = 16
"""The crop's quiet places are sought among so many tiles a side, those at the border left out."""


@dataclass(frozen=True, kw_only=True)
class EffectiveResolution:
    """What a face holds.

    Attributes:
        pixels: side, in pixels, of the smallest aligned crop (the face with its hair) that could hold as much; never more
            than ``native_side``. Over about 250 the figure no longer tells sharp from very sharp.
        narrowest: the same in the direction that holds least, 0 to ``pixels`` and a little over: motion blurs one.
        noise: standard deviation of the luma's noise, levels of 255, on the grid of the picture's own pixels. JPEG takes the
            finest of it away, and what is left is noise of larger grains, which is not counted.
        native_side: side of the aligned crop in the picture's own pixels (`Alignment.native_side`).
    """

    pixels: float
    narrowest: float
    noise: float
    native_side: float

    @property
    def blur(self) -> float:
        """Sigma of the Gaussian blur that leaves a sharp face so many pixels, as a share of the crop; 0 for a sharp face."""
        return _PIXEL / TEMPLATE_SIZE * float(np.sqrt(max((TEMPLATE_SIZE / max(self.pixels, 1.0)) ** 2 - 1.0, 0.0)))


def face_resolution(image: Image, face: Face) -> EffectiveResolution:
    """What a face in a picture holds (`effective_resolution`).

    Raises:
        ValueError: if the face's points coincide, lie on a line, or outside the picture.
    """
    return face_crop(image, face)[1]


def face_crop(image: Image, face: Face) -> tuple[Pixels, EffectiveResolution]:
    """The crop of a face at `TEMPLATE_SIZE`, aligned to the FFHQ template, and what it holds; not to be changed.

    It is kept with the face for the picture that it was asked about last: whoever looks at a picture before restoring it
    wants the same crop as the restorer.

    Raises:
        ValueError: if the face's points coincide, lie on a line, or outside the picture.
    """
    kept: tuple[ReferenceType[Pixels], Pixels, EffectiveResolution] | None = vars(face).get(_KEPT)
    if kept is not None and kept[0]() is image.pixels:
        return kept[1:]
    alignment = align(face.five_points, image.size, TEMPLATE_SIZE)
    crop = warp(image.pixels, alignment)
    crop.flags.writeable = False
    resolution = effective_resolution(crop, alignment.native_side)
    vars(face)[_KEPT] = (ref(image.pixels), crop, resolution)
    return crop, resolution


def effective_resolution(crop: Pixels, native_side: float) -> EffectiveResolution:
    """What an aligned crop holds.

    Args:
        crop: 512 x 512 x 3 in [0, 1], aligned to the FFHQ template.
        native_side: side of the crop in the picture's own pixels.

    Raises:
        ValueError: if the crop is not 512 x 512.
    """
    if crop.shape[:2] != (TEMPLATE_SIZE, TEMPLATE_SIZE):
        raise ValueError(f"the crop must be {TEMPLATE_SIZE} x {TEMPLATE_SIZE}, not {crop.shape[1]} x {crop.shape[0]}")
    light = luma(crop)
    held, narrowest = pixels_held(*gradient_powers(light))
    return EffectiveResolution(
        pixels=min(held, native_side),
        narrowest=min(narrowest, native_side),
        noise=_noise(light, native_side),
        native_side=native_side,
    )


def pixels_held(powers: _Values, quiet: _Values) -> tuple[float, float]:
    """`EffectiveResolution.pixels` and ``narrowest`` by what `gradient_powers` measured, whatever the file's size."""
    held = np.array([_pixels(powers[i], _NOISE_SHARE * quiet, i) for i in range(4)])
    return float(np.exp(np.log(held).mean())), float(held.min())


def gradient_powers(light: _Map) -> tuple[_Values, _Values]:
    """What an aligned crop of 512 x 512 shows at each of `SCALES`, levels of 255, squared.

    Args:
        light: its luma in [0, 1].

    Returns:
        The power of the gradient times s on the features, 4 directions x 10 scales, and 10 times the power where it is
        quietest, mean of the directions.
    """
    telling = _telling(light)
    smooth, seen, octave = light * np.float32(255), 0.0, 0
    powers, quiet = np.empty((4, len(SCALES))), np.empty(len(SCALES))
    for place, scale in enumerate(SCALES):
        step = 2.0**octave
        smooth, seen = gaussian_blur(smooth, float(np.sqrt(scale**2 - seen**2)) / step), float(scale)
        across = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1, scale=scale / (2 * step)), dtype=np.float32)
        down = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1, scale=scale / (2 * step)), dtype=np.float32)
        where, area = _features()[octave]
        x, y = across[where], down[where]
        xx, yy, xy = (float(np.vdot(a * area, b)) for a, b in ((x, x), (y, y), (x, y)))
        powers[:, place] = xx, yy, (xx + yy) / 2 + xy, (xx + yy) / 2 - xy
        np.square(across, out=across)
        np.square(down, out=down)
        across += down
        quiet[place] = _quietest(across, telling) / 2
        if scale >= 2 * step and octave < 3:
            smooth, octave = np.ascontiguousarray(smooth[::2, ::2]), octave + 1
    return powers, quiet


def quiet_power(power: _Map, light: _Map) -> float:
    """Mean power of what noise alone makes of a crop, by where it is quietest.

    Args:
        power: S x S, squares of a band of the crop that is no coarser than a few px.
        light: S x S, its luma in [0, 1].
    """
    return _quietest(power, _telling(light)) / _QUIETER**2


def _noise(light: _Map, native_side: float) -> float:
    """Standard deviation of the noise where it is quietest, levels of 255, on the picture's own grid.

    By a mask that neither edges nor slopes pass (Immerkaer, "Fast Noise Variance Estimation", 1996).
    """
    side = round(float(np.clip(native_side, 4 * _TILES, TEMPLATE_SIZE)))
    if side < TEMPLATE_SIZE:
        light = resize(light, Size(side, side), "area")
    rough = np.asarray(cv2.filter2D(light, cv2.CV_32F, _IMMERKAER), dtype=np.float32)
    return 255 * float(np.sqrt(_quietest(np.square(rough), _telling(light)))) / (6 * _QUIETER)


def _telling(light: _Map) -> NDArray[np.bool_]:
    """Which of the tiles, those at the border left out, are neither black nor white; all if almost none are."""
    level = resize(light, Size(_TILES, _TILES), "area")[1:-1, 1:-1]
    telling = (level > _DARK) & (level < _BRIGHT)
    return telling if telling.mean() >= _QUIET else np.ones_like(telling)


def _quietest(power: _Map, telling: NDArray[np.bool_]) -> float:
    """Mean power of a tile at the quiet end of the telling ones."""
    tiles = np.sort(resize(power, Size(_TILES, _TILES), "area")[1:-1, 1:-1][telling])
    # By hand: numpy's quantile takes longer over so few than reducing takes.
    return float(np.interp(_QUIET * (len(tiles) - 1), np.arange(len(tiles)), tiles))


@cache
def _features() -> tuple[tuple[tuple[slice, slice], _Map], ...]:
    """Where eyes, nose and mouth lie in an aligned crop: a part of it, and weights there that add up to 1; at full size and
    reduced by 2, 4 and 8."""
    area = np.zeros((TEMPLATE_SIZE, TEMPLATE_SIZE), np.float32)
    for centre, radii in (
        ((193, 232), (58, 42)),
        ((319, 232), (58, 42)),
        ((256, 316), (46, 30)),
        ((256, 371), (74, 40)),
    ):
        cv2.ellipse(area, centre, radii, 0, 0, 360, (1.0,), -1)
    found: list[tuple[tuple[slice, slice], _Map]] = []
    for octave in range(4):
        side = TEMPLATE_SIZE >> octave
        weights = area if octave == 0 else resize(area, Size(side, side), "area")
        where = box_around(weights, 0)
        found.append((where, np.ascontiguousarray(weights[where] / weights.sum())))
    return tuple(found)


@cache
def _curves() -> _Values:
    """4 x blurs x scales: log E_b(s)."""
    seen = np.hypot(SCALES[None], _BLURS[:, None])
    moved = [np.interp(np.log(seen), np.log(SCALES), sharp) for sharp in _SHARP]
    return np.asarray(np.stack(moved) + 2 * np.log(SCALES[None] / seen), dtype=np.float64)


def _pixels(power: _Values, noise: _Values, direction: int) -> float:
    """Pixels across that hold what one direction shows, from the powers at the scales."""
    net = np.maximum(power - noise, 0.15 * noise + 0.003)
    doubt = np.square(_NOISE_DOUBT * noise / net)
    inverse = np.linalg.inv(_ALIKE + _CONTRAST + np.diag(_STRAY + doubt))
    rest = np.log(net) - _curves()[direction]
    misfit = np.einsum("bi,ij,bj->b", rest, inverse, rest)
    logarithm = -0.5 * np.log1p(np.square(_BLURS / _PIXEL))
    # No number of pixels is likelier beforehand than another, in logarithms.
    weight = np.exp((misfit.min() - misfit) / 2) * np.abs(np.gradient(logarithm))
    return TEMPLATE_SIZE * float(np.exp((weight * logarithm).sum() / weight.sum()))
