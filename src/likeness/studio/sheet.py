"""A proof as one picture: before and after side by side, enlarged places below, and the captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from likeness.imaging.image import Image, Pixels
from likeness.studio.captions import Words
from likeness.studio.fonts import Typeface
from likeness.studio.proof import Detail, Proof, sections

__all__ = ["sheet", "sheet_text"]

# Greys without a hue, so that the paper does not tint the judgement.
_PAPER, _INK, _SOFT, _LINE = (246, 246, 246), (26, 26, 26), (104, 104, 104), (208, 208, 208)

_GAP, _BETWEEN = 20, 4
_LEAST_WIDTH = 1180


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Measures of a sheet, px; all grow with its width."""

    margin: int
    title: int
    text: int
    small: int


def sheet_text(proof: Proof) -> str:
    """Everything that the sheet writes, to find a font by."""
    words = Words(language=proof.options.language)
    titles = [words("proof.before"), words("proof.after"), words("proof.small-print")]
    titles += [text for section in sections(proof) for text in (section.title, *dict(section.details))]
    own = [proof.name, proof.options.studio, proof.captions.done, proof.captions.kept]
    return "".join([*titles, *own, "0123456789…"])


def sheet(proof: Proof, typeface: Typeface) -> Image:
    """Draw the sheet.

    Args:
        proof: what to show.
        typeface: a font that has the characters of `sheet_text`.

    Returns:
        An 8-bit sRGB picture.
    """
    words, options = Words(language=proof.options.language), proof.options
    column = proof.before.shape[1]
    unit = max(_LEAST_WIDTH, 2 * column + _GAP) / 1620
    sizes = _Sizes(
        margin=round(56 * unit), title=round(34 * unit), text=max(17, round(24 * unit)), small=max(14, round(18 * unit))
    )
    shown = [detail for section in sections(proof) for _, detail in section.details]
    widest = max((2 * detail.before.shape[1] + _BETWEEN for detail in shown), default=0)
    inner = max(_LEAST_WIDTH - 2 * sizes.margin, 2 * column + _GAP, widest)
    canvas = _Canvas(width=inner + 2 * sizes.margin, typeface=typeface, margin=sizes.margin)

    if options.studio:
        canvas.line(options.studio, sizes.title, bold=True)
        canvas.right(proof.name, sizes.small)
    else:
        canvas.line(proof.name, sizes.text, bold=True)
    canvas.rule(sizes.small)

    left = sizes.margin + (inner - 2 * column - _GAP) // 2
    places = (left, left + column + _GAP)
    canvas.row(list(zip(places, (words("proof.before"), words("proof.after")), strict=True)), sizes.text, bold=True)
    canvas.pictures(list(zip(places, (proof.before, proof.after), strict=True)))
    for section in sections(proof):
        canvas.space(sizes.text)
        canvas.line(section.title, sizes.text, bold=True)
        _draw_details(canvas, section.details, inner, sizes)
    canvas.space(sizes.small)
    canvas.rule(sizes.small)
    canvas.paragraph(proof.captions.done, sizes.text, _INK)
    canvas.paragraph(proof.captions.kept, sizes.text, _SOFT)
    canvas.space(sizes.small // 2)
    canvas.paragraph(words("proof.small-print"), sizes.small, _SOFT)
    return canvas.finished()


def _draw_details(canvas: _Canvas, details: tuple[tuple[str, Detail], ...], inner: int, sizes: _Sizes) -> None:
    """Pairs in as many columns as fit, at the size that they have: a change of scale would no longer be 200%."""
    widths = [2 * detail.before.shape[1] + _BETWEEN for _, detail in details]
    columns = max(1, (inner + _GAP) // (max(widths) + _GAP))
    # A full row fills the width, so that its outer edges stand under those of the pictures above.
    gap = min(3 * _GAP, (inner - columns * max(widths)) // (columns - 1)) if columns > 1 else 0
    for start in range(0, len(details), columns):
        shown: list[tuple[int, Pixels]] = []
        labels: list[tuple[int, str]] = []
        x = sizes.margin
        for (label, detail), width in list(zip(details, widths, strict=True))[start : start + columns]:
            shown += [(x, detail.before), (x + detail.before.shape[1] + _BETWEEN, detail.after)]
            labels.append((x, label))
            x += width + gap
        canvas.pictures(shown)
        canvas.row(labels, sizes.small, colour=_SOFT)
        canvas.space(sizes.small // 3)


class _Canvas:
    """A page that grows downward while things are put on it."""

    def __init__(self, *, width: int, typeface: Typeface, margin: int) -> None:
        self._width, self._margin, self._typeface = width, margin, typeface
        self._y = margin
        self._last = margin
        self._picture = PillowImage.new("RGB", (width, 1024), _PAPER)

    def finished(self) -> Image:
        return Image.from_uint8(np.asarray(self._picture.crop((0, 0, self._width, self._y + self._margin))))

    def space(self, height: int) -> None:
        self._y += height

    def line(self, text: str, size: int, *, bold: bool = False) -> None:
        """One line at the left."""
        self.row([(self._margin, text)], size, bold=bold)

    def right(self, text: str, size: int) -> None:
        """A line at the right, on the baseline of the one before, cut off where that begins."""
        font = self._typeface.at(size, text=text)
        text = self._cut(text, size, (self._width - 2 * self._margin) // 2)
        self._draw().text((self._width - self._margin, self._last), text, fill=_SOFT, font=font, anchor="rs")

    def row(
        self,
        texts: list[tuple[int, str]],
        size: int,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = _INK,
    ) -> None:
        """Texts beside each other at their x."""
        height = round(1.55 * size)
        self._reserve(height)
        self._last = self._y + round(1.05 * size)
        for place, (x, text) in enumerate(texts):
            font = self._typeface.at(size, bold=bold, text=text)
            end = texts[place + 1][0] - _GAP if place + 1 < len(texts) else self._width - self._margin
            shown = self._cut(text, size, end - x, bold=bold)
            self._draw().text((x, self._last), shown, fill=colour, font=font, anchor="ls")
        self._y += height

    def rule(self, room: int) -> None:
        """A thin line with room above and below."""
        self._reserve(2 * room)
        y = self._y + room // 2
        self._draw().line((self._margin, y, self._width - self._margin, y), fill=_LINE, width=2)
        self._y += round(1.5 * room)

    def paragraph(self, text: str, size: int, colour: tuple[int, int, int]) -> None:
        """One line, set a little smaller if that makes it fit; what is longer still is broken at the width."""
        room = self._width - 2 * self._margin
        smaller = range(size, int(0.75 * size), -1)
        size = next((small for small in smaller if self._typeface.at(small, text=text).getlength(text) <= room), size)
        for line in _broken(text, self._typeface, size, self._width - 2 * self._margin):
            self.row([(self._margin, line)], size, colour=colour)

    def pictures(self, pictures: list[tuple[int, Pixels]]) -> None:
        """Pictures beside each other at their x."""
        height = max(pixels.shape[0] for _, pixels in pictures)
        self._reserve(height)
        for x, pixels in pictures:
            self._picture.paste(PillowImage.fromarray(Image(pixels=pixels).to_uint8()), (x, self._y))
        self._y += height + 6

    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self._picture)

    def _reserve(self, height: int) -> None:
        needed = self._y + height + 2 * self._margin
        if needed > self._picture.height:
            taller = PillowImage.new("RGB", (self._width, 2 * needed), _PAPER)
            taller.paste(self._picture, (0, 0))
            self._picture = taller

    def _cut(self, text: str, size: int, width: int, *, bold: bool = False) -> str:
        font = self._typeface.at(size, bold=bold, text=text)
        if font.getlength(text) <= width:
            return text
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        return f"{text}…"


def _broken(text: str, typeface: Typeface, size: int, width: int) -> Iterator[str]:
    """Lines no wider than ``width``: broken at spaces, or between any two Chinese characters."""
    font, line = typeface.at(size, text=text), ""
    for word in _words(text):
        if line and font.getlength((line + word).rstrip()) > width:
            yield line.rstrip()
            line = word.lstrip()
        else:
            line += word
    if line.strip():
        yield line.rstrip()


def _words(text: str) -> Iterator[str]:
    """Pieces between which a line may be broken; no line begins with a closing mark."""
    word = ""
    for letter in text:
        wide = "\u2e80" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"
        if word and ((wide and letter not in "，。；：！？）”、％") or word[-1] == " ") and word[-1] not in "（“":
            yield word
            word = ""
        word += letter
    if word:
        yield word
