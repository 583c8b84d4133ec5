"""``likeness proof``: before and after for a client, as a sheet and as a page with a slider."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, pixel_count, verbosity
from likeness.cli.table import counted
from likeness.errors import LikenessError

if TYPE_CHECKING:
    from likeness.cli.proof_plan import ProofJob, ProofPlan
    from likeness.faces.face import Face
    from likeness.imaging.image import Image
    from likeness.studio.answers import Asking
    from likeness.studio.captions import Captions
    from likeness.studio.pairs import Pair
    from likeness.studio.proof import ProofOptions
    from likeness.studio.proof_index import IndexEntry

__all__ = ["make_parser", "proof"]

_DESCRIPTION = """\
Show a client before and after: a sheet (a picture), and a page with a slider that needs no other file.

BEFORE and AFTER are two pictures, or two folders, whose pictures are matched by name: results of likeness restore are
called output_NAME, too. After likeness batch IN OUT, say likeness proof IN OUT: its journal knows which picture became
which and how, and the proofs go to OUT/proofs; small faces are shown as likeness deliver makes them, restored again from
the original, larger. Folders get an index with all proofs on one page. A proof is reduced in
size, so that it does not pass for a delivery."""

_EPILOG = """\
exit status:
  0    every proof was written
  1    at least one was not, or a picture of either folder has no counterpart; the others were written. Pictures that
       likeness batch left alone or put into review are counted, and no error
  2    nothing was begun: a flag, a value or a file name cannot be used
  130  interrupted; what was finished is complete

examples:
  likeness proof photo.jpg output_photo.jpg
  likeness proof monday/ out/ --studio "Studio Lumen"
  likeness proof family/ output_family/ -o proofs/ --report report.json --studio "Studio Lumen" --watermark PROOF
  likeness proof photo.jpg output_photo.jpg --language zh --caption-kept "皱纹与痣全部保留"
