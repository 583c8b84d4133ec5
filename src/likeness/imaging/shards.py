"""Sets of pictures for training and evaluation: folders of picture files, or tar shards of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.errors import ImageReadError
from likeness.messages.notice import Notice, reason_of

__all__ = ["picture_files", "read_photographs", "rgb_of"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def picture_files(folder: Path, shards: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every picture: of the tar files that fit the pattern ``shards``, then of the folder itself.

    Raises:
        ImageReadError: if a tar file is damaged.
    """
    for shard in sorted(folder.glob(shards)):
        yield from _in_shard(shard)
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path.suffix.lower() in _SUFFIXES:
            yield path.name, path.read_bytes()


def _in_shard(shard: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(shard) as archive:
            for member in archive:
                stream = archive.extractfile(member) if Path(member.name).suffix.lower() in _SUFFIXES else None
                if stream is not None:
                    yield Path(member.name).name, stream.read()
    except tarfile.TarError as error:
        raise ImageReadError(Notice("photographs.damaged", {"name": shard.name, "why": reason_of(error)})) from error


def rgb_of(name: str, data: bytes) -> PillowImage.Image:
    """The picture in a file's content, RGB.

    Raises:
        ImageReadError: if it is damaged or none.
    """
    try:
        return PillowImage.open(io.BytesIO(data)).convert("RGB")
    # Pillow's readers raise any of these for a damaged file.
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise ImageReadError(Notice("photographs.damaged", {"name": name, "why": reason_of(error)})) from error


def read_photographs(folder: Path, shards: str) -> dict[str, NDArray[np.uint8]]:
    """All pictures (`picture_files`) by name, each H x W x 3 uint8 RGB, of any size.

    Raises:
        ImageReadError: if there are none, or one is damaged.
    """
    found = {name: np.asarray(rgb_of(name, data)) for name, data in picture_files(folder, shards)}
    if not found:
        raise ImageReadError(Notice("photographs.none", {"folder": str(folder), "shards": shards}))
    return found
