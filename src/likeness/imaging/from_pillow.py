"""A loaded Pillow picture of any mode to samples."""

from __future__ import annotations

import logging
from typing import Literal, cast

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFile

from likeness.imaging.decoded import Decoded, reading, split_channels
from likeness.imaging.icc import pillow_to_srgb
from likeness.imaging.samples import Samples, row_strips

__all__ = ["from_pillow"]

_log = logging.getLogger(__name__)


def from_pillow(picture: ImageFile.ImageFile, name: str) -> Decoded:
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
