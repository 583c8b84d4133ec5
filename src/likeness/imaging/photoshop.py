"""What Photoshop keeps in a TIFF file beside the picture that every program reads: its layers.

See Adobe's "Adobe Photoshop TIFF Technical Notes" (2002), ImageSourceData.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import tifffile

__all__ = ["holds_layers"]

_IMAGE_SOURCE_DATA = 37724
_BEGINNING = b"Adobe Photoshop Document Data Block\0"
_LAYERS = {b"Layr", b"Lr16", b"Lr32"}
"""Blocks with layers of 8, 16 and 32 bit; others hold patterns, annotations and the like, for flat pictures too."""


def holds_layers(path: Path) -> bool:
    """Whether a TIFF file holds layers; of a file of another kind it is false.

    Raises:
        OSError: if it cannot be read.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            tag = file.pages.first.tags.get(_IMAGE_SOURCE_DATA)
            if tag is None:
                return False
            order: Literal["little", "big"] = "little" if file.byteorder == "<" else "big"
            return _among_blocks(file.filehandle, int(tag.valueoffset), int(tag.count), order)
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError):
        return False  # no TIFF file, or one that is damaged: reading it says so


def _among_blocks(stream: tifffile.FileHandle, start: int, count: int, order: Literal["little", "big"]) -> bool:
    """Whether a block with layers is among a tag's: each a signature, a key, a length, and data to a multiple of 4."""
    stream.seek(start)
    if stream.read(len(_BEGINNING)) != _BEGINNING:
        return False
    place = start + len(_BEGINNING)
    while place + 12 <= start + count:
        stream.seek(place)
        head = stream.read(12)
        if len(head) < 12:
            return False
        # Signature and key are numbers of the file's byte order, too.
        key = head[4:8] if order == "big" else head[7:3:-1]
        if key in _LAYERS:
            return True
        length = int.from_bytes(head[8:], order)
        place += 12 + (length + 3) // 4 * 4
    return False
