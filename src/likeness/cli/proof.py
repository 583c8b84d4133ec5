"""``likeness proof``: before and after for a client, as a sheet and as a page with a slider."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.console import Console
from likeness.cli.restore import Parser, add_verbosity, pixel_count, verbosity
from likeness.errors import ConfigError, ImageWriteError, LikenessError

if TYPE_CHECKING:
    from likeness.evidence.inspection import Inspector
    from likeness.faces.detect import Detector
    from likeness.faces.face import Face
    from likeness.imaging.image import Image
    from likeness.studio.captions import Captions
    from likeness.studio.pairs import Pair
    from likeness.studio.proof import ProofOptions

__all__ = ["proof"]

_DESCRIPTION = """\
Show a client before and after: a sheet (a picture), and a page with a slider that needs no other file.

BEFORE and AFTER are two pictures, or two folders, whose pictures are matched by name: results of likeness restore
(output_NAME in the same place, too) and of likeness batch (in AFTER/final). A proof is reduced in size, so that it does
not pass for a delivery."""

_EPILOG = """\
exit status:
  0    every proof was written
  1    at least one was not, or a picture of either folder has no counterpart; the others were written
  2    nothing was begun: a flag, a value or a file name cannot be used
  130  interrupted; what was finished is complete

examples:
  likeness proof photo.jpg output_photo.jpg
  likeness proof family/ output_family/ -o proofs/ --report report.json --studio "Studio Lumen" --watermark PROOF
  likeness proof photo.jpg output_photo.jpg --language zh --caption-kept "皱纹与痣全部保留"
"""

_SHEETS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A pair, and what is made of it; None for what is not wanted."""

    pair: Pair
    sheet: Path | None
    page: Path | None


