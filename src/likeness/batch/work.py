"""The work on one picture, from its bytes to its result: read, look, restore, judge, write.

It knows no journal, so that it runs on another machine as well: an item goes in, a `Result` comes out, and whatever went
wrong with the picture is in the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from likeness.batch.cache import CachedDetector
from likeness.batch.fixes import Treatment, fixable, treat
from likeness.batch.journal import Item, Thumbnails
from likeness.batch.options import WorkOptions
from likeness.batch.results import deliver, withdraw
from likeness.batch.storage import Storage, read_file
from likeness.core.files import disk_failed
from likeness.core.hashing import sha256_of_bytes
from likeness.core.home import expanded
from likeness.core.locking import locked
from likeness.core.memory import return_freed
from likeness.core.recent import Recent
from likeness.errors import DecoderError, FileWriteError, ImageError, ImageReadError, LikenessError, NoFaceError
from likeness.evidence.quality_gate import Guard, GuardLimits, Verdict
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.faces.findings import Finding
from likeness.faces.preflight import preflight, unreadable
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.encode import find_format
from likeness.imaging.image import Image, Size
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice, notice_of
from likeness.reference.matching import FaceMatcher
from likeness.reference.people import AlbumReferences, NamedAlbum
from likeness.reference.references import Photograph, References, photographs_at, reference_files
from likeness.restore.job import RestoreJob, read_damage
from likeness.restore.outcome import ReferenceSource, Restoration
from likeness.restore.pipeline import Restorer
from likeness.restore.report import PictureRecord
from likeness.restore.selection import Selection
from likeness.runtimes.base import Runtime

__all__ = [
    "Handed",
    "PictureWorker",
    "Result",
    "failure",
    "read_source",
    "unexpected",
    "unread",
    "withdrawn",
]

_REFERENCES_KEPT = 8
"""How many pictures' references are kept ready: those of a list often come one after the other."""


