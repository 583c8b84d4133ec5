"""The pictures that are timed, made from the sample's original."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "four_thousand",
    "many_faces",
    "of_megapixels",
    "portrait",
    "small_portraits",
    "twenty_faces",
    "wall_of_faces",
]

_ORIGINAL = Path(__file__).resolve().parents[1] / "examples" / "original" / "astronaut.jpg"


def portrait(path: Path, side: int = 1024) -> Path:
    """Head and shoulders, ``side`` x ``side``."""
    return _save(_resized(_original()[2:302, 75:375], side, side), path)


def four_thousand(path: Path) -> Path:
    """4000 x 3000 with one face of about 540 px."""
    return _save(cv2.copyMakeBorder(_resized(_original(), 3000, 3000), 0, 0, 0, 1000, cv2.BORDER_REFLECT), path)


def twenty_faces(path: Path) -> Path:
    """4000 x 3000 with twenty faces of about 270 px, in four rows."""
    tile = _resized(_original()[2:242, 97:353], 800, 750)
    return _save(np.tile(tile, (4, 5, 1)), path)


def many_faces(path: Path, count: int) -> Path:
    """4000 x 3000 with ``count`` faces of about 135 px, at most 60, in rows of ten; the rest is a plain wall."""
    return _wall(path, count, rows=6, columns=10)


def wall_of_faces(path: Path, count: int) -> Path:
    """The same on 4800 x 4500, at most 108 in rows of twelve."""
    return _wall(path, count, rows=9, columns=12)


def _wall(path: Path, count: int, *, rows: int, columns: int) -> Path:
    tile = _resized(_original()[2:302, 97:337], 400, 500)
    wall = np.full((rows * 500, columns * 400, 3), 128, np.uint8)
    for number in range(count):
        row, place = divmod(number, columns)
        wall[row * 500 : row * 500 + 500, place * 400 : place * 400 + 400] = tile
    return _save(wall, path)


def of_megapixels(path: Path, megapixels: float) -> Path:
    """4 : 3, one face, which takes the same part of the picture at every size, beside a plain wall."""
    height = round((megapixels * 1e6 * 0.75) ** 0.5)
    width = round(height * 4 / 3)
    square = _resized(_original()[2:302, 75:375], height, height)
    return _save(np.pad(square, ((0, 0), (0, width - height), (0, 0)), constant_values=128), path)


def small_portraits(folder: Path) -> list[Path]:
    """Twenty portraits of 256 to 512 px, all of different sizes."""
    folder.mkdir()
    return [portrait(folder / f"{side}.jpg", side) for side in range(256, 513, 13)]


def _original() -> NDArray[np.uint8]:
    return np.asarray(Image.open(_ORIGINAL).convert("RGB"))


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _save(picture: NDArray[np.uint8], path: Path) -> Path:
    Image.fromarray(picture).save(path, quality=92)
    return path
