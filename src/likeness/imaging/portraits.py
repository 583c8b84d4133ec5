"""A set of sharp, aligned portraits for training and evaluation: a folder of pictures, or tar shards of them."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.errors import ImageReadError
from likeness.imaging.image import Pixels
from likeness.imaging.shards import picture_files
from likeness.messages.notice import Notice

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
            ImageReadError: if there is nothing to read.
        """
        native: dict[str, int] = {}
        table = folder / "portraits.csv"
        if table.is_file():
            with table.open(encoding="utf-8", newline="") as rows:
                native = {row["file"]: int(row["native_side_px"]) for row in csv.DictReader(rows)}
        names: list[str] = []
        samples: list[NDArray[np.uint8]] = []
        for name, data in picture_files(folder, f"{split}-*.tar"):
            if name in without or native.get(name, min_native_side) < min_native_side:
                continue
            picture = PillowImage.open(io.BytesIO(data)).convert("RGB")
            if picture.size != (size, size):
                picture = picture.resize((size, size), PillowImage.Resampling.LANCZOS)
            names.append(name)
            samples.append(np.asarray(picture))
        if not names:
            raise ImageReadError(Notice("portraits.none", {"folder": str(folder), "split": split}))
        _log.info("%d portraits of %s", len(names), folder)
        return Portraits(samples=np.stack(samples), names=tuple(names))
