"""``likeness demo``: sample portraits, each restored with the preset that fits it, and a sheet to look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.errors import LikenessError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.imaging.geometry import Size
    from likeness.imaging.image import Image
    from likeness.restore.outcome import FaceOutcome

__all__ = ["SAMPLES", "Row", "Sample", "demo", "draw_sheet", "make_parser", "restore_samples", "sample_folder"]

_DESCRIPTION = """\
Restore the sample portraits that come with Likeness, each with the preset that fits it, into the folder OUT, and draw
OUT/sheet.jpg: every face before and after. It takes seconds, and needs no network."""

_EPILOG = """\
exit status:
  0    every sample was restored
  1    the model cannot be had, or a file cannot be written
  2    an argument cannot be used

examples:
  likeness demo
  likeness demo tour/ --model GPEN-BFR-512"""

_SIDE = 384
"""Side of one face on the sheet, px."""

_GAP = 12
_CAPTION = 30
_COLUMNS = 2
_SHEET = "sheet.jpg"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample picture.

    Attributes:
        file: its name.
        preset: the preset that fits it.
        story: what happened to it.
        small: whether it is so small that its face shows what was restored only when it is enlarged.
    """

    file: str
    preset: str
    story: str
    small: bool = False


SAMPLES = (
    Sample(file="portrait.jpg", preset="standard", story="soft and compressed"),
    Sample(file="early-digital.jpg", preset="early-digital", story="a camera of the year 2001"),
    Sample(file="film-scan.tif", preset="film-scan", story="a yellowed, scratched print, scanned"),
    Sample(file="grey-film.png", preset="natural", story="a black-and-white print, 8-bit grey"),
    Sample(file="low-light.jpg", preset="low-light", story="a phone at night, held upright"),
    Sample(file="messenger.webp", preset="natural", story="forwarded twice"),
    Sample(file="avatar.png", preset="standard", story="an avatar, all that is left", small=True),
    Sample(file="backlit.jpg", preset="natural", story="against the window"),
    Sample(file="ai-portrait.webp", preset="ai-portrait", story="generated, one eye broken"),
    Sample(file="spectacles.jpg", preset="natural", story="a thumbnail out of a message", small=True),
)
"""In the order in which the sheet shows them; how they were made: examples/make_samples.py."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A sample, its face before and after, and the sizes of the whole picture."""

    sample: Sample
    face: FaceOutcome
    before: Size
    after: Size


def demo(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        LikenessError: if the model or a sample cannot be used, or a file not be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    outputs = [flags.out / name for name in (_SHEET, *(sample.file for sample in SAMPLES))]
    console.ledger.claim(outputs, overwrite=flags.overwrite)
    restore_samples(flags.out, flags.model, console)
    console.show(f"Look at {flags.out / _SHEET}: every face before and after. The whole pictures lie beside it.")
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(prog="likeness demo", usage="likeness demo [OUT] [flags]", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "out", metavar="OUT", nargs="?", type=Path, default=Path("out"), help="folder for the results (out)"
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", default="likeness-512", help="a model's name or file (likeness-512)"
    )
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser


def sample_folder() -> Path:
    """Where the samples lie: in the installed package, or in the checkout that it runs from."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "samples", package.parents[1] / "examples"):
        if (folder / SAMPLES[0].file).is_file():
            return folder
    raise LikenessError(Notice("cli.no-samples"))


def restore_samples(out: Path, model: str, console: Console) -> list[Row]:
    """Restore each sample into ``out``, one line a picture, and draw the sheet there.

    Raises:
        LikenessError: if the model or a sample cannot be used, or a file not be written.
    """
    from likeness.core.files import make_folder
    from likeness.imaging.files import read_image, write_image
    from likeness.restore.controls import Controls
    from likeness.restore.enlargement import Enlargement
    from likeness.restore.pipeline import Restorer

    folder, rows = sample_folder(), list[Row]()
    make_folder(out)
    with Restorer(model) as restorer:
        console.say(f"{model} on {restorer.runtime.description}")
        for sample in SAMPLES:
            began = time.perf_counter()
            image = read_image(folder / sample.file)
            # A small picture is enlarged until its face shows what the network drew.
            larger = Enlargement(upscale="auto" if sample.small else 1)
            restoration = restorer.restore(image, Controls.preset(sample.preset), enlargement=larger)
            target = out / sample.file
            write_image(restoration.image, target)
            for outcome in restoration.failed:
                raise LikenessError(Notice("cli.sample-failed", {"file": str(sample.file), "reason": outcome.reason}))
            after = restoration.image.size
            rows.extend(Row(sample=sample, face=face, before=image.size, after=after) for face in restoration.restored)
            seconds = time.perf_counter() - began
            sizes = f"{image.size!s:>9} -> {after!s:9}"
            console.say(f"{sample.file:18} {sizes}  --preset {sample.preset:14} {seconds:4.1f} s  -> {target}")
    write_image(draw_sheet(rows), out / _SHEET, quality=92)
    return rows


def draw_sheet(rows: Sequence[Row]) -> Image:
    """The aligned faces, before and after side by side, two pairs a line."""
    import numpy as np
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    from likeness.imaging.image import Image

    width, height = 2 * _SIDE + _GAP, _SIDE + _CAPTION + _GAP
    lines = -(-len(rows) // _COLUMNS)
    sheet = PillowImage.new("RGB", (_COLUMNS * (width + _GAP) + _GAP, lines * height + _GAP), (38, 38, 38))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=17)
    for number, row in enumerate(rows):
        left, top = _GAP + number % _COLUMNS * (width + _GAP), _GAP + number // _COLUMNS * height
        text = f"{row.sample.story}  ·  preset {row.sample.preset}"
        if row.after != row.before:
            text += f"  ·  {row.before} to {row.after}"
        draw.text((left + 2, top + _CAPTION / 2), text, fill=(230, 230, 230), font=font, anchor="lm")
        for place, image in enumerate((row.face.before, row.face.after)):
            if image is None:
                raise ValueError(f"{row.sample.file}: the face was not restored")
            tile = image.to_pil().convert("RGB").resize((_SIDE, _SIDE), PillowImage.Resampling.LANCZOS)
            sheet.paste(tile, (left + place * (_SIDE + 4), top + _CAPTION))
    return Image.from_uint8(np.asarray(sheet))
