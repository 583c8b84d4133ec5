"""Versions of a finished picture for the screen and for paper, as files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from likeness.errors import ImageTooLargeError
from likeness.imaging.encode import encode_image, find_format
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice
from likeness.studio.deliver import PrintOptions, WebOptions, for_print, for_web

__all__ = ["Version", "VersionFile", "check_print", "version_file"]

Version: TypeAlias = Literal["web", "print"]


@dataclass(frozen=True, kw_only=True)
class VersionFile:
    """A version as a file.

    Attributes:
        data: its bytes.
        suffix: of its name, without the dot.
        warnings: what the user should know about it.
    """

    data: bytes
    suffix: str
    warnings: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        return find_format(self.suffix).media_type


def check_print(size: Size, scale: float, most: float) -> None:
    """Refuse a print of a picture of that size, so many times as wide and high, that has more pixels than ``most``.

    Raises:
        ImageTooLargeError: if it has.
    """
    pixels = size.pixels * scale**2
    if pixels > most:
        raise ImageTooLargeError(Notice("live.print-too-large", {"megapixels": pixels / 1e6, "most": most / 1e6}))


def version_file(image: Image, options: WebOptions | PrintOptions, *, drawn: float = 1.0) -> VersionFile:
    """Make one.

    Args:
        image: the finished picture.
        options: say whether it is for the screen or for paper, and how it is made.
        drawn: by how much the restoration enlarged the picture (`likeness.studio.deliver.for_print`).

    Raises:
        ResolutionError, ImageTooLargeError: if a print of that size cannot be made.
        ImageWriteError: if it cannot be encoded.
    """
    if isinstance(options, WebOptions):
        made, depth, warnings = for_web(image, options), None, ()
    else:
        version = for_print(image, options, drawn=drawn)
        made, depth, warnings = version.image, options.bit_depth, version.warnings
    file_format = find_format(options.file_format)
    data = encode_image(made, file_format.name, bit_depth=depth, quality=options.quality)
    return VersionFile(data=data, suffix=options.file_format, warnings=warnings)
