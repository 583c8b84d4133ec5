"""TIFF files: tifffile judges them, and tifffile, OpenCV or Pillow decodes them."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import TiffImagePlugin

from likeness.errors import ImageReadError
from likeness.imaging.decoded import (
    Decoded,
    check_passes,
    check_size,
    raw_file,
    reading,
    split_channels,
)
from likeness.imaging.exif import exif_from_tiff
from likeness.imaging.from_pillow import from_pillow
from likeness.imaging.metadata.tiff import take_from_tiff
from likeness.imaging.opencv_samples import opencv_samples
from likeness.imaging.origin import Note
from likeness.imaging.samples import Samples
from likeness.imaging.tiff_pages import read_tiff_pages, with_first_page
from likeness.messages.notice import Notice

__all__ = ["decode_tiff"]

_STRIP_COUNTS, _TILE_COUNTS = 279, 325
_PLAIN = 1
_JPEG_CODECS = (6, 7)
_TILE_PIXELS = 1 << 22
_PROVED_BY_DECODER = (5, 8, 32946)  # LZW and Deflate: short data are an error to libtiff and zlib
_TIFFFILE_CODECS = (1, 8, 32946)  # none and Deflate; its other codecs need a package of their own


def decode_tiff(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    """Decode a TIFF file, of several pages the first that is no thumbnail.

    Raises:
        RawImageError: if it is a camera's raw file.
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    pages, whole = read_tiff_pages(stream), stream
    if pages.is_raw:
        raise raw_file(name)
    if pages.first is not None:
        stream = with_first_page(stream, pages.first)
    decoded = _decode_first(stream, name, max_pixels)
    notes = (Note(code="several-pages", value=pages.count),) if pages.count > 1 else ()
    if decoded.found.exif is None and pages.first is not None:
        # Cameras write what they know into the first page, which is the thumbnail then.
        decoded.found.exif = exif_from_tiff(whole)
    return replace(decoded, notes=(*decoded.notes, *notes))


