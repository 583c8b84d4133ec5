"""Picture files to `Image`: every format, depth and colour model that `read_image` takes."""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL import Image as PillowImage

from likeness.errors import ImageReadError, ImageTooLargeError
from likeness.imaging.containers import count_jpeg_scans, png_chunks
from likeness.imaging.exif import clean_exif, exif_from_resolution, exif_from_tiff, orientation
from likeness.imaging.icc import can_convert_back, is_srgb_profile, pillow_to_srgb, profile_space, to_srgb
from likeness.imaging.image import Image
from likeness.imaging.samples import Samples, row_strips, to_unit

__all__ = ["HEAD_BYTES", "decode_image", "sniff_format"]

_log = logging.getLogger(__name__)

HEAD_BYTES = 64
"""How many bytes `sniff_format` wants to see."""

_MOST_SCANS = 100
"""Progressive files have 10 or so. Each scan goes over the whole picture, and may be no longer than 60 bytes: a megabyte of
them would keep a decoder busy for minutes. libtiff draws the line for JPEG in TIFF at the same number."""

# Opened by class, not through Pillow's `open`: that one judges sizes by a process-wide limit of its own, and its list
# of formats is longer than what is tested here.
_PILLOW: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
_PNG_DEPTH, _PNG_COLOUR_TYPE = 24, 25  # positions in the file
_ICC_TAG, _ORIENTATION_TAG = 34675, 274
_TIFFFILE_CODECS = (1, 8, 32946)  # none and Deflate; its other codecs need a package of their own
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})

# What decoders raise on damaged files; a programming error of ours (AttributeError, NameError) is none of these.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Decoded:
    """What a file holds, before it is turned upright and converted to sRGB.

    Attributes:
        samples: height x width (grey) or height x width x 3, uint8 or uint16.
        alpha: height x width, of the samples' depth, or None.
        icc_profile: the profile the samples are in; None once they are in sRGB.
        exif: the EXIF block as found.
        orientation: EXIF orientation still to be applied, 1 to 8.
        converted_from: the colour model that the samples were converted from, if they were.
        profile_fault: why colours may be off after that conversion, or "".
    """

    samples: Samples
    alpha: Samples | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    orientation: int = 1
    converted_from: Literal["CMYK", "Lab"] | None = None
    profile_fault: str = ""


def sniff_format(head: bytes) -> str | None:
    """The format of a file from its first `HEAD_BYTES` bytes, or None for no picture known here."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = {head[place : place + 4] for place in (8, *range(16, min(len(head), _box_length(head)), 4))}
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None


def _box_length(head: bytes) -> int:
    return int.from_bytes(head[:4], "big")


def decode_image(stream: BinaryIO, *, kind: str, name: str, max_pixels: int) -> Image:
    """Decode a picture.

    Args:
        stream: the file's bytes, seekable.
        kind: the format as `sniff_format` names it.
        name: what messages call the picture.
        max_pixels: the largest width x height; checked on the header, before anything is decoded.

    Raises:
        ImageTooLargeError: if the picture has more pixels than ``max_pixels``.
        ImageReadError: if the picture is damaged, cut short, or of a kind that cannot be read.
    """
    if kind == "HEIF":
        decoded = _decode_heif(stream, name, max_pixels)
    elif kind == "TIFF":
        decoded = _decode_tiff(stream, name, max_pixels)
    else:
        decoded = _decode_pillow(stream, kind, name, max_pixels)
    return _to_image(decoded, name)


# --- decoding ---------------------------------------------------------------------------------------------------------


@contextmanager
def _reading(name: str, what: str) -> Generator[None]:
    """Turn what a decoder raises into the one sentence; a bomb limit of Pillow's own keeps its meaning."""
    try:
        yield
    except (ImageReadError, ImageTooLargeError):
        raise
    except PillowImage.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"{name} is larger than the decoder allows ({error}); make it smaller first"
        ) from error
    except MemoryError as error:
        raise ImageReadError(f"{name} does not fit into memory; make it smaller first") from error
    except _DECODER_ERRORS as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise ImageReadError(f"{name} {what} ({detail.rstrip('.')[:200]})") from error


