"""``likeness check``: what is the matter with pictures, before any work on them."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.console import Console, cleaned
from likeness.cli.flags import Parser, add_findings, add_overwrite, add_verbosity, pixel_count, verbosity
from likeness.cli.table import table
from likeness.errors import ConfigError, FileWriteError, LikenessError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.faces.detect import MediaPipeDetector
    from likeness.faces.face import Face
    from likeness.faces.findings import Finding, Limits
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.imaging.image import Size

__all__ = ["SCHEMA", "check", "make_parser"]

SCHEMA = 1
"""Number of the JSON file's structure; raised when a key changes its meaning or goes away."""

_DESCRIPTION = """\
Say what is the matter with pictures, and what to do about it, before any work. Nothing is changed.

INPUT is what likeness restore takes: a picture, a folder (with its subfolders), a quoted pattern, or - for standard
input. Findings go to standard output; each has a code, which docs/check.md explains."""

_EPILOG = """\
exit status:
  0    no picture is refused; there may be warnings and notes
  1    at least one picture is refused: unreadable, too small, without a face, or by --refuse
  2    nothing was begun: a flag, a value or a file name cannot be used
  130  interrupted

examples:
  likeness check client/ --json client/check.json
  likeness check "scans/*.tif" --ignore grey,several-faces
  likeness check avatar.png --min-size 100 --refuse eyes-closed,drawing"""

