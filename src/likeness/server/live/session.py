"""One open picture: it, its faces, and what the network returned for them, so that a slider's move is arithmetic."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import astuple, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.core.recent import Recent
from likeness.errors import ControlError
from likeness.evidence.face_verdict import FaceVerdict
from likeness.faces.findings import Finding
from likeness.faces.preflight import preflight
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice
from likeness.reference.matching import FaceMatcher
from likeness.repair.marks import MarkCounts
from likeness.repair.repair import RepairResult, find_damage, repair
from likeness.restore.automatic import Choice, choose
from likeness.restore.canvas import plan_canvas, suggested_upscale
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.framing import Framing
from likeness.restore.outcome import FaceProjection, Restoration
from likeness.restore.pipeline import Restorer
from likeness.restore.placing import Canvas
from likeness.runtimes.marks import MarkShares, marks_runtime
from likeness.server.live.faces import see_face
from likeness.server.live.limits import LiveLimits
from likeness.server.live.mending import Mending, painted
from likeness.server.live.references import NOBODY, OtherPhotographs, Wanted
from likeness.studio.finishing import Finishing, FinishingArea, areas_of, finish

__all__ = ["Session"]

_TOGETHER = 4
"""Faces that the network restores before what it made of them is kept."""

_FRAMED = 2
"""Turned and straightened forms of a picture that are kept: the one that is seen, and the one before."""

_MENDED = 2
"""Repaired forms of a picture that are kept: the one that is seen, and the one before."""


class Session:
    """One open picture. Safe to use from several threads; its own work is done one piece at a time.

    Args:
        image: the picture.
        name: its file's name, for downloads.
        restorer: finds and restores faces.
        matcher: tells whether other photographs show the same person.
        most_faces: how many faces may be restored together.
        most_pixels: of an enlarged result.
    """

    def __init__(
        self,
        image: Image,
        name: str,
        restorer: Restorer,
        *,
        matcher: FaceMatcher | None = None,
        most_faces: int = LiveLimits.faces,
        most_pixels: int = LiveLimits.pixels,
    ) -> None:
        self.name = name
        self._restorer = restorer
        self._most_faces = most_faces
        self._most_pixels = most_pixels
        self._lock = threading.RLock()
        self._others = OtherPhotographs(restorer, matcher or FaceMatcher())
        self._look_at(image)

    def _look_at(self, image: Image) -> None:
        """Find the faces of a picture, which is the open one from now on."""
        self.image = image
        found = self._restorer.find_faces(image)
        self.findings: tuple[Finding, ...] = preflight(image, found)
        self.chosen: Choice = choose(image, found)
        side = self._restorer.runtime.spec.side
        self.faces = tuple(see_face(index, face, image, side) for index, face in enumerate(found))
        self.repaired: RepairResult | None = None
        self._forget()

    def framed(self, framing: Framing) -> Session:
        """The picture turned and straightened, to be mended and restored as any; the last two are kept, itself as it is.

        Its faces are found anew, and other photographs are shared. A crop is for when all is done (`Framing.cropped`).
        """
        if not framing.moves:
            return self
        with self._lock:
            checkpoint()
            return self._framed.get(framing.without_crop(), lambda: self._frame(framing))

    def _frame(self, framing: Framing) -> Session:
        made = copy(self)
        made._look_at(framing.upright(self.image))
        return made

    def mended(self, mending: Mending) -> Session:
        """The picture as it is after these repairs, to be restored as any; the last two are kept, itself without any.

        Faces stay where they were, and other photographs are shared.

        Raises:
            ControlError: for a value out of range.
        """
        if not mending.any:
            return self
        with self._lock:
            checkpoint()
            return self._mended.get(mending, lambda: self._mend(mending))

    def _mend(self, mending: Mending) -> Session:
        repaired = repair(
            self.image,
            mending.repairs,
            faces=[seen.face for seen in self.faces],
            edits=painted(mending.strokes, self.image.size),
            shares=self._seen_marks() if mending.repairs.scratches > 0 else None,
        )
        made = copy(self)
        made.image, made.repaired = repaired.image, repaired
        made._forget()
        return made

    def marks(self, mending: Mending) -> NDArray[np.bool_]:
        """H x W, what is mended at these settings, or would be."""
        repairs = replace(mending.repairs, scratches=mending.repairs.scratches or 1.0)
        found = self.mended(replace(mending, repairs=repairs)).repaired
        return (
            np.zeros(self.image.pixels.shape[:2], np.bool_)
            if found is None or found.marks is None
            else found.marks.whole
        )

    def left(self, mending: Mending) -> MarkCounts:
        """What is not mended by these repairs and would be at the usual sensitivity, whatever is painted."""
        repairs, faces = mending.repairs, [seen.face for seen in self.faces]
        with self._lock:
            checkpoint()
            shares = self._seen_marks()
            usual = find_damage(self.image, faces, shares=shares)
            if repairs.scratches == 0:
                return usual.counts
            return usual.beyond(find_damage(self.image, faces, sensitivity=repairs.sensitivity, shares=shares))

    def _seen_marks(self) -> MarkShares:
        """What the network makes of the picture; it looks once."""
        if self._shares is None:
            self._shares = marks_runtime().look(self.image.pixels)
        return self._shares

    def _forget(self) -> None:
        """Nothing has been made of the picture yet."""
        self._projections: dict[int, FaceProjection] = {}
        self._areas: tuple[tuple[FaceProjection, ...], Size, tuple[FinishingArea, ...]] | None = None
        self._canvas: Canvas | None = None
        self._result: tuple[tuple[object, ...], Restoration] | None = None
        self._shares: MarkShares | None = None
        self._mended: Recent[Mending, Session] = Recent(_MENDED)
        self._framed: Recent[Framing, Session] = Recent(_FRAMED)

    @property
    def others(self) -> list[dict[str, Any]]:
        """The other photographs that were brought (`OtherPhotographs.to_dict`)."""
        return self._others.to_dict()

    def add_other(self, key: str, image: Image, name: str) -> dict[str, Any]:
        """Take on another photograph of the persons; see `OtherPhotographs.add`."""
        with self._lock:
            checkpoint()
            return self._others.add(key, image, name)

    def served(
        self, indices: Sequence[int], controls: ControlsByFace, wanted: Wanted = NOBODY
    ) -> tuple[FaceProjection, ...]:
        """`projections` with what other photographs give.

        Raises:
            ControlError: as `projections`, and if a photograph is not here.
        """
        with self._lock:
            return self._others.serve(self.projections(indices, controls), wanted)

    def told_of_others(self, indices: Sequence[int], controls: ControlsByFace, wanted: Wanted) -> list[dict[str, Any]]:
        """What becomes of the other photographs on these faces (`OtherPhotographs.told`).

        Raises:
            ControlError: as `served`.
        """
        with self._lock:
            return self._others.told(self.projections(indices, controls), wanted)

    def projections(self, indices: Sequence[int], controls: ControlsByFace) -> tuple[FaceProjection, ...]:
        """What the network made of these faces; it runs only for those that have nothing that serves.

        Raises:
            ControlError: for a face that is not there or cannot be aligned, or more faces than may be restored together.
        """
        wanted = tuple(dict.fromkeys(indices))
        if len(wanted) > self._most_faces:
            raise ControlError(Notice("live.too-many-faces", {"count": len(wanted), "most": self._most_faces}))
        with self._lock:
            # Whoever waited here may have given up meanwhile.
            checkpoint()
            missing: list[int] = []
            for index in wanted:
                if not 0 <= index < len(self.faces) or self.faces[index].area is None:
                    raise ControlError(Notice("live.no-such-face", {"index": index}))
                kept = self._projections.get(index)
                if kept is None or not kept.serves(controls[index]):
                    missing.append(index)
            if missing:
                self._result = None
                # Some at a time: what is done when a request's time is over need not be done again for the next.
                for start in range(0, len(missing), _TOGETHER):
                    some = missing[start : start + _TOGETHER]
                    faces = [self.faces[index].face for index in some]
                    for made in self._restorer.project_all(self.image, faces, controls, indices=some):
                        kept = self._projections.get(made.index)
                        if kept is not None:
                            made.take_grain(kept)
                        self._projections[made.index] = made
                # A picture of a thousand faces, looked at by turns, must not stay in memory as a whole.
                others = [index for index in self._projections if index not in wanted]
                for index in others[: max(0, len(self._projections) - self._most_faces)]:
                    del self._projections[index]
            return tuple(self._projections[index] for index in indices)

    def upscale(self, indices: Sequence[int], controls: ControlsByFace, asked: float | Literal["auto"]) -> float:
        """How many times as large as the picture the result is; "auto" goes by these faces.

        Raises:
            ControlError: as `projections`.
            ImageTooLargeError: as `Restorer.canvas`; told before any work but the faces' own.
        """
        faces = [kept.face for kept in self.projections(indices, controls)] if asked == "auto" else []
        side = self._restorer.runtime.spec.side
        return plan_canvas(self.image.size, faces, self._enlargement(asked), side=side).upscale

    def canvas(
        self, indices: Sequence[int], controls: ControlsByFace, upscale: float, *, keep: bool = True
    ) -> Canvas | None:
        """The picture enlarged, for these faces; kept for the next look, or only used. None for a result of its own size.

        Raises:
            ControlError: as `projections`.
            ImageTooLargeError: as `Restorer.canvas`.
        """
        if upscale == 1:
            return None
        with self._lock:
            checkpoint()
            kept = self.projections(indices, controls)
            made = self._restorer.canvas(self.image, kept, self._enlargement(upscale), kept=self._canvas)
            if keep:
                self._canvas = made
            return made

    def restore(
        self, indices: Sequence[int], controls: ControlsByFace, upscale: float = 1.0, wanted: Wanted = NOBODY
    ) -> Restoration:
        """The picture with these faces restored, so many times as large: what a download gives. The last one is kept.

        Raises:
            ControlError: as `served`.
            ImageTooLargeError: as `Restorer.canvas`.
        """
        key = (tuple(indices), controls, upscale, wanted)
        with self._lock:
            checkpoint()
            if self._result is not None and self._result[0] == key:
                return self._result[1]
            composed = self._composed(indices, controls, upscale, wanted)
            self._result = (key, composed)
            return composed

    def verdicts(
        self, indices: Sequence[int], controls: ControlsByFace, upscale: float = 1.0, wanted: Wanted = NOBODY
    ) -> dict[int, FaceVerdict]:
        """Whether each of these faces came out well; finishing touches have no part in it.

        Raises:
            ControlError, ImageTooLargeError: as `restore`.
        """
        with self._lock:
            restoration = self.restore(indices, controls, upscale, wanted)
            if restoration.level is None:
                restoration = self._restorer.judge(restoration, self.served(indices, controls, wanted))
                self._result = ((tuple(indices), controls, upscale, wanted), restoration)
            return {face.index: face.verdict for face in restoration.faces if face.verdict is not None}

    def finishing_areas(
        self, indices: Sequence[int], controls: ControlsByFace, size: Size
    ) -> tuple[FinishingArea, ...]:
        """Where finishing touches go on these faces, in a result of a size.

        Raises:
            ControlError: as `projections`.
        """
        with self._lock:
            kept = self.projections(indices, controls)
            if self._areas is None or self._areas[:2] != (kept, size):
                self._areas = (kept, size, areas_of(kept, size))
            return self._areas[2]

    def finished(
        self,
        indices: Sequence[int],
        controls: ControlsByFace,
        finishing: Finishing,
        upscale: float = 1.0,
        wanted: Wanted = NOBODY,
    ) -> Image:
        """The picture with these faces restored and finished, so many times as large: what is downloaded.

        Raises:
            ControlError: as `projections`.
            ImageTooLargeError: as `Restorer.canvas`.
        """
        if not indices and upscale == 1:
            return self.image
        with self._lock:
            # A file of another size than what is seen must not drive out what the sliders go on with.
            seen = upscale == 1 or (self._canvas is not None and self._canvas.plan.upscale == upscale)
            made = self.restore if seen else partial(self._composed, keep=False)
            restored = made(indices, controls, upscale, wanted).image
            if not finishing.any:
                return restored
            return finish(restored, self.finishing_areas(indices, controls, restored.size), finishing)

    def without_grain(
        self, indices: Sequence[int], controls: ControlsByFace, upscale: float = 1.0, wanted: Wanted = NOBODY
    ) -> Image:
        """The same without the grain that was laid back; not kept."""
        with self._lock:
            return self._composed(
                indices, controls.each(lambda one: replace(one, keep_grain=False)), upscale, wanted
            ).image

    def _composed(
        self, indices: Sequence[int], controls: ControlsByFace, upscale: float, wanted: Wanted, *, keep: bool = True
    ) -> Restoration:
        kept = self.served(indices, controls, wanted)
        canvas = self.canvas(indices, controls, upscale, keep=keep)
        return self._restorer.compose(self.image, kept, controls, canvas=canvas)

    def _enlargement(self, upscale: float | Literal["auto"]) -> Enlargement:
        return Enlargement(upscale=upscale, max_output_pixels=self._most_pixels)

    def to_dict(self) -> dict[str, Any]:
        """The picture, its faces and what was found, ready for JSON."""
        image = self.image
        return {
            "name": self.name,
            "width": image.size.width,
            "height": image.size.height,
            "bit_depth": image.bit_depth,
            "grey": image.grey,
            "faces": [
                {
                    "index": seen.index,
                    "box": astuple(seen.face.box.rounded()),
                    "area": astuple(seen.area.rounded()) if seen.area else None,
                    "native_side": round(seen.native_side, 1),
                    "spots": {name: [round(spot.x, 1), round(spot.y, 1)] for name, spot in seen.spots.items()},
                }
                for seen in self.faces
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "references": self.others,
            "chosen": self.chosen.to_dict(),
            "suggested_upscale": self._suggested_upscale(),
        }

    def _suggested_upscale(self) -> float | None:
        """By how much a result shows what the network draws, where one as large as the photograph would not."""
        faces = [seen.face for seen in self.faces if seen.area is not None]
        side = self._restorer.runtime.spec.side
        return suggested_upscale(self.image.size, faces, 1.0, self._enlargement(1.0), side=side)

    @property
    def nbytes(self) -> int:
        """About how much memory this picture takes, with its result and what is kept of its faces."""
        image = self.image
        own = 2 * image.pixels.nbytes + sum(x.nbytes for x in (image.alpha, image.native) if x is not None)
        canvas = self._canvas
        enlarged = 0 if canvas is None else canvas.nbytes + canvas.image.pixels.nbytes
        faces = sum(kept.nbytes for kept in list(self._projections.values()))
        forms = [*self._mended.values(), *self._framed.values()]
        formed = sum(session.nbytes - self._others.nbytes for session in forms)
        return own + enlarged + self._others.nbytes + faces + formed
