"""The work of ``likeness restore``: pictures one after the other, none of which can stop the others."""

from __future__ import annotations

import glob
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from likeness.cli.console import Console, silence
from likeness.cli.lent import lent_told
from likeness.cli.loading import load_restorer
from likeness.cli.ordered import on_its_own, reported_in_order
from likeness.cli.plan import Job, Targets, plan, refuse_keyboard
from likeness.cli.table import counted
from likeness.cli.verdict_line import IN_LINE, verdict_line
from likeness.core.files import make_folder, write_bytes_atomically
from likeness.core.memory import collect_from_now_on
from likeness.errors import ConfigError, FileWriteError, ImageReadError, ImageWriteError, NoFaceError
from likeness.evidence.face_verdict import LEVELS
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.encode import find_format
from likeness.imaging.files import DEFAULT_MAX_PIXELS, output_suffix, result_suffix, write_image
from likeness.imaging.image import Image
from likeness.imaging.sniff import HEAD_BYTES, sniff_format
from likeness.messages.notice import Notice, reason_of
from likeness.models.catalog import DEFAULT_MODEL
from likeness.repair.repairs import Repairs
from likeness.restore.compare import compare
from likeness.restore.config import Settings
from likeness.restore.job import RestoreJob, read_damage
from likeness.restore.outcome import FaceOutcome, ReferenceSource, Restoration
from likeness.restore.picture_options import PictureOptions
from likeness.restore.records import face_records
from likeness.restore.report import PictureRecord, RunRecord, done_to_picture, write_report

if TYPE_CHECKING:
    from likeness.repair.marks import MarkCounts
    from likeness.restore.pipeline import Restorer

__all__ = ["RestoreOptions", "run"]

_FACES_NAMED = 3
"""How many faces' remarks are shown per picture; a group photograph may have dozens."""


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(PictureOptions):
    """Everything that one run of ``likeness restore`` needs to know.

    Attributes:
        inputs: as typed.
        targets: where results go.
        settings: file and flags together: what the picture's options came from, and what is said of the run.
        fail_on: the verdict on a face from which on the run has not succeeded; None for none.
    """

    inputs: tuple[str, ...]
    targets: Targets
    settings: Settings
    fail_on: Literal["look", "bad"] | None = None

    @property
    def max_pixels(self) -> int:
        return self.settings["max_pixels"] or DEFAULT_MAX_PIXELS


def run(options: RestoreOptions, console: Console) -> int:
    """Restore what the options name.

    Returns:
        the exit status: 0 all restored, 1 something failed (the report included), 4 nothing failed but a face came out as
        `RestoreOptions.fail_on` says, 3 none of these but a picture holds no face.

    Raises:
        LikenessError: if the work cannot begin: then nothing was read or written.
        KeyboardInterrupt: passed on, after the report of what was done was written.
    """
    collect_from_now_on()
    jobs = plan(options.inputs, options.targets)
    refuse_keyboard((job.source for job in jobs), "likeness restore")
    if any(job.target is None for job in jobs) and sys.stdout.isatty():
        raise ConfigError(Notice("cli.to-terminal"))
    mask = options.settings["damage_mask"]
    if mask is not None and len(jobs) > 1:
        raise ConfigError(Notice("cli.one-mask", {"mask": mask, "count": len(jobs)}))
    report = options.targets.report
    if report is not None:
        make_folder(report.parent)
    console.ledger.claim(_outputs(jobs, report), overwrite=options.targets.overwrite)
    for warning in options.controls.warnings:
        console.warn(warning)
    with DecoderPool() as decoder:
        # It starts while the network loads.
        decoder.start()
        return _restore_all(options, console, jobs, _Worker(options, console, decoder))


def _outputs(jobs: Sequence[Job], report: Path | None) -> Iterator[Path]:
    """What will be written, and crops of faces that are there: how many there will be is not known yet."""
    for job in jobs:
        yield from (path for path in (job.target, job.compare) if path is not None)
        if job.faces is not None:
            yield from job.faces.parent.glob(f"{glob.escape(job.faces.name)}_face*_*.png")
    if report is not None:
        yield report


def _restore_all(options: RestoreOptions, console: Console, jobs: Sequence[Job], worker: _Worker) -> int:
    report = options.targets.report
    records: list[PictureRecord] = []

    def one(numbered: tuple[int, Job]) -> PictureRecord:
        number, job = numbered
        return worker.restore(job, f"[{number}/{len(jobs)}] " if len(jobs) > 1 else "")

    began = time.perf_counter()
    interrupted, report_written = True, True
    try:
        numbered = list(enumerate(jobs, start=1))
        with closing(reported_in_order(one, numbered, console, unit="picture", late=records.append)) as restored:
            for record in restored:
                records.append(record)  # noqa: PERF402 - what is done counts, even if the next one is broken off
        interrupted = False
    finally:
        if report is not None:
            report_written = _write_report(report, replace(worker.record, interrupted=interrupted), records, console)
        if interrupted:
            console.notice(f"{len(records)} of {len(jobs)} pictures were done; what was written is complete")
    if len(jobs) > 1:
        console.say(_summary(records, time.perf_counter() - began))
    return _status(records, options.fail_on) if report_written else 1


