"""The file of a result: which kinds there are, what each can hold, and frames put together with sound and subtitles."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.errors import ConfigError, FileWriteError, VideoError
from likeness.messages.notice import Notice, reason_of
from likeness.video.clip import Clip, OtherStream, opened
from likeness.video.encoders import CODECS, Encoding, priority_kept
from likeness.video.library import require_av
from likeness.video.segments import EncodedFrame

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = ["MEDIA_TYPES", "SUFFIXES", "held_codecs", "rehearse", "write_container"]

_KINDS = {
    ".mp4": ("mp4", "video/mp4"),
    ".m4v": ("mp4", "video/mp4"),
    ".mov": ("mov", "video/quicktime"),
    ".mkv": ("matroska", "video/matroska"),
    ".webm": ("webm", "video/webm"),
    ".avi": ("avi", "video/vnd.avi"),
    ".nut": ("nut", "application/octet-stream"),
}
"""FFmpeg's format and the media type of a result, by the end of its name."""

SUFFIXES = tuple(_KINDS)
"""How the names of results may end."""

MEDIA_TYPES = {suffix: media for suffix, (_, media) in _KINDS.items()}
"""Of results, by the ends of their names."""

_INDEXED_FIRST = frozenset({"mp4", "mov"})
"""Formats whose index is moved to the beginning, so that a video plays while it is still being loaded."""

_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time_src"})
"""What describes the file that was read and not the video."""


def held_codecs(target: Path) -> frozenset[str]:
    """Those of `CODECS` that a file of this name can hold.

    Raises:
        ConfigError: if no such file is written here.
    """
    require_av()
    import av

    kind = _format(target)
    held: set[str] = set()
    for codec in CODECS:
        with av.open(io.BytesIO(), "w", format=kind) as container:
            try:
                container.add_mux_stream(codec, rate=25, width=64, height=64)
            except ValueError:
                continue
            held.add(codec)
    # FFmpeg's AVI writer takes what hardly a player reads there.
    return frozenset(held & {"h264", "ffv1"}) if kind == "avi" else frozenset(held)


def rehearse(clip: Clip, target: Path, encoding: Encoding) -> None:
    """Make sure that the result's file can be written, sound and subtitles included, before any work.

    Raises:
        ConfigError: if the file cannot hold one of them.
        VideoError: if the encoder does not start.
    """
    import av
    from av.error import FFmpegError

    with opened(clip.path) as source, av.open(io.BytesIO(), "w", format=_format(target)) as container:
        _lay_out(clip, source, container, encoding, target)
        try:
            with priority_kept():
                container.start_encoding()
        except (FFmpegError, ValueError) as error:
            values = {"file": str(target), "why": reason_of(error)}
            raise VideoError(Notice("video.unwritable", values)) from error


def write_container(
    clip: Clip,
    target: Path,
    path: Path,
    encoding: Encoding,
    frames: Iterable[EncodedFrame],
    *,
    begin: float = 0.0,
    end: float | None = None,
) -> None:
    """Put encoded frames together with the sound, subtitles, chapters and texts of the clip.

    Args:
        clip: where those come from.
        target: the result's name, by which the kind of file is chosen.
        path: the file that is written.
        encoding: how the frames were encoded.
        frames: packets in the order of encoding, in the clip's times.
        begin, end: the part of the clip, s from its start; its times are moved so that ``begin`` becomes the start.

    Raises:
        FileWriteError: if the file cannot be written.
        VideoError: if the sound is damaged, or the file cannot hold what is written.
    """
    import av
    from av.error import FFmpegError

    kind = _format(target)
    options = {"movflags": "faststart"} if kind in _INDEXED_FIRST else {}
    shift = Fraction(begin).limit_denominator(1_000_000) if begin > 0 else Fraction(0)
    try:
        with (
            opened(clip.path) as source,
            av.open(f"file:{path}", "w", format=kind, container_options=options) as container,
        ):
            video, copies = _lay_out(clip, source, container, encoding, target)
            container.set_chapters(list(_chapters(source, begin, end)))
            with priority_kept():
                container.start_encoding()
            packets = _in_order(
                _video_packets(frames, video, encoding, shift),
                _copied_packets(clip, source, copies, begin, end, shift),
            )
            for packet in packets:
                container.mux(packet)
    except OSError as error:
        if isinstance(error, FFmpegError) and not error.errno:
            raise VideoError(Notice("video.unwritable", {"file": str(target), "why": reason_of(error)})) from error
        raise FileWriteError(Notice("file.unwritten", {"file": str(target), "why": reason_of(error)})) from error
    except (FFmpegError, ValueError) as error:
        why = reason_of(error)
        raise VideoError(Notice("video.unwritable", {"file": str(target), "why": why})) from error


