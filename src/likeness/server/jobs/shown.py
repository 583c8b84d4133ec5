"""What is made of a job's pictures when it is asked for: large views, and versions for the screen and for paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from likeness.batch.journal import Item
from likeness.imaging.image import Image
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice
from likeness.server.api.restoring import THE_PICTURE
from likeness.server.api.versions import Version, VersionFile, check_print, version_file
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState
from likeness.server.jobs.jobs import Jobs
from likeness.server.jobs.videos import is_video
from likeness.studio.deliver import PrintOptions, WebOptions

__all__ = ["result_version", "smaller", "view"]


def result_version(state: ServerState, jobs: Jobs, item: Item, kind: Version) -> VersionFile:
    """A picture's result for the screen or for paper; an enlarged one counts with the pixels it has.

    Raises:
        ProblemError: if there is no result, or it is a video.
        ImageReadError, ImageTooLargeError, ResolutionError: if the version cannot be made.
    """
    path, _ = jobs.result(item)
    if is_video(item):
        raise ProblemError("option-unusable", Notice("job.video-version"))
    image = _read(state, path)
    drawn = float(item.outcome["report"]["upscale"])
    options = WebOptions() if kind == "web" else PrintOptions()
    if isinstance(options, PrintOptions):
        check_print(image.size, options.scale / drawn, 2 * state.settings.max_pixels)
    return version_file(image, options, drawn=drawn)


def view(state: ServerState, jobs: Jobs, item: Item, side: Literal["before", "after"], longest: int) -> bytes:
    """A JPEG of a picture before or after, as large as is asked for at most.

    Raises:
        ProblemError: if there is no result.
        ImageReadError: if a file cannot be read.
    """
    path = jobs.result(item)[0]
    return thumbnail(_read(state, path if side == "after" else jobs.original(item)), side=longest)


def smaller(state: ServerState, data: bytes, longest: int) -> bytes:
    """A JPEG that is kept, no larger than is asked for.

    Raises:
        ImageReadError: if it cannot be read.
    """
    image = _read(state, data)
    return data if image.size.within(longest) == image.size else thumbnail(image, side=longest)


def _read(state: ServerState, path: Path | bytes) -> Image:
    return state.decoder.read(path, max_pixels=state.settings.max_pixels, name=THE_PICTURE)
