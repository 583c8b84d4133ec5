"""A before/after sheet for people to judge by: the whole picture, and below it each restored face."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.arguments import finite_number, of_type
from likeness.imaging.image import Image, Pixels, Size
from likeness.restore.outcome import FaceOutcome, Restoration

__all__ = ["SheetOptions", "compare"]

_BACKGROUND = (64, 64, 64)
"""Neutral, so that it does not tint the judgement; dark, so that a portrait's light stays what it is."""

_INK = (225, 225, 225)
_Canvas = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """How large a sheet may get.

    Attributes:
        width, height: of one of the two whole pictures at most, px. Smaller ones are enlarged to at least half of that,
            so that a 120 px avatar can be judged.
        max_faces: how many restored faces are shown, the largest first.
        face_side: largest side of one aligned crop, px.
        gap: space between the parts, px.
        caption: height of a line of text, px.
    """

    width: int = 1000
    height: int = 900
    max_faces: int = 6
    face_side: int = 512
    gap: int = 12
    caption: int = 28

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            finite_number(name, value)
        if self.max_faces < 0 or min(self.width, self.height, self.face_side, self.gap, self.caption) < 1:
            raise ValueError("a sheet needs max_faces from 0 on, and every size from 1 px on")


def compare(before: ImageInput, restoration: Restoration, options: SheetOptions | None = None) -> Image:
    """Draw the sheet.

    Args:
        before: the picture that was restored.
        restoration: what became of it.
        options: sizes.

    Returns:
        An 8-bit sRGB picture: before and after side by side, then a pair of aligned crops for each restored face with its
        number (that of the report) and the side of its crop in the picture's own pixels.

    Raises:
        ValueError: if ``before`` is not the picture that was restored, going by its size.
    """
    before, restoration = any_picture("before", before), of_type("restoration", restoration, Restoration)
    options = SheetOptions() if options is None else of_type("options", options, SheetOptions)
    after = restoration.image
    wanted = before.size.times(restoration.upscale)
    if after.size != wanted:
        raise ValueError(f"before is {before.size} and after {after.size}: not the same picture")
    faces = sorted(restoration.restored, key=lambda outcome: -outcome.face.box.area)[: options.max_faces]
    shown = _fitted(after.size, Size(options.width, options.height))
    column = max(shown.width, options.face_side) if faces else shown.width
    rows = [_pair(before.pixels, after.pixels, shown, ("Before", "After"), options, column=column)]
    if faces:
        # Few faces large, many small: one pair a row, then two, then three.
        pairs = min(3, 1 + (len(faces) - 1) // 2)
        width = rows[0].shape[1]
        side = min(options.face_side, (width - (2 * pairs - 1) * options.gap) // (2 * pairs))
        tiles = [_face_pair(outcome, side, options, column=column if pairs == 1 else side) for outcome in faces]
        rows += [_beside(tiles[start : start + pairs], options.gap) for start in range(0, len(tiles), pairs)]
    hidden = len(restoration.restored) - len(faces)
    if hidden:
        rows.append(
            _text_line(f"and {hidden} more restored face{'s' if hidden > 1 else ''}", rows[0].shape[1], options)
        )
    sheet = _below(rows, options.gap)
    border = ((options.gap, options.gap), (options.gap, options.gap))
    return Image.from_uint8(
        np.stack([np.pad(sheet[:, :, c], border, constant_values=_BACKGROUND[c]) for c in range(3)], axis=2)
    )


def _face_pair(outcome: FaceOutcome, side: int, options: SheetOptions, *, column: int) -> _Canvas:
    if outcome.before is None or outcome.after is None:
        raise ValueError(f"the restored face {outcome.index} came without its crops")
    captions = f"Face {outcome.index + 1} ({outcome.face.box.width:.0f} px wide)", "After"
    return _pair(outcome.before.pixels, outcome.after.pixels, Size(side, side), captions, options, column=column)


def _pair(
    before: Pixels, after: Pixels, size: Size, captions: tuple[str, str], options: SheetOptions, *, column: int
) -> _Canvas:
    """Both at ``size`` with their captions, in columns at least ``column`` wide, so that pairs below each other line up."""
    return _beside(
        [
            _below([_text_line(caption, max(size.width, column), options), _resized(pixels, size)], 0)
            for caption, pixels in zip(captions, (before, after), strict=True)
        ],
        options.gap,
    )


def _fitted(size: Size, limit: Size) -> Size:
    """``size`` scaled to fit into ``limit``, enlarged only as far as half of it."""
    largest = min(limit.width / size.width, limit.height / size.height)
    return size.times(min(largest, max(1.0, largest / 2)))


def _resized(pixels: Pixels, size: Size) -> _Canvas:
    """The picture at another size as uint8: averaged when it gets smaller, cubic when larger."""
    method = cv2.INTER_AREA if size.width < pixels.shape[1] else cv2.INTER_CUBIC
    small = cv2.resize(pixels, (size.width, size.height), interpolation=method)
    return (np.clip(small, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _text_line(text: str, width: int, options: SheetOptions) -> _Canvas:
    """A line of text, cut off at ``width``; only Latin characters, as Pillow's own font has no others."""
    from PIL import ImageDraw, ImageFont  # here, as most programs compare nothing

    line = PillowImage.new("RGB", (width, options.caption), _BACKGROUND)
    font = ImageFont.load_default(size=max(8.0, options.caption * 0.6))
    ImageDraw.Draw(line).text((2, options.caption / 2), text, fill=_INK, font=font, anchor="lm")
    return np.asarray(line)


def _beside(parts: list[_Canvas], gap: int) -> _Canvas:
    height = max(part.shape[0] for part in parts)
    return _joined(parts, gap, axis=1, other=height)


def _below(parts: list[_Canvas], gap: int) -> _Canvas:
    width = max(part.shape[1] for part in parts)
    return _joined(parts, gap, axis=0, other=width)


def _joined(parts: list[_Canvas], gap: int, *, axis: int, other: int) -> _Canvas:
    """Parts one after the other along ``axis`` on the background, ``gap`` apart."""
    length = sum(part.shape[axis] for part in parts) + gap * (len(parts) - 1)
    shape = (length, other, 3) if axis == 0 else (other, length, 3)
    canvas = np.full(shape, _BACKGROUND, np.uint8)
    start = 0
    for part in parts:
        height, width = part.shape[:2]
        top, left = (start, 0) if axis == 0 else (0, start)
        canvas[top : top + height, left : left + width] = part
        start += part.shape[axis] + gap
    return canvas