def _format(target: Path) -> str:
    kind = _KINDS.get(target.suffix.lower())
    if kind is None:
        raise ConfigError(Notice("video.suffix", {"file": str(target), "known": ", ".join(SUFFIXES)}))
    return kind[0]


def _lay_out(
    clip: Clip, source: InputContainer, container: OutputContainer, encoding: Encoding, target: Path
) -> tuple[VideoStream, dict[int, Stream]]:
    """The streams of a result: the video, and those that are copied by their number in the clip."""
    original = source.streams[clip.stream]
    video: VideoStream = container.add_stream(encoding.encoder, rate=encoding.rate)  # type: ignore[assignment]
    encoding.prepare(video.codec_context)
    video.time_base = encoding.time_base
    if clip.display is not None:
        video.set_display_matrix(clip.display)
    _describe(original, video)
    copies: dict[int, Stream] = {}
    for other in clip.copied:
        stream = source.streams[other.index]
        try:
            copies[other.index] = container.add_stream_from_template(stream)
        except ValueError as error:
            raise ConfigError(_unheld(target, other)) from error
        _describe(stream, copies[other.index])
    container.metadata.update({key: text for key, text in source.metadata.items() if key.lower() not in _OWN_TAGS})
    return video, copies


def _unheld(target: Path, stream: OtherStream) -> Notice:
    code = "video.sound-unheld" if stream.kind == "audio" else "video.subtitles-unheld"
    return Notice(code, {"file": str(target), "codec": stream.codec, "other": str(target.with_suffix(".mkv"))})


def _describe(source: Stream, target: Stream) -> None:
    target.metadata.update({key: text for key, text in source.metadata.items() if key.lower() not in _OWN_TAGS})
    target.disposition = source.disposition


def _chapters(source: InputContainer, begin: float, end: float | None) -> Iterator[Chapter]:
    """The chapters of a part, cut at its ends."""
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        low, high = round(begin / base), None if end is None else round(end / base)
        first, last = max(chapter["start"], low), chapter["end"] if high is None else min(chapter["end"], high)
        if first < last:
            yield {**chapter, "start": first - low, "end": last - low}


def _video_packets(
    frames: Iterable[EncodedFrame], stream: VideoStream, encoding: Encoding, shift: Fraction
) -> Generator[tuple[Fraction, Packet[Any]]]:
    from av.packet import Packet

    ticks = round(shift / encoding.time_base)
    last: int | None = None
    for frame in frames:
        packet: Packet[Any] = Packet(frame.data)
        # Segments are encoded apart: the first of one may be due by its encoder's clock before the last of the other.
        dts = frame.dts - ticks if last is None else max(frame.dts - ticks, last + 1)
        last = dts
        packet.pts, packet.dts = frame.pts - ticks, min(dts, frame.pts - ticks)
        packet.duration, packet.time_base = frame.duration, encoding.time_base
        packet.is_keyframe = frame.key
        packet.stream = stream
        yield dts * encoding.time_base, packet


def _copied_packets(
    clip: Clip, source: InputContainer, copies: dict[int, Stream], begin: float, end: float | None, shift: Fraction
) -> Generator[tuple[Fraction, Packet[Any]]]:
    if not copies:
        return
    for packet in source.demux([source.streams[index] for index in copies]):
        if packet.dts is None:  # the end of a stream
            continue
        stream = source.streams[packet.stream_index]
        base = packet.time_base
        at = float((packet.dts if packet.pts is None else packet.pts) * base) - clip.start
        ends = at + float((packet.duration or 0) * base)
        # Subtitles that begin before the part and end in it are shown in it.
        early = at < begin if stream.type == "audio" else ends <= begin
        if (begin > 0 and early) or (end is not None and at >= end):
            continue
        ticks = round(shift / base)
        if packet.pts is not None:
            packet.pts -= ticks
        packet.dts -= ticks
        packet.stream = copies[packet.stream_index]
        yield packet.dts * base, packet


def _in_order(*queues: Iterator[tuple[Fraction, Packet[Any]]]) -> Generator[Packet[Any]]:
    """Packets of several streams as they are due, so that no more than a few wait in memory."""
    waiting = {number: first for number, queue in enumerate(queues) if (first := next(queue, None)) is not None}
    while waiting:
        number = min(waiting, key=lambda key: waiting[key][0])
        yield waiting[number][1]
        following = next(queues[number], None)
        if following is None:
            del waiting[number]
        else:
            waiting[number] = following