class _Worker:
    """Restores pictures with one network, in any number of threads."""

    def __init__(self, options: RestoreOptions, console: Console, decoder: DecoderPool) -> None:
        self._options = options
        self._console = console
        # Read before the network is loaded: a file that is missing shall cost no time.
        self._decoder = decoder
        self._damage = read_damage(decoder, options.settings["damage_mask"], max_pixels=options.max_pixels)
        self._inspector = None
        if options.targets.report is not None:
            from likeness.evidence.inspection import Inspector  # what measures is wanted for reports alone

            self._inspector = Inspector()
        self._large = threading.Lock()
        settings = options.settings
        lenders = self._lenders()
        self._restorer = load_restorer(settings, console)
        self._references = None if lenders is None else lenders(self._restorer)
        self.record = RunRecord(
            model=str(settings["model"] or DEFAULT_MODEL),
            runtime=self._restorer.runtime,
            preset=settings["preset"] or "standard",
            controls=options.controls,
            selection=options.selection,
            aligned=options.aligned,
        )

    def _lenders(self) -> Callable[[Restorer], ReferenceSource] | None:
        """What finds the faces in the other photographs that the options name, and that are read now; None without any."""
        settings = self._options.settings
        named, album = settings["references"], settings["album"]
        if named is not None and album is not None:
            raise ConfigError(Notice("cli.reference-or-album"))
        if named is None and album is None:
            return None
        from likeness.cli.lenders import album_at, references_at

        if album is not None:
            return album_at(album, read=self._read, console=self._console)
        trusted = self._options.trust_references
        return references_at(named or (), trusted=trusted, read=self._read, console=self._console)

    def _read(self, path: Path) -> Image:
        return self._decoder.read(path, max_pixels=self._options.max_pixels)

    def restore(self, job: Job, count: str) -> PictureRecord:
        """Restore one picture; whatever goes wrong with it is told, and recorded."""
        with on_its_own(self._console, job.name, count=count) as wrong:
            work = RestoreJob(
                self._restorer,
                self._decoder,
                name=job.name,
                max_pixels=self._options.max_pixels,
                large=self._large,
            )
            with work:
                return replace(self._restore(job, work, count), input=_input(job))
        self._tell_earlier(job)
        return PictureRecord(input=_input(job), status="failed", message=wrong[0])

    def _restore(self, job: Job, work: RestoreJob, count: str) -> PictureRecord:
        options = self._options
        data = _standard_input() if job.source is None else None
        image = work.read(data if data is not None else cast("Path", job.source), options.framing)
        try:
            file_format = find_format(_suffix(job, data)).name
            restoration = work.restore(
                image, options, damage=self._damage, references=self._references, file_format=file_format
            )
        except NoFaceError:
            return self._unrestored(job, work, count, image, data)
        self._tell_faces(job, restoration)
        if not restoration.done:
            return self._unrestored(job, work, count, image, data)
        sheet = None if job.compare is None else compare(image, restoration)
        faces = face_records(image, restoration, self._inspector)
        if self._inspector is not None:
            work.clock.lap("inspect")
        mending = self._mending(image, restoration)
        del image  # of a large picture the result alone is in memory while it is encoded
        output = self._write(job, work, restoration.image, data)
        face_files = self._save_faces(job, restoration)
        if job.compare is not None and sheet is not None:
            make_folder(job.compare.parent)
            write_image(sheet, job.compare, quality=92)
            work.clock.lap("compare")
        record = replace(
            work.record(faces),
            output=output,
            compare=str(job.compare) if job.compare else None,
            face_files=face_files,
        )
        self._console.say(
            f"{count}{job.name} -> {output}: {_counted(record)}{verdict_line(record.faces)}"
            f"{lent_told(restoration, most=_FACES_NAMED)}{_chosen(restoration)}{_enlarged(restoration)}"
            f"{_repaired(restoration)}"
            f" ({work.clock.seconds:.1f} s)"
        )
        if mending:
            self._console.say(f"{job.name}: {mending}")
        return record

    def _mending(self, image: Image, restoration: Restoration) -> str:
        """What may be damage in a scan and was left, as parts of the picture may be among it; "" for none."""
        settings, repaired = self._options.settings, restoration.repaired
        if settings["preset"] != "film-scan" or "mend_sensitivity" in settings.values:
            return ""
        if repaired is None or repaired.marks is None:
            return ""
        from likeness.repair.repair import find_damage

        found = find_damage(image, [one.face for one in restoration.faces])
        told = _marks_told(found.beyond(repaired.marks))
        flag = f"--mend-sensitivity {Repairs.sensitivity:g}"
        return f"less surely damage and left: {told}; {flag} mends that, too" if told else ""

    def _unrestored(self, job: Job, work: RestoreJob, count: str, image: Image, data: bytes | None) -> PictureRecord:
        """Tell and record a picture without a restored face; copy it if that is wanted."""
        output: str | None = None
        options = self._options
        repaired = options.repairs.any or self._damage is not None
        if options.settings["copy_unrestored"]:
            if repaired or options.enlargement.any or options.framing.any:
                if repaired:
                    image = self._restorer.repair(image, options.repairs, self._damage).image
                image = self._restorer.enlarge(image, options.enlargement)
                output = self._write(job, work, image, data)
            else:
                output = self._copy(job, work, image, data)
        worked = " and ".join(["repaired"] * repaired + ["enlarged"] * options.enlargement.any)
        kept = f"{worked}, but not restored, in {output}" if worked else f"copied as it is to {output}"
        done = kept if output else "nothing was written"
        record = work.record()
        self._console.error(f"{count}{job.name}: {record.message}; {done}")
        if output is None:
            self._tell_earlier(job)
        return replace(record, output=output, copied=output is not None)

    def _tell_earlier(self, job: Job) -> None:
        """What lies where nothing was written could be taken for the result."""
        if job.target is not None and self._console.ledger.is_from_before(job.target):
            self._console.warn(str(Notice("cli.earlier", {"file": str(job.target)})))

    def _tell_faces(self, job: Job, restoration: Restoration) -> None:
        """Remarks about single faces, and numbers that were asked for and are not there."""
        for missing in self._options.selection.missing(len(restoration.faces)):
            self._console.warn(f"{job.name}: {missing}")
        for face in restoration.failed:
            self._console.error(f"{job.name}, face {face.index + 1}: could not be restored ({face.reason})")
        if restoration.picture is not None:
            for warning in restoration.picture.warnings:
                self._console.warn(f"{job.name}: {warning}")
        remarks = [
            (face, warning) for face in restoration.faces for warning in face.warnings if warning.code not in IN_LINE
        ]
        shown = remarks if self._console.verbose or len(remarks) <= _FACES_NAMED + 1 else remarks[:_FACES_NAMED]
        for face, warning in shown:
            self._console.warn(f"{job.name}, face {face.index + 1}: {warning}")
        if len(shown) < len(remarks):
            more = len(remarks) - len(shown)
            self._console.warn(f"{job.name}: {more} more remarks of this kind; -v shows them, --report keeps them")

    def _write(self, job: Job, work: RestoreJob, image: Image, data: bytes | None) -> str:
        try:
            encoded = work.encode(image, self._options, find_format(_suffix(job, data)).name)
        except ImageWriteError as error:
            named = {"file": str(job.target), "reason": error.notice}
            raise ImageWriteError(Notice("file.named", named) if job.target else error.notice) from error
        return self._put(job, work, encoded)

    def _copy(self, job: Job, work: RestoreJob, image: Image, data: bytes | None) -> str:
        """The input's own bytes, unless the result is to be of another format: then the picture, unchanged."""
        if data is None:
            data = cast("Path", job.source).read_bytes()
        kind = sniff_format(data[:HEAD_BYTES]) or ""
        if kind.upper() != find_format(_suffix(job, data)).name:
            return self._write(job, work, image, data)
        return self._put(job, work, data)

    def _put(self, job: Job, work: RestoreJob, data: bytes) -> str:
        """Write a file to where results go; where that is."""
        if job.target is None:
            return _to_standard_output(data)
        make_folder(job.target.parent)
        write_bytes_atomically(data, job.target)
        work.clock.lap("write")
        return str(job.target)

    def _save_faces(self, job: Job, restoration: Restoration) -> tuple[str, ...]:
        if job.faces is None:
            return ()
        make_folder(job.faces.parent)
        written: list[str] = []
        for face in restoration.restored:
            for moment, crop in _crops(face):
                path = job.faces.with_name(f"{job.faces.name}_face{face.index + 1}_{moment}.png")
                write_image(crop, path)
                self._console.ledger.add(path)
                written.append(str(path))
        return tuple(written)


