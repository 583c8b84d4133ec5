"""Contact sheets: what the figures stand for, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from likeness.errors import ConfigError
from likeness.evaluation.pairs import Pair, Source
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice

__all__ = ["MAX_ROWS", "contact_sheet", "pair_sheet"]

MAX_ROWS = 64
"""Most groups of pictures on one sheet: beyond it nobody looks at each."""

_FEW = 8
_ACROSS = 16
_SMALL = 256
_GAP = 8
_GREY = np.float32(0.25)


def pair_sheet(pairs: Sequence[Pair], source: Source) -> Image:
    """A sheet with, for each pair, the degraded picture, the restored one and the original."""
    return contact_sheet([(pair.degraded, source(pair), pair.original) for pair in pairs])


def contact_sheet(groups: Sequence[Sequence[Pixels]]) -> Image:
    """Groups of equally many square pictures (such as before and after), each beside the others of its group.

    Up to eight groups are shown one below the other at full size; more of them at 256 px in a grid of at most 16 pictures
    across, that is eight pairs a row, in reading order.

    Raises:
        ConfigError: for no groups, or more than `MAX_ROWS`.
    """
    if not 1 <= len(groups) <= MAX_ROWS:
        raise ConfigError(Notice("evaluate.sheet-rows", {"most": MAX_ROWS, "count": len(groups)}))
    if len(groups) <= _FEW:
        return Image(pixels=np.vstack([np.hstack(list(group)) for group in groups]).astype(np.float32))
    columns = max(1, _ACROSS // len(groups[0]))
    tiles = [np.hstack([_small(pixels) for pixels in group]) for group in groups]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), _GREY, np.float32)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * (height + _GAP), (number % columns) * (width + _GAP)
        canvas[top : top + height, left : left + width] = tile
    return Image(pixels=canvas)


def _small(pixels: Pixels) -> Pixels:
    return resize(pixels, Size(_SMALL, _SMALL), "area") if Image(pixels=pixels).size.width > _SMALL else pixels
