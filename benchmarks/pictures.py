"""The pictures that are timed, made from the sample's original."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["four_thousand", "portrait", "twenty_faces"]

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


def _original() -> NDArray[np.uint8]:
    return np.asarray(Image.open(_ORIGINAL).convert("RGB"))


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _save(picture: NDArray[np.uint8], path: Path) -> Path:
    Image.fromarray(picture).save(path, quality=92)
    return path
