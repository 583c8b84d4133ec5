"""A set of sharp, aligned portraits for training and evaluation: a folder of pictures, or tar shards of them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.core.tables import read_csv
from likeness.errors import ConfigError, ImageReadError
from likeness.imaging.image import Pixels
from likeness.imaging.shards import picture_files, rgb_of
from likeness.messages.notice import Notice, reason_of

__all__ = ["Portraits"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Portraits:
    """Sharp, aligned portraits in memory: N x S x S x 3 uint8 RGB, and their names."""

    samples: NDArray[np.uint8]
    names: tuple[str, ...]

    def pixels(self, index: int) -> Pixels:
        """Portrait ``index`` as S x S x 3 float32 in [0, 1]."""
        return self.samples[index].astype(np.float32) / np.float32(255.0)

    @staticmethod
    def read(
        folder: Path, size: int, *, split: str = "train", min_native_side: int = 0, without: Collection[str] = ()
    ) -> Portraits:
        """Read picture files, or tar shards ``<split>-*.tar``, scaled to ``size``; those named in ``without`` are left out.

        ``portraits.csv`` (columns file, native_side_px), where there is one, leaves out portraits under ``min_native_side``.

        Raises:
            ImageReadError: if there is nothing to read, or a picture is damaged or not square.
            ConfigError: if ``portraits.csv`` cannot be used.
        """
        native = _native_sides(folder / "portraits.csv")
        names: list[str] = []
        samples: list[NDArray[np.uint8]] = []
        for name, data in picture_files(folder, f"{split}-*.tar"):
            if name in without or native.get(name, min_native_side) < min_native_side:
                continue
            picture = rgb_of(name, data)
            if picture.width != picture.height:
                # Brought to a square it would be a face that nobody has.
                sides = f"{picture.width}x{picture.height}"
                raise ImageReadError(Notice("portraits.not-square", {"name": name, "size": sides}))
            if picture.size != (size, size):
                picture = picture.resize((size, size), PillowImage.Resampling.LANCZOS)
            names.append(name)
            samples.append(np.asarray(picture))
        if not names:
            raise ImageReadError(Notice("portraits.none", {"folder": str(folder), "split": split}))
        _log.info("%d portraits of %s", len(names), folder)
        return Portraits(samples=np.stack(samples), names=tuple(names))


def _native_sides(table: Path) -> dict[str, int]:
    """The side of each portrait's crop in its own pixels, by file name; nothing where there is no table.

    Raises:
        ConfigError: if it cannot be read, lacks a column, or holds another value.
    """
    if not table.is_file():
        return {}
    try:
        columns, rows = read_csv(table.read_bytes(), name=str(table))
    except OSError as error:
        raise ConfigError(Notice("training.table-unread", {"path": str(table), "why": reason_of(error)})) from error
    if not {"file", "native_side_px"} <= set(columns):
        raise ConfigError(Notice("portraits.no-columns", {"path": str(table)}))
    found: dict[str, int] = {}
    for row in rows:
        side = row.cells.get("native_side_px", "")
        if not side.isascii() or not side.isdigit():
            raise ConfigError(Notice("portraits.native-side", {"path": str(table), "line": row.line, "value": side}))
        found[row.cells.get("file", "")] = int(side)
    return found