_ALBUMS_KEPT = 4


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one picture.

    Attributes:
        state: the journal's.
        reason: why it is in review, was skipped or failed.
        outcome: what `Item.outcome` will hold.
        thumbnails: for the summary; None if the picture could not be read.
        retry: whether a failure has nothing to do with the picture, and may have passed by the next run.
        bug: the error that nobody foresaw, if it was one.
        data: the file to `deliver`, from a worker without an output of its own.
    """

    state: Literal["final", "review", "skipped", "failed"]
    reason: Notice | Literal[""] = ""
    outcome: dict[str, Any] = field(default_factory=dict[str, Any])
    thumbnails: Thumbnails | None = None
    retry: bool = False
    bug: Exception | None = None
    data: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A picture's files, for a worker on a machine that cannot read them itself.

    Attributes:
        picture: the file's bytes.
        damage: those of its damage mask, if it has one.
        references: name and bytes of each other photograph, and whether it was found in a folder; None where they are to be
            read from where they lie.
    """

    picture: bytes
    damage: bytes | None = None
    references: tuple[tuple[str, bytes, bool], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class _Restored:
    """A picture that was restored and judged; it is to be written."""

    restoration: Restoration
    verdict: Verdict | None
    findings: Sequence[Finding]
    treatment: Treatment
    thumbnails: Thumbnails | None


def read_source(item: Item, *, references: bool = True) -> Handed:
    """What the work on an item needs; without ``references`` those are left to be read from where they lie.

    Raises:
        ImageReadError: if a file cannot be read.
    """
    options = WorkOptions.from_dict(item.options)
    damage = options.damage_mask
    if references and options.album is not None:
        raise ImageReadError(Notice("batch.album-here", {"name": options.album}))
    others: list[tuple[str, bytes, bool]] = []
    for place in options.references if references else ():
        others += [(file.name, read_file(str(file)), expanded(place) != file) for file in reference_files(place)]
    return Handed(
        picture=read_file(item.source),
        damage=None if damage is None else read_file(damage),
        references=tuple(others) if references else None,
    )


def unread(error: ImageError, *, opened: bool) -> Result:
    """The result for a picture that cannot be read. One whose file could not even be opened, such as on a disk that is away,
    may be readable the next time, and nothing is the matter with it that its client had to be told."""
    record = PictureRecord(input="", status="failed")
    outcome = _outcome(record, [unreadable(error)] if opened else [])
    return Result(state="failed", reason=error.notice, outcome=outcome, retry=not opened)


class PictureWorker:
    """Works on one picture after the other with one network; safe to use from several threads.

    Args:
        runtime: the network, such as `likeness.batch.cache.CachedRuntime`.
        picture: a network for whole pictures that works before faces are restored; None for none.
        output: where results go, into ``final`` or ``review``; None leaves them in `Result.data`.
        thumbnails: whether they are made.
        decoder: reads the pictures, so that a file may crash what decodes it and nothing else; None makes one.
        large: the file that is locked while a large picture is worked on, where other processes work beside this one.
    """

    def __init__(
        self,
        runtime: Runtime,
        output: Storage | None,
        *,
        picture: Runtime | None = None,
        thumbnails: bool = True,
        decoder: DecoderPool | None = None,
        large: Path | None = None,
    ) -> None:
        self._decoder = decoder or DecoderPool()
        self._detector = CachedDetector(MediaPipeDetector())
        self._restorer = Restorer(runtime=runtime, detector=self._detector, picture_model=picture)
        self._output = output
        self._thumbnails = thumbnails
        self._guards: dict[GuardLimits, Guard] = {}
        self._matcher = FaceMatcher()
        self._references: Recent[tuple[str, bool], References] = Recent(_REFERENCES_KEPT)
        self._albums: Recent[str, AlbumReferences] = Recent(_ALBUMS_KEPT)
        self._large, self._large_file = threading.Lock(), large

    @property
    def notes(self) -> tuple[str, ...]:
        """What the guards of all pictures so far could not measure."""
        return tuple(sorted({guard.identity_note for guard in self._guards.values() if guard.identity_note}))

    def work(self, item: Item, handed: Handed | None = None) -> Result:
        """Do it. Whatever goes wrong with the picture is told in the result; nothing is raised but what ends the process.

        Args:
            item: what to do.
            handed: its files; None reads them.
        """
        large = False
        try:
            options = WorkOptions.from_dict(item.options)
            options = replace(options, on_bad=options.on_bad or "lower")
            job = RestoreJob(
                self._restorer,
                self._decoder,
                name=item.source,
                max_pixels=options.max_pixels,
                large=self._large if self._large_file is None else locked(self._large_file),
            )
            result = self._work(item, job, handed, options)
            large = job.large
            del job  # and its picture
        except Exception as error:
            result = failure(item, error)
        finally:
            self._detector.forget()
            if large:
                return_freed()  # gigabytes, of which the usual pictures that follow would use a part
        return result if self._output is None else withdrawn(self._output, item, result)

    def _work(self, item: Item, job: RestoreJob, handed: Handed | None, options: WorkOptions) -> Result:
        with job:
            try:
                handed = handed or read_source(item, references=False)
            except ImageError as error:
                return unread(error, opened=False)
            try:
                listed = options.damage_digest
                changed = sha256_of_bytes(handed.picture) != item.content
                damaged = listed and handed.damage is not None and sha256_of_bytes(handed.damage) != listed
                image = None if changed else job.read(handed.picture, options.framing)
            except ImageError as error:
                return unread(error, opened=True)
            if image is None or damaged:
                name = item.source if changed else options.damage_mask
                changed_since = Notice("batch.changed", {"name": str(name)})
                return Result(state="failed", reason=changed_since, retry=True)
            done = self._look(item, job, image, handed, options)
            if isinstance(done, Result):
                return done
            # Of a large picture the result alone is in memory while it is encoded.
            del image
            self._detector.forget()
            return self._finish(item, job, done)

    def _look(
        self, item: Item, job: RestoreJob, image: Image, handed: Handed, options: WorkOptions
    ) -> Result | _Restored:
        faces: Sequence[Face] = () if options.aligned else self._restorer.find_faces(image)
        findings = () if options.aligned else preflight(image, faces, options.limits)
        job.clock.lap("check")
        refused = [finding for finding in findings if finding.level == "refuse"]
        if self._restorer.for_pictures:
            # There is something to do in it without a face; whether there was, is told afterwards.
            refused = [finding for finding in refused if finding.code != "no-face"]
        if options.on_finding == "fix":
            refused = [finding for finding in refused if not fixable(finding, options)]
        if options.on_finding == "skip":
            refused += [finding for finding in findings if finding.level == "warn"]
        if refused:
            told = [Notice.of(message) for message in dict.fromkeys(finding.message for finding in refused)]
            return self._unrestored(image, "skipped", _joined(told), _outcome(job.record(), findings))
        treatment = Treatment(options=options, leave=frozenset(), done=())
        if options.on_finding == "fix":
            treatment = treat(options, findings, len(faces))
        return self._restore(item, job, image, faces, handed, treatment, findings)

    def _restore(
        self,
        item: Item,
        job: RestoreJob,
        image: Image,
        faces: Sequence[Face],
        handed: Handed,
        treatment: Treatment,
        findings: Sequence[Finding],
    ) -> Result | _Restored:
        options = treatment.options
        references = self._other_photographs(options, handed)
        try:
            selection = _without(options.selection, treatment.leave, faces, image.size)
            if selection is None:
                raise NoFaceError(Notice("no-face.none-worth"))
            mask = read_damage(self._decoder, handed.damage, max_pixels=options.max_pixels, name=options.damage_mask)
            restoration = job.restore(
                image,
                options,
                selection=selection,
                damage=mask,
                references=references,
                file_format=_format(item),
                keep_scenes=options.guard is not None,
            )
        except NoFaceError as error:
            return self._unrestored(
                image, "skipped", _joined([error.notice, *treatment.done]), _outcome(job.record(), findings, treatment)
            )
        if not restoration.done:
            reason = _named(item, restoration.failure)
            return self._unrestored(image, "failed", reason, _outcome(job.record(), findings, treatment))
        verdict = self._judge(image, restoration, options.guard)
        job.clock.lap("guard")
        before = self._small(job.cropped(image))
        job.clock.skip()
        return _Restored(
            restoration=restoration, verdict=verdict, findings=findings, treatment=treatment, thumbnails=before
        )

    def _finish(self, item: Item, job: RestoreJob, done: _Restored) -> Result:
        """Write it."""
        image = done.restoration.image
        doubtful = _reason(done.restoration, done.verdict)
        state: Literal["final", "review"] = "review" if doubtful else "final"
        data = job.encode(image, done.treatment.options, _format(item))
        digest = sha256_of_bytes(data)
        replaced: tuple[str, ...] = ()
        if self._output is not None:
            replaced = deliver(self._output, item, state, data, digest)
            job.clock.lap("write")
        outcome = _outcome(job.record(), done.findings, done.treatment, done.verdict)
        written = {"output": f"{state}/{item.target}", "bytes": len(data), "digest": digest}
        before = done.thumbnails
        return Result(
            state=state,
            reason=doubtful,
            outcome={**outcome, **written, "replaced": list(replaced)},
            thumbnails=None if before is None else replace(before, after=thumbnail(job.cropped(image))),
            data=data if self._output is None else None,
        )

    def _other_photographs(self, options: WorkOptions, handed: Handed) -> ReferenceSource | None:
        """The references of a picture, ready to serve: read once for all pictures that have the same ones.

        Raises:
            ImageReadError, NoFaceError: if one cannot serve.
            ConfigError: if the album cannot be used any more.
        """

        def read(source: Path | bytes, name: str) -> Image:
            return self._decoder.read(source, max_pixels=options.max_pixels, name=name)

        if options.album is not None:
            return self._album(Path(options.album), options.album_digest, lambda path: read(path, str(path)))
        if not options.references:
            return None

        def make() -> References:
            if handed.references is None:
                found = [
                    one
                    for place in options.references
                    for one in photographs_at(place, lambda path: read(path, str(path)))
                ]
            else:
                found = [
                    Photograph(name=name, read=partial(read, data, name), optional=optional)
                    for name, data, optional in handed.references
                ]
            return References(found, trusted=options.trust_references, matcher=self._matcher)

        references = self._references.get((options.references_digest, options.trust_references), make)
        references.prepare(self._restorer.detector, self._restorer.runtime.spec.side)
        return references

    def _album(self, place: Path, digest: str, read: Callable[[Path], Image]) -> AlbumReferences:
        """An album, whose faces are found once for all pictures that have it."""

        def make() -> AlbumReferences:
            # Not with the detector of pictures, which remembers the one that its thread looks at.
            return NamedAlbum.at(expanded(place)).references(MediaPipeDetector(), self._matcher, read=read)

        return self._albums.get(digest, make)

    def _judge(self, image: Image, restoration: Restoration, limits: GuardLimits | None) -> Verdict | None:
        if limits is None:
            return None
        # Made anew only if two threads come first at the same moment.
        guard = self._guards.setdefault(limits, self._guards.get(limits) or Guard(limits))
        # What repairs and networks for whole pictures do is meant to change colours and marks.
        changed = restoration.picture or restoration.repaired
        before = image if changed is None else changed.image
        faces = [(face.index, face.face) for face in restoration.restored]
        verdicts = {face.index: face.verdict for face in restoration.restored if face.verdict is not None}
        # What a network for whole pictures made of it is not what came in.
        scenes = {face.index: face.scene for face in restoration.restored if face.scene and restoration.picture is None}
        return guard.judge(before, restoration.image, faces, verdicts, scenes)

    def _unrestored(
        self, image: Image, state: Literal["skipped", "failed"], reason: Notice | Literal[""], outcome: dict[str, Any]
    ) -> Result:
        return Result(state=state, reason=reason, outcome=outcome, thumbnails=self._small(image))

    def _small(self, before: Image) -> Thumbnails | None:
        return Thumbnails(before=thumbnail(before)) if self._thumbnails else None


def _outcome(
    record: PictureRecord,
    findings: Sequence[Finding],
    treatment: Treatment | None = None,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """The outcome as it is kept; every key is always there."""
    told = record.to_dict()
    controls = treatment.options.controls if treatment else None
    preset = controls.preset_name if controls else ""
    if told["chosen"] is not None:
        preset = told["chosen"]["preset"]
    return {
        "output": None,
        "bytes": None,
        "digest": None,
        "replaced": [],
        "width": told["width"],
        "height": told["height"],
        "findings": [finding.to_dict() for finding in findings],
        "fixes": list(treatment.done) if treatment else [],
        "preset": preset,
        "controls": (told["chosen"] or {}).get("controls") or (asdict(controls) if controls else None),
        "faces": told["faces"],
        "repairs": told["repairs"],
        "picture": told["picture"],
        "chosen": told["chosen"],
        "guard": None
        if verdict is None
        else {
            "doubts": [doubt.to_dict() for doubt in verdict.doubts],
            "faces": [measures.to_dict() for measures in verdict.faces],
            "notes": list(verdict.notes),
        },
        "warnings": [
            *(treatment.options.selection.missing(len(told["faces"])) if treatment and told["faces"] else ()),
            *(told["picture"] or {}).get("warnings", ()),
            *(f"face {face['index'] + 1}: {warning}" for face in told["faces"] for warning in face["warnings"]),
        ],
        "milliseconds": told["milliseconds"],
    }


def _format(item: Item) -> str:
    """The format of its result."""
    return find_format(PurePosixPath(item.target).suffix).name


def _reason(restoration: Restoration, verdict: Verdict | None) -> Notice | Literal[""]:
    """Why a person must look before it goes out; "" if nobody need to."""
    parts = [
        Notice("outcome.face-failed", {"number": face.index + 1, "reason": face.reason}) for face in restoration.failed
    ]
    if verdict is not None and verdict.doubts:
        parts.append(Notice.of(verdict.reason))
    return _joined(parts)


def _joined(reasons: Sequence[Notice]) -> Notice | Literal[""]:
    return Notice("batch.reasons", {"reasons": reasons}) if reasons else ""


def unexpected(item: Item, error: str) -> Notice:
    """The reason for a picture at which a bug of ours showed."""
    return Notice("batch.named", {"source": item.source, "reason": Notice("batch.unexpected", {"error": error})})


def _without(selection: Selection, leave: frozenset[int], faces: Sequence[Face], size: Size) -> Selection | None:
    """The selection without some faces; None if no face is left."""
    if not leave:
        return selection
    wanted = [index for index, refusal in enumerate(selection.refusals(faces, size)) if refusal is None]
    rest = tuple(index for index in wanted if index not in leave)
    return replace(selection, which=rest) if rest else None


def withdrawn(output: Storage, item: Item, result: Result) -> Result:
    """A result of a picture or a video, after what an earlier run made of one that is now left alone or has failed was taken
    out of the output; not after a failure that may pass, whose outcome still knows that file."""
    if result.state in ("final", "review"):
        return result
    if result.retry:
        known = {name: item.outcome.get(name) for name in ("bytes", "digest")}
        return replace(result, outcome={**result.outcome, **known})
    try:
        replaced = withdraw(output, item)
    except FileWriteError as error:
        return replace(result, state="failed", reason=error.notice, retry=True)
    return replace(result, outcome={**result.outcome, "replaced": list(replaced)})


def failure(item: Item, error: Exception, told: Callable[[Notice], Notice] = lambda notice: notice) -> Result:
    """What becomes of an item at whose work an error was raised.

    Args:
        item: a picture or a video.
        error: what was raised.
        told: makes the reason of what an error of ours says.
    """
    if isinstance(error, FileWriteError):
        return Result(state="failed", reason=error.notice, retry=True)
    if isinstance(error, (LikenessError, OSError)):
        of_the_machine = isinstance(error, (DecoderError, OSError)) or disk_failed(error)
        return Result(state="failed", reason=_named(item, told(notice_of(error))), retry=of_the_machine)
    if isinstance(error, MemoryError):
        return Result(state="failed", reason=_named(item, Notice("batch.no-memory")), retry=True)
    # A bug of ours: it must be seen and counted, but not cost the studio the other 500 pictures.
    return Result(state="failed", reason=unexpected(item, f"{type(error).__name__}: {error}"), bug=error)


def _named(item: Item, reason: Notice) -> Notice:
    """A reason that begins with the picture's name, unless it names it anyway."""
    return reason if item.source in reason else Notice("batch.named", {"source": item.source, "reason": reason})
