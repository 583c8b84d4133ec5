"""Videos of jobs: looked at before they are taken, and restored a few frames at a time, so that pictures have their turn.

The file is read in processes apart (`likeness.video.apart`), the frames are restored here, by the one network. Finished
segments lie beside the result until it is there, so that a server that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likeness.batch.journal import Item, Thumbnails
from likeness.batch.videos import WatchedSession, video_record
from likeness.errors import ConfigError, LikenessError
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.reference.references import References
from likeness.server.api.video_requests import VideoRequest
from likeness.server.http.state import ServerState
from likeness.video.apart import files_apart, renamed
from likeness.video.clip import Clip, Limits
from likeness.video.container import SUFFIXES
from likeness.video.files import VideoFiles
from likeness.video.job import VideoJob, plan_video
from likeness.video.options import VideoOptions
from likeness.video.person import Person, person_in
from likeness.video.session import SteadySession

__all__ = ["VideoWork", "is_video", "named", "plan", "video_options", "video_request"]

_VIDEO = "video"
_THE_VIDEO = "the video"
"""What sentences call an upload."""

_POSTER = 640
"""Longer side of the pictures that stand for a video, px."""

_UNHELD = frozenset({"video.sound-unheld", "video.subtitles-unheld"})


def is_video(item: Item) -> bool:
    """Whether an item of a job's is a video, and no picture."""
    return item.options.get("kind") == _VIDEO


def video_options(request: VideoRequest) -> dict[str, Any]:
    """What the journal holds of a request."""
    return {"kind": _VIDEO, **request.values}


def video_request(options: Mapping[str, Any]) -> VideoRequest:
    """The request that `video_options` was made of."""
    return VideoRequest.of({name: value for name, value in options.items() if name != "kind"})


def plan(
    state: ServerState,
    source: Path,
    target: Path,
    request: VideoRequest,
    *,
    name: str,
    person: Path | None,
    references: References | None,
) -> VideoJob:
    """Look at a video, and refuse all that can be refused before any work.

    Args:
        state: the application's.
        source: the file as it came, under a name of ours.
        target: where its result goes; its end is that of the clients' name for it, or ".mkv" if only that holds its sound.
        request: how.
        name: what the client calls it.
        person: a photograph of the one who is to be restored.
        references: other photographs of the people.

    Raises:
        VideoError: if it is no video, is damaged at its beginning, or too large.
        ConfigError: if it cannot be written as it is wanted.
        NoFaceError: if the photograph of the person shows no face.
        ImageReadError: if that cannot be read.
        ImageTooLargeError: if the result's frames would be too large.
        MissingExtraError: if PyAV is not installed.
    """
    settings = state.settings
    limits = _limits(state)
    files = files_apart(_THE_VIDEO, pixels=limits.pixels)
    clip = files.open(source, limits)
    options = request.options(
        most_pixels=settings.max_video_pixels,
        most_faces=settings.max_faces,
        person=None if person is None else _person(state, person),
        references=references,
    )
    own = Path(name).suffix.lower()
    suffix = own if own in SUFFIXES else ".mp4"
    try:
        return _planned(clip, options, target.with_suffix(suffix), state, files)
    except ConfigError as error:
        if error.notice.code not in _UNHELD or suffix == ".mkv":
            raise
    return _planned(clip, options, target.with_suffix(".mkv"), state, files)


def _planned(clip: Clip, options: VideoOptions, target: Path, state: ServerState, files: VideoFiles) -> VideoJob:
    return plan_video(clip, options, target=target, side=state.restorer.runtime.spec.side, files=files)


def _limits(state: ServerState) -> Limits:
    settings = state.settings
    return Limits(
        pixels=settings.max_video_pixels,
        seconds=settings.max_video_seconds,
        megabytes=settings.max_video / 1e6,
    )


def _person(state: ServerState, photograph: Path) -> Person:
    def read(path: Path) -> Image:
        return state.decoder.read(path, max_pixels=state.settings.max_pixels, name="the person's photograph")

    return person_in(photograph, state.restorer.detector, state.matcher, name="the person's photograph", read=read)


def named(error: LikenessError) -> Notice:
    """What an error says, with a name of ours for the client's video."""
    return renamed(error.notice, _THE_VIDEO)


class VideoWork:
    """A video of a job, in work.

    Args:
        state: the application's.
        job: what is to be done.
        output: where its result goes.

    Attributes:
        share: how much of it is done, in [0, 1].
    """

    def __init__(self, state: ServerState, job: VideoJob, output: Path) -> None:
        self._job = job
        self._session = WatchedSession(SteadySession(state.restorer, job.options), side=_POSTER)
        network = f"{state.model} {state.restorer.runtime.description}"
        # Segments of another network, device or release are of no use: the folder is this server's own.
        self._steps = job.run(
            self._session,
            network=network,
            limits=_limits(state),
            anew=True,
            deliver=lambda made: made.replace(output),
        )
        self._frames = self._kept = self._restored = self._failed = self._written = 0
        self._began = time.perf_counter()
        self.share = 0.0

    def go_on(self, seconds: float) -> bool:
        """Restore frames for so long; whether the result is there.

        Raises:
            LikenessError: see `likeness.video.job.VideoJob.run`; of the client's file, under a name of ours.
            WorkCancelled: if nobody wants it any more.
        """
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            done = next(self._steps, None)
            if done is None:
                self.share = 1.0
                return True
            self._frames += 1
            self._kept += done.kept
            self._restored += done.restored
            self._failed += done.failed
            self._written = done.written
            self.share = min(self._frames / (self._job.frames or 1), 0.99)
        return False

    @property
    def advanced(self) -> bool:
        """Whether it has a segment that an earlier run did not leave, which no later run will do again."""
        return self._written > 0

    @property
    def seconds_left(self) -> float | None:
        """A guess from the frames that are done; None without any."""
        done = self._frames - self._kept
        left = (self._job.frames or 0) - self._frames
        return (time.perf_counter() - self._began) / done * left if done and left > 0 else None

    @property
    def seconds(self) -> float:
        """Since it was begun, s."""
        return time.perf_counter() - self._began

    @property
    def target(self) -> Path:
        """What the result is called, and its segments by."""
        assert self._job.target is not None
        return self._job.target

    def close(self) -> None:
        """Stop; what is finished stays for another run."""
        self._steps.close()

    def record(self) -> dict[str, Any]:
        """What was done, ready for JSON."""
        counts = {"frames": self._frames, "restored": self._restored, "failed": self._failed}
        return video_record(self._job, self._session, **counts)

    @property
    def thumbnails(self) -> Thumbnails | None:
        """The frame with the most restored faces, before and after; None where an earlier run did all of it."""
        return self._session.thumbnails
