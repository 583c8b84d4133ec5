"""``likeness inspect``: what became of a portrait, in figures with plain verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.table import table
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.evidence.figures import FaceEvidence, Figure, Inspection

__all__ = ["inspect", "make_parser"]

_DESCRIPTION = """\
Measure what restoration, by any tool or hand, did to a portrait: hair edge, highlights, iris, skin, identity, geometry,
colour, edges. Faces are found in BEFORE; AFTER has the same size, or is enlarged or reduced as a whole."""

_EPILOG = """\
verdicts:
  good    as it should be
  look    a person should look at it
  bad     a fault that is seen
  -       could not be judged; the line says why

exit status:
  0    measured, whatever the verdicts
  1    a picture could not be read, holds no face, or the two do not fit; with --strict also: a verdict is bad
  2    nothing was begun: a flag or a file name cannot be used

examples:
  likeness inspect photo.jpg output_photo.jpg
  likeness inspect scan.tif retouched.png --html evidence.html --json evidence.json"""


def inspect(argv: Sequence[str], console: Console) -> int:
    """Compare a picture before and after; print the table, and write what was asked for.

    Returns:
        0; with ``--strict`` 1 if a verdict is bad.

    Raises:
        ConfigError: for options that contradict each other.
        ImageReadError, ImageTooLargeError, NoFaceError, PairError: if the pictures cannot be compared.
        FileWriteError: if a file cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    to_stdout = flags.json is not None and str(flags.json) == "-"
    if flags.html is not None and str(flags.html) == "-":
        raise ConfigError(Notice("cli.html-file"))
    from likeness.cli.batch_results import report_around, report_at
    from likeness.cli.plan import refuse_collisions

    outputs = [
        (path, name)
        for path, name in ((flags.json, "--json"), (flags.html, "--html"))
        if path is not None and str(path) != "-"
    ]
    refuse_collisions((flags.before, flags.after), outputs)
    report = report_around(flags.after) if flags.report is None else report_at(flags.report)
    console.ledger.claim([path for path, _ in outputs], overwrite=flags.overwrite)
    from likeness.imaging.decoding.pool import DecoderPool

    with DecoderPool() as decoder:
        decoder.start()
        from likeness.core.files import write_text_atomically
        from likeness.evidence.inspection import inspect as measure
        from likeness.evidence.page import write_page

        before, after = decoder.read(flags.before), decoder.read(flags.after)
    found = measure(before, after).with_record(None if report is None else report.record(flags.before, flags.after))
    for note in found.notes:
        console.warn(note)
    content = {"before": str(flags.before), "after": str(flags.after), **found.to_dict()}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    if to_stdout:
        console.show(text)
    else:
        console.show(_text(found))
        if flags.json is not None:
            write_text_atomically(text, flags.json)
    if flags.html is not None:
        write_page(flags.html, found, before=flags.before.name, after=flags.after.name)
        console.say(f"page written to {flags.html}")
    return 1 if flags.strict and found.verdict == "bad" else 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness inspect",
        usage="likeness inspect BEFORE AFTER [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("before", metavar="BEFORE", type=Path, help="the picture as it was")
    parser.add_argument("after", metavar="AFTER", type=Path, help="the restored picture")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help='write the figures as JSON; "-" prints them instead of the table'
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page with the crops side by side, to show and print"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="of likeness restore, or of a batch: says what came from which other photograph (a batch's own journal)",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a verdict is bad")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser


def _text(found: Inspection) -> str:
    parts: list[str] = []
    for face in found.faces:
        head = f"Face {face.index + 1}: {face.box.width:.0f} px wide; {_tally(face)}"
        rows = [_row(figure) for figure in face.figures]
        lent = [f"  detail of {lender.told}" for lender in face.lenders]
        lines = [head, *(f"  note: {note}" for note in face.notes), *lent, "", table(_HEAD, rows)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


_HEAD = ("group", "figure", "before", "after", "verdict", "in words")


def _row(figure: Figure) -> tuple[str, ...]:
    from likeness.evidence.page import shown

    verdict = "-" if figure.verdict == "none" else figure.verdict
    before, after = shown(figure)
    return figure.group, figure.title, before, after, verdict, figure.sentence


def _tally(face: FaceEvidence) -> str:
    from likeness.evidence.page import COUNTED

    return ", ".join(f"{face.count(verdict)} {words}" for verdict, words in COUNTED.items() if face.count(verdict))