def _unopened(kind: str) -> str:
    return f"begins as {kind} but cannot be opened; copy it again, or save it as 8- or 16-bit PNG"


def _damaged(kind: str) -> str:
    return f"is {kind} but cut short or damaged; copy or download it again"


def _check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{name} has {width}x{height} = {width * height:,} pixels, more than the limit of {max_pixels:,}; if you "
            f"trust the file, raise the limit with --max-pixels {width * height} (max_pixels= in Python)"
        )


def _decode_heif(stream: BinaryIO, name: str, max_pixels: int) -> _Decoded:
    import pi_heif

    stream.seek(0)
    with _reading(name, _damaged("HEIC")):
        container: Any = pi_heif.open_heif(stream, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        _check_size(name, container.size, max_pixels)
        # The container lists what else the file holds (bursts, depth maps); only the primary picture is decoded.
        picture = container[container.primary_index]
        # A copy: the samples lie in the decoder's memory, which goes when the container does.
        raw = np.array(picture)
    if raw.dtype == np.uint16:
        # 10 or 12 bits: spread over all of 16, so that white stays white.
        top = (1 << int(picture.info["bit_depth"])) - 1
        raw = ((raw.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
    if raw.ndim == 3:
        raw = raw[:, : picture.size[0]]
    samples, alpha = _split(raw, premultiplied=bool(picture.premultiplied_alpha))
    # libheif has turned the picture already; its EXIF block may say so a second time.
    return _Decoded(
        samples=samples, alpha=alpha, icc_profile=picture.info.get("icc_profile"), exif=picture.info.get("exif")
    )


def _decode_pillow(stream: BinaryIO, kind: str, name: str, max_pixels: int) -> _Decoded:
    stream.seek(0)
    with _reading(name, _unopened(kind)):
        picture = _PILLOW[kind](stream)
    with picture:
        _check_size(name, picture.size, max_pixels)
        if kind == "PNG" and _byte_at(stream, _PNG_DEPTH) == 16 and picture.mode != "I;16":
            return _decode_png16(stream, picture, name)
        if kind == "JPEG":
            _check_scans(stream, name)
        with _reading(name, _damaged(kind)):
            picture.load()
        exif = _pillow_exif(picture)
        return replace(_from_pillow(picture, name), exif=exif, orientation=orientation(exif))


def _check_scans(stream: BinaryIO, name: str) -> None:
    stream.seek(0)
    if count_jpeg_scans(stream.read(), _MOST_SCANS) > _MOST_SCANS:
        raise ImageReadError(
            f"{name} is JPEG of more than {_MOST_SCANS} passes, which no camera writes; save it again as PNG"
        )


def _byte_at(stream: BinaryIO, position: int) -> int:
    stream.seek(position)
    return stream.read(1)[0]


def _decode_png16(stream: BinaryIO, picture: ImageFile.ImageFile, name: str) -> _Decoded:
    """Colour or alpha at 16 bits, which Pillow cuts to 8: libpng by way of OpenCV."""
    exif = None
    with _reading(name, _damaged("PNG")):
        for kind, content in png_chunks(stream):
            if kind == b"eXIf":
                exif = content
        samples, alpha = _split(_opencv(stream))
    # OpenCV spreads grey with alpha over three channels; the colour type in the header says what the file holds.
    if _byte_at(stream, _PNG_COLOUR_TYPE) in (0, 4) and samples.ndim == 3:
        samples = samples[..., 0]
    exif = exif or _pillow_exif(picture)
    profile = picture.info.get("icc_profile")
    return _Decoded(samples=samples, alpha=alpha, icc_profile=profile, exif=exif, orientation=orientation(exif))


def _decode_tiff(stream: BinaryIO, name: str, max_pixels: int) -> _Decoded:
    import tifffile

    with _reading(name, _damaged("TIFF")):
        end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        page = cast(Any, tifffile.TiffFile(stream).pages[0])
        bits, channels = int(page.bitspersample), int(page.samplesperpixel)
        profile = page.tags.valueof(_ICC_TAG)
        turn = page.tags.valueof(_ORIENTATION_TAG)
        _check_size(name, (page.imagewidth, page.imagelength), max_pixels)
        if any(offset + count > end for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise ValueError("the file ends before its last strip")
    if bits not in (1, 2, 4, 8, 16) or page.sampleformat not in (1, 4):
        kind = "floating-point" if page.sampleformat == 3 else "signed" if page.sampleformat == 2 else "such"
        raise ImageReadError(f"{name} holds {bits}-bit {kind} samples; save it again with 8 or 16 bits per channel")
    exif = exif_from_tiff(stream)
    if bits == 16 and page.photometric in (0, 1, 2) and channels <= 4:
        with _reading(name, _damaged("TIFF")):
            samples, alpha = _tiff16_samples(stream, page)
        turn = turn if turn in range(1, 9) else 1
        return _Decoded(samples=samples, alpha=alpha, icc_profile=profile, exif=exif, orientation=turn)
    stream.seek(0)
    with _reading(name, _unopened("TIFF")):
        picture = TiffImagePlugin.TiffImageFile(stream)
    with picture:
        with _reading(name, _damaged("TIFF")):
            if page.imagewidth * page.imagelength > (PillowImage.MAX_IMAGE_PIXELS or max_pixels):
                # Pillow checks its own limit where it makes room for the samples; ours was checked above.
                picture.im = PillowImage.new(picture.mode, (page.imagewidth, page.imagelength)).im
            picture.load()  # turns the picture upright, too
        return replace(_from_pillow(picture, name), exif=exif)


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
        raw = _opencv(stream)
    if page.photometric == 0:  # white is zero
        raw = raw.copy() if raw.ndim == 3 else ~raw
        if raw.ndim == 3:
            raw[..., 0] = ~raw[..., 0]
    extra = tuple(page.extrasamples)
    samples, alpha = _split(raw, premultiplied=extra[:1] == (1,))
    return samples, None if extra[:1] == (0,) else alpha


def _opencv(stream: BinaryIO) -> Samples:
    """Decode 16-bit samples with OpenCV, channels in the order RGB(A)."""
    stream.seek(0)
    raw = cast("Samples | None", cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED))
    if raw is None:
        raise ValueError("the decoder gave up")
    if raw.dtype != np.uint16:
        raise ValueError("the decoder did not keep 16 bits")
    return raw if raw.ndim == 2 else raw[..., [2, 1, 0, 3][: raw.shape[2]]]


def _split(raw: Samples, *, premultiplied: bool = False) -> tuple[Samples, Samples | None]:
    """Height x width (x 1 to 4) to colour or grey samples and alpha."""
    if raw.ndim == 2:
        return raw, None
    channels = raw.shape[2]
    samples = raw[..., 0] if channels < 3 else raw[..., :3]
    alpha = raw[..., -1] if channels in (2, 4) else None
    if alpha is not None and premultiplied:
        top = np.iinfo(raw.dtype).max
        divisor = np.maximum(alpha, 1).astype(np.float64)
        divisor = divisor if samples.ndim == 2 else divisor[..., None]
        samples = np.minimum(samples * (top / divisor) + 0.5, top).astype(raw.dtype)
    return samples, alpha


def _from_pillow(picture: ImageFile.ImageFile, name: str) -> _Decoded:
    """Samples, alpha and profile of a loaded picture of any mode."""
    profile = cast("bytes | None", picture.info.get("icc_profile"))
    mode, transparency = picture.mode, picture.info.get("transparency")
    if mode in ("I;16", "I;16L", "I;16B", "I;16N"):
        grey = _array(picture).astype(np.uint16, copy=False)
        return _Decoded(
            samples=grey,
            alpha=None if transparency is None else np.where(grey == transparency, 0, 65535).astype(np.uint16),
            icc_profile=profile,
        )
    if mode in ("CMYK", "LAB"):
        rgb, fault = _to_rgb(picture, profile, name)
        model: Literal["CMYK", "Lab"] = "CMYK" if mode == "CMYK" else "Lab"
        return _Decoded(samples=_array(rgb), converted_from=model, profile_fault=fault)
    with _reading(name, f"has samples of a kind that is not read ({mode}); save it again as RGB with 8 or 16 bits"):
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
        samples, alpha = _split(_array(plain))
    # A palette of greys is how GIF and small PNG files hold a grey picture.
    if mode == "P" and (samples[..., :1] == samples[..., 1:]).all():
        samples = samples[..., 0]
    return _Decoded(samples=samples, alpha=alpha, icc_profile=profile)


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


def _pillow_exif(picture: ImageFile.ImageFile) -> bytes | None:
    """The EXIF block as Pillow found it; where there is none, one that holds the header's resolution."""
    block = cast("bytes | None", picture.info.get("exif"))
    if block is None and isinstance(text := picture.info.get("Raw profile type exif"), str):
        # ImageMagick before 7 wrote EXIF into PNG as hexadecimal text behind a name and a length.
        with contextlib.suppress(ValueError):
            block = bytes.fromhex("".join(text.split("\n")[3:]))
    dpi = picture.info.get("dpi")
    if block is None and dpi is not None and picture.format in ("JPEG", "PNG") and min(dpi) > 0:
        block = exif_from_resolution(*dpi)
    return block


# --- to the one image type --------------------------------------------------------------------------------------------


def _to_image(decoded: _Decoded, name: str) -> Image:
    samples = _upright(decoded.samples, decoded.orientation)
    alpha = None if decoded.alpha is None else to_unit(_upright(decoded.alpha, decoded.orientation))
    profile, fault = _usable_profile(decoded.icc_profile, samples.ndim == 2, name)
    native = None
    if profile is None or is_srgb_profile(profile):
        values = to_unit(samples)
    else:
        samples = np.ascontiguousarray(samples)
        values = to_srgb(samples, profile)
        if can_convert_back(profile):
            native = _three_channels(samples)
        else:
            _log.info("%s: its ICC profile has no way back, the result will be sRGB", name)
            profile = None
    return Image(
        pixels=cast("NDArray[np.float32]", _three_channels(values)),
        alpha=alpha,
        bit_depth=8 if samples.dtype == np.uint8 else 16,
        grey=samples.ndim == 2,
        icc_profile=profile,
        exif=clean_exif(decoded.exif),
        native=native,
        converted_from=decoded.converted_from,
        profile_fault=decoded.profile_fault or fault,
    )


def _usable_profile(profile: bytes | None, grey: bool, name: str) -> tuple[bytes | None, str]:
    """The profile if it describes these samples; one that does not is left out with a warning, as browsers do, and why."""
    if not profile:
        return None, ""
    try:
        space = profile_space(profile)
        if space != "RGB" and not (space == "GRAY" and grey):
            raise ValueError(f"an ICC profile of kind {space} does not fit the samples")
        is_srgb_profile(profile)
    except ValueError as error:
        _log.warning("%s: %s; its colours are taken as sRGB and the profile is left out", name, error)
        return None, str(error)
    return profile, ""


def _upright(samples: Samples, turn: int) -> Samples:
    """A view of the samples with an EXIF orientation (CIPA DC-008, 4.6.4) undone."""
    if turn in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        samples = samples[::-1]
    if turn in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _three_channels(samples: Any) -> Any:
    """Grey as three equal channels without copying: one plane, seen three times."""
    return samples if samples.ndim == 3 else np.broadcast_to(samples[..., None], (*samples.shape, 3))
