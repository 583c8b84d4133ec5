"""Frames of a video one by one, and frames made of samples again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from likeness.errors import VideoError
from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice
from likeness.video.clip import Clip, Limits, opened, told, up_to
from likeness.video.planes import Colours, Layout, Planes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Frame", "read_frames", "to_video_frame"]

_SHORT = 2.5
"""Frames by which a video may end before the time that its file names: writers round, and some count one more."""

_SHORT_SECONDS = 1.0
"""The same in seconds where the file names only the end of its longest stream."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A frame as it is stored.

    Attributes:
        index: from 0, among the frames that were asked for.
        planes: its samples; not to be written to.
        clip: the video it is from.
        pts: its time in ticks of the clip's time base.
        duration: in ticks; 0 if nothing says.
    """

    index: int
    planes: Planes
    clip: Clip
    pts: int
    duration: int

    @property
    def seconds(self) -> float:
        """Its time in the video, s, from the file's start."""
        return float(self.pts * self.clip.time_base) - self.clip.start

    def pixels(self) -> Pixels:
        """H x W x 3 RGB in [0, 1], upright."""
        return np.ascontiguousarray(np.rot90(self.clip.colours.to_rgb(self.planes), self.clip.turns))

    def changed(self, change: Pixels) -> Planes:
        """The samples with a change of the upright picture added (`Colours.with_change`)."""
        return self.clip.colours.with_change(self.planes, _as_stored(change, self.clip))

    def redrawn(self, pixels: Pixels, colours: Colours) -> Planes:
        """The samples of another picture in its place, H' x W' x 3 and upright."""
        return colours.from_rgb(_as_stored(pixels, self.clip))


def _as_stored(upright: Pixels, clip: Clip) -> Pixels:
    return np.ascontiguousarray(np.rot90(upright, -clip.turns))


def read_frames(
    clip: Clip, *, begin: float = 0.0, end: float | None = None, limits: Limits | None = None
) -> Generator[Frame]:
    """The frames of a video from ``begin`` up to before ``end``, s from its start; a few of them in memory at a time.

    Raises:
        VideoError: if the file is damaged or breaks off, or a frame has another size than the first.
    """
    limits = limits or Limits()
    last = limits.seconds if end is None else end
    with opened(clip.path) as container:
        stream = cast("VideoStream", container.streams[clip.stream])
        if begin > 0:
            container.seek(int((begin + clip.start) * 1e6))
        index, reached = 0, 0.0
        for frame in _progressive(clip, container, stream, end):
            pts = _time(frame, clip, index, begin)
            seconds = float(pts * clip.time_base) - clip.start
            reached = seconds + float((frame.duration or 0) * clip.time_base)
            if seconds < begin - 1e-6:
                continue
            if last is not None and seconds >= last - 1e-6:
                if end is None:
                    raise VideoError(Notice("video.long", {"file": str(clip.path), "seconds": seconds, "limit": last}))
                return
            if (frame.width, frame.height) != (clip.size.width, clip.size.height):
                size = f"{frame.width}x{frame.height}"
                values = {"file": str(clip.path), "seconds": up_to(seconds), "size": size, "was": str(clip.size)}
                raise VideoError(Notice("video.changes", values))
            yield Frame(index=index, planes=_planes(frame, clip), clip=clip, pts=pts, duration=int(frame.duration or 0))
            index += 1
        _refuse_short(clip, stream, reached, end)


