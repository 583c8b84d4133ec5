"""Reading and writing picture files.

Read: JPEG, PNG, TIFF, WebP, BMP, GIF (first frame), HEIC and AVIF, recognised by content, not by name.
Written: JPEG, PNG, TIFF, WebP, AVIF and BMP, by suffix.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.core.files import write_bytes_atomically
from likeness.core.opening import open_file
from likeness.errors import ArgumentError, ConfigError, FileWriteError, ImageReadError, ImageWriteError
from likeness.imaging.arguments import finite_number, picture
from likeness.imaging.decode import decode_image
from likeness.imaging.encode import FORMATS, encode_image, find_format
from likeness.imaging.image import Image
from likeness.imaging.origin import Note
from likeness.imaging.sniff import HEAD_BYTES, sniff_format
from likeness.messages.notice import Notice, notice_of, reason_of

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "SUFFIXES_READ",
    "SUFFIXES_WRITE",
    "OpenPicture",
    "PictureSource",
    "encode_image",
    "is_picture",
    "open_picture",
    "output_suffix",
    "read_image",
    "result_suffix",
    "write_image",
]

_log = logging.getLogger(__name__)

DEFAULT_MAX_PIXELS = 100_000_000
"""Largest width x height that is read unless told otherwise."""

# Formats that are read but not written, and what a result gets instead: see `output_suffix`.
_REPLACED = {".heic": ".jpg", ".heif": ".jpg", ".hif": ".jpg", ".gif": ".png", ".mpo": ".jpg"}

SUFFIXES_WRITE = frozenset(suffix for file_format in FORMATS for suffix in file_format.suffixes)
"""Suffixes that can be written, lower case, with the dot."""

SUFFIXES_READ = SUFFIXES_WRITE | frozenset(_REPLACED)
"""Suffixes that picture files have; `read_image` itself goes by content."""

PictureSource: TypeAlias = "Path | str | BinaryIO | bytes"


def is_picture(path: Path | str) -> bool:
    """Whether a file is a picture by its name; macOS's "._" companion files are not. The file is not opened."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES_READ and not path.name.startswith("._")


def output_suffix(path: Path | str) -> str:
    """The suffix of a result for an input of this name: its own, as it is spelt, where that can be written.

    HEIC becomes ".jpg": its encoders are bound by patents and the GPL, and a phone's picture wants to be opened
    anywhere. GIF becomes ".png": 256 colours cannot hold a restored face, and only the first frame is read. Stereo
    files of cameras (".mpo", a JPEG followed by another) become ".jpg". A name without a picture's suffix gets ".png",
    which loses nothing.
    """
    suffix = Path(path).suffix
    if suffix.lower() in SUFFIXES_WRITE:
        return suffix
    return _REPLACED.get(suffix.lower(), ".png")


def result_suffix(head: bytes) -> str:
    """The suffix of a result for a picture that has no name, from its first `HEAD_BYTES` bytes; see `output_suffix`."""
    kind = (sniff_format(head) or "").lower()
    return output_suffix(f"picture.{ {'heif': 'heic'}.get(kind, kind) }")


def read_image(source: PictureSource, *, max_pixels: int = DEFAULT_MAX_PIXELS, name: str | None = None) -> Image:
    """Read a picture, upright and in sRGB.

    The EXIF orientation is applied and set to 1 in the block that is kept, and the thumbnail in it is blanked, since it
    shows the picture before its restoration. XMP, IPTC, a JPEG comment, PNG texts and the header's resolution are in
    `Image.metadata`. Metadata never decides whether the picture is read: what is damaged of it is left out, with a warning
    in the log.
    Samples in a colour profile other than sRGB are converted to sRGB (relative colorimetric, clipped to [0, 1]) and
    kept in ``Image.native``, from where `write_image` takes them back; a profile that says sRGB is kept and converts
    nothing. Colours that the file names without a profile (nclx, cICP, gAMA and cHRM) get one, and are treated alike; PQ
    and HLG become sRGB for good, with 203 cd/m2 as white. CMYK and Lab become 8-bit sRGB for good, through their profile
    where they have one. A profile that is damaged or does not fit the samples is left out with a warning in the log.

    Of a file with several pictures one is read: docs/files.md says which. What is left out, and damage that costs no pixel,
    is in ``Image.notes``, with a warning in the log.

    The file is decoded in this process, by libraries written in C. `likeness.imaging.decoding.pool.DecoderPool` reads files
    of strangers in processes of their own, which may die.

    Args:
        source: a path, the bytes of a file, or a binary stream, read from where it stands to its end.
        max_pixels: largest width x height, checked on the header before anything is decoded.
        name: what messages call the picture; the path or the stream's name by default.

    Returns:
        The picture. `Image.bit_depth` is 16 for sources of more than 8 bits per sample.

    Raises:
        ImageTooLargeError: if the picture has more pixels than ``max_pixels``.
        RawImageError: if it is a camera's raw file.
        ImageReadError: if the file is missing, unreadable, empty, cut short, damaged, or no picture that is read here.
        ConfigError: if ``max_pixels`` is below 1.
    """
    if finite_number("max_pixels", max_pixels) < 1:
        raise ConfigError(Notice("option.max-pixels", {"max_pixels": max_pixels}))
    with open_picture(source, name=name) as file:
        return file.noted(decode_image(file.stream, kind=file.kind, name=file.name, max_pixels=max_pixels))


@dataclass(frozen=True, kw_only=True)
class OpenPicture:
    """A picture's file.

    Attributes:
        stream: its bytes, seekable; in memory where they come from no path.
        kind: its format, as `likeness.imaging.sniff.sniff_format` names it.
        name: what messages call it.
        fault: what is damaged before the picture; "" if nothing is.
    """

    stream: BinaryIO
    kind: str
    name: str
    fault: str = ""

    def noted(self, image: Image) -> Image:
        """The picture that was decoded, with the fault among its notes and in the log."""
        if not self.fault:
            return image
        _log.warning("%s: it is damaged (%s), but no pixel is missing; it was read all the same", self.name, self.fault)
        return replace(image, notes=(Note(code="file-damaged", value=self.fault), *image.notes))


@contextmanager
def open_picture(source: PictureSource, *, name: str | None = None) -> Generator[OpenPicture]:
    """Open a picture's file and look at its first bytes.

    Raises:
        ImageReadError: if the file is missing, unreadable, empty, or no picture that is read here; for a stream
            that stands at its end.
        ArgumentError: if it is neither a path, bytes nor a stream.
    """
    if not isinstance(source, (str, Path, bytes)) and not hasattr(source, "read"):
        raise ArgumentError(f"a picture is read from a path, bytes or a binary stream, not {type(source).__name__}")
    if isinstance(source, (str, Path)):
        shown = name or str(source)
        with _open(Path(source), shown) as stream:
            yield _recognised(stream, shown)
    elif isinstance(source, bytes):
        yield _recognised(io.BytesIO(source), name or "the picture")
    else:
        yield _recognised(source, name or str(getattr(source, "name", "the picture")), whole=True)


def _open(path: Path, name: str) -> BinaryIO:
    try:
        return open_file(path)
    except OSError as error:
        raise ImageReadError(_why_unreadable(name, path, error)) from error
    except ValueError as error:  # a null character in the path
        raise ImageReadError(Notice("image.no-name", {"name": repr(name), "why": str(error)})) from error


def _recognised(stream: BinaryIO, name: str, whole: bool = False) -> OpenPicture:
    """See `open_picture`; a stream that cannot be rewound, or with ``whole`` any, is taken into memory first."""
    try:
        head = _read_head(stream)
    except OSError as error:
        why = reason_of(error)
        raise ImageReadError(Notice("image.unread-disk", {"name": name, "why": why})) from error
    if not head:
        raise ImageReadError(Notice("image.at-end" if _was_read(stream) else "image.empty", {"name": name}))
    kind = sniff_format(head)
    fault = ""
    if kind is None and (before := _line_breaks(head)):
        fault, head, whole = f"{before} bytes stand before it", head[before:], True
        kind = sniff_format(head)
    if kind is None:
        unreadable = "image.unknown.text" if _is_text(head) else "image.unknown.kind"
        what = Notice("image.unknown.video" if _is_video(head) else unreadable)
        raise ImageReadError(Notice("image.unknown", {"name": name, "what": what}))
    if whole or not stream.seekable():
        try:
            stream = io.BytesIO(head + stream.read())
        except OSError as error:
            why = reason_of(error)
            raise ImageReadError(Notice("image.broke-off", {"name": name, "why": why})) from error
    return OpenPicture(stream=stream, kind=kind, name=name, fault=fault)