def _crops(face: FaceOutcome) -> list[tuple[str, Image]]:
    return [(moment, crop) for moment, crop in (("before", face.before), ("after", face.after)) if crop is not None]


def _write_report(path: Path, run: RunRecord, pictures: Sequence[PictureRecord], console: Console) -> bool:
    """Whether the report could be written; the pictures are done by now, and must not be lost in an exception."""
    try:
        write_report(path, run, pictures)
    except FileWriteError as error:
        console.error(str(error))
        return False
    return True


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ImageReadError(Notice("cli.stdin-unread", {"why": reason_of(error)})) from error


def _suffix(job: Job, data: bytes | None) -> str:
    """The suffix, and with it the format, of a result; on standard output as the input's."""
    if job.target is not None:
        return job.target.suffix
    if job.source is not None:
        return output_suffix(job.source)
    return result_suffix((data or b"")[:HEAD_BYTES])


def _to_standard_output(data: bytes) -> str:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would try to flush the rest once more at its end, and complain.
        silence(sys.stdout)
        raise FileWriteError(Notice("cli.output-unwritten", {"why": reason_of(error)})) from error
    return "standard output"


def _input(job: Job) -> str:
    return "-" if job.source is None else str(job.source)


_THEIRS = {False: "its own", True: "their own"}