def _progressive(clip: Clip, container: InputContainer, stream: VideoStream, end: float | None) -> Iterator[VideoFrame]:
    """Decoded frames, whole ones where they are interlaced; what is damaged from ``end`` on is of no account."""
    from av.error import FFmpegError

    # Not threads that take a frame each: those hand a frame on before they know whether it is damaged.
    stream.thread_type = "SLICE"
    graph = _deinterlacing(stream) if clip.interlaced else None
    seconds = 0.0
    decoded = container.decode(stream)
    while True:
        try:
            frame = next(decoded, None)
        except (FFmpegError, ValueError) as error:
            raise told(clip.path, error, seconds) from error
        if frame is not None:
            seconds = seconds if frame.pts is None else frame.time - clip.start
            if frame.is_corrupt and (end is None or seconds < end):
                raise VideoError(Notice("video.corrupt", {"file": str(clip.path), "seconds": up_to(seconds)}))
        if graph is None:
            if frame is None:
                return
            yield frame
            continue
        graph.push(frame)
        while True:
            try:
                made = graph.pull()
            except (BlockingIOError, EOFError):
                break
            yield made  # type: ignore[misc]  # a graph of video gives video
        if frame is None:
            return


def _deinterlacing(stream: VideoStream) -> Graph:
    """bwdif (Weston and Bob, as in FFmpeg): each frame whole, at its own time; frames that are whole already stay."""
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(template=stream)
    made = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    source.link_to(made)
    made.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _time(frame: VideoFrame, clip: Clip, index: int, begin: float) -> int:
    """In ticks of the clip's time base."""
    if frame.pts is None:
        # Bare streams hold no times: frames follow one another evenly.
        return round((begin + index / float(clip.rate)) / float(clip.time_base))
    base = frame.time_base or clip.time_base
    return frame.pts if base == clip.time_base else round(frame.pts * base / clip.time_base)


def _refuse_short(clip: Clip, stream: VideoStream, reached: float, end: float | None) -> None:
    """Whether the video broke off: a file that was cut short just ends."""
    if stream.duration is not None:
        ends = float((stream.start_time or 0) * clip.time_base) - clip.start + float(stream.duration * clip.time_base)
        allowed = _SHORT / float(clip.rate)
    elif clip.seconds is not None:
        ends, allowed = clip.seconds, _SHORT_SECONDS
    else:
        return
    if reached >= (ends if end is None else min(ends, end)) - allowed:
        return
    # The file's length may be its sound's: then that goes on where the pictures end.
    if stream.duration is not None or not clip.copied or _end_of_all(clip) < ends - allowed:
        values = {"file": str(clip.path), "seconds": up_to(reached), "whole": ends}
        raise VideoError(Notice("video.breaks-off", values))


def _end_of_all(clip: Clip) -> float:
    """Where the last packet of any stream ends, s from the start."""
    from av.error import FFmpegError

    ends = 0.0
    with opened(clip.path) as container:
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    ends = max(ends, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except (FFmpegError, ValueError):  # what can be read ends here
            pass
    return ends - clip.start


def _planes(frame: VideoFrame, clip: Clip) -> Planes:
    layout = clip.colours.layout
    if Layout.of(frame.format.name) != layout:
        # Packed and semi-planar formats hold the same samples in another order; RGB gets those that it is read back from.
        of_rgb = {"dst_colorspace": clip.colours.used_matrix, "dst_color_range": 1} if frame.format.is_rgb else {}
        frame = frame.reformat(format=layout.name, **of_rgb)
    count = 1 if layout.grey else 3
    return tuple(_samples(plane, layout.dtype)[: plane.height, : plane.width] for plane in frame.planes[:count])


def _samples(plane: Any, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """A plane's rows as they lie in memory, padding included; no copy."""
    samples = np.asarray(memoryview(plane)).view(dtype)
    row = plane.line_size // samples.itemsize
    return samples[: samples.size // row * row].reshape(-1, row)


def to_video_frame(planes: Planes, colours: Colours, pts: int, time_base: Fraction, duration: int = 0) -> VideoFrame:
    """Planes as FFmpeg takes them."""
    from av.video.frame import VideoFrame

    height, width = planes[0].shape
    frame = VideoFrame(width, height, colours.layout.name)
    for plane, samples in zip(frame.planes, planes, strict=True):
        _samples(plane, colours.layout.dtype)[: samples.shape[0], : samples.shape[1]] = samples
    frame.pts, frame.time_base, frame.duration = pts, time_base, duration
    return frame