def _decode_first(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    import tifffile

    notes: tuple[Note, ...] = ()
    with reading(name, "image.damaged", "TIFF"):
        found, stream = take_from_tiff(stream)
        end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        page = cast(Any, tifffile.TiffFile(stream).pages[0])
        bits, channels = int(page.bitspersample), int(page.samplesperpixel)
        check_size(name, (page.imagewidth, page.imagelength), max_pixels)
        _check_work(stream, page, name, max_pixels)
        counts = _mended_counts(page, end)
        if counts is not None:
            stream = _with_counts(stream, page, counts)
            page = cast(Any, tifffile.TiffFile(stream).pages[0])
            notes = (Note(code="file-damaged", value="it names wrong lengths of its strips"),)
    if bits not in (1, 2, 4, 8, 16) or page.sampleformat not in (1, 4):
        codes = {2: "image.tiff-signed", 3: "image.tiff-float"}
        code = codes.get(page.sampleformat, "image.tiff-bits")
        raise ImageReadError(Notice(code, {"name": name, "bits": bits}))
    if bits == 16 and page.photometric in (0, 1, 2) and channels <= 4:
        with reading(name, "image.damaged", "TIFF"):
            samples, alpha = _tiff16_samples(stream, page)
        decoded = Decoded(samples=samples, alpha=alpha, icc_profile=found.icc_profile)
        return replace(decoded, found=found, notes=notes)
    stream.seek(0)
    with reading(name, "image.unopened", "TIFF"):
        picture = TiffImagePlugin.TiffImageFile(stream)
    with picture:
        picture.info["icc_profile"] = found.icc_profile
        with reading(name, "image.damaged", "TIFF"):
            if page.imagewidth * page.imagelength > (PillowImage.MAX_IMAGE_PIXELS or max_pixels):
                # Pillow checks its own limit where it makes room for the samples; ours was checked above.
                picture.im = PillowImage.new(picture.mode, (page.imagewidth, page.imagelength)).im
            picture.load()
        return replace(from_pillow(picture, name), found=found, notes=notes)


def _check_work(stream: BinaryIO, page: Any, name: str, max_pixels: int) -> None:
    """Refuse what would cost far more than the picture's size explains.

    Raises:
        ImageReadError: for JPEG data with too many passes.
        ValueError: for tiles much larger than the picture: libtiff makes room for a whole one.
    """
    size = (page.imagewidth, page.imagelength)
    if page.is_tiled and page.tilewidth * page.tilelength > max(_TILE_PIXELS, 4 * size[0] * size[1]):
        raise ValueError(f"its tiles have {page.tilewidth}x{page.tilelength} pixels")
    if page.compression in _JPEG_CODECS:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            stream.seek(offset)
            check_passes(name, "TIFF with JPEG", stream.read(count), size, max_pixels)


def _mended_counts(page: Any, end: int) -> list[int] | None:
    """Lengths of strips or tiles, where the file's are wrong and the right ones can be known; None if they are right.

    Raises:
        ValueError: if the file ends before its last strip.
    """
    offsets, counts = list(page.dataoffsets), list(page.databytecounts)
    if len(offsets) != len(counts):
        raise ValueError("its strips have no lengths")
    mended = counts.copy()
    if page.compression == _PLAIN and not page.is_tiled:
        # Samples as they are: what a strip must hold follows from its rows.
        planar = page.samplesperpixel > 1 and page.planarconfig == 2
        row = -(-page.imagewidth * int(page.bitspersample) * (1 if planar else page.samplesperpixel) // 8)
        strips = -(-page.imagelength // page.rowsperstrip)
        for place, offset in enumerate(offsets):
            rows = min(page.rowsperstrip, page.imagelength - place % strips * page.rowsperstrip)
            if counts[place] < rows * row or offset + counts[place] > end:
                mended[place] = rows * row
    elif page.compression in _PROVED_BY_DECODER:
        # The decoder tells if a strip that ends with the file is not whole.
        mended = [
            min(count, end - offset) if offset < end else count for offset, count in zip(offsets, counts, strict=True)
        ]
    if any(offset + count > end for offset, count in zip(offsets, mended, strict=True)):
        raise ValueError("the file ends before its last strip")
    return None if mended == counts else mended


def _with_counts(stream: BinaryIO, page: Any, counts: list[int]) -> BinaryIO:
    """The file in memory, with other lengths of its strips or tiles."""
    tag = page.tags[_TILE_COUNTS if page.is_tiled else _STRIP_COUNTS]
    stream.seek(0)
    data = bytearray(stream.read())
    code = {3: "H", 4: "I", 16: "Q"}[int(tag.dtype)]
    struct.pack_into(f"{page.parent.byteorder}{len(counts)}{code}", data, tag.valueoffset, *counts)
    return io.BytesIO(bytes(data))


def _tiff16_samples(stream: BinaryIO, page: Any) -> tuple[Samples, Samples | None]:
    """16-bit samples: tifffile where it has the codec, else OpenCV's libtiff (LZW, PackBits)."""
    planar = page.samplesperpixel > 1 and page.planarconfig == 2
    if page.compression in _TIFFFILE_CODECS:
        raw = cast("NDArray[np.uint16]", page.asarray())
        raw = raw.astype(np.uint16, copy=False)  # native byte order
        if planar:
            raw = np.moveaxis(raw, 0, -1)
    elif planar or page.samplesperpixel == 2:
        raise ValueError(f"16-bit samples in separate planes with compression {page.compression!s} are not read")
    else:
        raw = opencv_samples(stream)
    if page.photometric == 0:  # white is zero
        raw = raw.copy() if raw.ndim == 3 else ~raw
        if raw.ndim == 3:
            raw[..., 0] = ~raw[..., 0]
    extra = tuple(page.extrasamples)
    samples, alpha = split_channels(raw, premultiplied=extra[:1] == (1,))
    return samples, None if extra[:1] == (0,) else alpha