def proof(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status: 0 all written, 1 something failed or has no counterpart.

    Raises:
        ConfigError: for values, names and characters that cannot be used; nothing was written then.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = _parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.studio.captions import read_report
    from likeness.studio.fonts import find_typeface
    from likeness.studio.pairs import match_pairs
    from likeness.studio.proof import ProofOptions

    options = ProofOptions(
        language=flags.language,
        studio=flags.studio,
        watermark=flags.watermark,
        side=flags.size,
        max_faces=flags.max_faces,
    )
    report = None if flags.report is None else read_report(flags.report)
    pairs = match_pairs(flags.before, flags.after)
    jobs = _plan(pairs.matched, flags)
    # Own text that no font can draw is better refused now than after half of the proofs.
    find_typeface(
        f"{options.studio}{options.watermark}{flags.caption_done or ''}{flags.caption_kept or ''}", flags.font
    )
    for path in pairs.without_after:
        console.error(f"{path} has no result in {flags.after}")
    for path in pairs.without_before:
        console.error(f"{path} has no picture in {flags.before}")
    work = _Proofs(flags=flags, options=options, report=report, console=console)
    failed = 0
    began = time.perf_counter()
    with console.progress(jobs, unit="proof") as pending:
        for job in pending:
            failed += not work.make(job)
    lonely = len(pairs.without_after) + len(pairs.without_before)
    if len(jobs) > 1 or lonely:
        left = f", {lonely} pictures without a counterpart" if lonely else ""
        console.say(f"{len(jobs) - failed} of {len(jobs)} proofs written{left}; {time.perf_counter() - began:.1f} s")
    return 1 if failed or lonely else 0


class _Proofs:
    """The work on one pair after the other, none of which can stop the others."""

    def __init__(
        self, *, flags: argparse.Namespace, options: ProofOptions, report: Mapping[str, Any] | None, console: Console
    ) -> None:
        self._flags, self._options, self._report, self._console = flags, options, report, console

    def make(self, job: _Job) -> bool:
        """Whether the proof was written; what went wrong is told."""
        name = str(job.pair.before)
        self._console.subject = name
        try:
            self._make(job)
        except (LikenessError, OSError) as error:
            sentence = str(error)
            self._console.error(sentence if name in sentence else f"{name}: {sentence}")
        except MemoryError:
            self._console.error(f"{name}: not enough memory for this pair; close other programs")
        except Exception as error:
            # A bug of ours: it must be seen and counted, but not cost the studio the other 500 proofs.
            self._console.unexpected(error, subject=name)
        else:
            return True
        finally:
            self._console.subject = ""
        return False

    @cached_property
    def _detector(self) -> Detector:
        from likeness.faces.detect import MediaPipeDetector

        return MediaPipeDetector()

    @cached_property
    def _inspector(self) -> Inspector:
        from likeness.evidence.inspection import Inspector

        return Inspector(detector=self._detector)

    def _make(self, job: _Job) -> None:
        from likeness.imaging.files import DEFAULT_MAX_PIXELS, read_image, write_image, write_text_atomically
        from likeness.studio.fonts import find_typeface
        from likeness.studio.proof import make_proof
        from likeness.studio.proof_page import proof_page
        from likeness.studio.sheet import sheet, sheet_text

        limit = DEFAULT_MAX_PIXELS if self._flags.max_pixels is None else self._flags.max_pixels
        before, after = (read_image(path, max_pixels=limit) for path in (job.pair.before, job.pair.after))
        faces = self._detector.detect(before)
        captions = self._captions(job.pair, before, after, faces)
        options, font = self._options, self._flags.font
        mark = find_typeface(options.watermark, font) if options.watermark else None
        name = job.pair.before.name
        made = make_proof(before, after, faces, captions, options, name=name, typeface=mark)
        written: list[str] = []
        if job.sheet is not None:
            drawn = sheet(made, find_typeface(sheet_text(made), font))
            _make_folder(job.sheet.parent)
            write_image(drawn, job.sheet, quality=92)
            written.append(str(job.sheet))
        if job.page is not None:
            _make_folder(job.page.parent)
            write_text_atomically(proof_page(made), job.page)
            written.append(str(job.page))
        self._console.say(f"{job.pair.before} and {job.pair.after} -> {', '.join(written)}")

    def _captions(self, pair: Pair, before: Image, after: Image, faces: Sequence[Face]) -> Captions:
        """Own lines where there are any; else what the report says, and what is measured here if it says nothing."""
        from likeness.studio.captions import Captions, done_line, kept_line, record_of, untouched

        flags, language = self._flags, self._options.language
        record = None if self._report is None else record_of(self._report, pair.before, pair.after)
        if self._report is not None and record is None:
            self._console.warn(
                f"{pair.after} is not in the report {flags.report}; the proof does not say how it was made"
            )
        done, kept = flags.caption_done, flags.caption_kept
        if done is None:
            done = done_line(language, record, len(faces))
        if kept is None:
            kept = kept_line(language, self._figures(record, before, after, faces), untouched(before, after))
        return Captions(done=done, kept=kept)

    def _figures(
        self, record: Mapping[str, Any] | None, before: Image, after: Image, faces: Sequence[Face]
    ) -> Sequence[Mapping[str, Any]]:
        """Of the largest face."""
        reported = [face for face in (record or {}).get("faces", ()) if face.get("evidence")]
        if reported:
            largest = max(reported, key=lambda face: float(face.get("native_side") or 0))
            return largest["evidence"]["figures"]
        if not faces:
            return ()
        largest_face = max(faces, key=lambda face: face.box.area)
        try:
            return self._inspector.inspect_face(before, after, largest_face).to_dict()["figures"]
        except ValueError as error:
            self._console.warn(f"no figures for the caption: {error}")
            return ()


def _plan(pairs: Sequence[Pair], flags: argparse.Namespace) -> tuple[_Job, ...]:
    """Which files will be written, checked before any work."""
    wants_sheet, wants_page = not flags.page_only, not flags.sheet_only
    typed: str = flags.output or "."
    output = Path(typed).expanduser()
    if output.suffix and not output.is_dir() and not typed.endswith("/"):
        jobs = [_single(pairs, output, wants_sheet, wants_page)]
    else:
        jobs = [_job(pair, output, f".{flags.format}", wants_sheet, wants_page) for pair in pairs]
    taken = {path.resolve() for pair in pairs for path in (pair.before, pair.after)}
    written: dict[Path, Path] = {}
    for job in jobs:
        for path in (job.sheet, job.page):
            if path is None:
                continue
            if path.resolve() in taken:
                raise ConfigError(
                    f"{path} is one of the pictures and would be overwritten; choose another name with -o"
                )
            if path.resolve() in written:
                first = written[path.resolve()]
                raise ConfigError(f"{first} and {job.pair.before} would both write {path}; give them apart")
            written[path.resolve()] = job.pair.before
    return tuple(jobs)


def _single(pairs: Sequence[Pair], output: Path, wants_sheet: bool, wants_page: bool) -> _Job:
    if len(pairs) > 1:
        raise ConfigError(f"-o {output} is a file, and there are {len(pairs)} pairs: name a folder, or end it in /")
    if not output.parent.is_dir():
        raise ConfigError(f"-o {output}: the folder {output.parent} does not exist; make it first")
    suffix = output.suffix.lower()
    if suffix in (".html", ".htm"):
        return _Job(pair=pairs[0], sheet=None, page=output)
    if suffix not in _SHEETS:
        raise ConfigError(f"-o {output}: a proof is a picture ({', '.join(_SHEETS)}) or a page (.html)")
    page = output.with_suffix(".html") if wants_page else None
    return _Job(pair=pairs[0], sheet=output if wants_sheet else None, page=page)


def _job(pair: Pair, folder: Path, suffix: str, wants_sheet: bool, wants_page: bool) -> _Job:
    base = folder / pair.inside.with_name(f"proof_{pair.inside.stem}")
    return _Job(
        pair=pair,
        sheet=base.with_name(base.name + suffix) if wants_sheet else None,
        page=base.with_name(f"{base.name}.html") if wants_page else None,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(f"the folder {folder} cannot be made ({error.strerror}); choose another one") from error


def _parser() -> Parser:
    parser = Parser(
        prog="likeness proof",
        usage="likeness proof BEFORE AFTER [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("before", metavar="BEFORE", type=Path, help="a picture, or a folder of them")
    parser.add_argument("after", metavar="AFTER", type=Path, help="the restored one, or the folder of results")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="a folder, or for one pair a sheet (its page beside it) or a page"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--sheet-only", action="store_true", help="no page")
    only.add_argument("--page-only", action="store_true", help="no sheet")
    parser.add_argument("--format", choices=("jpg", "png", "tif"), default="jpg", help="of sheets in a folder (jpg)")
    text = parser.add_argument_group("what it says")
    text.add_argument("--language", choices=("en", "zh"), default="en", help="English or Chinese (en)")
    text.add_argument("--studio", default="", metavar="NAME", help="the studio's name, above everything")
    text.add_argument(
        "--report", type=Path, metavar="FILE", help="of likeness restore: says preset, strength and figures"
    )
    text.add_argument("--caption-done", metavar="TEXT", help="own first line: what was done")
    text.add_argument("--caption-kept", metavar="TEXT", help='own second line: what was kept; "" leaves it out')
    text.add_argument(
        "--font", type=Path, metavar="FILE", help="font of sheet and watermark (built in, then the system's)"
    )
    shown = parser.add_argument_group("what it shows")
    shown.add_argument("--watermark", default="", metavar="TEXT", help="a line tiled over every picture")
    shown.add_argument(
        "--size", type=int, default=1000, metavar="PX", help="long side of each picture, 320 to 1600 (1000)"
    )
    shown.add_argument("--max-faces", type=int, default=2, metavar="N", help="faces that are shown enlarged (2)")
    parser.add_argument("--max-pixels", type=pixel_count, metavar="N", help="do not read larger pictures; 200M (100M)")
    add_verbosity(parser)
    return parser
