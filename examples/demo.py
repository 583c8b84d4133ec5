"""Restores every sample with the preset that fits it: `make demo`, or `python examples/demo.py`.

Writes each result, and one sheet to look at, into `out/`. It is also the shortest tour of the library: `Restorer`,
`Controls`, `read_image`, `write_image`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from make_samples import HERE, SAMPLES, Sample
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from likeness import (
    Controls,
    Enlargement,
    FaceOutcome,
    Image,
    LikenessError,
    Restorer,
    Size,
    read_image,
    write_image,
)

__all__ = ["Row", "draw_sheet", "main"]

SIDE = 384
"""Side of one face on the sheet, px."""

GAP = 12
CAPTION = 30
COLUMNS = 2
README_FILES = ("avatar.png", "spectacles.jpg", "portrait.jpg", "grey-film.png")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A sample, its face before and after, and the sizes of the whole picture."""

    sample: Sample
    face: FaceOutcome
    before: Size
    after: Size


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Restore the sample portraits, each with its preset.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (out)")
    parser.add_argument("--model", default="likeness-512", help="a model's name or file (likeness-512)")
    parser.add_argument("--picture", type=Path, help="also draw the before/after picture of the README here")
    options = parser.parse_args(argv)
    try:
        rows = restore_samples(options.out, options.model)
        sheet = options.out / "sheet.jpg"
        write_image(draw_sheet(rows, COLUMNS), sheet, quality=92)
        if options.picture:
            shown = {row.sample.file: row for row in rows}
            write_image(draw_sheet([shown[file] for file in README_FILES], COLUMNS), options.picture, quality=90)
    except LikenessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\nLook at {sheet}: every face before and after. The whole pictures lie beside it.")
    return 0


def restore_samples(out: Path, model: str) -> list[Row]:
    """Restore each sample into ``out``; one line a picture on standard output.

    Raises:
        LikenessError: if the model or a sample cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    restorer = Restorer(model)
    print(f"{model} on {restorer.runtime.description}\n")
    rows: list[Row] = []
    for sample in SAMPLES:
        began = time.perf_counter()
        image = read_image(HERE / sample.file)
        # A small picture is enlarged until its face shows what the network drew.
        enlargement = Enlargement(upscale="auto" if sample.small else 1)
        restoration = restorer.restore(image, Controls.preset(sample.preset), enlargement=enlargement)
        target = out / sample.file
        write_image(restoration.image, target)
        for outcome in restoration.failed:
            raise LikenessError(f"{sample.file}: face {outcome.index} could not be restored: {outcome.reason}")
        after = restoration.image.size
        rows.extend(Row(sample=sample, face=face, before=image.size, after=after) for face in restoration.restored)
        seconds = time.perf_counter() - began
        sizes = f"{image.size!s:>9} -> {restoration.image.size!s:9}"
        print(f"{sample.file:18} {sizes}  --preset {sample.preset:14} {seconds:4.1f} s  -> {target}")
    return rows


def draw_sheet(rows: Sequence[Row], columns: int) -> Image:
    """The aligned faces, before and after side by side, ``columns`` pairs a line."""
    width, height = 2 * SIDE + GAP, SIDE + CAPTION + GAP
    lines = -(-len(rows) // columns)
    sheet = PillowImage.new("RGB", (columns * (width + GAP) + GAP, lines * height + GAP), (38, 38, 38))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=17)
    for number, row in enumerate(rows):
        left, top = GAP + number % columns * (width + GAP), GAP + number // columns * height
        text = f"{row.sample.story}  ·  preset {row.sample.preset}"
        if row.after != row.before:
            text += f"  ·  {row.before} to {row.after}"
        draw.text((left + 2, top + CAPTION / 2), text, fill=(230, 230, 230), font=font, anchor="lm")
        for place, image in enumerate((row.face.before, row.face.after)):
            if image is None:
                raise ValueError(f"{row.sample.file}: the face was not restored")
            tile = PillowImage.fromarray(image.to_uint8()).resize((SIDE, SIDE), PillowImage.Resampling.LANCZOS)
            sheet.paste(tile, (left + place * (SIDE + 4), top + CAPTION))
    return Image.from_uint8(np.asarray(sheet))


if __name__ == "__main__":
    sys.exit(main())
