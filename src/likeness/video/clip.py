"""What a video file says of itself: looked at, and held to limits, before anything of it is decoded."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.errors import VideoError
from likeness.imaging.files import is_picture
from likeness.imaging.image import Size
from likeness.messages.notice import Notice, reason_of
from likeness.video.library import require_av
from likeness.video.planes import Colours, Layout

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Clip", "Limits", "OtherStream", "open_clip", "opened", "told", "up_to"]

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,asf,ogg,mxf,nut,dv,gif,rm,"
    "mp3,wav,flac,aac,amr,aiff,ac3,caf"
)
"""Formats that are opened. Playlists are not: they name further files and addresses. Those of sound alone are, to say so."""

_COPIED = ("audio", "subtitle")
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of high dynamic range (H.273, table 3)."""
_CENTRED = frozenset({"mjpeg", "mpeg1video", "h263", "flv1"})
_PROGRESSIVE = (0, 1)

_TURNS = 4


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be decoded.

    Attributes:
        pixels: of a frame.
        seconds: of the whole video; None for no limit. A file that does not say is let through, and ended at the limit.
        megabytes: of the file; None for no limit.
    """

    pixels: int = 40_000_000
    seconds: float | None = None
    megabytes: float | None = None


@dataclass(frozen=True, kw_only=True)
class OtherStream:
    """A stream beside the video: its number in the file, its kind ("audio", "subtitle", ...) and codec."""

    index: int
    kind: str
    codec: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """A video file.

    Attributes:
        path: the file.
        stream: number of the video stream in the file.
        codec: FFmpeg's name of its codec.
        size: of a frame as it is stored, px; `turns` sets it upright.
        turns: quarter turns, counter-clockwise, that set a frame upright.
        display: the display matrix as the file has it, nine numbers; None for none.
        colours: what the samples mean.
        tags: codes of matrix, range, transfer and primaries as the file has them.
        pixel_format: as the decoder gives it.
        rgb: whether that is RGB and not luma and colour differences.
        pixel_shape: width of a pixel by its height; None where the file does not say.
        time_base: seconds of one tick of the video's times.
        start: of the file, s; times that a user gives count from here.
        rate: frames a second, on the average.
        seconds: how long it is; None if the file does not say.
        frames: how many it has; None if the file does not say.
        interlaced: whether its frames are two half pictures each.
        copied: sound and subtitles.
        notes: what is in the file and will not be in the result.
    """

    path: Path
    stream: int
    codec: str
    size: Size
    turns: int
    display: tuple[int, ...] | None
    colours: Colours
    tags: Mapping[str, int]
    pixel_format: str
    rgb: bool
    pixel_shape: Fraction | None
    time_base: Fraction
    start: float
    rate: Fraction
    seconds: float | None
    frames: int | None
    interlaced: bool
    copied: tuple[OtherStream, ...]
    notes: tuple[Notice, ...] = field(default=())

    @property
    def upright(self) -> Size:
        """Size of a frame that is set upright."""
        return self.turned(self.size)

    def turned(self, size: Size) -> Size:
        """A size as it is stored from one that is upright, and the other way round."""
        return size if self.turns % 2 == 0 else Size(size.height, size.width)


@contextmanager
def opened(path: Path) -> Generator[InputContainer]:
    """A video file, open for reading; only formats that hold their own data, and only this file.

    Raises:
        VideoError: if it cannot be opened, or is no video.
    """
    require_av()
    import av
    from av.error import FFmpegError

    if not path.is_file():
        code = "video.folder" if path.is_dir() else "video.missing"
        raise VideoError(Notice(code, {"file": str(path)}))
    try:
        container = av.open(
            f"file:{path}",
            options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, ValueError, OSError) as error:
        if is_picture(path):
            raise VideoError(Notice("video.picture", {"file": str(path)})) from error
        raise told(path, error) from error
    try:
        yield container
    finally:
        container.close()


def told(path: Path, error: BaseException, seconds: float | None = None) -> VideoError:
    """An error of FFmpeg's in one sentence; ``seconds`` is how far the file could be read."""
    why = reason_of(error) or type(error).__name__
    if seconds is not None:
        return VideoError(Notice("video.damaged", {"file": str(path), "seconds": up_to(seconds), "why": why}))
    return VideoError(Notice("video.unreadable", {"file": str(path), "why": why}))


def up_to(seconds: float) -> float:
    """A time that can be given as an end and is not behind this one: it is told with two decimals."""
    return math.floor(seconds * 100 + 1e-6) / 100


