"""One frame after the other through the restorer: each by itself, or the people in them followed and held steady."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from likeness.errors import ControlError, NoFaceError
from likeness.faces.face import Face
from likeness.imaging.colour import is_colourless
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.reference.matching import OTHER_BELOW
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.video.lending import Lending
from likeness.video.options import VideoOptions
from likeness.video.steady import Steady
from likeness.video.tracks import Track, TrackedFace, Tracker

__all__ = ["FrameByFrame", "FrameResult", "Session", "SteadySession"]

_log = logging.getLogger(__name__)

_MEMORY = 6
"""Frames after which what was before them hardly shows in an average (`likeness.video.steady`)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameResult:
    """A restored frame.

    Attributes:
        pixels: H x W x 3, upright; larger than the frame where that is wanted.
        restored: how many faces were restored.
        failed: how many could not be.
    """

    pixels: Pixels
    restored: int
    failed: int = 0


class Session(Protocol):
    """What restores the frames of one video, in their order."""

    def restore(self, image: Image) -> FrameResult:
        """The next frame, restored."""
        ...

    def skip(self, image: Image) -> None:
        """The next frame, which was restored in an earlier run."""
        ...

    @property
    def memory(self) -> int:
        """How many frames before one it has to see again to restore it as it would have."""
        ...


class FrameByFrame:
    """Each frame as if it were a photograph of its own, so that faces may flicker."""

    def __init__(self, restorer: Restorer, options: VideoOptions) -> None:
        restorer.need_faces()
        self._restorer = restorer
        self._options = options

    def restore(self, image: Image) -> FrameResult:
        options = self._options
        try:
            done = self._restorer.restore(
                image,
                options.controls,
                selection=options.selection,
                references=options.references,
                enlargement=options.enlargement,
                verdicts=False,
            )
        except NoFaceError:
            enlarged = self._restorer.enlarge(image, options.enlargement)
            return FrameResult(pixels=enlarged.pixels, restored=0)
        return FrameResult(pixels=done.image.pixels, restored=len(done.restored), failed=len(done.failed))

    def skip(self, image: Image) -> None:
        """Frames know nothing of one another."""

    @property
    def memory(self) -> int:
        return 0


class SteadySession:
    """People are followed, and what the network draws on them is held steady (`Tracker`, `Steady`).

    Args:
        restorer: whose network works.
        options: how. Numbers of faces are those of people, in the order of their appearance; "largest" and "centre" choose
            somebody in each scene, and stay with them until they are gone.
    """

    def __init__(self, restorer: Restorer, options: VideoOptions) -> None:
        restorer.need_faces()
        self._restorer = restorer
        self._options = options
        self._tracker = Tracker(restorer.find_faces)
        self._lending: Lending | None = None
        if options.references is not None:
            self._lending = Lending(options.references, restorer.detector, side=restorer.runtime.spec.side)
        self._steady = Steady(restorer, options.controls, every=options.every, lending=self._lending)
        self._drawn: set[int] = set()
        self._chosen: int | None = None
        self._grey: bool | None = None

    @property
    def people(self) -> tuple[Track, ...]:
        """Everybody seen so far."""
        return self._tracker.people

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a user should know so far: of the photographs that were to serve, and of faces that were drawn anew."""
        found = () if self._lending is None else self._lending.notices()
        if not self._drawn:
            return found
        faces = ", ".join(str(number + 1) for number in sorted(self._drawn))
        return (*found, Notice("video.drawn-anew", {"faces": faces}))

    @property
    def memory(self) -> int:
        return max(_MEMORY, self._options.every)

    def skip(self, image: Image) -> None:
        self._tracker.step(image)

    def restore(self, image: Image) -> FrameResult:
        options = self._options
        faces = self._tracker.step(image)
        if self._tracker.cut:
            self._steady.forget()
            self._grey = None
        if self._grey is None:
            # Told once a scene: a face may not lose and gain its colours from frame to frame.
            self._grey = image.grey or is_colourless(image.pixels)
        image = replace(image, grey=self._grey)
        wanted = self._selected(faces, image)
        items, failed = self._projected(image, wanted)
        if not items:
            return FrameResult(
                pixels=self._restorer.enlarge(image, options.enlargement).pixels, restored=0, failed=failed
            )
        canvas = self._restorer.canvas(image, items, options.enlargement) if options.enlargement.any else None
        done = self._restorer.compose(image, items, options.controls, canvas=canvas)
        self._drawn.update(face.index for face in done.faces if face.drawn_anew > 0)
        return FrameResult(pixels=done.image.pixels, restored=len(items), failed=failed)

    def _projected(self, image: Image, wanted: Sequence[tuple[int, Face]]) -> tuple[list[FaceProjection], int]:
        """The projections, and how many faces could not be aligned: one must not cost the others."""
        try:
            return self._steady.project(image, wanted), 0
        except ValueError as error:
            _log.info("%s", error)
        items: list[FaceProjection] = []
        for number, face in wanted:
            with suppress(ValueError):
                items += self._steady.project(image, [(number, face)])
        return items, len(wanted) - len(items)

    def _selected(self, faces: Sequence[TrackedFace], image: Image) -> list[tuple[int, Face]]:
        selection = self._options.selection
        # Whose face grows and shrinks about a limit is not to come and go with it.
        sized = [
            item
            for item, width in ((item, self._track(item.number).width) for item in faces)
            if width >= selection.min_size and (selection.max_size is None or width <= selection.max_size)
        ]
        person = self._options.person
        if person is not None:
            # The face on the film that is most like the photograph: of another day and light it is never very like it.
            alike = {item.number: self._track(item.number).likeness(person.who) for item in sized}
            best = max(alike, key=lambda number: alike[number], default=None)
            sized = [item for item in sized if item.number == best and alike[item.number] >= OTHER_BELOW]
        which = selection.which
        if isinstance(which, tuple):
            sized = [item for item in sized if item.number in which]
        elif which != "all" and sized:
            if self._chosen not in {item.number for item in sized}:
                refused = replace(selection, min_size=0.0, max_size=None).refusals([i.face for i in sized], image.size)
                self._chosen = sized[refused.index(None)].number
            sized = [item for item in sized if item.number == self._chosen]
        if selection.most is not None and len(sized) > selection.most:
            raise ControlError(Notice("outcome.too-many-faces", {"count": len(sized), "most": selection.most}))
        return [(item.number, item.face) for item in sized]

    def _track(self, number: int) -> Track:
        return self.people[number]
