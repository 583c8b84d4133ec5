"""TIFF files: tifffile judges them, and tifffile, OpenCV or Pillow decodes them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import TiffImagePlugin

from likeness.errors import ImageReadError
from likeness.imaging.decoded import Decoded, check_size, damaged, opencv_samples, reading, split_channels, unopened
from likeness.imaging.exif import exif_from_tiff
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.samples import Samples

__all__ = ["decode_tiff"]

_ICC_TAG, _ORIENTATION_TAG = 34675, 274
_TIFFFILE_CODECS = (1, 8, 32946)  # none and Deflate; its other codecs need a package of their own


def decode_tiff(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    import tifffile

    with reading(name, damaged("TIFF")):
        end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        page = cast(Any, tifffile.TiffFile(stream).pages[0])
        bits, channels = int(page.bitspersample), int(page.samplesperpixel)
        profile = page.tags.valueof(_ICC_TAG)
        turn = page.tags.valueof(_ORIENTATION_TAG)
        check_size(name, (page.imagewidth, page.imagelength), max_pixels)
        if any(offset + count > end for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise ValueError("the file ends before its last strip")
    if bits not in (1, 2, 4, 8, 16) or page.sampleformat not in (1, 4):
        kind = "floating-point" if page.sampleformat == 3 else "signed" if page.sampleformat == 2 else "such"
        raise ImageReadError(f"{name} holds {bits}-bit {kind} samples; save it again with 8 or 16 bits per channel")
    exif = exif_from_tiff(stream)
    if bits == 16 and page.photometric in (0, 1, 2) and channels <= 4:
        with reading(name, damaged("TIFF")):
            samples, alpha = _tiff16_samples(stream, page)
        turn = turn if turn in range(1, 9) else 1
        return Decoded(samples=samples, alpha=alpha, icc_profile=profile, exif=exif, orientation=turn)
    stream.seek(0)
    with reading(name, unopened("TIFF")):
        picture = TiffImagePlugin.TiffImageFile(stream)
    with picture:
        with reading(name, damaged("TIFF")):
            if page.imagewidth * page.imagelength > (PillowImage.MAX_IMAGE_PIXELS or max_pixels):
                # Pillow checks its own limit where it makes room for the samples; ours was checked above.
                picture.im = PillowImage.new(picture.mode, (page.imagewidth, page.imagelength)).im
            picture.load()  # turns the picture upright, too
        return replace(from_pillow(picture, name), exif=exif)


def _tiff16_samples(stream: BinaryIO, page: Any) -> tuple[Samples, Samples | None]:
    """16-bit samples: tifffile where it has the codec, else OpenCV's libtiff (LZW, PackBits)."""
    planar = page.samplesperpixel > 1 and page.planarconfig == 2
    if page.compression in _TIFFFILE_CODECS:
        raw = cast("NDArray[np.uint16]", page.asarray())
        raw = raw.astype(np.uint16, copy=False)  # native byte order
        if planar:
            raw = np.moveaxis(raw, 0, -1)
    elif planar or page.samplesperpixel == 2:
        raise ValueError(f"16-bit samples in separate planes with {page.compression.name} compression are not read")
    else:
        raw = opencv_samples(stream)
    if page.photometric == 0:  # white is zero
        raw = raw.copy() if raw.ndim == 3 else ~raw
        if raw.ndim == 3:
            raw[..., 0] = ~raw[..., 0]
    extra = tuple(page.extrasamples)
    samples, alpha = split_channels(raw, premultiplied=extra[:1] == (1,))
    return samples, None if extra[:1] == (0,) else alpha