def open_clip(path: Path, limits: Limits | None = None) -> Clip:
    """Look at a video: its header, and one frame where that keeps to the limits.

    Raises:
        VideoError: if it is no video, is damaged at its beginning, is larger than the limits, or is of high dynamic range.
        MissingExtraError: if PyAV is not installed.
    """
    limits = limits or Limits()
    with opened(path) as container:
        if limits.megabytes is not None and path.stat().st_size > limits.megabytes * 1e6:
            raise VideoError(Notice("video.large-file", {"file": str(path), "limit": limits.megabytes}))
        stream = _video_stream(path, container)
        context = stream.codec_context
        _refuse_size(path, context.width, context.height, limits)
        seconds = _seconds(container, stream)
        if limits.seconds is not None and seconds is not None and seconds > limits.seconds:
            raise VideoError(Notice("video.long", {"file": str(path), "seconds": seconds, "limit": limits.seconds}))
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        first = _first_frame(path, container, stream)
        _refuse_size(path, first.width, first.height, limits)
        if first.color_trc in _HDR:
            raise VideoError(Notice("video.hdr", {"file": str(path), "kind": _HDR[first.color_trc]}))
        display = _display(first)
        size = Size(first.width, first.height)
        layout, alpha = _layout(first.format)
        notes = [Notice("video.alpha")] if alpha else []
        others = [other for other in container.streams if other.index != stream.index]
        copied = tuple(_described(other) for other in others if other.type in _COPIED)
        left = [_described(other) for other in others if other.type not in _COPIED]
        if container.chapters():
            # The names of chapters, which are kept, are a stream of their own in MP4.
            left = [item for item in left if item.codec != "bin_data"]
        notes += [Notice("video.left-out", {"kind": item.kind, "codec": item.codec}) for item in left]
        interlaced = first.interlaced_frame or context.field_order not in _PROGRESSIVE
        if interlaced:
            notes.append(Notice("video.interlaced"))
        name = stream.codec_context.codec.canonical_name
        return Clip(
            path=path,
            stream=stream.index,
            codec=name,
            size=size,
            turns=round(first.rotation / 90) % _TURNS,
            display=display,
            colours=Colours(
                layout=layout,
                matrix=1 if first.format.is_rgb else int(first.colorspace),
                full=first.format.name.startswith("yuvj") or (not first.format.is_rgb and int(first.color_range) == 2),
                centred=name in _CENTRED,
                height=size.height,
            ),
            tags={
                "colorspace": int(first.colorspace),
                "color_range": int(first.color_range),
                "color_trc": int(first.color_trc),
                "color_primaries": int(first.color_primaries),
            },
            pixel_format=first.format.name,
            rgb=first.format.is_rgb,
            pixel_shape=stream.sample_aspect_ratio or None,
            time_base=stream.time_base or Fraction(1, 1000),
            start=(container.start_time or 0) / 1e6,
            rate=rate,
            seconds=seconds,
            frames=stream.frames or (None if seconds is None else max(1, round(seconds * float(rate)))),
            interlaced=interlaced,
            copied=copied,
            notes=tuple(notes),
        )


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    from av.stream import Disposition

    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures:
        code = "video.sound-only" if container.streams.audio else "video.none"
        raise VideoError(Notice(code, {"file": str(path)}))
    if getattr(pictures[0], "codec_context", None) is None:  # of a codec that FFmpeg does not know
        raise VideoError(Notice("video.no-frame", {"file": str(path)}))
    return pictures[0]


def _seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1e6


def _refuse_size(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        values: Mapping[str, Any] = {"file": str(path), "size": f"{width}x{height}", "limit": limits.pixels}
        raise VideoError(Notice("video.large", values))


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    from av.error import FFmpegError

    if stream.codec_context.width * stream.codec_context.height == 0:
        raise VideoError(Notice("video.no-frame", {"file": str(path)}))
    try:
        for frame in container.decode(stream):
            return frame
    except (FFmpegError, ValueError) as error:
        raise told(path, error) from error
    raise VideoError(Notice("video.no-frame", {"file": str(path)}))


def _display(frame: VideoFrame) -> tuple[int, ...] | None:
    """The nine numbers of the display matrix (row by row, as containers store them)."""
    import numpy as np
    from av.sidedata.sidedata import Type

    sides: Any = frame.side_data  # its keys are of that type, and not texts as is declared
    data = sides.get(Type.DISPLAYMATRIX)
    return None if data is None else tuple(int(x) for x in np.frombuffer(bytes(data), np.int32))


def _layout(pixels: VideoFormat) -> tuple[Layout, bool]:
    """How frames of a format are handled, and whether a channel of transparency is left out."""
    known = Layout.of(pixels.name)
    alpha = any(part.is_alpha for part in pixels.components)
    if known is not None:
        return known, False
    bits = max(part.bits for part in pixels.components)
    chroma = [part for part in pixels.components if part.is_chroma]
    whole = pixels.width * pixels.height
    steps = (1, 1)
    if chroma and not pixels.is_rgb and whole:
        steps = (math.ceil(pixels.width / chroma[0].width), math.ceil(pixels.height / chroma[0].height))
    return Layout.stand_in(pixels.name, bits, steps), alpha and not pixels.has_palette


def _described(stream: Stream) -> OtherStream:
    # What FFmpeg has no decoder for has no context.
    context = getattr(stream, "codec_context", None)
    codec = context.name if context is not None else str(stream.name or "unknown")
    kind = "picture" if stream.type == "video" else stream.type
    return OtherStream(index=stream.index, kind=kind, codec=codec)