def _was_read(stream: BinaryIO) -> bool:
    """Whether a stream at its end has something before it: it was read already, or written and not gone back in."""
    try:
        return stream.seekable() and stream.tell() > 0
    except (AttributeError, OSError):  # an object that can do nothing but read
        return False


def _line_breaks(head: bytes) -> int:
    """How many bytes of line breaks, spaces and byte order marks a server's script has put before a picture, if it has."""
    before = len(head) - len(head.lstrip(b"\xef\xbb\xbf\r\n\t "))
    return before if sniff_format(head[before:]) in ("JPEG", "PNG") else 0


def _read_head(stream: BinaryIO) -> bytes:
    """The first `HEAD_BYTES` bytes, or all there are: an unbuffered pipe may hand over fewer at a time."""
    head = b""
    while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
        head += more
    return head


def _is_video(head: bytes) -> bool:
    """Whether it is of a kind that phones and cameras write videos in: MP4 or MOV, Matroska or WebM, AVI."""
    return (
        head[4:8] in (b"ftyp", b"moov")
        or head.startswith(b"\x1a\x45\xdf\xa3")
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
    )


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # A character of several bytes may be cut at the end of the head.
    text = head.decode("utf-8", errors="ignore")
    return len(text.encode()) >= len(head) - 3 and all(letter.isprintable() or letter.isspace() for letter in text)


def _why_unreadable(name: str, path: Path, error: OSError) -> Notice:
    if isinstance(error, FileNotFoundError):
        return Notice("image.missing", {"name": name})
    if isinstance(error, PermissionError):
        with contextlib.suppress(OSError):
            if path.is_dir():  # what Windows says when a folder is opened
                return Notice("image.folder", {"name": name})
        return Notice("image.forbidden", {"name": name})
    if isinstance(error, IsADirectoryError):
        return Notice("image.folder", {"name": name})
    return Notice("image.unread", {"name": name, "why": reason_of(error)})


def write_image(
    image: Image | PillowImage.Image | NDArray[Any],
    target: Path | str,
    *,
    bit_depth: Literal[8, 16] | None = None,
    quality: int | None = None,
    file_format: str | None = None,
) -> None:
    """Write a picture; the file appears complete or not at all.

    See `encode_image` for how depth, quality, profile, EXIF and transparency are treated.

    Args:
        image: the picture; one of Pillow's, and an array as `Image.from_array` takes it, serve as well.
        target: the file; one that exists is replaced.
        bit_depth: 8 or 16; None takes the picture's own, or 8 where the format has no other.
        quality: 1 to 100, for JPEG, WebP (100: lossless) and AVIF; None compresses as the file it came from, see there.
        file_format: a format's name or suffix; None goes by the suffix of ``target``.

    Raises:
        ConfigError: if ``quality`` or ``bit_depth`` is out of range.
        ImageWriteError: if the suffix is unknown, the format cannot hold the picture, the folder is missing or may not
            be written to, or the disk is full. Nothing is left behind then, and a file that was there before is
            untouched.
    """
    image = picture("image", image)
    if not isinstance(target, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"target must be a path, not {type(target).__name__}")
    if not isinstance(file_format, (str, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"file_format must be a name, not {type(file_format).__name__}")
    target = Path(target)
    try:
        data = encode_image(
            image,
            find_format(target.suffix if file_format is None else file_format).name,
            bit_depth=bit_depth,
            quality=quality,
        )
    except ImageWriteError as error:
        raise ImageWriteError(Notice("file.named", {"file": str(target), "reason": notice_of(error)})) from error
    try:
        write_bytes_atomically(data, target)
    except FileWriteError as error:
        raise ImageWriteError(notice_of(error)) from error