"""


_GAIN = 1.25
"""How many times as large a result has to be that is made again for a proof."""


def proof(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status: 0 all written, 1 something failed or has no counterpart.

    Raises:
        ConfigError: for values, names and characters that cannot be used; nothing was written then.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.cli.ordered import reported_in_order
    from likeness.cli.proof_plan import plan_proofs
    from likeness.studio.fonts import find_typeface
    from likeness.studio.proof import ProofOptions

    options = ProofOptions(
        language=flags.language,
        studio=flags.studio,
        watermark=flags.watermark,
        side=flags.size,
        max_faces=flags.max_faces,
    )
    asked = plan_proofs(
        flags.before,
        flags.after,
        flags.output,
        report=flags.report,
        sheet="" if flags.page_only else f".{flags.format}",
        page=not flags.sheet_only,
        client=flags.client,
        clients=_clients(flags.clients),
    )
    if flags.reply:
        from likeness.studio.notices.letters import checked_address

        flags.reply = checked_address(flags.reply)
    outputs = (path for job in asked.jobs for path in (job.sheet, job.page) if path is not None)
    console.ledger.claim(outputs, overwrite=flags.overwrite)
    # Own text that no font can draw is better refused now than after half of the proofs.
    # A page is drawn with the reader's own.
    lines = () if flags.page_only else (options.studio, flags.caption_done or "", flags.caption_kept or "")
    find_typeface("".join((options.watermark, *lines)), flags.font)
    for sentence in asked.lonely:
        console.error(sentence)
    work = _Proofs(flags=flags, options=options, plan=asked, console=console)
    failed = 0
    began = time.perf_counter()
    indexes: dict[Path, list[tuple[str, IndexEntry]]] = {}
    with closing(reported_in_order(work.make, asked.jobs, console, unit="proof")) as proofs:
        for made in proofs:
            failed += not made.written
            if made.index is not None and made.entry is not None:
                indexes.setdefault(made.index, []).append((made.client, made.entry))
    if len(asked.jobs) > 1 or asked.lonely or asked.waiting:
        left = f", {counted(len(asked.lonely), 'picture')} without a counterpart" if asked.lonely else ""
        console.say(
            f"{len(asked.jobs) - failed} of {len(asked.jobs)} proofs written{left}; {time.perf_counter() - began:.1f} s"
        )
    if asked.waiting:
        console.say(f"without a proof: {asked.waiting}; {flags.after / 'summary.html'} says why")
    for index, entries in indexes.items():
        failed += not work.write_index(index, entries[0][0], [entry for _, entry in entries])
    return 1 if failed or asked.lonely else 0


@dataclass(frozen=True, kw_only=True)
class _Made:
    """Whether a proof was written, and what the index shows of it, if there is to be one."""

    written: bool
    client: str = ""
    index: Path | None = None
    entry: IndexEntry | None = None


class _Proofs:
    """The work on pairs, in any number of threads; none can stop the others."""

    def __init__(self, *, flags: argparse.Namespace, options: ProofOptions, plan: ProofPlan, console: Console) -> None:
        from likeness.batch.redraw import Redrawer
        from likeness.evidence.inspection import Inspector
        from likeness.faces.detect import MediaPipeDetector
        from likeness.imaging.decoding.pool import DecoderPool

        self._flags, self._options, self._plan, self._console = flags, options, plan, console
        self._decoder = DecoderPool()
        self._decoder.start()
        self._detector = MediaPipeDetector()
        self._inspector = Inspector(detector=self._detector)
        again = None if flags.as_finished else plan.journal
        self._redrawer = None if again is None else Redrawer(again, self._decoder)
        self._large = threading.Lock()

    def make(self, job: ProofJob) -> _Made:
        """Write one proof; what went wrong is told."""
        from likeness.cli.ordered import on_its_own

        with on_its_own(self._console, str(job.pair.before)):
            return _Made(written=True, client=job.client, index=job.index, entry=self._make(job))
        return _Made(written=False)

    def _make(self, job: ProofJob) -> IndexEntry | None:
        from likeness.cli.ordered import LARGE
        from likeness.imaging.files import DEFAULT_MAX_PIXELS
        from likeness.studio.proof import enlarged_by

        limit = DEFAULT_MAX_PIXELS if self._flags.max_pixels is None else self._flags.max_pixels
        before = self._decoder.read(job.pair.before, max_pixels=limit)
        faces = self._detector.detect(before)
        upscale = 1.0 if self._redrawer is None else enlarged_by(faces, self._options)
        with self._large if before.size.pixels * upscale**2 > LARGE else nullcontext():
            return self._draw(job, before, self._decoder.read(job.pair.after, max_pixels=limit), faces, upscale)

    def _draw(
        self, job: ProofJob, before: Image, after: Image, faces: Sequence[Face], upscale: float
    ) -> IndexEntry | None:
        from likeness.core.files import make_folder, write_text_atomically
        from likeness.imaging.files import write_image
        from likeness.studio.fonts import find_typeface
        from likeness.studio.proof import make_proof
        from likeness.studio.proof_index import entry_of
        from likeness.studio.proof_page import proof_page
        from likeness.studio.sheet import sheet, sheet_text

        report = self._plan.report
        record = None if report is None else report.record(job.pair.before, job.pair.after)
        captions = self._captions(job.pair, record, before, after, faces)
        options, font = self._options, self._flags.font
        mark = find_typeface(options.watermark, font) if options.watermark else None
        name = job.picture
        shown = self._drawn(job.pair, after, upscale * before.size.width / after.size.width)
        made = make_proof(before, shown, faces, captions, options, name=name, typeface=mark, record=record)
        written: list[str] = []
        if job.sheet is not None:
            drawn = sheet(made, find_typeface(sheet_text(made), font))
            make_folder(job.sheet.parent)
            write_image(drawn, job.sheet, quality=92)
            written.append(str(job.sheet))
        if job.page is not None:
            make_folder(job.page.parent)
            up = "" if job.index is None else quote(relpath(job.index, job.page.parent).replace("\\", "/"))
            write_text_atomically(proof_page(made, self._asking(job.client), index=up), job.page)
            written.append(str(job.page))
        self._console.say(f"{job.pair.before} and {job.pair.after} -> {', '.join(written)}")
        leads_to = job.page or job.sheet
        if job.index is None or leads_to is None or self._left_out(job.pair):
            return None
        return entry_of(made, leads_to.relative_to(job.index.parent).as_posix())

    def _asking(self, client: str) -> Asking | None:
        from likeness.studio.answers import Asking

        return None if self._flags.no_answers else Asking(client=client, reply=self._flags.reply)

    def _drawn(self, pair: Pair, after: Image, scale: float) -> Image:
        """The result as a delivery would have it: a small face from the network's own answer, where the batch can say how.

        Args:
            pair: the files.
            after: the result as it is.
            scale: how many times as large as that it is wanted.
        """
        if self._redrawer is None or scale < _GAIN:
            return after
        made = self._redrawer.redraw(pair.after, after.size, scale)
        if made.why:
            self._console.warn(f"{pair.after}: {made.why}")
        if made.image is None:
            return after
        self._console.say(f"{pair.after}: restored again from its original, {made.drawn:.3g} times as large")
        return made.image

    def _left_out(self, pair: Pair) -> bool:
        """Whether the index does without this proof, as a face came out bad; that is told."""
        from likeness.restore.report import level_of

        record = None if self._plan.report is None else self._plan.report.record(pair.before, pair.after)
        if self._flags.include_bad or record is None or level_of(record["faces"]) != "bad":
            return False
        self._console.warn(f"{pair.after}: a face came out bad, so the index leaves it out; --include-bad shows it")
        return True

    def write_index(self, path: Path, client: str, entries: Sequence[IndexEntry]) -> bool:
        """Whether it was written; what went wrong is told."""
        from likeness.core.files import write_text_atomically
        from likeness.studio.proof_index import index_page, is_index

        try:
            if path.exists() and not is_index(path):
                self._console.warn(f"{path} is a page of your own, and stays: the proofs have no index")
                return True
            write_text_atomically(index_page(entries, self._options, self._asking(client)), path)
        except (LikenessError, OSError) as error:
            self._console.error(f"{path}: {error}")
            return False
        self._console.say(f"all proofs{f' of {client}' if client else ''} on one page: {path}")
        return True

    def _captions(
        self, pair: Pair, record: Mapping[str, Any] | None, before: Image, after: Image, faces: Sequence[Face]
    ) -> Captions:
        """Own lines where there are any; else what the report says, and what is measured here if it says nothing."""
        from likeness.studio.captions import Captions, done_line, figures_line, kept_line, untouched

        flags, language = self._flags, self._options.language
        if self._plan.report is not None and record is None:
            self._console.warn(f"{pair.after} is not in the report; the proof does not say how it was made")
        done, kept = flags.caption_done, flags.caption_kept
        if done is None:
            done = done_line(language, record, len(faces))
        if kept is not None:
            return Captions(done=done, kept=kept)
        found, share = self._figures(record, before, after, faces), untouched(before, after)
        return Captions(
            done=done,
            kept=kept_line(language, found, share, record),
            figures=figures_line(language, found, share),
        )

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
            return [figure.to_dict() for figure in self._inspector.kept_figures(before, after, largest_face)]
        except ValueError as error:
            self._console.warn(f"no figures for the caption: {error}")
            return ()


def _clients(path: Path | None) -> dict[str, str]:
    """Whose pictures are, by the names of their files."""
    if path is None:
        return {}
    from likeness.cli.refused import read_clients

    return {name: known.client for name, known in read_clients(path).items()}


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness proof",
        usage="likeness proof BEFORE AFTER [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("before", metavar="BEFORE", type=Path, help="a picture, a folder, or a batch's list")
    parser.add_argument("after", metavar="AFTER", type=Path, help="the restored one, or the folder of results")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a folder, or for one pair a sheet (its page beside it) or a page (here; AFTER/proofs after a batch)",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--sheet-only", action="store_true", help="no page")
    only.add_argument("--page-only", action="store_true", help="no sheet")
    parser.add_argument("--format", choices=("jpg", "png", "tif"), default="jpg", help="of sheets in a folder (jpg)")
    text = parser.add_argument_group("what it says")
    text.add_argument("--language", choices=("en", "zh"), default="en", help="English or Chinese (en)")
    text.add_argument("--studio", default="", metavar="NAME", help="the studio's name, above everything")
    text.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="of likeness restore, or summary.json of a batch: says preset and strength (a batch's own journal)",
    )
    text.add_argument("--caption-done", metavar="TEXT", help="own first line: what was done")
    text.add_argument("--caption-kept", metavar="TEXT", help='own second line: what was kept; "" leaves it out')
    text.add_argument(
        "--font", type=Path, metavar="FILE", help="font of sheet and watermark (built in, then the system's)"
    )
    asked = parser.add_argument_group("what the client answers: Yes, Change or No")
    asked.add_argument("--client", default="", metavar="NAME", help="whose the pictures are (the batch's list says)")
    asked.add_argument("--clients", type=Path, metavar="CSV", help="columns file, email and client, as for notify")
    asked.add_argument("--reply", default="", metavar="ADDRESS", help="the studio's, to which the page offers to write")
    asked.add_argument("--no-answers", action="store_true", help="no buttons")
    shown = parser.add_argument_group("what it shows")
    shown.add_argument("--watermark", default="", metavar="TEXT", help="a line tiled over every picture")
    shown.add_argument(
        "--size", type=int, default=1000, metavar="PX", help="long side of each picture, 320 to 1600 (1000)"
    )
    shown.add_argument(
        "--include-bad", action="store_true", help="the index shows results in which a face came out bad as well"
    )
    shown.add_argument("--max-faces", type=int, default=2, metavar="N", help="faces that are shown enlarged (2)")
    parser.add_argument(
        "--as-finished",
        action="store_true",
        help="of a batch: show small faces as the files have them, not restored again",
    )
    parser.add_argument("--max-pixels", type=pixel_count, metavar="N", help="do not read larger pictures; 200M (100M)")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser
