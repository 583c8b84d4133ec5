"""ICC profiles: what they say, and conversion between a file's colour space and sRGB.

Profiles of three tone curves and a matrix (Display P3, Adobe RGB, ProPhoto RGB, every camera and most monitors) and
grey profiles of one tone curve are evaluated here, in floating point, so that 16-bit pictures keep their depth.
Profiles made of tables (scanners, printers, CMYK) go through LittleCMS by way of Pillow, which works in 8 bits; 16-bit
samples are interpolated between its results there.

Source of the profile layout: ICC.1:2022, sections 7 to 10.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageCms

from likeness.imaging.colour import linear_to_srgb, srgb_to_linear
from likeness.imaging.icc_tags import CURVE_POINTS, RISE, read_curve, read_tags, read_xyz
from likeness.imaging.samples import Samples, change_depth, row_strips, to_samples, to_unit

__all__ = [
    "can_convert_back",
    "from_srgb",
    "from_tones",
    "gamut_volume",
    "is_srgb_profile",
    "pillow_to_srgb",
    "profile_cicp",
    "profile_space",
    "srgb_profile",
    "to_srgb",
    "to_tones",
]

_Float = NDArray[np.float32]

# sRGB's primaries adapted to the D50 white of the profile connection space, as every sRGB profile has them.
_SRGB_TO_PCS = np.array(
    [[0.436066, 0.385147, 0.143066], [0.222488, 0.716873, 0.060608], [0.013916, 0.097076, 0.714096]]
)
_FAR = 0.125
"""Tone curves that are further from sRGB's somewhere are no encoded picture's: gamma 1.8 is 0.08 away, Adobe RGB's 0.03,
linear light 0.29."""
_LONGEST = 16_000_000  # bytes; JPEG has room for 255 segments of them
_CUBE_NODES = 86  # every third 8-bit code, so that each node is an exact 8-bit sample: 255 = 3 * 85


def profile_space(profile: bytes) -> str:
    """The colour space a profile describes: "RGB", "GRAY", "CMYK", "Lab" or another four-letter ICC signature.

    Raises:
        ValueError: if these bytes are no ICC profile.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise ValueError("no ICC profile: the signature is missing")
    return profile[16:20].decode("latin-1").strip()


def profile_cicp(profile: bytes) -> tuple[int, int] | None:
    """The code points of primaries and transfer that a profile names beside its curves (ICC.1:2022, 9.2.17), or None.

    Raises:
        ValueError: if these bytes are no ICC profile.
    """
    profile_space(profile)
    tag = read_tags(profile).get("cicp", memoryview(b""))
    return (tag[8], tag[9]) if bytes(tag[:4]) == b"cicp" and len(tag) >= 12 else None


def is_srgb_profile(profile: bytes) -> bool:
    """Whether a profile says nothing but sRGB: it moves no colour by one 8-bit level or more.

    Judged by what the profile does, not by its name: the sRGB profiles in circulation differ in both. For a grey
    profile the question is whether its tone curve is sRGB's.

    Raises:
        ValueError: if the profile is damaged or of a kind that cannot be evaluated.
    """
    return _load(profile).is_srgb


def can_convert_back(profile: bytes) -> bool:
    """Whether `from_srgb` works: a scanner's profile may know only the way from the device to colour.

    Raises:
        ValueError: if the profile is damaged or of a kind that cannot be evaluated.
    """
    return _load(profile).invertible


def gamut_volume(profile: bytes) -> float | None:
    """The volume of a matrix profile's colours in linear light, over sRGB's: Display P3 has 1.4, Adobe RGB 1.4.

    Returns:
        None for grey profiles and those made of tables.

    Raises:
        ValueError: if the profile is damaged or of a kind that cannot be evaluated.
    """
    loaded = _load(profile)
    if not isinstance(loaded, _MatrixProfile) or loaded.matrix is None:
        return None
    return float(abs(np.linalg.det(loaded.matrix)))


def to_srgb(samples: Samples, profile: bytes) -> _Float:
    """Samples in a profile's colour space to sRGB, relative colorimetric, clipped to [0, 1].

    The same samples give the same values to the last bit wherever they stand in a picture; writing a picture back
    relies on that.

    Args:
        samples: height x width (x 3), uint8 or uint16. Two dimensions mean grey; a profile of RGB kind then takes all
            three channels as equal.
        profile: an RGB or grey ICC profile.

    Returns:
        float32 of the shape of ``samples``.

    Raises:
        ValueError: if the profile is damaged, or does not fit the samples.
    """
    loaded = _load(profile)
    result = np.empty(samples.shape, np.float32)
    for rows in row_strips(samples):
        result[rows] = _forward(loaded, samples[rows])
    return result


def from_srgb(pixels: _Float, profile: bytes, bit_depth: Literal[8, 16], native: Samples | None = None) -> Samples:
    """sRGB pixels to samples in a profile's colour space, rounded.

    Args:
        pixels: height x width (x 3), float32 in [0, 1]; two dimensions mean grey.
        profile: an RGB or grey ICC profile.
        bit_depth: 8 or 16, the samples' depth.
        native: the samples that the picture was read from, of the shape of ``pixels``. Every pixel that still equals
            ``to_srgb(native, profile)`` in all channels gets its native samples back; only the others are converted.

    Raises:
        ValueError: if the profile is damaged, does not fit the pixels, or has no way back (see `can_convert_back`).
    """
    loaded = _load(profile)
    result = np.empty(pixels.shape, np.uint8 if bit_depth == 8 else np.uint16)
    for rows in row_strips(pixels):
        strip = pixels[rows]
        if native is None:
            result[rows] = _backward(loaded, strip, bit_depth)
            continue
        kept = _forward(loaded, native[rows]) == strip
        changed = ~(kept if strip.ndim == 2 else kept.all(axis=-1))
        result[rows] = change_depth(native[rows], bit_depth)
        if changed.any():
            # One row of pixels: the conversion knows no neighbourhood.
            result[rows][changed] = _backward(loaded, strip[changed][None], bit_depth)[0]
    return result


def to_tones(samples: Samples, profile: bytes) -> _Float:
    """Samples in a profile's colour space to values in [0, 1] that hold tones as encoded pictures do: what is to be
    interpolated, or shown to a network, without leaving the colour space.

    They are the samples themselves, except where the profile's tone curves are far from sRGB's, as those of linear light
    are: then every channel gets the tones of sRGB, and keeps its primary.

    Args:
        samples: height x width x 3, uint8 or uint16; of a grey profile all three are alike.
        profile: an RGB or grey ICC profile.

    Returns:
        float32 of the shape of ``samples``.

    Raises:
        ValueError: if the profile is damaged.
    """
    curves = _load(profile).tones
    if curves is None:
        return to_unit(samples)
    curves = curves[:, ::257] if samples.dtype == np.uint8 else curves
    result = np.empty(samples.shape, np.float32)
    for rows in row_strips(samples):
        for channel, curve in enumerate(np.broadcast_to(curves, (3, curves.shape[1]))):
            result[rows][..., channel] = curve[samples[rows][..., channel]]
    return result


def from_tones(values: _Float, profile: bytes, bit_depth: Literal[8, 16]) -> Samples:
    """Values of `to_tones` back to samples, rounded.

    Raises:
        ValueError: if the profile is damaged.
    """
    curves = _load(profile).tones
    if curves is None:
        return to_samples(values, bit_depth)
    curves = np.broadcast_to(curves, (3, CURVE_POINTS))
    return np.concatenate([_codes(values[rows], curves, bit_depth) for rows in row_strips(values)])


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """An sRGB profile of some 600 bytes, the same every time."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # LittleCMS writes the time of day into the header (ICC.1:2022, 7.2.8); here it is that of IEC 61966-2-1.
    struct.pack_into(">6H", made, 24, 1999, 10, 1, 0, 0, 0)
    return bytes(made)


def pillow_to_srgb(picture: PillowImage.Image, profile: bytes | None) -> PillowImage.Image:
    """A CMYK or Lab picture to 8-bit sRGB through its ICC profile, relative colorimetric with black point compensation.

    Args:
        picture: a Pillow picture of mode CMYK or LAB.
        profile: its profile; None only for LAB, which needs none.

    Raises:
        ValueError: if the profile is damaged or does not fit the picture.
    """
    try:
        source = ImageCms.createProfile("LAB") if profile is None else ImageCms.getOpenProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _srgb(), picture.mode, "RGB", _INTENT, flags=_FLAGS)
        converted = ImageCms.applyTransform(picture, transform)
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(f"the ICC profile cannot be used ({error})") from error
    return cast("PillowImage.Image", converted)


# --- profiles ---------------------------------------------------------------------------------------------------------

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True, eq=False)
class _MatrixProfile:
    """Tone curves and a matrix; one curve and no matrix for grey.

    Attributes:
        curves: 3 x 65536 or 1 x 65536 float32, linear light in [0, 1] at each 16-bit code, never falling.
        matrix: 3 x 3, linear device RGB to linear sRGB; None for grey.
    """

    curves: NDArray[np.float32]
    matrix: NDArray[np.float64] | None
    invertible: bool = True

    @property
    def channels(self) -> int:
        return len(self.curves)

    @cached_property
    def tones(self) -> NDArray[np.float32] | None:
        """The curves with sRGB's encoding on top; None where that is near the codes themselves."""
        encoded = linear_to_srgb(self.curves)
        far = np.abs(encoded - np.linspace(0.0, 1.0, CURVE_POINTS, dtype=np.float32)).max() > _FAR
        return encoded if far else None

    @cached_property
    def is_srgb(self) -> bool:
        return _is_identity(self, tolerance=1.0)

    def forward(self, samples: Samples) -> _Float:
        """... x channels samples to sRGB float32."""
        # 65535 = 257 * 255: the curve at an 8-bit code is every 257th point.
        curves = self.curves[:, ::257] if samples.dtype == np.uint8 else self.curves
        linear = [curve[samples[..., channel]] for channel, curve in enumerate(curves)]
        return linear_to_srgb(self._mix(linear, self.matrix))

    def backward(self, pixels: _Float, bit_depth: Literal[8, 16]) -> Samples:
        """... x channels sRGB float32 to samples."""
        encoded = srgb_to_linear(np.clip(pixels, 0.0, 1.0))
        inverse = None if self.matrix is None else np.linalg.inv(self.matrix)
        device = self._mix([encoded[..., channel] for channel in range(self.channels)], inverse)
        return _codes(device, self.curves, bit_depth)

    @staticmethod
    def _mix(channels: list[_Float], matrix: NDArray[np.float64] | None) -> _Float:
        # Written out, not as a matrix product: BLAS may sum in another order from one call to the next.
        if matrix is None:
            return np.clip(np.stack(channels, axis=-1), 0.0, 1.0)
        rows = [
            channels[0] * np.float32(row[0]) + channels[1] * np.float32(row[1]) + channels[2] * np.float32(row[2])
            for row in matrix
        ]
        return np.clip(np.stack(rows, axis=-1), 0.0, 1.0)


class _TableProfile:
    """An RGB profile made of look-up tables, through LittleCMS."""

    channels = 3
    tones = None
    """Tables have no curves to undo, and hold encoded pictures: scanners', printers'."""

    def __init__(self, data: bytes) -> None:
        try:
            profile = ImageCms.getOpenProfile(io.BytesIO(data))
            self._to_srgb = ImageCms.buildTransform(profile, _srgb(), "RGB", "RGB", _INTENT, flags=_FLAGS)
        except (ImageCms.PyCMSError, OSError) as error:
            raise ValueError(f"the ICC profile cannot be used ({error})") from error
        # Black and the pure colours, not white, which LittleCMS makes white whatever the tables say.
        ends = np.array(list(np.ndindex(2, 2, 2))[:-1], np.uint8) * np.uint8(255)
        if np.ptp(_apply(self._to_srgb, ends)) < 255 * RISE:
            raise ValueError("the ICC profile is damaged (its tables hold one tone)")
        try:
            self._from_srgb = ImageCms.buildTransform(_srgb(), profile, "RGB", "RGB", _INTENT, flags=_FLAGS)
        except ImageCms.PyCMSError:
            self._from_srgb = None

    @property
    def invertible(self) -> bool:
        return self._from_srgb is not None

    @cached_property
    def is_srgb(self) -> bool:
        return _is_identity(self, tolerance=1.5)  # half a level more: LittleCMS has rounded to 8 bits

    def forward(self, samples: Samples) -> _Float:
        if samples.dtype == np.uint8:
            return _apply(self._to_srgb, samples) / np.float32(255.0)
        return _interpolate(self._forward_cube, samples.astype(np.float32) / np.float32(65535.0))

    def backward(self, pixels: _Float, bit_depth: Literal[8, 16]) -> Samples:
        if self._from_srgb is None:
            raise ValueError("the ICC profile has no way back from colour to samples")
        clipped = np.clip(pixels, 0.0, 1.0)
        if bit_depth == 8:
            return _apply(self._from_srgb, (clipped * 255.0 + 0.5).astype(np.uint8))
        return (_interpolate(self._backward_cube, clipped) * 65535.0 + 0.5).astype(np.uint16)

    @cached_property
    def _forward_cube(self) -> _Float:
        return _cube(self._to_srgb)

    @cached_property
    def _backward_cube(self) -> _Float:
        assert self._from_srgb is not None
        return _cube(self._from_srgb)


_Profile: TypeAlias = "_MatrixProfile | _TableProfile"


def _codes(values: _Float, curves: NDArray[np.float32], bit_depth: Literal[8, 16]) -> Samples:
    """The samples at which each channel's curve, which has a point for each 16-bit code, has these values."""
    codes = np.linspace(0.0, 255 if bit_depth == 8 else 65535, CURVE_POINTS)
    result = np.empty(values.shape, np.uint8 if bit_depth == 8 else np.uint16)
    for channel, curve in enumerate(curves):
        result[..., channel] = (np.interp(values[..., channel], curve, codes) + 0.5).astype(result.dtype)
    return result


def _apply(transform: ImageCms.ImageCmsTransform, samples: NDArray[np.generic]) -> NDArray[np.uint8]:
    picture = PillowImage.fromarray(np.ascontiguousarray(samples).reshape(1, -1, 3))
    try:
        return np.asarray(ImageCms.applyTransform(picture, transform)).reshape(samples.shape)
    except ImageCms.PyCMSError as error:
        raise ValueError(f"the ICC profile cannot be used ({error})") from error


def _cube(transform: ImageCms.ImageCmsTransform) -> _Float:
    """The transform at 86 x 86 x 86 nodes, x 3, float32 in [0, 1]."""
    levels = np.arange(_CUBE_NODES, dtype=np.uint8) * np.uint8(3)
    nodes = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return _apply(transform, nodes) / np.float32(255.0)


def _interpolate(cube: _Float, values: _Float) -> _Float:
    """Trilinear interpolation in a cube at values ... x 3 in [0, 1]."""
    position = values * np.float32(_CUBE_NODES - 1)
    low = np.minimum(position.astype(np.intp), _CUBE_NODES - 2)
    fraction = position - low.astype(np.float32)
    result = np.zeros(values.shape, np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.ones(values.shape[:-1], np.float32)
        for axis, high in enumerate(corner):
            weight = weight * (fraction[..., axis] if high else 1 - fraction[..., axis])
        index = tuple(low[..., axis] + high for axis, high in enumerate(corner))
        result += weight[..., None] * cube[index]
    return np.clip(result, 0.0, 1.0)


def _is_identity(profile: _Profile, tolerance: float) -> bool:
    """Whether a profile's samples are sRGB's, within ``tolerance`` 8-bit levels."""
    if profile.channels == 1:
        codes = np.arange(256, dtype=np.uint8)[:, None]
    else:
        levels = np.arange(0, 256, 15, dtype=np.uint8)
        codes = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    moved = np.abs(profile.forward(codes) * 255.0 - codes.astype(np.float32))
    return float(moved.max()) < tolerance


def _forward(profile: _Profile, samples: Samples) -> _Float:
    if samples.ndim == 3:
        if profile.channels == 1:
            raise ValueError("a grey ICC profile does not fit a colour picture")
        return profile.forward(samples)
    if profile.channels == 1:
        return profile.forward(samples[..., None])[..., 0]
    return profile.forward(np.stack([samples] * 3, axis=-1))[..., 1]


def _backward(profile: _Profile, pixels: _Float, bit_depth: Literal[8, 16]) -> Samples:
    if pixels.ndim == 3:
        if profile.channels == 1:
            raise ValueError("a grey ICC profile does not fit a colour picture")
        return profile.backward(pixels, bit_depth)
    if profile.channels == 1:
        return profile.backward(pixels[..., None], bit_depth)[..., 0]
    return profile.backward(np.stack([pixels] * 3, axis=-1), bit_depth)[..., 1]


@lru_cache(maxsize=16)
def _load(profile: bytes) -> _Profile:
    space = profile_space(profile)
    if len(profile) > _LONGEST:
        raise ValueError(f"the ICC profile is too long ({len(profile):,} bytes)")
    try:
        tags = read_tags(profile)
        if space == "GRAY":
            return _grey_profile(profile, tags)
        if space != "RGB":
            raise ValueError(f"a profile of kind {space} is no RGB or grey profile")
        if "A2B0" in tags or "rXYZ" not in tags:
            return _TableProfile(profile)
        curves = np.stack([read_curve(tags[name]) for name in ("rTRC", "gTRC", "bTRC")])
        to_pcs = np.stack([read_xyz(tags[name]) for name in ("rXYZ", "gXYZ", "bXYZ")], axis=1)
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError(f"the ICC profile is damaged ({error})") from error
    matrix = np.linalg.inv(_SRGB_TO_PCS) @ to_pcs
    if not abs(np.linalg.det(matrix)) > 1e-6:
        raise ValueError("the ICC profile is damaged (its primaries lie on one line)")
    # White must stay white: what the profile's rounded numbers leave over would tint every neutral tone.
    white = matrix.sum(axis=1)
    if np.abs(white - 1.0).max() < 0.01:
        matrix = matrix / white[:, None]
    return _MatrixProfile(curves.astype(np.float32), matrix)


def _grey_profile(profile: bytes, tags: dict[str, memoryview]) -> _MatrixProfile:
    curve = read_curve(tags["kTRC"])
    if profile[20:24] == b"Lab ":
        # The curve then gives L* / 100 (ICC.1:2022, F.2); CIE 15 turns it into luminance.
        lightness = curve * 100.0
        curve = np.where(lightness > 8.0, ((lightness + 16.0) / 116.0) ** 3, lightness / (24389.0 / 27.0))
    return _MatrixProfile(curve.astype(np.float32)[None], None)
