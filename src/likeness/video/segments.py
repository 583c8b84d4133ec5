"""Encoded frames on the disk in segments, each of which is there whole or not at all.

A segment begins with a key frame and its encoder knows nothing of the others, so that segments that were encoded in several
runs of the program make one video. Files are of our own form, as packets with their times must come back exactly.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from likeness.core.files import write_bytes_atomically
from likeness.errors import VideoError
from likeness.messages.notice import Notice
from likeness.video.encoders import Encoding, priority_kept
from likeness.video.frames import to_video_frame
from likeness.video.planes import Planes

if TYPE_CHECKING:
    from av.packet import Packet

__all__ = ["EncodedFrame", "Segment", "SegmentEncoder", "read_segment", "segments_in"]

_log = logging.getLogger(__name__)

_HEAD = struct.Struct("<qqqBI")
"""pts, dts, duration, whether it is a key frame, bytes."""

_MAGIC = b"likeness video segment 2\n"
_FACES = struct.Struct("<qq")
"""How many were restored, and how many could not be."""


@dataclass(frozen=True, kw_only=True)
class EncodedFrame:
    """A packet: times in ticks of the encoding's time base, and bytes."""

    pts: int
    dts: int
    duration: int
    key: bool
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A finished segment: its file, the frames that it holds, ``first`` up to before ``end``, and how many faces in them
    were restored and could not be."""

    path: Path
    first: int
    end: int
    restored: int
    failed: int


class SegmentEncoder:
    """Encodes frames into one segment.

    Args:
        encoding: how.
        first: index of the first frame.

    Raises:
        VideoError: if the encoder does not start.
    """

    def __init__(self, encoding: Encoding, first: int) -> None:
        from av.codec import CodecContext
        from av.error import FFmpegError

        self._encoding = encoding
        self._first = self._next = first
        self._restored = self._failed = 0
        self._packets: list[EncodedFrame] = []
        self._durations: dict[int, int] = {}
        self._context = CodecContext.create(encoding.encoder, "w")
        try:
            encoding.prepare(self._context)  # type: ignore[arg-type]  # every encoder of ours is one of video
            with priority_kept():
                self._context.open()
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                Notice("video.encoder-failed", {"encoder": encoding.encoder, "why": str(error)})
            ) from error

    @property
    def frames(self) -> int:
        """How many frames it was given."""
        return self._next - self._first

    @property
    def nbytes(self) -> int:
        """Bytes of what is encoded so far."""
        return sum(len(item.data) for item in self._packets)

    def add(self, planes: Planes, pts: int, duration: int, *, restored: int, failed: int = 0) -> None:
        """Encode a frame in which so many faces were restored and could not be; what is encoded is kept in memory until
        `write`."""
        self._restored += restored
        self._failed += failed
        encoding = self._encoding
        height, width = encoding.size.height, encoding.size.width
        layout = encoding.colours.layout
        cut = tuple(
            plane[: -(-height // (layout.down if part else 1)), : -(-width // (layout.across if part else 1))]
            for part, plane in enumerate(planes)
        )
        self._durations[pts] = duration
        self._keep(self._context.encode(to_video_frame(cut, encoding.colours, pts, encoding.time_base, duration)))  # type: ignore[attr-defined]
        self._next += 1

    def write(self, folder: Path) -> Segment:
        """End the segment and write it to the folder.

        Raises:
            FileWriteError: if it cannot be written.
        """
        self._keep(self._context.encode(None))  # type: ignore[attr-defined]
        path = folder / f"{self._first:08d}-{self._next:08d}.seg"
        parts = [_MAGIC, _FACES.pack(self._restored, self._failed)]
        for item in self._packets:
            parts += [_HEAD.pack(item.pts, item.dts, item.duration, item.key, len(item.data)), item.data]
        write_bytes_atomically(b"".join(parts), path)
        return Segment(path=path, first=self._first, end=self._next, restored=self._restored, failed=self._failed)

    def _keep(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            self._packets.append(
                EncodedFrame(
                    pts=packet.pts,
                    dts=packet.pts if packet.dts is None else packet.dts,
                    duration=self._durations.pop(packet.pts, 0) or int(packet.duration or 0),
                    key=packet.is_keyframe,
                    data=bytes(packet),
                )
            )


def segments_in(folder: Path) -> list[Segment]:
    """The finished segments of a folder that follow one another without a gap, from the first frame on. One that is damaged,
    or was written by another version, is a gap: its frames are made again."""
    found: list[Segment] = []
    for path in sorted(folder.glob("*.seg")):
        first, _, end = path.stem.partition("-")
        if int(first) != (found[-1].end if found else 0):
            continue
        try:
            with path.open("rb") as stream:
                restored, failed = _faces(stream, path)
        except VideoError as error:
            _log.info("%s", error)
            continue
        found.append(Segment(path=path, first=int(first), end=int(end), restored=restored, failed=failed))
    return found


def read_segment(segment: Segment) -> Generator[EncodedFrame]:
    """Its packets in the order in which they were encoded.

    Raises:
        VideoError: if the file is damaged.
    """
    with segment.path.open("rb") as stream:
        _faces(stream, segment.path)
        while head := stream.read(_HEAD.size):
            damaged = VideoError(Notice("video.segment", {"file": str(segment.path)}))
            if len(head) != _HEAD.size:
                raise damaged
            pts, dts, duration, key, size = _HEAD.unpack(head)
            data = stream.read(size)
            if len(data) != size:
                raise damaged
            yield EncodedFrame(pts=pts, dts=dts, duration=duration, key=bool(key), data=data)


def _faces(stream: BinaryIO, path: Path) -> tuple[int, int]:
    """What stands before the packets."""
    if stream.read(len(_MAGIC)) != _MAGIC or len(counts := stream.read(_FACES.size)) != _FACES.size:
        raise VideoError(Notice("video.segment", {"file": str(path)}))
    restored, failed = _FACES.unpack(counts)
    return int(restored), int(failed)
