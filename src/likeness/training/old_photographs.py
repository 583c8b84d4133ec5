"""Real old photographs that the finder of marks learns from, and a table that says where they are damaged.

Each row of the table (CSV with the columns file, what, left, top, right, bottom, least) is about one picture: ``sound`` says
that nothing in it is damage; ``light`` and ``dark`` that what stands out in a box from its surroundings by ``least`` of 255
levels is; ``unsure`` that nobody can tell in that box. What is in no box is sound.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.files import read_image
from likeness.training.marks import DAMAGED, UNSURE, OldPhotograph

__all__ = ["labels_of", "read_old_photographs"]

_AROUND = 21
"""Side of the square whose median a mark stands out from, px."""
_FAINT = 0.5
"""What stands out by this share of ``least`` may be the rim of a mark, or nothing."""


def read_old_photographs(folder: Path, table: Path) -> list[OldPhotograph]:
    """Those that the table names.

    Raises:
        ImageReadError: if one of them is not in the folder.
    """
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    photographs: list[OldPhotograph] = []
    for name in dict.fromkeys(row["file"] for row in rows):
        pixels = read_image(folder / name).pixels
        grey = np.round(luma(pixels) * 255).astype(np.uint8)
        labels = labels_of(grey, [row for row in rows if row["file"] == name])
        photographs.append(OldPhotograph(pixels=np.round(pixels * 255).astype(np.uint8), labels=labels))
    return photographs


def labels_of(grey: NDArray[np.uint8], rows: list[dict[str, str]]) -> NDArray[np.uint8]:
    """Labels (`OldPhotograph`) of a picture of H x W levels."""
    around = np.asarray(cv2.medianBlur(grey, _AROUND), np.int32)
    step = grey.astype(np.int32) - around
    labels = np.zeros(grey.shape, np.uint8)
    for row in rows:
        if row["what"] == "sound":
            continue
        box = slice(int(row["top"]), int(row["bottom"])), slice(int(row["left"]), int(row["right"]))
        if row["what"] == "unsure":
            labels[box] = np.maximum(labels[box], UNSURE * (labels[box] == 0))
            continue
        here = step[box] if row["what"] == "light" else -step[box]
        sure, faint = here >= int(row["least"]), here >= _FAINT * int(row["least"])
        rim = np.asarray(cv2.dilate(sure.astype(np.uint8), np.ones((3, 3), np.uint8)), np.bool_)
        labels[box] = np.where((rim | faint) & (labels[box] == 0), UNSURE, labels[box])
        labels[box][sure] = DAMAGED
    return labels