_COLOURS = {"refuse": "31", "warn": "33", "note": "36", "fine": "32"}
"""ANSI colours of the levels, on a terminal only."""


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """One picture and what is the matter with it."""

    name: str
    findings: tuple[Finding, ...]
    faces: tuple[Face, ...] = ()
    size: Size | None = None

    @property
    def status(self) -> str:
        """ "refuse", "warn" or "fine"."""
        from likeness.faces.findings import picture_status

        return picture_status(self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "input": self.name,
            "status": self.status,
            "width": self.size.width if self.size else None,
            "height": self.size.height if self.size else None,
            "faces": [{"index": index, **asdict(face.box.rounded())} for index, face in enumerate(self.faces)],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def check(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status: 0 no picture is refused, 1 at least one is, or the JSON file could not be written.

    Raises:
        ConfigError: for inputs, values and codes that cannot be used; nothing was read then.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_intermixed_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.cli.plan import find_inputs, refuse_collisions, refuse_keyboard
    from likeness.faces.detect import MediaPipeDetector
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.imaging.files import DEFAULT_MAX_PIXELS

    limits = _limits(flags)
    max_pixels = DEFAULT_MAX_PIXELS if flags.max_pixels is None else flags.max_pixels
    if max_pixels < 1:
        raise ConfigError(Notice("cli.max-pixels", {"max_pixels": max_pixels}))
    sources = find_inputs(flags.inputs)
    refuse_keyboard(sources, "likeness check")
    if flags.json is not None and not flags.json.parent.is_dir():
        raise ConfigError(Notice("cli.json-folder", {"json": flags.json, "parent": str(flags.json.parent)}))
    if flags.json is not None:
        refuse_collisions((source for source in sources if source is not None), [(flags.json, "--json")])
        console.ledger.claim([flags.json], overwrite=flags.overwrite)
    decoder = DecoderPool()
    decoder.start()
    detector = MediaPipeDetector()
    page = _Page(coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"), quiet=console.verbosity < 0)
    done: list[_Checked] = []
    began = time.perf_counter()
    written = True
    try:
        with decoder, _decoding_quietly(console), console.progress(sources, unit="picture") as pending:
            for source in pending:
                done.append(_look(source, decoder, detector, limits, max_pixels, console))
                text = page.picture(done[-1])
                if text:
                    console.show(text, painted=True)
    finally:
        if flags.json is not None:
            written = _write(flags.json, done, limits, len(done) < len(sources), console)
    if len(sources) > 1:
        console.show(page.summary(done, time.perf_counter() - began))
    return 1 if not written or any(item.status == "refuse" for item in done) else 0


def _limits(flags: argparse.Namespace) -> Limits:
    from likeness.faces.findings import Limits

    typed = {"min_side": flags.min_size, "min_face": flags.min_face, "max_yaw": flags.max_yaw}
    given = {name: value for name, value in typed.items() if value is not None}
    return replace(Limits(refuse=frozenset(flags.refuse), ignore=frozenset(flags.ignore)), **given)


def _look(
    source: Path | None,
    decoder: DecoderPool,
    detector: MediaPipeDetector,
    limits: Limits,
    max_pixels: int,
    console: Console,
) -> _Checked:
    """Look at one picture; whatever goes wrong with it becomes a finding."""
    from likeness.faces.face import reading_order
    from likeness.faces.preflight import preflight, unreadable

    name = "-" if source is None else str(source)
    try:
        image = decoder.read(
            sys.stdin.buffer if source is None else source,
            max_pixels=max_pixels,
            name="standard input" if source is None else name,
        )
        faces = reading_order(detector.detect(image))
        return _Checked(name=name, findings=preflight(image, faces, limits), faces=faces, size=image.size)
    except (LikenessError, OSError) as error:
        return _Checked(name=name, findings=(unreadable(error),))
    except MemoryError:
        sentence = "not enough memory for this picture; close other programs or make it smaller"
        return _Checked(name=name, findings=(unreadable(sentence),))
    except Exception as error:
        # A bug of ours: it must be seen and counted, but not cost the studio the other 500 pictures.
        console.unexpected(error, subject=name)
        return _Checked(name=name, findings=(unreadable(f"unexpected {type(error).__name__}: {error}"),))


@contextmanager
def _decoding_quietly(console: Console) -> Generator[None]:
    """What the decoders remark on a file is a finding here, and need not be said twice."""
    logger = logging.getLogger("likeness.imaging")
    level = logger.level
    logger.setLevel(level if console.verbose else logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Page:
    """Findings as text."""

    def __init__(self, *, coloured: bool, quiet: bool) -> None:
        self._coloured = coloured
        self._quiet = quiet
        # Lines are broken for a person's eyes only; in a file or a pipe each finding is one line.
        self._width = max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None

    def picture(self, item: _Checked) -> str:
        """The lines of a picture; empty with ``-q`` for one that is fine."""
        if item.status == "fine":
            notes = ", ".join(sorted({finding.code for finding in item.findings}))
            return (
                "" if self._quiet else f"{cleaned(item.name)}: {self._paint('fine', 'fine')}{notes and f' ({notes})'}"
            )
        word = {"refuse": "refused", "warn": "look at it"}[item.status]
        lines = [f"{cleaned(item.name)}: {self._paint(word, item.status)}"]
        told: dict[str, list[Finding]] = {}
        for finding in item.findings:
            if not (self._quiet and finding.level == "note"):
                told.setdefault(finding.code, []).append(finding)
        for code, findings in told.items():
            first, *others = findings
            where = "" if first.face is None else f"face {first.face + 1}: "
            numbers = ", ".join(str(other.face + 1) for other in others if other.face is not None)
            more = f" (also face{'s' if len(others) > 1 else ''} {numbers})"
            message = f"{where}{first.message}{_figures(first)}{more if others else ''}"
            lines.append(self._row(first.level, code, cleaned(message)))
        return "\n".join(lines)

    def _row(self, level: str, code: str, message: str) -> str:
        head = f"  {level:6}  {code:16}  "
        if self._width is not None:
            message = textwrap.fill(message, self._width, initial_indent=head, subsequent_indent=" " * len(head))
            message = message[len(head) :]
        return f"  {self._paint(f'{level:6}', level)}  {code:16}  {message}"

    def summary(self, done: Sequence[_Checked], seconds: float) -> str:
        """How many pictures are fine, and how often each finding was made."""
        count = {status: sum(item.status == status for item in done) for status in ("fine", "warn", "refuse")}
        line = (
            f"{len(done)} pictures: {count['fine']} fine, {count['warn']} to look at, {count['refuse']} refused; "
            f"{seconds:.1f} s"
        )
        rows = [(code, level, str(len(pictures)), str(faces or "-")) for code, level, pictures, faces in _counts(done)]
        return f"\n{line}\n\n{table(('finding', 'level', 'pictures', 'faces'), rows)}" if rows else f"\n{line}"

    def _paint(self, text: str, kind: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._coloured else text


def _figures(finding: Finding) -> str:
    """Such as " [0.12, limit 0.15]"; nothing where the sentence says it all."""
    if finding.figure is None or finding.limit is None or finding.unit == "count":
        return ""
    unit = f" {finding.unit}" if finding.unit in ("px", "degrees", "stops") else ""
    return f" [{finding.figure:.3g}, limit {finding.limit:g}{unit}]"


def _counts(done: Sequence[_Checked]) -> list[tuple[str, str, set[str], int]]:
    """Per code, in the order of the codes: its level, the pictures it was found in, and how many faces."""
    from likeness.faces.findings import CODES

    result: list[tuple[str, str, set[str], int]] = []
    for code in CODES:
        hits = [(item.name, finding) for item in done for finding in item.findings if finding.code == code]
        if hits:
            faces = sum(finding.face is not None for _, finding in hits)
            result.append((code, hits[0][1].level, {name for name, _ in hits}, faces))
    return result


def _write(path: Path, done: Sequence[_Checked], limits: Limits, interrupted: bool, console: Console) -> bool:
    """Write the JSON file, also of a run that was broken off."""
    from likeness.core.files import write_text_atomically

    record = {
        "schema": SCHEMA,
        "likeness": version("likeness"),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "interrupted": interrupted,
        "limits": {
            name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(limits).items()
        },
        "summary": {
            "pictures": len(done),
            **{status: sum(item.status == status for item in done) for status in ("fine", "warn", "refuse")},
            "findings": {code: len(pictures) for code, _, pictures, _ in _counts(done)},
        },
        "pictures": [item.to_dict() for item in done],
    }
    try:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        write_text_atomically(text, path)
    except FileWriteError as error:
        console.error(str(error))
        return False
    return True


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness check",
        usage="likeness check INPUT... [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="pictures, folders, quoted patterns, or -")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every finding with its figures")
    parser.add_argument("--min-size", type=float, metavar="PX", help="refuse a shorter side than this (150)")
    parser.add_argument("--min-face", type=float, metavar="PX", help="warn of faces narrower than this (48)")
    parser.add_argument("--max-yaw", type=float, metavar="DEG", help="warn of heads turned further than this (30)")
    add_findings(parser.add_argument, ignore="do not tell these")
    parser.add_argument("--max-pixels", type=pixel_count, metavar="N", help="do not read larger pictures; 200M (100M)")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser
