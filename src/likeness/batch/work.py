"""The work on one picture, from its bytes to its result: read, look, restore, judge, write.

It knows no journal, so that it runs on another machine as well: an item goes in, a `Result` comes out, and whatever went
wrong with the picture is in the result.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from likeness.batch.cache import KeptDetector
from likeness.batch.fixes import Treatment, treat
from likeness.batch.journal import Item, Thumbnails
from likeness.batch.options import WorkOptions
from likeness.batch.storage import Place, read_file
from likeness.core.hashing import sha256_of_bytes
from likeness.core.stopwatch import Stopwatch
from likeness.errors import DecoderError, FileWriteError, ImageError, ImageTooLargeError, LikenessError, NoFaceError
from likeness.evidence.quality_gate import Guard, GuardLimits, Verdict
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.faces.findings import Finding
from likeness.faces.preflight import preflight, unreadable
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.encode import encode_image, find_format
from likeness.imaging.image import Image, Size
from likeness.imaging.thumbnail import thumbnail
from likeness.repair.repair import damage_of
from likeness.restore.controls import Controls
from likeness.restore.outcome import Restoration
from likeness.restore.pipeline import Restorer
from likeness.restore.report import face_record
from likeness.restore.selection import Selection
from likeness.runtimes.base import Runtime

__all__ = ["FINAL", "REVIEW", "Handed", "PictureWorker", "Result", "deliver", "read_source", "unread"]

FINAL, REVIEW = "final", "review"
"""Folders of the output."""

_LARGE = 24_000_000
"""Pixels from which a picture is worked on alone, as far as other such pictures go: 100 megapixels take gigabytes."""


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
    reason: str = ""
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
    """

    picture: bytes
    damage: bytes | None = None


def read_source(item: Item) -> Handed:
    """What the work on an item needs.

    Raises:
        ImageReadError: if a file cannot be read.
    """
    damage = WorkOptions.from_dict(item.options).damage_mask
    return Handed(picture=read_file(item.source), damage=None if damage is None else read_file(damage))


def unread(error: ImageError) -> Result:
    """The result for a picture that cannot be read."""
    return Result(state="failed", reason=str(error), outcome=_outcome(findings=[unreadable(error)]))


def deliver(output: Place, item: Item, state: Literal["final", "review"], data: bytes) -> None:
    """Write a result into its folder, and take it out of the other one, where an earlier run may have put it.

    Raises:
        FileWriteError: if it cannot be written.
    """
    output.write(data, f"{state}/{item.target}")
    output.remove(f"{FINAL if state == REVIEW else REVIEW}/{item.target}")


class PictureWorker:
    """Works on one picture after the other with one network; safe to use from several threads.

    Args:
        runtime: the network, such as `likeness.batch.cache.KeptRuntime`.
        output: where results go, into ``final`` or ``review``; None leaves them in `Result.data`.
        thumbnails: whether they are made.
        decoder: reads the pictures, so that a file may crash what decodes it and nothing else; None makes one.
    """

    def __init__(
        self,
        runtime: Runtime,
        output: Place | None,
        *,
        thumbnails: bool = True,
        decoder: DecoderPool | None = None,
    ) -> None:
        self._decoder = decoder or DecoderPool()
        self._detector = KeptDetector(MediaPipeDetector())
        self._restorer = Restorer(runtime=runtime, detector=self._detector)
        self._output = output
        self._thumbnails = thumbnails
        self._guards: dict[GuardLimits, Guard] = {}
        self._large = threading.Lock()

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
        try:
            return self._work(item, handed)
        except FileWriteError as error:
            return Result(state="failed", reason=str(error), retry=True)
        except DecoderError as error:
            return Result(state="failed", reason=_named(item, str(error)), retry=True)
        except LikenessError as error:
            return Result(state="failed", reason=_named(item, str(error)))
        except OSError as error:
            return Result(state="failed", reason=_named(item, str(error)), retry=True)
        except MemoryError:
            return Result(
                state="failed",
                reason=f"{item.source}: not enough memory for this picture; close other programs or make it smaller",
                retry=True,
            )
        except Exception as error:
            # A bug of ours: it must be seen and counted, but not cost the studio the other 500 pictures.
            return Result(
                state="failed", reason=f"{item.source}: unexpected {type(error).__name__}: {error}", bug=error
            )
        finally:
            self._detector.forget()

    def _work(self, item: Item, handed: Handed | None) -> Result:
        options = WorkOptions.from_dict(item.options)
        with ExitStack() as alone:
            clock = Stopwatch()
            try:
                handed = handed or read_source(item)
                image = self._read(item, handed.picture, options, alone)
            except ImageError as error:
                return unread(error)
            listed = options.damage_digest
            changed = listed and handed.damage is not None and sha256_of_bytes(handed.damage) != listed
            if image is None or changed:
                name = item.source if image is None else options.damage_mask
                return Result(state="failed", reason=f"{name} was changed since it was listed; run again", retry=True)
            clock.lap("read")
            return self._look(item, image, handed.damage, options, clock)

    def _read(self, item: Item, data: bytes, options: WorkOptions, alone: ExitStack) -> Image | None:
        """The picture; None if the file is no longer the one that was listed. Of large pictures ``alone`` keeps the others
        away until it is left."""
        if sha256_of_bytes(data) != item.content:
            return None
        if options.max_pixels > _LARGE:
            try:
                # The size is looked at before anything is decoded.
                return self._decoder.read(data, max_pixels=_LARGE, name=item.source)
            except ImageTooLargeError:
                alone.enter_context(self._large)
        return self._decoder.read(data, max_pixels=options.max_pixels, name=item.source)

    def _look(self, item: Item, image: Image, damage: bytes | None, options: WorkOptions, clock: Stopwatch) -> Result:
        faces: Sequence[Face] = () if options.aligned else self._restorer.find_faces(image)
        findings = () if options.aligned else preflight(image, faces, options.limits)
        clock.lap("check")
        base: dict[str, Any] = {
            "width": image.size.width,
            "height": image.size.height,
            "findings": findings,
            "milliseconds": clock.laps,
        }
        refused = [finding for finding in findings if finding.level == "refuse"]
        if options.on_finding == "skip":
            refused += [finding for finding in findings if finding.level == "warn"]
        if refused:
            return self._skipped(image, "; ".join(dict.fromkeys(finding.message for finding in refused)), base)
        treatment = Treatment(options=options, leave=frozenset(), done=())
        if options.on_finding == "fix":
            treatment = treat(options, findings, len(faces))
        return self._restore(item, image, faces, damage, treatment, base, clock)

    def _restore(
        self,
        item: Item,
        image: Image,
        faces: Sequence[Face],
        damage: bytes | None,
        treatment: Treatment,
        base: dict[str, Any],
        clock: Stopwatch,
    ) -> Result:
        options = treatment.options
        base["fixes"] = treatment.done
        base["controls"] = options.controls
        try:
            selection = _without(options.selection, treatment.leave, faces, image.size)
            if selection is None:
                raise NoFaceError("none of the faces is worth restoring")
            restoration = self._restorer.restore(
                image,
                options.controls,
                selection=selection,
                aligned=options.aligned,
                repairs=options.repairs,
                damage=None if damage is None else damage_of(self._decoder.read(damage, name=options.damage_mask)),
            )
        except NoFaceError as error:
            return self._skipped(image, "; ".join([str(error), *treatment.done]), base)
        clock.laps.update(restoration.milliseconds)
        clock.skip()
        if not restoration.restored:
            return Result(
                state="failed",
                reason=f"{item.source}: {restoration.failure}",
                outcome=_outcome(**base),
                thumbnails=self._small(image, None),
            )
        verdict = self._judge(image, restoration, options.guard)
        clock.lap("guard")
        doubtful = _reason(restoration, verdict)
        state: Literal["final", "review"] = "review" if doubtful else "final"
        data = encode_image(
            restoration.image,
            find_format(PurePosixPath(item.target).suffix).name,
            bit_depth=options.bit_depth,
            quality=options.quality,
        )
        if self._output is not None:
            deliver(self._output, item, state, data)
        clock.lap("write")
        return Result(
            state=state,
            reason=doubtful,
            outcome=_outcome(
                **base,
                output=f"{state}/{item.target}",
                written=len(data),
                faces=[face_record(outcome, image.size) for outcome in restoration.faces],
                repairs=restoration.repaired.to_dict() if restoration.repaired else None,
                verdict=verdict,
                warnings=[
                    f"face {outcome.index}: {warning}" for outcome in restoration.faces for warning in outcome.warnings
                ],
            ),
            thumbnails=self._small(image, restoration.image),
            data=data if self._output is None else None,
        )

    def _judge(self, image: Image, restoration: Restoration, limits: GuardLimits | None) -> Verdict | None:
        if limits is None:
            return None
        # Made anew only if two threads come first at the same moment.
        guard = self._guards.setdefault(limits, self._guards.get(limits) or Guard(limits))
        repaired = restoration.repaired
        # Repairs are meant to change colours and marks, and are measured by themselves.
        before = image if repaired is None else repaired.image
        return guard.judge(before, restoration.image, [(face.index, face.face) for face in restoration.restored])

    def _skipped(self, image: Image, reason: str, base: dict[str, Any]) -> Result:
        return Result(state="skipped", reason=reason, outcome=_outcome(**base), thumbnails=self._small(image, None))

    def _small(self, before: Image, after: Image | None) -> Thumbnails | None:
        if not self._thumbnails:
            return None
        return Thumbnails(before=thumbnail(before), after=None if after is None else thumbnail(after))


def _outcome(
    *,
    findings: Sequence[Finding] = (),
    width: int | None = None,
    height: int | None = None,
    fixes: Sequence[str] = (),
    controls: Controls | None = None,
    milliseconds: dict[str, float] | None = None,
    output: str | None = None,
    written: int | None = None,
    faces: Sequence[dict[str, Any]] = (),
    repairs: dict[str, object] | None = None,
    verdict: Verdict | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The outcome as it is kept; every key is always there."""
    return {
        "output": output,
        "bytes": written,
        "width": width,
        "height": height,
        "findings": [finding.to_dict() for finding in findings],
        "fixes": list(fixes),
        "preset": controls.preset_name if controls else "",
        "controls": asdict(controls) if controls else None,
        "faces": list(faces),
        "repairs": repairs,
        "guard": None
        if verdict is None
        else {
            "doubts": [doubt.to_dict() for doubt in verdict.doubts],
            "faces": [measures.to_dict() for measures in verdict.faces],
            "notes": list(verdict.notes),
        },
        "warnings": list(warnings),
        "milliseconds": {name: round(value, 1) for name, value in (milliseconds or {}).items()},
    }


def _reason(restoration: Restoration, verdict: Verdict | None) -> str:
    """Why a person must look before it goes out; "" if nobody need to."""
    parts = [f"face {face.index} could not be restored: {face.reason}" for face in restoration.failed]
    if verdict is not None and verdict.doubts:
        parts.append(verdict.reason)
    return "; ".join(parts)


def _without(selection: Selection, leave: frozenset[int], faces: Sequence[Face], size: Size) -> Selection | None:
    """The selection without some faces; None if no face is left."""
    if not leave:
        return selection
    wanted = [index for index, refusal in enumerate(selection.refusals(faces, size)) if refusal is None]
    rest = tuple(index for index in wanted if index not in leave)
    return replace(selection, which=rest) if rest else None


def _named(item: Item, sentence: str) -> str:
    """The error's sentence, which begins with the picture's name unless it names it anyway."""
    return sentence if item.source in sentence else f"{item.source}: {sentence}"