def _counted(record: PictureRecord) -> str:
    """Such as "coloured, 2 faces restored, face 2 by settings of its own, 1 left alone"."""
    parts = [words] if (words := done_to_picture(record.picture)) else []
    if record.faces or not parts:
        parts.append(f"{counted(record.count('restored'), 'face')} restored")
    own = [face["number"] for face in record.faces if face["controls"] is not None]
    if own:
        parts.append(
            f"face{'s' if len(own) > 1 else ''} {', '.join(map(str, own))} by settings of {_THEIRS[len(own) > 1]}"
        )
    if record.count("failed"):
        parts.append(f"{record.count('failed')} failed")
    if record.count("skipped"):
        parts.append(f"{record.count('skipped')} left alone")
    return ", ".join(parts)


def _chosen(restoration: Restoration) -> str:
    """What was chosen and why, to follow the count of faces; "" where controls were given."""
    return "" if restoration.chosen is None else f"; {restoration.chosen.sentence}"


def _enlarged(restoration: Restoration) -> str:
    """How large the result is, and what would show more, to follow the count of faces; "" where nothing is to be said."""
    size, suggested = restoration.image.size, restoration.suggested_upscale
    said = f", enlarged {restoration.upscale:.3g} times to {size}" if restoration.upscale != 1 else ""
    if suggested is not None:
        said += f"; a face is too small to show what was restored: --upscale auto would enlarge {suggested:g} times"
    return said


def _repaired(restoration: Restoration) -> str:
    """What repairs found, to follow the count of faces; "" if none was asked for."""
    result = restoration.repaired
    if result is None:
        return ""
    parts: list[str] = []
    if result.filled is not None:
        parts.append(f"{result.filled.mean():.1%} of the picture filled")
    if result.marks is not None:
        told = _marks_told(result.marks.counts)
        parts.append(f"{told} mended" if told else "no scratches or specks to mend")
    if result.repairs.screen > 0:
        parts.append(
            "no printed dots" if result.screen is None else f"dots of {result.screen.period:.1f} px taken away"
        )
    if result.fringes is not None:
        parts.append("fringes faded" if result.fringes.max() > 0.1 else "no fringes")
    if result.balance is not None:
        parts.append("balanced" if result.balance.needed else "nothing to balance")
    return f"; {', '.join(parts)}"


def _marks_told(marks: MarkCounts) -> str:
    """How much damage there is, such as "1 scratch and 3 specks"; "" if none."""
    parts = [
        counted(count, noun, plural)
        for count, noun, plural in (
            (marks.scratches, "scratch", "es"),
            (marks.specks, "speck", "s"),
            (marks.pieces, "missing piece", "s"),
        )
        if count
    ]
    return " and ".join(parts)


def _summary(records: Sequence[PictureRecord], seconds: float) -> str:
    count = {status: sum(record.status == status for record in records) for status in ("no face", "failed")}
    partly = sum(record.status == "partly restored" for record in records)
    restored = len(records) - count["no face"] - count["failed"]
    faces = sum(record.count("restored") for record in records)
    parts = [f"{restored} of {len(records)} pictures restored ({counted(faces, 'face')})"]
    if partly:
        parts.append(f"{partly} of them in part")
    levels = Counter(record.level for record in records)
    if levels["bad"]:
        parts.append(f"{levels['bad']} came out bad")
    if levels["look"]:
        parts.append(f"{levels['look']} to be looked at")
    if count["no face"]:
        parts.append(f"{count['no face']} without a face to restore")
    if count["failed"]:
        parts.append(f"{count['failed']} failed")
    return f"{', '.join(parts)}; {seconds:.1f} s"


def _status(records: Sequence[PictureRecord], fail_on: Literal["look", "bad"] | None) -> int:
    statuses = {record.status for record in records}
    if statuses & {"failed", "partly restored"}:
        return 1
    if fail_on is not None and any(record.level in LEVELS[LEVELS.index(fail_on) :] for record in records):
        return 4
    return 3 if "no face" in statuses else 0
