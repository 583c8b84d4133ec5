"""A Pillow picture of any mode to samples."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from PIL import Image as PillowImage

from likeness.imaging.decoded import Decoded, reading, split_channels
from likeness.imaging.icc import pillow_to_srgb
from likeness.imaging.metadata.gate import admit
from likeness.imaging.metadata_fields import Found
from likeness.imaging.samples import Samples, row_strips

__all__ = ["from_loaded_pillow", "from_pillow"]

_log = logging.getLogger(__name__)


def from_pillow(picture: PillowImage.Image, name: str) -> Decoded:
    """Samples, alpha and profile of a loaded picture of any mode."""
    profile = cast("bytes | None", picture.info.get("icc_profile"))
    mode, transparency = picture.mode, picture.info.get("transparency")
    if mode in ("I;16", "I;16L", "I;16B", "I;16N"):
        grey = _array(picture).astype(np.uint16, copy=False)
        return Decoded(
            samples=grey,
            alpha=None if transparency is None else np.where(grey == transparency, 0, 65535).astype(np.uint16),
            icc_profile=profile,
        )
    if mode in ("CMYK", "LAB"):
        rgb, fault = _to_rgb(picture, profile, name)
        model: Literal["CMYK", "Lab"] = "CMYK" if mode == "CMYK" else "Lab"
        return Decoded(samples=_array(rgb), converted_from=model, profile_fault=fault)
    with reading(name, "image.samples", mode):
        if mode in ("1", "L"):
            target = "L" if transparency is None else "LA"
        elif mode in ("LA", "La"):
            target = "LA"
        elif mode in ("P", "PA", "RGB", "RGBA", "RGBa"):
            opaque = mode in ("P", "RGB") and transparency is None
            target = "RGB" if opaque else "RGBA"
        elif mode in ("RGBX", "YCbCr", "HSV"):
            target = "RGB"
        else:
            raise ValueError("no conversion")
        # The premultiplied modes convert to their plain counterparts only.
        plain = picture if picture.mode == target else picture.convert(target)
        samples, alpha = split_channels(_array(plain))
    # A palette of greys is how GIF and small PNG files hold a grey picture.
    if mode == "P" and (samples[..., :1] == samples[..., 1:]).all():
        samples = samples[..., 0]
    return Decoded(samples=samples, alpha=alpha, icc_profile=profile)


def from_loaded_pillow(picture: PillowImage.Image, name: str) -> Decoded:
    """The same of a picture that a program holds, with what its ``info`` says.

    Raises:
        ImageReadError: if its file turns out to be damaged, or its mode holds no picture.
    """
    with reading(name, "image.damaged", picture.format or picture.mode):
        picture.load()  # a file that was only opened is decoded now
    exif, xmp = picture.info.get("exif"), picture.info.get("xmp")
    kept = admit(
        Found(exif=exif if isinstance(exif, bytes) else None, xmp=xmp if isinstance(xmp, bytes) else None), name
    )
    return replace(from_pillow(picture, name), exif=kept.exif, metadata=kept.metadata, orientation=kept.orientation)


def _to_rgb(picture: PillowImage.Image, profile: bytes | None, name: str) -> tuple[PillowImage.Image, str]:
    """CMYK or Lab to sRGB: through the picture's profile, or plainly where it has none that fits, and why then."""
    fault = "CMYK values without an ICC profile have no certain colours"
    try:
        if picture.mode == "LAB":
            return pillow_to_srgb(picture, None), ""
        if profile is not None:
            return pillow_to_srgb(picture, profile), ""
    except ValueError as error:
        fault = str(error)
        _log.warning("%s: %s; its CMYK values are converted without it, colours may be off", name, error)
    return picture.convert("RGB"), fault


def _array(picture: PillowImage.Image) -> Samples:
    """A picture's samples, copied in strips: Pillow's own export holds three copies at its peak."""
    first = np.asarray(picture.crop((0, 0, 1, 1)))
    result = np.empty((picture.height, picture.width, *first.shape[2:]), first.dtype)
    for rows in row_strips(result):
        result[rows] = np.asarray(picture.crop((0, rows.start, picture.width, rows.stop)))
    return result
