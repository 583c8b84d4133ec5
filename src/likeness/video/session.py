"""One frame after the other through the restorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from likeness.errors import NoFaceError
from likeness.imaging.image import Image, Pixels
from likeness.restore.pipeline import Restorer
from likeness.video.options import VideoOptions

__all__ = ["FrameByFrame", "FrameResult", "Session"]


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
                enlargement=options.enlargement,
                verdicts=False,
            )
        except NoFaceError:
            enlarged = self._restorer.enlarge(image, options.enlargement)
            return FrameResult(pixels=enlarged.pixels, restored=0)
        return FrameResult(pixels=done.image.pixels, restored=len(done.restored), failed=len(done.failed))

    def skip(self, image: Image) -> None:
        """Frames know nothing of one another."""
